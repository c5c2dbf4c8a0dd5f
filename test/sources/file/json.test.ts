import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { ExactNumber } from '../../../lib/column.ts'
import { fileSource } from '../../../lib/sources/file/source.ts'
import { pullAll, pullContent, recordsOf, temporaryFolder, tinyLimits } from './files.ts'

const NASTY = ['"', '\\', '\\"', '}', '{', '],[', '\n', '\r\n', '\u2028', '\0', 'é', '漢字', '👩‍👩‍👧', '\ud800', ',', '']
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(fc.constantFrom(...NASTY)).map((parts) => parts.join('')),
)
const doubles = fc.double({ noNaN: true, noDefaultInfinity: true })
// Integers beyond 2^53 are a claim of their own, below.
const isPlain = (number: number) =>
  !Number.isInteger(number) || Number.isSafeInteger(number) || /e/.test(String(number))
const scalar = fc.oneof(text, fc.integer(), doubles.filter(isPlain), fc.boolean(), fc.constant(null))
const value = fc.oneof(
  scalar,
  fc.array(scalar),
  fc.dictionary(text, scalar),
  fc.array(fc.dictionary(text, fc.array(scalar))),
)
const name = fc.constantFrom('id', 'name', 'ä "b"', '__proto__', '7', '}', 'constructor')
const objects = fc.array(fc.dictionary(name, value), { maxLength: 12 })
const chunkBytes = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(4096))

const WRITERS = {
  'things.json': (rows: readonly object[]) => JSON.stringify(rows),
  'things-pretty.json': (rows: readonly object[]) => `\uFEFF \n${JSON.stringify(rows, null, 2)}\r\n`,
  'things.ndjson': (rows: readonly object[]) => rows.map((row) => JSON.stringify(row)).join('\n'),
  'things.jsonl': (rows: readonly object[]) => rows.map((row) => `\r\n \t${JSON.stringify(row)} \r\n`).join('\n'),
  'things.json.gz': (rows: readonly object[]) => JSON.stringify(rows),
}

describe('any objects come out as they went in, whatever the size of chunks', () => {
  for (const [file, write] of Object.entries(WRITERS)) {
    test(file, async () => {
      await fc.assert(
        fc.asyncProperty(objects, chunkBytes, async (rows, bytes) => {
          fc.pre(rows.length > 0)
          const content = write(rows)
          const { columns, records } = await pullContent(file, content, {}, tinyLimits(bytes, content))
          assert.deepEqual(
            records.map(withoutNulls),
            rows.map((row) => withoutNulls(parsed(row))),
          )
          assert.deepEqual(columns, columnsOf(rows.map(parsed)))
        }),
        { numRuns: 150 },
      )
    })
  }
})

test('any cursor continues with exactly the rows behind its page', async () => {
  await fc.assert(
    fc.asyncProperty(
      objects,
      chunkBytes,
      fc.constantFrom(...Object.entries(WRITERS)),
      async (rows, bytes, [file, write]) => {
        fc.pre(rows.length > 0)
        using folder = temporaryFolder()
        const path = join(folder.path, file)
        const content = write(rows)
        writeFileSync(path, file.endsWith('.gz') ? gzipSync(content) : content)
        const source = fileSource('things', { path }, tinyLimits(bytes, content))
        const { pages, records } = await pullAll(source)
        let count = 0
        for (const page of pages) {
          count += page.rows.length
          const rest = (await pullAll(source, page.next)).records
          assert.deepEqual(rest.map(withoutNulls), records.slice(count).map(withoutNulls))
        }
      },
    ),
    { numRuns: 60 },
  )
})

describe('columns', () => {
  test('that appear later are in the pages they appear in', async () => {
    const { pages } = await pullContent('a.json', '[{"a":1},{"a":2},{"b":3,"a":4},{"c":5}]', {}, { maxPageRows: 2 })
    assert.deepEqual(
      pages.map(({ columns, rows }) => ({ columns, rows })),
      [
        { columns: ['a'], rows: [[1], [2]] },
        {
          columns: ['b', 'a', 'c'],
          rows: [
            [3, 4, null],
            [null, null, 5],
          ],
        },
      ],
    )
  })

  test('that appear within a page are null in the rows before', async () => {
    const { records } = await pullContent('a.json', '[{"a":1},{"a":2,"b":3},{"b":4}]')
    assert.deepEqual(records, [
      { a: 1, b: null },
      { a: 2, b: 3 },
      { a: null, b: 4 },
    ])
  })

  test('that repeat in one object have their last value', async () => {
    assert.deepEqual((await pullContent('a.json', '[{"a":1,"a":2}]')).records, [{ a: 2 }])
  })
})

describe('numbers stay exact', () => {
  const cases: [string, unknown][] = [
    ['9007199254740991', 9007199254740991],
    ['9007199254740993', 9007199254740993n],
    ['-9223372036854775808', -9223372036854775808n],
    ['123456789012345678901234567890', 123456789012345678901234567890n],
    ['0.1000000000000000055', new ExactNumber('0.1000000000000000055')],
    ['42.531760000000001', new ExactNumber('42.531760000000001')],
    ['1.00000000000000000001', new ExactNumber('1.00000000000000000001')],
    ['9007199254740993.0', new ExactNumber('9007199254740993.0')],
    ['1e400', new ExactNumber('1e400')],
    ['-1E-400', new ExactNumber('-1E-400')],
    ['1e300', 1e300],
    ['5e-324', 5e-324],
    ['1.7976931348623157e308', Number.MAX_VALUE],
    ['0.30000000000000004', 0.30000000000000004],
    ['1.0', 1],
    ['1.500000000000000000000', 1.5],
    ['0.00000000000000000000', 0],
    ['1e3', 1000],
    ['-0', -0],
  ]
  for (const [digits, expected] of cases) {
    test(digits, async () => {
      const { records } = await pullContent('a.json', `[{"a":${digits}}]`)
      assert.deepEqual(records, [{ a: expected }])
    })
  }

  test('within JSON cells as text', async () => {
    const { records } = await pullContent(
      'a.json',
      '[{"a":{"id":9007199254740993,"list":[1,0.1000000000000000055,{"n":null}]},"b":[]}]',
    )
    assert.deepEqual(records, [
      { a: { id: '9007199254740993', list: [1, '0.1000000000000000055', { n: null }] }, b: [] },
    ])
  })

  test('and digits in strings stay strings', async () => {
    const { records } = await pullContent(
      'a.ndjson',
      '{"a":"9007199254740993","b":9007199254740993,"__proto__":[9007199254740993]}',
    )
    assert.deepEqual(Object.entries(records[0]!), [
      ['a', '9007199254740993'],
      ['b', 9007199254740993n],
      ['__proto__', ['9007199254740993']],
    ])
  })

  test('any 64-bit integer and any double', async () => {
    const integers = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(
            integers,
            doubles.map((double) => double + 0),
          ),
          { minLength: 1 },
        ),
        async (pairs) => {
          const lines = pairs.map(([integer, double]) => `{"integer":${integer},"double":${double}}`)
          const { records } = await pullContent('a.ndjson', lines.join('\n'))
          assert.deepEqual(
            records.map(({ integer, double }) => [BigInt(integer as number | bigint), Number(double)]),
            pairs,
          )
        },
      ),
      { numRuns: 50 },
    )
  })
})

test('flat objects of text, nested ones and ones with numbers may follow each other', async () => {
  const rows: { a: unknown; b?: boolean }[] = [
    { a: 'x' },
    { a: '}' },
    { a: { b: '{' } },
    { a: 1 },
    { a: 'x', b: true },
    { a: [] },
    { a: null },
  ]
  for (let first = 0; first < rows.length; first++) {
    const expected = [...rows.slice(first), ...rows.slice(0, first)]
    const { records } = await pullContent('a.json', JSON.stringify(expected))
    assert.deepEqual(
      records,
      expected.map((row) => ({ a: row.a, b: row.b ?? null })),
    )
  }
})

test('pages are bounded by rows', async () => {
  const rows = Array.from({ length: 12_001 }, (_, id) => ({ id }))
  const { pages, records } = await pullContent('a.json', JSON.stringify(rows))
  assert.deepEqual(
    pages.map((page) => page.rows.length),
    [5000, 5000, 2001],
  )
  assert.deepEqual(records, rows)
})

test('a page holds about 1 MiB of text', async () => {
  const rows = Array.from({ length: 300 }, (_, id) => ({ id, text: 'x'.repeat(10_000) }))
  const { pages } = await pullContent('a.json', JSON.stringify(rows))
  assert.ok(pages.length >= 3 && pages.every((page) => JSON.stringify(recordsOf(page)).length < 1.1 * 2 ** 20))
})

/** As JSON keeps it: -0 becomes 0, lone surrogates stay. */
function parsed(row: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(row)) as Record<string, unknown>
}

function withoutNulls(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, cell]) => cell !== null))
}

function columnsOf(rows: readonly Record<string, unknown>[]): string[] {
  return [...new Set(rows.flatMap((row) => Object.keys(row)))]
}
