import type { Answer, Count } from '../query.ts'
import type { TableInfo } from '../snapshot.ts'
import { quote } from './database.ts'
import type { Statements } from './query-statements.ts'
import { countSql, whereSql } from './query-plan.ts'
import type { Planner } from './query-planner.ts'
import type { Conjunct } from './sql-condition.ts'
import { POSITION, type SqlTable } from './snapshot-schema.ts'

const SAMPLE_ROWS = 1000
/** Conditions dearer than this are not even tried on a sample where others wait. */
const MAX_SAMPLE_WEIGHT = 4
const ALL = Number.MAX_SAFE_INTEGER

/** Counts the rows of a table that meet conditions, or estimates how many there are. */
export class Counter {
  readonly #statements: Statements
  readonly #table: SqlTable
  readonly #info: TableInfo
  readonly #planner: Planner

  constructor(statements: Statements, table: SqlTable, info: TableInfo, planner: Planner) {
    this.#statements = statements
    this.#table = table
    this.#info = info
    this.#planner = planner
  }

  /** Undefined: there is no bound to the work, and one is asked for. */
  count(
    how: Exclude<Count, 'none'>,
    conjuncts: readonly Conjunct[],
    { atLeast, isBounded }: { atLeast: number; isBounded: boolean },
  ): Pick<Answer, 'total' | 'isEstimate'> | undefined {
    if (conjuncts.length === 0) return { total: this.#info.rows, isEstimate: false }
    if (how !== 'planned') {
      const access = this.#planner.few(conjuncts, { weight: 0, isBounded: isBounded || how === 'estimated' })
      if (access !== undefined) {
        const { sql, params } = countSql(access)
        return { total: this.#statements.number(sql, [...params, ALL]), isEstimate: false }
      }
      if (how === 'exact') return undefined
    }
    const weight = conjuncts.reduce((sum, conjunct) => sum + conjunct.weight, 0)
    if (isBounded && weight > MAX_SAMPLE_WEIGHT) return undefined
    return { total: Math.max(this.#estimate(conjuncts), atLeast), isEstimate: true }
  }

  /** From rows at places spread over the whole table. */
  #estimate(conjuncts: readonly Conjunct[]): number {
    const { rows } = this.#info
    const step = Math.max(1, Math.floor(rows / SAMPLE_ROWS))
    const tried = Math.ceil(rows / step)
    const where = whereSql(conjuncts)
    const sql = `WITH RECURSIVE s (p) AS (SELECT 1 UNION ALL SELECT p + ? FROM s WHERE p + ? <= ?)
      SELECT count(*) FROM s CROSS JOIN ${quote(this.#table.sqlName)} AS n ON n.${POSITION} = s.p${where.sql}`
    const found = this.#statements.number(sql, [step, step, rows, ...where.params])
    return Math.round((found / tried) * rows)
  }
}
