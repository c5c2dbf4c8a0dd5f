import { RowDigest } from '../row-digest.ts'
import { rowToJson } from '../row-json.ts'
import type { TableInfo } from '../snapshot.ts'
import { quote, type Database } from './database.ts'
import { POSITION, type SqlTable } from './snapshot-schema.ts'

/** What is known of a table's rows without a look at all of them. */
export interface DigestedRows {
  readonly rows: number
  readonly digest: string
  /** How many more bytes of JSON they are than those of the active snapshot. */
  readonly addedBytes: number
  /** Bytes of JSON of the largest that was put. */
  readonly largestPut: number
}

/**
 * The digest of a table, from that of the active snapshot and the rows that differ: `_hf_puts` (positions here) and
 * `_hf_deletes` (positions there). Undefined where the columns are not in the same order, so that rows read otherwise.
 */
export function digestChanges(
  db: Database,
  table: SqlTable,
  before: { readonly table: SqlTable; readonly info: TableInfo },
): DigestedRows | undefined {
  const { info } = before
  if (JSON.stringify(info.columns) !== JSON.stringify(table.columns)) return undefined
  const old = `old.${quote(before.table.sqlName)}`
  const name = `main.${quote(table.sqlName)}`
  const cells = (of: SqlTable, alias: string) => of.columns.map((column) => of.read(column, alias)).join(', ') || 'NULL'
  const sameKey = table.key.map((column) => `n.${table.sql(column)} = o.${before.table.sql(column)}`).join(' AND ')
  const changed = `temp._hf_puts c CROSS JOIN ${name} n ON n.${POSITION} = c.position`
  const added = `SELECT ${cells(table, 'n.')} FROM ${changed}`
  const replaced = `SELECT ${cells(before.table, 'o.')} FROM ${changed} CROSS JOIN ${old} o ON ${sameKey} WHERE NOT c.is_new`
  const deleted = `SELECT ${cells(before.table, 'o.')} FROM temp._hf_deletes c CROSS JOIN ${old} o ON o.${POSITION} = c.position`

  const toJson = rowToJson(table.columns)
  const digest = RowDigest.of(info.digest)
  let rows = info.rows
  let addedBytes = 0
  let largestPut = 0
  for (const row of db.prepare<[], unknown[]>(added).raw().iterate()) {
    const json = toJson(row)
    digest.add(json)
    const bytes = Buffer.byteLength(json)
    addedBytes += bytes
    largestPut = Math.max(largestPut, bytes)
    rows++
  }
  for (const sql of [replaced, deleted]) {
    for (const row of db.prepare<[], unknown[]>(sql).raw().iterate()) {
      const json = toJson(row)
      digest.remove(json)
      addedBytes -= Buffer.byteLength(json)
      rows--
    }
  }
  return { rows, digest: digest.hex(), addedBytes, largestPut }
}
