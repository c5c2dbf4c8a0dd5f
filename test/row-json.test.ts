import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Column } from '../lib/column.ts'
import { RowDigest, snapshotDigest } from '../lib/row-digest.ts'
import { cellToJson, rowToJson } from '../lib/row-json.ts'
import type { TableInfo } from '../lib/snapshot.ts'

const COLUMNS: Column[] = [
  { name: 'n', type: 'integer' },
  { name: 'b', type: 'boolean' },
  { name: 'j', type: 'json' },
  { name: 't', type: 'text' },
]

describe('the JSON of a row', () => {
  test('shows each stored cell as its column’s type says', () => {
    assert.equal(rowToJson(COLUMNS)([1, 1, '{"a":[]}', '"']), '{"n":1,"b":true,"j":{"a":[]},"t":"\\""}')
    assert.equal(
      rowToJson(COLUMNS)(['9007199254740993', 0, 'null', '']),
      '{"n":"9007199254740993","b":false,"j":null,"t":""}',
    )
    assert.equal(rowToJson(COLUMNS)([null, null, null]), '{"n":null,"b":null,"j":null,"t":null}')
    assert.equal(rowToJson([])([]), '{}')
    assert.deepEqual(
      COLUMNS.map((column, index) => cellToJson(column, [1, 1, '[1]', 'x'][index])),
      [1, true, [1], 'x'],
    )
    assert.equal(cellToJson({ name: 'j', type: 'json' }, null), null)
  })

  test('is what JSON.stringify gives for the parsed row, whatever the columns are called', () => {
    const names = fc.uniqueArray(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.constantFrom('2', '10', '01', '-1', '4294967295', '4294967294', '__proto__', 'a'),
      ),
      { minLength: 1 },
    )
    fc.assert(
      fc.property(names, (all) => {
        const text = rowToJson(all.map((name) => ({ name, type: 'integer' })))(all.map((_, index) => index))
        const row = JSON.parse(text) as object
        assert.equal(JSON.stringify(row), text)
        assert.deepEqual(
          Object.entries(row).toSorted(([, a], [, b]) => a - b),
          all.map((name, index) => [name, index]),
        )
      }),
    )
  })
})

describe('the digest of rows', () => {
  const digestOf = (rows: readonly string[]) => {
    const digest = new RowDigest()
    for (const row of rows) digest.add(row)
    return digest.hex()
  }

  test('is the same in whatever order they come, and another when one is changed, gone or repeated', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string(), { minLength: 1 }), (rows) => {
        const digest = digestOf(rows)
        assert.match(digest, /^[0-9a-f]{64}$/)
        assert.equal(digestOf(rows.toReversed()), digest)
        for (const other of [rows.slice(1), [...rows, rows[0] as string], [`${rows[0]}!`, ...rows.slice(1)]])
          assert.notEqual(digestOf(other), digest)
      }),
    )
    assert.equal(digestOf([]), '0'.repeat(64))
  })

  test('of a snapshot tells tables, columns, types and keys apart, but not their order of writing', () => {
    const table: TableInfo = {
      name: 't',
      rows: 1,
      indexes: [],
      search: [],
      times: { created: null, modified: null },
      key: ['a'],
      columns: [{ name: 'a', type: 'text' }],
      digest: 'd',
      bodyBytes: 5,
    }
    const others: TableInfo[] = [
      { ...table, name: 'u' },
      { ...table, rows: 2 },
      { ...table, key: ['b'] },
      { ...table, columns: [{ name: 'a', type: 'json' }] },
      { ...table, digest: 'e' },
    ]
    assert.equal(new Set([table, ...others].map((one) => snapshotDigest([one]))).size, 6)
    assert.equal(snapshotDigest([{ ...table, bodyBytes: 9 }]), snapshotDigest([table]))
    assert.equal(snapshotDigest([table, others[0]!]), snapshotDigest([others[0]!, table]))
  })
})
