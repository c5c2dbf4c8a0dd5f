import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import type { Column } from '../lib/column.ts'
import { csvHeader, rowToCsv } from '../lib/row-csv.ts'

const COLUMNS: Column[] = [
  { name: 'n', type: 'integer' },
  { name: 'b', type: 'boolean' },
  { name: 'j', type: 'json' },
  { name: 't', type: 'text' },
]

describe('a line of CSV', () => {
  test('shows each stored cell as its column’s type says, and tells NULL from the empty text', () => {
    const write = rowToCsv(COLUMNS)
    assert.equal(write([1, 1, '{"a":"b"}', 'plain']), '1,true,"{""a"":""b""}",plain\r\n')
    assert.equal(write(['9007199254740993', 0, '[]', '']), '9007199254740993,false,[],""\r\n')
    assert.equal(write([null, null, null, undefined]), ',,,\r\n')
  })

  test('comes back as it was, whatever texts and names hold', () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('a,b', '"', '""', '\r', '\n', '\r\n', ' x ', ','),
    )
    const table = fc
      .uniqueArray(text, { minLength: 2, maxLength: 5 })
      .chain((names) =>
        fc.tuple(fc.constant(names), fc.array(fc.array(text, { minLength: names.length, maxLength: names.length }))),
      )
    fc.assert(
      fc.property(table, ([names, rows]) => {
        const columns = names.map((name): Column => ({ name, type: 'text' }))
        const csv = csvHeader(columns) + rows.map(rowToCsv(columns)).join('')
        assert.deepEqual(parse(csv, { record_delimiter: '\r\n' }), [names, ...rows])
      }),
    )
  })
})
