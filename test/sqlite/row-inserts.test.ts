import assert from 'node:assert/strict'
import { test } from 'node:test'
import Database from 'better-sqlite3'
import { RowInserts } from '../../lib/sqlite/row-inserts.ts'
import { POSITION, SqlTable } from '../../lib/sqlite/snapshot-schema.ts'

function tableOf(columns: number): SqlTable {
  const names = Array.from({ length: columns }, (_, index) => ({ name: `c${index}`, type: 'integer' as const }))
  return new SqlTable({ name: 't', sqlName: 't', position: 1, key: [], columns: names })
}

function opened(columns: number) {
  const db = new Database(':memory:')
  const cells = tableOf(columns).columns.map(({ name }) => `, "${name}" INTEGER`)
  db.exec(`CREATE TABLE t (${POSITION} INTEGER PRIMARY KEY${cells.join('')}) STRICT`)
  return { db, inserts: new RowInserts(db, tableOf(columns)) }
}

test('rows go in behind one another, however many and however wide they are', () => {
  for (const columns of [0, 1, 3, 1900]) {
    for (const count of [0, 1, 15, 16, 17, 50]) {
      const { db, inserts } = opened(columns)
      const rows = Array.from({ length: count }, (_, row) =>
        Array.from({ length: columns }, (__, at) => row * 2000 + at),
      )
      for (const row of rows) inserts.add(row)
      inserts.flush()
      inserts.flush()
      const found = db.prepare<[], number[]>(`SELECT * FROM t ORDER BY ${POSITION}`).raw().all()
      const positions = found.map((cells) => cells.shift())
      assert.deepEqual([found, positions], [rows, rows.map((_, index) => index + 1)])
      db.close()
    }
  }
})

test('where SQLite gives up, so does it: none of the rows is tried again', () => {
  const { db, inserts } = opened(2)
  db.exec('PRAGMA max_page_count = 3; BEGIN')
  const add = () => {
    for (let row = 0; row < 100_000; row++) inserts.add([row, 2 ** 40])
    inserts.flush()
  }
  assert.throws(add, { code: 'SQLITE_FULL' })
  const count = db.prepare<[], number>('SELECT count(*) FROM t').pluck().get()!
  assert.ok(count > 0 && count % 16 === 0, `${count} rows`)
  db.close()
})
