import type { Statement } from 'better-sqlite3'
import type { Cell } from '../typing.ts'
import { quote, sqliteCode, type Database } from './database.ts'
import { POSITION, type SqlTable } from './snapshot-schema.ts'

const ROWS_AT_ONCE = 16
/** What SQLite may be built to take. */
const MAX_PARAMETERS = 32_766

/**
 * Inserts rows behind the last one, several with each statement: half of what a statement of one row costs is spent
 * around it. Belongs inside a transaction.
 */
export class RowInserts {
  readonly #columns: number
  readonly #one: Statement<[Cell[]]>
  readonly #several: Statement<[Cell[]]>
  readonly #waiting: Cell[]
  #length = 0

  constructor(db: Database, table: SqlTable) {
    this.#columns = table.columns.length
    const names = [POSITION, ...table.columns.map(({ name }) => table.sql(name))]
    const row = `(NULL${', ?'.repeat(this.#columns)})`
    const rows = Math.max(1, Math.min(ROWS_AT_ONCE, Math.floor(MAX_PARAMETERS / Math.max(1, this.#columns))))
    const insert = (count: number) =>
      db.prepare<[Cell[]]>(
        `INSERT INTO ${quote(table.sqlName)} (${names.join(', ')}) VALUES ${Array(count).fill(row).join(', ')}`,
      )
    this.#one = insert(1)
    this.#several = insert(rows)
    this.#waiting = Array<Cell>(rows * this.#columns).fill(null)
  }

  /** The cells of a row are copied. @throws RowFailure */
  add(cells: readonly Cell[]): void {
    if (this.#columns === 0) return void this.#one.run([])
    for (let index = 0; index < this.#columns; index++) this.#waiting[this.#length + index] = cells[index] ?? null
    this.#length += this.#columns
    if (this.#length < this.#waiting.length) return
    try {
      this.#several.run(this.#waiting)
      this.#length = 0
    } catch (error) {
      // Others may have ended the transaction.
      if (!isConstraint(error)) throw error
      // None of them is in: which one it was shows when they come one by one.
      this.flush()
    }
  }

  /** Inserts what waits. @throws RowFailure */
  flush(): void {
    const length = this.#length
    this.#length = 0
    for (let from = 0; from < length; from += this.#columns) {
      const cells = this.#waiting.slice(from, from + this.#columns)
      try {
        this.#one.run(cells)
      } catch (cause) {
        throw isConstraint(cause) ? new RowFailure(cells, (length - from) / this.#columns, cause) : cause
      }
    }
    // They may be large.
    this.#waiting.fill(null)
  }
}

function isConstraint(error: unknown): boolean {
  return sqliteCode(error)?.startsWith('SQLITE_CONSTRAINT') === true
}

/** A row has what its table does not take. */
export class RowFailure extends Error {
  readonly cells: readonly Cell[]
  /** How many of the rows that were added last are not in, this one included. */
  readonly missing: number

  constructor(cells: readonly Cell[], missing: number, cause: unknown) {
    super('a row was refused by its table', { cause })
    this.cells = cells
    this.missing = missing
  }
}
