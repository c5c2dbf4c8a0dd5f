import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const MAX_LINES = 400
/** Files that are longer, each with its reason. */
const LONG_FILES: Readonly<Record<string, string>> = {}

const files = globSync(['server.ts', 'sync-worker.ts', 'lib/**/*.{ts,cjs}'], { cwd: ROOT }).toSorted((a, b) =>
  a.localeCompare(b),
)
const textOf = new Map(files.map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]))
/** Without comments and strings' contents that look like code; good enough for text that a formatter has seen. */
const codeOf = new Map([...textOf].map(([path, text]) => [path, text.replaceAll(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, '')]))

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\b[^'"`;]*?from\s*['"]([^'"]+)['"]|(?:^|\n)import\s*['"]([^'"]+)['"]|\b(?:import|require)\(\s*['"]([^'"]+)['"]/g
const THREAD = /new Worker\(new URL\(\s*['"](\.[^'"]+\.ts)['"]/g

interface Imports {
  /** Our own files, as paths from the root, those that run as threads included. */
  readonly own: readonly string[]
  readonly threads: readonly string[]
  readonly packages: readonly string[]
}

/** What a file imports, by whatever means. */
function importsOf(path: string): Imports {
  const code = codeOf.get(path) ?? ''
  const fromRoot = (name: string) => posix.normalize(posix.join(dirname(path), name))
  const names = [...code.matchAll(IMPORT)].map((match) => match.slice(1).find((name) => name !== undefined) ?? '')
  const threads = [...code.matchAll(THREAD)].map(([, name = '']) => fromRoot(name))
  const own = names.filter((name) => name.startsWith('.')).map(fromRoot)
  return { own: [...own, ...threads], threads, packages: names.filter((name) => !name.startsWith('.')) }
}

const imports = new Map(files.map((path) => [path, importsOf(path)]))

/** The room of the house a file is in: `lib` is the domain, `lib/sources/file` one of the sources, `.` the entries. */
function roomOf(path: string): string {
  const folders = dirname(path).split('/')
  return folders.slice(0, folders[1] === 'sources' ? 3 : 2).join('/')
}

const ENTRY_ROOMS = ['.', 'lib/entry']

function mayImport(from: string, to: string): boolean {
  if (from === to || ENTRY_ROOMS.includes(from)) return true
  if (from === 'lib/base') return false
  return to === 'lib/base' || to === 'lib'
}

describe('the house', () => {
  test('is read as a whole', () => {
    assert.ok(files.length > 40, 'fewer files than there must be')
    const count = [...imports.values()].reduce((sum, { own }) => sum + own.length, 0)
    assert.ok(count > files.length, 'fewer imports than there must be: the pattern misses them')
  })

  test('a room knows itself, the domain and lib/base; only the entry files know everything', () => {
    const wrong = files.flatMap((path) =>
      (imports.get(path)?.own ?? [])
        .filter(
          (target) => /^(?:lib\/|server\.ts|sync-worker\.ts)/.test(target) && !mayImport(roomOf(path), roomOf(target)),
        )
        .map((target) => `${path} imports ${target}`),
    )
    assert.deepEqual(wrong, [])
  })

  test('nothing that runs in production comes from tests, scripts or the bench', () => {
    const wrong = files.flatMap((path) =>
      (imports.get(path)?.own ?? [])
        .filter((target) => !target.startsWith('lib/') && target !== 'package.json')
        .map((target) => `${path} imports ${target}`),
    )
    assert.deepEqual(wrong, [])
  })

  test('every import leads to a file', () => {
    const wrong = files.flatMap((path) =>
      (imports.get(path)?.own ?? [])
        .filter((target) => !existsSync(join(ROOT, target)))
        .map((target) => `${path} imports ${target}`),
    )
    assert.deepEqual(wrong, [])
  })

  test('no file imports itself by way of others', () => {
    // Who starts a thread is not imported by it, even where the thread imports what both agree on.
    const graph = new Map(
      [...imports].map(([path, { own, threads }]) => [path, own.filter((target) => !threads.includes(target))]),
    )
    assert.deepEqual(cyclesOf(graph), [])
  })

  test('a package is a dependency, not one for development', () => {
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>
    }
    const wrong = files.flatMap((path) =>
      (imports.get(path)?.packages ?? [])
        .filter((name) => !name.startsWith('node:') && !((/^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? '') in dependencies))
        .map((name) => `${path} imports ${name}`),
    )
    assert.deepEqual(wrong, [])
  })

  test('only entry files read the environment of the process', () => {
    const wrong = files.filter(
      (path) => !ENTRY_ROOMS.includes(roomOf(path)) && /process\.env\b/.test(codeOf.get(path) ?? ''),
    )
    assert.deepEqual(wrong, [])
  })

  test(`files are shorter than ${MAX_LINES} lines`, () => {
    const long = [...textOf].filter(
      ([path, text]) => text.split('\n').length > MAX_LINES && LONG_FILES[path] === undefined,
    )
    assert.deepEqual(
      long.map(([path]) => path),
      [],
    )
    for (const path of Object.keys(LONG_FILES)) assert.ok(textOf.has(path), `${path} is no longer there`)
  })

  test('TypeScript is only types: no enum, no namespace, no parameter property', () => {
    const syntax =
      /^\s*(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s|^\s*(?:export\s+)?namespace\s|constructor\((?:[^)]*,)?\s*(?:private|public|protected|readonly)\s/m
    assert.deepEqual(
      files.filter((path) => syntax.test(codeOf.get(path) ?? '')),
      [],
    )
  })

  test('files are named in kebab-case', () => {
    const wrong = files.filter(
      (path) => !/^(?:[a-z0-9]+(?:-[a-z0-9]+)*\/)*[a-z0-9]+(?:-[a-z0-9]+)*\.(?:ts|cjs)$/.test(path),
    )
    assert.deepEqual(wrong, [])
  })
})

describe('the test of the house', () => {
  test('sees a cycle', () => {
    const graph = new Map([
      ['a', ['b']],
      ['b', ['c', 'd']],
      ['c', ['a']],
      ['d', []],
    ])
    assert.deepEqual(cyclesOf(graph), ['a → b → c → a'])
  })

  test('knows who may import whom', () => {
    assert.equal(mayImport('lib/http', 'lib/sqlite'), false)
    assert.equal(mayImport('lib/sources/file', 'lib/sources/airtable'), false)
    assert.equal(mayImport('lib', 'lib/sync'), false)
    assert.equal(mayImport('lib/base', 'lib'), false)
    assert.equal(mayImport('lib/http', 'lib/entry'), false)
    assert.equal(mayImport('lib/http', 'lib'), true)
    assert.equal(mayImport('lib/entry', 'lib/sqlite'), true)
  })
})

/** Each cycle once, as a path that comes back to where it began. */
function cyclesOf(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const cycles: string[] = []
  const done = new Set<string>()
  const path: string[] = []
  const visit = (node: string): void => {
    const start = path.indexOf(node)
    if (start >= 0) cycles.push([...path.slice(start), node].join(' → '))
    if (start >= 0 || done.has(node)) return
    path.push(node)
    for (const next of graph.get(node) ?? []) visit(next)
    path.pop()
    done.add(node)
  }
  for (const node of graph.keys()) visit(node)
  return cycles
}
