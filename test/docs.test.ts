import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { VARIABLES } from '../lib/config/variables.ts'
import { FAILURES } from '../lib/errors.ts'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

/** The cells of table rows whose first cell is code: `| `name` | … |`. */
function rowsOf(markdown: string): string[][] {
  const rows = markdown.split('\n').filter((line) => line.startsWith('| `'))
  return rows.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

const code = (cell = '') => cell.replaceAll('`', '')
const defaults = Object.entries(VARIABLES).map(([name, { fallback }]) => [name, fallback])

describe('settings', () => {
  test('docs/settings.md has every variable with its default, and no other', () => {
    const [, environment = ''] = read('docs/settings.md').split(/^## /m)
    assert.deepEqual(
      rowsOf(environment).map(([name, fallback]) => [code(name), code(fallback)]),
      defaults,
    )
  })

  test('.env.example has every variable with its default, and no other', () => {
    const found = [...read('.env.example').matchAll(/^# ?([A-Z_]+)=(.*)$/gm)].map(([, name = '', value = '']) => [
      name,
      value,
    ])
    const byName = (a: string[], b: string[]) => (a[0] ?? '').localeCompare(b[0] ?? '')
    assert.deepEqual(found.toSorted(byName), defaults.toSorted(byName))
  })
})

describe('failure codes', () => {
  test('docs/errors.md has each with its status, whether to try again, and its title', () => {
    const written = rowsOf(read('docs/errors.md')).map((cells) => cells.with(0, code(cells[0])))
    const expected = Object.entries(FAILURES).map(([name, { status, retry, title }]) => [
      name,
      String(status),
      retry ? 'yes' : 'no',
      title,
    ])
    assert.deepEqual(written, expected)
  })
})

describe('texts', () => {
  const texts = globSync(['*.md', 'docs/**/*.md'], { cwd: ROOT })

  test('links lead somewhere', () => {
    const broken = texts.flatMap((path) =>
      [...read(path).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)]
        .map(([, target = '']) => target)
        .filter((target) => !existsSync(join(ROOT, dirname(path), target)))
        .map((target) => `${path} → ${target}`),
    )
    assert.deepEqual(broken, [])
  })

  test('`npm run …` names scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    const missing = texts.flatMap((path) =>
      [...read(path).matchAll(/npm run (?:-s )?([\w:-]+)/g)]
        .map(([, name = '']) => name)
        .filter((name) => !(name in scripts))
        .map((name) => `${path}: ${name}`),
    )
    assert.deepEqual(missing, [])
  })
})
