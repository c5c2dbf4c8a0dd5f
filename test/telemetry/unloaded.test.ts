import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** Those that are there when the program runs: types are gone by then. */
const STATIC_IMPORT = /(?:^|\n)(?:import|export)\s+(?!type\b)(?:[^'"`;]*?\sfrom\s*)?['"]([^'"]+)['"]/g

const importsOf = new Map(
  globSync('lib/**/*.{ts,js}', { cwd: ROOT }).map((path) => {
    const names = [...readFileSync(join(ROOT, path), 'utf8').matchAll(STATIC_IMPORT)].map(([, name = '']) => name)
    return [path, names.map((name) => (name[0] === '.' ? posix.join(dirname(path), name) : name))]
  }),
)

test('OpenTelemetry is known to lib/telemetry only', () => {
  const knowing = [...importsOf].filter(([, names]) => names.some((name) => name.startsWith('@opentelemetry/')))
  assert.ok(knowing.length > 0, 'the pattern finds no import')
  assert.deepEqual(
    knowing.map(([path]) => path).filter((path) => !path.startsWith('lib/telemetry/')),
    [],
  )
})

test('no process loads it unless it is switched on', () => {
  for (const entry of ['serve', 'serving-process', 'work', 'thread']) {
    const loaded = new Set<string>()
    const load = (path: string): void => {
      if (loaded.has(path)) return
      loaded.add(path)
      for (const name of importsOf.get(path) ?? []) load(name)
    }
    load(`lib/entry/${entry}.ts`)
    assert.ok(loaded.size > 10, `${entry} loads more than the pattern finds`)
    assert.deepEqual(
      [...loaded].filter((name) => name.startsWith('lib/telemetry/') || name.startsWith('@opentelemetry/')),
      [],
      entry,
    )
  }
})
