import type { Column } from '../column.ts'
import { Failure } from '../errors.ts'
import type { Answer, ResolvedQuery, RowFacts } from '../query.ts'
import type { TableInfo } from '../snapshot.ts'
import type { Database } from './database.ts'
import { Statements } from './query-statements.ts'
import { TableQueries, type AnswerLimits } from './query-table.ts'
import { addQueryFunctions } from './sql-functions.ts'
import { readSqlTables } from './snapshot-schema.ts'

/** Answers queries from one snapshot file, the same in every process that has it open. */
export class QueryEngine {
  readonly #db: Database
  readonly #statements: Statements
  readonly #infos: ReadonlyMap<string, TableInfo>
  readonly #tables = new Map<string, TableQueries>()

  /** `db` is a snapshot; it gets the functions that queries are compiled to. */
  constructor(db: Database, infos: readonly TableInfo[]) {
    addQueryFunctions(db)
    this.#db = db
    this.#statements = new Statements(db)
    this.#infos = new Map(infos.map((info) => [info.name, info]))
  }

  /** Undefined: the limits ask for a bound, and there is none. */
  answer(query: ResolvedQuery, limits: AnswerLimits): Answer | undefined {
    return this.#table(query.table).answer(query, limits)
  }

  record(table: string, columns: readonly Column[], id: string): { cells: unknown[]; facts: RowFacts } | undefined {
    return this.#table(table).record(columns, id)
  }

  /** How large all rows of a table are, near enough: where nobody has written them out, its share of the file. */
  #bytesOf({ bodyBytes, rows }: TableInfo): number {
    if (bodyBytes > 0) return bodyBytes
    const pragma = (name: string) => this.#db.pragma(name, { simple: true }) as number
    const all = this.#infos.values().reduce((sum, info) => sum + info.rows, 0)
    return Math.round(pragma('page_count') * pragma('page_size') * (rows / Math.max(1, all)))
  }

  #table(name: string): TableQueries {
    const known = this.#tables.get(name)
    if (known !== undefined) return known
    const info = this.#infos.get(name)
    const table = readSqlTables(this.#db).find((candidate) => candidate.name === name)
    if (info === undefined || table === undefined) {
      throw new Failure('table_not_found', `There is no table ${name}.`, { facts: { table: name } })
    }
    const queries = new TableQueries(this.#db, this.#statements, table, { ...info, bodyBytes: this.#bytesOf(info) })
    this.#tables.set(name, queries)
    return queries
  }
}
