import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ExactNumber, type ColumnType, type Value } from '../../lib/column.ts'
import { Staging } from './staging.ts'

const MAX_INT64 = 2n ** 63n - 1n

const TEXTS = ['', 'NULL', 'null', '00123', '10.50', '0', '-0', '-0.0', '1e5', '+1', ' 1', '1 ', '.5', '5.', '0x10', 'true', 'İI', '9223372036854775807', '9223372036854775808', '-9223372036854775808', '9007199254740993', '1'.repeat(40), 'a\0b', '\0', '\ud800', 'x\udc00y', '😀', 'e\u0301', '"\\\'', '[1]', '\u2028'] // prettier-ignore

/** What one column is mostly made of; a column mixes one to three of them, which is how types meet. */
const KINDS: readonly fc.Arbitrary<Value>[] = [
  fc.constant(null),
  fc.constantFrom(...TEXTS),
  fc.string({ unit: 'binary' }),
  fc.oneof(fc.nat(), fc.integer()).map(String),
  fc.tuple(fc.integer(), fc.nat()).map(([whole, part]) => `${whole}.${part}`),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.bigInt({ min: -(2n ** 63n), max: MAX_INT64 }),
  fc.bigInt({ min: 2n ** 53n - 2n, max: 2n ** 53n + 2n }),
  fc.bigInt({ min: MAX_INT64 - 1n, max: MAX_INT64 + 2n }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 1.5, 0.1, 1e16, 2 ** 53, 1e21, 1e300, 5e-324),
  fc
    .constantFrom('0.1000000000000000055', '1e400', '-3.14159265358979323846', '1.0000000000000000001')
    .map((digits) => new ExactNumber(digits)),
  fc.boolean(),
  fc.jsonValue({ stringUnit: 'binary' }).filter((value) => typeof value === 'object') as fc.Arbitrary<Value>,
  fc.constantFrom<Value[]>([], {}, { '2': 1, '1': 2 }, { __proto__: null, 'a\0': '\ud800' }, [null, [], '10.50'], {
    toString: -0,
  }),
]

const columnOf = (length: number) =>
  fc.uniqueArray(fc.nat({ max: KINDS.length - 1 }), { minLength: 1, maxLength: 3 }).chain((kinds) =>
    fc.array(fc.oneof(fc.constant(null), ...kinds.map((kind) => KINDS[kind] as fc.Arbitrary<Value>)), {
      minLength: length,
      maxLength: length,
    }),
  )

interface Pulled {
  readonly names: readonly string[]
  readonly columns: readonly (readonly Value[])[]
  /** For each page: its rows, which columns it has and in which order, and whether the run is killed before it. */
  readonly pages: readonly { rows: number; order: readonly number[]; isKilled: boolean }[]
}

const NAMES = ['a', 'A', 'rowid', '_rowid_', 'oid', '_hf_row', '_HF_VERSION', 'sqlite_x', 'id', 'ID', '_id', 'x"y', "it's", 'a\0b', 'a\0c', 'é', 'É', '漢字', '😀', ' ', 'select', 'old', 'x_hf_row', 'a_2', '__proto__', 'constructor', '2', '10', 'x'.repeat(300)] // prettier-ignore

const pulled: fc.Arbitrary<Pulled> = fc
  .record({
    names: fc
      .uniqueArray(fc.oneof(fc.constantFrom(...NAMES), fc.string()), { minLength: 1, maxLength: 6 })
      .filter((names) => !names.includes('key')),
    sizes: fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 6 }),
  })
  .chain(({ names, sizes }) => {
    const count = sizes.reduce((sum, size) => sum + size, 0)
    const order = fc.shuffledSubarray(names.map((_, index) => index))
    return fc.record({
      names: fc.constant(names),
      columns: fc.tuple(...names.map(() => columnOf(count))),
      pages: fc.tuple(...sizes.map((rows) => fc.record({ rows: fc.constant(rows), order, isKilled: fc.boolean() }))),
    })
  })

/** What the rules of `column.ts` say about a whole column, told without any order. */
function expectedType(values: readonly Value[]): ColumnType {
  const kinds = new Set(values.filter((value) => value !== null).map(kindOf))
  const only = (...allowed: string[]) => [...kinds].every((kind) => allowed.includes(kind))
  if (kinds.size === 0) return 'text'
  if (only('digits')) return 'decimal'
  if (only('digits', 'text')) return 'text'
  if (only('boolean')) return 'boolean'
  if (only('integer', 'wide')) return 'integer'
  if (only('integer', 'real')) return 'real'
  return only('integer', 'wide', 'real', 'exact') ? 'decimal' : 'json'
}

function kindOf(value: Exclude<Value, null>): string {
  if (typeof value === 'string')
    return /^-?(0|[1-9][0-9]*)(\.[0-9]+)?$/.test(value) && !/\n/.test(value) ? 'digits' : 'text'
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'integer' : 'real'
  if (typeof value === 'boolean') return 'boolean'
  if (typeof value !== 'bigint') return value instanceof ExactNumber ? 'exact' : 'json'
  if (value < -(2n ** 63n) || value > MAX_INT64) return 'exact'
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? 'integer' : 'wide'
}

function expectedJson(type: ColumnType, value: Value): unknown {
  if (value === null) return null
  if (typeof value === 'string') return value.toWellFormed()
  if (value instanceof ExactNumber) return value.digits
  if (type === 'decimal' && typeof value !== 'object') return String(value)
  if (typeof value === 'bigint') return kindOf(value) === 'integer' ? Number(value) : String(value)
  // In a column of anything, an integer beyond 2^53 is text however it came.
  if (type === 'json' && typeof value === 'number' && kindOf(value) === 'real' && /^-?\d+$/.test(String(value)))
    return String(value)
  return JSON.parse(JSON.stringify(value))
}

describe('a staged table', () => {
  test('holds every value as it came, wherever pages begin, columns appear and a run is killed', () => {
    fc.assert(
      fc.property(pulled, ({ names, columns, pages }) => {
        using staging = new Staging({ name: 't', key: ['key'] })
        const seen: Value[][] = names.map(() => [])
        const rows: Map<number, Value>[] = []
        for (const page of pages) {
          if (page.isKilled) staging.reopen()
          const first = rows.length
          for (let row = first; row < first + page.rows; row++)
            rows.push(new Map(page.order.map((index) => [index, columns[index]?.[row] ?? null])))
          for (const row of rows.slice(first)) for (const [index, value] of row) seen[index]?.push(value)
          staging.write({
            columns: ['key', ...page.order.map((index) => names[index] as string)],
            rows: rows
              .slice(first)
              .map((row, at) => [first + at].concat(page.order.map((index) => row.get(index) as never))),
          })
        }
        staging.reopen()
        staging.staged.finishPull()

        const types = staging.types()
        const expectedTypes = seen.map(expectedType)
        const shown = pages.flatMap((page) => page.order)
        for (const index of shown)
          assert.equal(types[names[index] as string], expectedTypes[index], `type of ${names[index]}`)
        const texts = staging.texts()
        assert.equal(texts.length, rows.length)
        assert.equal(staging.staged.rows('t'), rows.length)
        for (const [at, text] of texts.entries()) {
          const row = JSON.parse(text) as Record<string, unknown>
          assert.equal(JSON.stringify(row), text, 'a reader can check the digest')
          assert.equal(row.key, at)
          for (const index of shown) {
            const value = Object.entries(row).find(([name]) => name === names[index]?.toWellFormed())?.[1]
            assert.deepEqual(value, expectedJson(expectedTypes[index] as ColumnType, rows[at]?.get(index) ?? null))
          }
        }
      }),
      { numRuns: 300 },
    )
  })
})
