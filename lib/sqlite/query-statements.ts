import type { Statement } from 'better-sqlite3'
import type { Cell } from '../query.ts'
import type { Database } from './database.ts'

const KEPT_STATEMENTS = 200
/** Characters of all that are kept: what a long formula is compiled to has hundreds of thousands, and takes more. */
const KEPT_LENGTH = 2_000_000

/** A prepared statement and how SQLite goes about it. */
export interface Prepared {
  readonly statement: Statement<Cell[], unknown[]>
  /** The lines of EXPLAIN QUERY PLAN. */
  readonly plan: readonly string[]
}

/** The statements of a snapshot, prepared once, the least used ones forgotten. */
export class Statements {
  readonly #db: Database
  readonly #kept = new Map<string, Prepared>()
  #length = 0

  constructor(db: Database) {
    this.#db = db
  }

  prepare(sql: string, params: readonly Cell[]): Prepared {
    let prepared = this.#kept.get(sql)
    if (prepared === undefined) {
      const explain = this.#db.prepare<Cell[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
      const plan = explain.all(...params).map(({ detail }) => detail)
      prepared = { statement: this.#db.prepare<Cell[], unknown[]>(sql).raw(), plan }
      this.#makeRoom(sql.length)
      this.#length += sql.length
    } else this.#kept.delete(sql)
    this.#kept.set(sql, prepared)
    return prepared
  }

  #makeRoom(length: number): void {
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size < KEPT_STATEMENTS && this.#length + length <= KEPT_LENGTH) return
      this.#kept.delete(oldest)
      this.#length -= oldest.length
    }
  }

  /** The only cell of the only row. */
  number(sql: string, params: readonly Cell[]): number {
    return this.prepare(sql, params).statement.get(...params)?.[0] as number
  }
}
