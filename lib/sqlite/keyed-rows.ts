import type { Statement } from 'better-sqlite3'
import type { Cell } from '../typing.ts'
import { quote, type Database } from './database.ts'
import { POSITION, type SqlTable } from './snapshot-schema.ts'

/** Rows of a staged table that are found by its key, which is indexed. Belongs inside a transaction. */
export class KeyedRows {
  readonly #find: Statement<Cell[], number>
  readonly #last: Statement<[], number | null>
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
    this.#key = table.key.map((column) => table.columns.findIndex(({ name: other }) => other === column))
    this.#find = db.prepare<Cell[], number>(`SELECT ${POSITION} FROM ${name} WHERE ${key}`).pluck()
    this.#last = db.prepare<[], number | null>(`SELECT max(${POSITION}) FROM ${name}`).pluck()
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
    const position = this.#find.get(...this.#key.map((index) => cells[index] ?? null))
    if (position === undefined) this.#insert.run(cells)
    else this.#update.run([...cells, position])
    return position === undefined
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
