import type { Column } from '../column.ts'
import type { Answer, ResolvedQuery, RowFacts } from '../query.ts'
import type { TableInfo } from '../snapshot.ts'
import { quote, type Database } from './database.ts'
import { tighten } from './query-bounds.ts'
import { readChangeTimes, type ChangeTimes } from './query-changes.ts'
import { Counter } from './query-count.ts'
import { countSql, type IndexShape } from './query-plan.ts'
import { Planner, type Plan } from './query-planner.ts'
import { RecordReader } from './query-record.ts'
import { CellsReader, type RowsOrigin, type RowsReader } from './query-rows.ts'
import type { Statements } from './query-statements.ts'
import { TextReader } from './query-text.ts'
import { ConditionCompiler, type Conjunct } from './sql-condition.ts'
import { rowJsonSql } from './sql-row-json.ts'
import { readBases, type RowBase, type SqlTable } from './snapshot-schema.ts'

const KEPT_READERS = 50
/** Outputs of rows of about this size that may be made where others are answered. */
const MAX_MADE = 10_000
const ROW_BYTES = 2048

export interface AnswerLimits {
  readonly maxBytes: number
  /** Answer only where the number of rows that have to be looked at is known beforehand to be small. */
  readonly isBounded: boolean
}

/** Answers queries about one table of a snapshot. */
export class TableQueries {
  readonly #db: Database
  readonly #statements: Statements
  readonly #table: SqlTable
  readonly #info: TableInfo
  readonly #planner: Planner
  readonly #counter: Counter
  /** By the list of columns itself, which is mostly the pointer's, and by their names. */
  readonly #recent = new WeakMap<readonly Column[], RecordReader>()
  readonly #records = new Map<string, RecordReader>()
  #changes: ChangeTimes | undefined
  /** By what is asked of each row. */
  readonly #textSqls = new Map<string, string | undefined>()
  #base: RowBase | undefined

  constructor(db: Database, statements: Statements, table: SqlTable, info: TableInfo) {
    this.#db = db
    this.#statements = statements
    this.#table = table
    this.#info = info
    this.#planner = new Planner(statements, table, info, indexesOf(db, table, info))
    this.#counter = new Counter(statements, table, info, this.#planner)
  }

  record(columns: readonly Column[], id: string): { cells: unknown[]; facts: RowFacts } | undefined {
    let reader = this.#recent.get(columns)
    if (reader === undefined) {
      const names = JSON.stringify(columns.map(({ name }) => name))
      reader = this.#records.get(names) ?? new RecordReader(this.#db, this.#table, this.#info, columns)
      if (this.#records.size >= KEPT_READERS) this.#records.clear()
      this.#records.set(names, reader)
      this.#recent.set(columns, reader)
    }
    return reader.read(id)
  }

  /** Undefined: the limits ask for a bound, and there is none. */
  answer(query: ResolvedQuery, limits: AnswerLimits): Answer | undefined {
    const compiler = new ConditionCompiler({
      table: this.#table,
      info: this.#info,
      times: query.times,
      changes: () => (this.#changes ??= readChangeTimes(this.#db, this.#table)),
    })
    const reader = this.#reader(query, limits.maxBytes)
    const conjuncts = tighten(compiler.conjuncts(query.where))
    if (conjuncts === undefined) return reader.answer({ total: query.count === 'none' ? null : 0, isEstimate: false })
    const plan = this.#planner.plan(query, compiler, conjuncts, limits.isBounded)
    if (plan === undefined || (limits.isBounded && this.#isDear(query))) return undefined
    this.#read(plan, reader)
    const count = this.#count(query, conjuncts, reader.found, limits.isBounded)
    return count && reader.answer(count)
  }

  #reader(query: ResolvedQuery, maxBytes: number): RowsReader {
    const origin: RowsOrigin = { table: this.#table, statements: this.#statements, maxBytes }
    const rowSql = query.text && this.#textSql(query)
    if (rowSql === undefined) return new CellsReader(origin, query)
    const often = mostOften(query)
    const rowBytes = { usual: this.#rowBytes * often, most: (this.#info.largestRow ?? 0) * often }
    return new TextReader(origin, query, { rowSql, rowBytes })
  }

  #textSql(query: ResolvedQuery): string | undefined {
    const { outputs, times, text } = query
    const asked = [
      text,
      times,
      outputs.map(({ operand, name, cast }) => [operand.column.name, operand.path, name, cast]),
    ]
    const name = JSON.stringify(asked)
    if (!this.#textSqls.has(name)) {
      this.#base ??= readBases(this.#db).get(this.#table.name)!
      if (this.#textSqls.size >= KEPT_READERS) this.#textSqls.clear()
      this.#textSqls.set(name, rowJsonSql(this.#table, query, this.#base))
    }
    return this.#textSqls.get(name)
  }

  #read({ steps, offset }: Plan, reader: RowsReader): void {
    let skip = offset
    for (const step of steps) {
      if (reader.missing === 0) return
      const before = reader.found
      reader.read(step, skip)
      if (reader.found > before) skip = 0
      else if (skip > 0) {
        const counting = countSql(step.access)
        skip -= this.#statements.number(counting.sql, [...counting.params, skip])
      }
    }
  }

  /** Whether making the outputs of a page may take long: each place in JSON has to be found, and written. */
  #isDear({ outputs, limit }: ResolvedQuery): boolean {
    const made = outputs.filter(({ operand, cast }) => operand.path.length > 0 || cast !== null).length
    return made * Math.min(limit, this.#info.rows) * Math.max(1, this.#rowBytes / ROW_BYTES) > MAX_MADE
  }

  /** Of an average row. */
  get #rowBytes(): number {
    return this.#info.bodyBytes / Math.max(1, this.#info.rows)
  }

  #count(
    query: ResolvedQuery,
    conjuncts: readonly Conjunct[],
    found: number,
    isBounded: boolean,
  ): Pick<Answer, 'total' | 'isEstimate'> | undefined {
    if (query.count === 'none') return { total: null, isEstimate: false }
    // The end is in sight: then how many there are is known.
    const isEnd = query.after === null && found <= query.limit && (found > 0 || query.offset === 0)
    if (isEnd) return { total: query.offset + found, isEstimate: false }
    const atLeast = query.after === null && found > 0 ? query.offset + found : 0
    return this.#counter.count(query.count, conjuncts, { atLeast, isBounded })
  }
}

/** How often the column is an output that is it most often: each time it is written anew. */
function mostOften({ outputs }: ResolvedQuery): number {
  const times = new Map<string, number>()
  for (const { operand } of outputs) times.set(operand.column.name, (times.get(operand.column.name) ?? 0) + 1)
  return Math.max(1, ...times.values())
}

/** The indexes of a table that are there, the key's first. */
function indexesOf(db: Database, table: SqlTable, info: TableInfo): IndexShape[] {
  const cells = db
    .prepare<[string], { name: string; column: string }>(
      `SELECT s.name, i.name AS "column" FROM sqlite_schema AS s, pragma_index_info(s.name) AS i
        WHERE s.type = 'index' AND s.tbl_name = ? ORDER BY s.name, i.seqno`,
    )
    .all(table.sqlName)
  const configured = info.indexes.flatMap((_, n) => [table.indexName(n), table.storedIndexName(n)])
  return [table.keyIndex, ...configured, table.changedIndex].flatMap((name) => {
    const columns = cells.filter((cell) => cell.name === name).map(({ column }) => indexedName(column))
    return columns.length > 0 ? [{ name, columns }] : []
  })
}

/** As conditions and orders name it: no column of upstream's is called like ours, which need no quotes. */
function indexedName(column: string): string {
  return column.startsWith('_hf_') ? column : quote(column)
}
