import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { fileSource } from '../../../lib/sources/file/source.ts'
import { pullContent, tinyLimits } from './files.ts'
import { planOptions } from '../../support/plan-options.ts'

const cell = fc.oneof(
  fc.constant(null),
  fc.constantFrom(
    '',
    'NULL',
    '00123',
    '10.50',
    '1',
    ' x ',
    '"',
    '""',
    'a"b',
    ',',
    '\t',
    '\n',
    '\r',
    '\r\n',
    'é',
    '漢',
    '👩‍👩‍👧',
    '\u2028',
    '<html>',
  ),
  fc.string({ unit: 'grapheme' }),
)
const tables = fc.integer({ min: 1, max: 4 }).chain((width) =>
  fc.record({
    header: fc.uniqueArray(
      fc.string({ unit: 'grapheme', minLength: 1 }).filter((name) => name.trim() !== '' && !name.includes('\uFEFF')),
      { minLength: width, maxLength: width },
    ),
    rows: fc.array(fc.array(cell, { minLength: width, maxLength: width }), { maxLength: 10 }),
  }),
)
const style = fc.record({
  lineEnd: fc.constantFrom('\n', '\r\n', '\r'),
  quoteAll: fc.boolean(),
  endsWithLine: fc.boolean(),
  chunkBytes: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(4096)),
  delimiter: fc.constantFrom(',' as const, '\t' as const),
})

test('any table comes out as it went in, whatever its style and the size of chunks', async () => {
  await fc.assert(
    fc.asyncProperty(
      tables,
      style,
      async ({ header, rows }, { lineEnd, quoteAll, endsWithLine, chunkBytes, delimiter }) => {
        const write = (value: string | null) =>
          value === null ? '' : quoteAll || value === '' || /["\r\n\t,]|^\s*</.test(value) ? quoted(value) : value
        const lines = [header.map(quoted), ...rows.map((row) => row.map(write))].map((cells) => cells.join(delimiter))
        // A last record that is one empty cell is only there if its line ends.
        const content = lines.join(lineEnd) + (endsWithLine || lines.at(-1) === '' ? lineEnd : '')
        const { pages } = await pullContent(
          delimiter === ',' ? 'a.csv' : 'a.tsv',
          content,
          {},
          tinyLimits(chunkBytes, content),
        )
        assert.deepEqual(
          pages.flatMap((page) => page.rows),
          rows,
        )
        assert.ok(pages.every((page) => page.columns.join() === header.join()))
      },
    ),
    { numRuns: 300 },
  )
})

test('the cells are those that csv-parse finds', async () => {
  const character = fc.constantFrom('a', '"', ',', '\n', '\r\n', 'é', ' ')
  let compared = 0
  await fc.assert(
    fc.asyncProperty(fc.array(character, { maxLength: 20 }), async (characters) => {
      const content = `a,b\n${characters.join('')}`
      const expected = attempt(() =>
        parse(content, {
          record_delimiter: ['\r\n', '\n', '\r'],
          skip_empty_lines: true,
          cast: (text, { quoting }) => (text === '' && !quoting ? null : text),
        }),
      )
      if (expected === undefined) return
      compared++
      const { pages } = await pullContent('a.csv', content)
      assert.deepEqual(
        pages.flatMap((page) => page.rows),
        expected.slice(1),
      )
    }),
    { numRuns: 2000, seed: 1 },
  )
  assert.ok(compared > 50)
})

describe('a cell', () => {
  test('is text, however much it looks like a number', async () => {
    assert.deepEqual(await cellsOf('00123,10.50,9007199254740993'), ['00123', '10.50', '9007199254740993'])
  })

  test('is NULL when empty, and the empty text when quoted', async () => {
    assert.deepEqual(await cellsOf(',"",x'), [null, '', 'x'])
  })

  test('is NULL as `nulls` says, unless quoted', async () => {
    assert.deepEqual(await cellsOf('NULL,"NULL",', ['NULL', '\\N']), [null, 'NULL', ''])
    assert.deepEqual(await cellsOf('\\N,NULL,NULLS', ['NULL', '\\N']), [null, null, 'NULLS'])
  })

  test('of the default `nulls` that reads NULL is text', async () => {
    assert.deepEqual(await cellsOf('NULL,null,\\N'), ['NULL', 'null', '\\N'])
  })
})

describe('a CSV file', () => {
  test('is planned as untyped', async () => {
    const source = fileSource('a', { path: import.meta.filename, format: 'csv', key: ['a'], types: { a: 'integer' } })
    const plan = await source.plan(planOptions())
    assert.deepEqual(plan.tables, [{ name: 'a', key: ['a'], types: { a: 'integer' }, untyped: true }])
  })

  test('may begin with a byte order mark', async () => {
    assert.deepEqual((await pullContent('a.csv', '\uFEFF"a",b\n1,2')).records, [{ a: '1', b: '2' }])
  })

  test('may have blank lines, which are no records', async () => {
    assert.deepEqual((await pullContent('a.csv', 'a,b\n\n1,2\r\n\r\n\n')).records, [{ a: '1', b: '2' }])
  })

  test('of one column has a record for each line', async () => {
    assert.deepEqual((await pullContent('a.csv', 'a\n\n1\n')).records, [{ a: null }, { a: '1' }])
  })

  test('with only a header has no rows', async () => {
    const { pages } = await pullContent('a.csv', 'a,b')
    assert.deepEqual(
      pages.map(({ columns, rows }) => ({ columns, rows })),
      [{ columns: ['a', 'b'], rows: [] }],
    )
  })

  test('may have names in angle brackets', async () => {
    assert.deepEqual((await pullContent('a.tsv', '<DATE>\t<OPEN>\n1\t2')).records, [{ '<DATE>': '1', '<OPEN>': '2' }])
  })
})

async function cellsOf(line: string, nulls?: readonly string[]) {
  const { pages } = await pullContent('a.csv', `a,b,c\n${line}`, nulls && { nulls })
  return pages[0]?.rows[0]
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
