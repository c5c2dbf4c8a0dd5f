import type { Statement } from 'better-sqlite3'
import type { Cell } from '../typing.ts'
import { every, quote, type Database } from './database.ts'
import { POSITION, type SqlTable } from './snapshot-schema.ts'
import { repeatedKey } from './staged-key.ts'

/** Rows of a staged table that are found by its key, which is indexed. Belongs inside a transaction. */
export class KeyedRows {
  readonly #name: string
  readonly #find: Statement<Cell[], number>
  readonly #last: Statement<[], number | null>
  readonly #same: Statement<Cell[], 1>
  readonly #insert: Statement
  readonly #update: Statement
  readonly #delete: Statement
  readonly #move: Statement
  /** Where in a row the key's cells are. */
  readonly #key: readonly number[]

  constructor(db: Database, table: SqlTable) {
    const name = quote(table.sqlName)
    const columns = table.columns.map((column) => table.sql(column.name))
    const key = table.key.map((column) => `${table.sql(column)} = ?`).join(' AND ')
    this.#name = table.name
    this.#key = table.key.map((column) => table.columns.findIndex(({ name: other }) => other === column))
    this.#find = db.prepare<Cell[], number>(`SELECT ${POSITION} FROM ${name} WHERE ${key}`).pluck()
    this.#last = db.prepare<[], number | null>(`SELECT max(${POSITION}) FROM ${name}`).pluck()
    this.#same = db.prepare<Cell[], 1>(
      `SELECT 1 FROM ${name} WHERE ${every(columns.map((column) => `${column} IS ?`))} AND ${POSITION} = ?`,
    )
    this.#insert = db.prepare(
      `INSERT INTO ${name} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
    )
    this.#update = db.prepare(
      `UPDATE ${name} SET ${columns.map((column) => `${column} = ?`).join(', ')} WHERE ${POSITION} = ?`,
    )
    this.#delete = db.prepare(`DELETE FROM ${name} WHERE ${POSITION} = ?`)
    this.#move = db.prepare(`UPDATE ${name} SET ${POSITION} = ? WHERE ${POSITION} = ?`)
  }

  /** Whether the row is a new one; else it took the place of the one with its key. */
  put(cells: readonly Cell[]): boolean {
    const position = this.#find.get(...this.#keyOf(cells))
    if (position === undefined) this.#insert.run(cells)
    else this.#update.run([...cells, position])
    return position === undefined
  }

  /** Likewise where rows are not replaced. @throws Failure `snapshot_rejected` when another row has its key */
  add(cells: readonly Cell[]): boolean {
    const position = this.#find.get(...this.#keyOf(cells))
    if (position === undefined) this.#insert.run(cells)
    else if (this.#same.get(...cells, position) === undefined)
      throw repeatedKey(this.#name, this.#keyOf(cells), `row ${position} and one behind it`)
    return position === undefined
  }

  #keyOf(cells: readonly Cell[]): Cell[] {
    return this.#key.map((index) => cells[index] ?? null)
  }

  /** Whether there was such a row. The last row takes its position: these stay without gaps. */
  delete(key: readonly Cell[]): boolean {
    const position = this.#find.get(...key)
    if (position === undefined) return false
    const last = this.#last.get() ?? position
    this.#delete.run(position)
    if (last !== position) this.#move.run(position, last)
    return true
  }
}
