import type { Cell, ResolvedQuery } from '../query.ts'
import type { TableInfo } from '../snapshot.ts'
import { quote } from './database.ts'
import { tighten } from './query-bounds.ts'
import type { Statements } from './query-statements.ts'
import {
  backwards,
  isSame,
  standingAt,
  orderParts,
  orderSql,
  orderTerms,
  orderWhole,
  type OrderPart,
} from './query-order.ts'
import {
  anyAccess,
  countSql,
  indexAccess,
  isFollowed,
  rangeOf,
  searchAccess,
  sortingOf,
  stepSql,
  whereSql,
  type Access,
  type IndexShape,
  type Step,
} from './query-plan.ts'
import { UNSEEN } from './sql-fragment.ts'
import { SEARCH, type ConditionCompiler, type Conjunct } from './sql-condition.ts'
import { POSITION, type SqlTable } from './snapshot-schema.ts'

/** Most rows that an index in the right order is followed for, those that are skipped included. */
const MAX_FOLLOWED = 10_000
/** Most rows that are looked at one by one, in cheap conditions: dearer ones have fewer. */
const MAX_VISITS = 5000
/** Rows larger than this count for more than one. */
const ROW_BYTES = 2048
/** To go on behind a row, each thing that rows are sorted by makes a part of its own; more of them are not even planned. */
const MAX_PARTS = 24
/** How far a reader process counts to find the index that leaves the fewest rows. */
const MAX_PROBED = 50_000

export interface Plan {
  readonly steps: readonly Step[]
  /** How many rows to skip. */
  readonly offset: number
}

/**
 * Chooses how to find the rows of a query. Whoever asks for a bound gets a plan only if the number of rows that it can
 * look at is known beforehand: an index has them all, in order, with nothing in between; or so few rows are in the
 * range of an index, which is counted up to the bound first, or in the table, that they may be looked at one by one.
 */
export class Planner {
  readonly #statements: Statements
  readonly #table: SqlTable
  readonly #info: TableInfo
  readonly #indexes: readonly IndexShape[]
  readonly #nullable = new Map<string, boolean>()

  constructor(statements: Statements, table: SqlTable, info: TableInfo, indexes: readonly IndexShape[]) {
    this.#statements = statements
    this.#table = table
    this.#info = info
    this.#indexes = indexes
  }

  plan(
    query: ResolvedQuery,
    compiler: ConditionCompiler,
    conjuncts: readonly Conjunct[],
    isBounded: boolean,
  ): Plan | undefined {
    const reach = query.offset + query.limit
    if (conjuncts.length === 0 && query.order.length === 0 && !query.byKey) {
      return !isBounded || query.limit <= MAX_FOLLOWED ? this.#byPosition(query) : undefined
    }
    const fixed = new Set(conjuncts.filter(({ bound }) => bound === 'eq').map(({ column }) => column!))
    const bound = new Set(conjuncts.filter(({ column, bound: kind }) => column && kind).map(({ column }) => column!))
    const terms = orderTerms(query, {
      table: this.#table,
      compiler,
      fixed,
      isNullable: (column) => !bound.has(column) && this.#isNullable(column),
    })
    // There is one such row at most, and the answer goes on behind it.
    if (terms.length === 0 && query.after !== null) return { steps: [], offset: 0 }
    if (isBounded && query.after !== null && terms.length > MAX_PARTS) return undefined
    if (!isBounded || reach <= MAX_FOLLOWED) {
      const steps = this.#inOrder(orderParts(terms), conjuncts, { reach, isBounded })
      if (steps !== undefined) return { steps, offset: query.offset }
    }
    const whole = orderWhole(terms)
    const all = tighten([...conjuncts, ...whole.conjuncts])
    if (all === undefined) return { steps: [], offset: 0 }
    const weight = whole.order.reduce((sum, term) => sum + term.weight, 0)
    const access = this.few(all, { weight, isBounded })
    if (access === undefined) return undefined
    const step = { access, order: whole.order }
    // With an order to follow as well, SQLite might go another way.
    if (this.#isAsProbed(step)) return { steps: [step], offset: query.offset }
    if (isBounded) return undefined
    return { steps: [{ access: anyAccess(this.#table, all), order: whole.order }], offset: query.offset }
  }

  /**
   * A way that leaves few rows to be looked at, of all that the `parts` of a query may leave together; without a bound,
   * the way that leaves the fewest.
   */
  few(
    conjuncts: readonly Conjunct[],
    { weight, isBounded, parts = 1 }: { weight: number; isBounded: boolean; parts?: number },
  ): Access | undefined {
    const any = anyAccess(this.#table, conjuncts)
    const most = (access: Access) => (isBounded ? this.#mostRows(access.weight + weight) / parts : MAX_PROBED)
    let best: { access: Access; rows: number } | undefined
    for (const index of [TABLE, ...this.#indexes]) {
      const range = rangeOf(this.#table, index, conjuncts)
      const access = indexAccess(this.#table, index, conjuncts, { mayScan: false })
      if (range === undefined || access === undefined) continue
      const limit = Math.floor(Math.min(best?.rows ?? Infinity, most(access)))
      const rows = this.#probe(range, limit + 1)
      if (rows <= limit) best = { access, rows }
    }
    const search = searchAccess(this.#table, conjuncts)
    if (search !== undefined) {
      const limit = Math.floor(Math.min(best?.rows ?? Infinity, most(search)))
      const rows = this.#searched(conjuncts, limit + 1)
      if (rows <= limit || (!isBounded && best === undefined)) best = { access: search, rows }
    }
    if (best !== undefined) return best.access
    return !isBounded || this.#info.rows <= this.#mostRows(any.weight + weight) / parts ? any : undefined
  }

  /** Rows in a range, up to `limit`; more than that where SQLite would not keep to the range. */
  #probe(range: Access, limit: number): number {
    const { sql, params } = countSql(range)
    const bound = [...params, limit]
    const { plan } = this.#statements.prepare(sql, bound)
    return isFollowed(range, plan, 'exactly') ? this.#statements.number(sql, bound) : limit
  }

  /** Rows that have any of the words that are searched for, up to `limit`. */
  #searched(conjuncts: readonly Conjunct[], limit: number): number {
    const name = quote(this.#table.searchTable)
    const sql = `SELECT count(*) FROM (SELECT 1 FROM ${name} WHERE ${name} MATCH ? LIMIT ${UNSEEN})`
    let rows = 0
    for (const { search } of conjuncts) {
      if (search === undefined) continue
      if (search.words === undefined) return limit
      for (const word of search.words) {
        rows += this.#statements.number(sql, [`"${word.replaceAll('"', '""')}"`, limit])
        if (rows >= limit) return limit
      }
    }
    return rows
  }

  /** How many rows may be looked at, each for so much work. */
  #mostRows(weight: number): number {
    const { rows, bodyBytes } = this.#info
    // A search reads the whole list of the rows that have its words, however few rows it is asked of.
    if (weight >= SEARCH && rows > MAX_VISITS) return 0
    const size = rows > 0 && bodyBytes > 0 ? bodyBytes / rows : ROW_BYTES
    return Math.floor(MAX_VISITS / ((1 + (weight % SEARCH)) * Math.max(1, size / ROW_BYTES)))
  }

  #byPosition({ after, offset }: ResolvedQuery): Plan {
    const start = Number(after?.[0] ?? 0) + offset
    const column = POSITION
    const behind: Conjunct = { sql: `n.${POSITION} > ${UNSEEN}`, params: [start], weight: 0, column, bound: 'lower' }
    const access = indexAccess(this.#table, TABLE, [behind], { mayScan: true })!
    const order = [
      {
        sql: `n.${POSITION}`,
        params: [],
        weight: 0,
        column,
        descending: false,
        nulls: 'last',
        isNullable: false,
        after: undefined,
      },
    ] as const
    // Positions have no gaps.
    return { steps: [{ access, order }], offset: 0 }
  }

  /** Each part through an index that has its rows in order, or has few of them; undefined where no index has an order. */
  #inOrder(
    parts: readonly OrderPart[],
    conjuncts: readonly Conjunct[],
    options: { reach: number; isBounded: boolean },
  ): Step[] | undefined {
    const steps: Step[] = []
    let isOrdered = false
    for (const part of parts) {
      const all = tighten([...conjuncts, ...part.conjuncts])
      if (all === undefined) continue
      const ordered = this.#ordered(all, part.order, options)
      isOrdered ||= ordered !== undefined
      const found = ordered ?? this.#sorted(all, part.order, { isBounded: options.isBounded, parts: parts.length })
      if (found === undefined) return undefined
      steps.push(...found)
    }
    return isOrdered || steps.length === 0 ? steps : undefined
  }

  /** Followed through an index that has these rows, and only those, in order. */
  #ordered(
    conjuncts: readonly Conjunct[],
    order: OrderPart['order'],
    { reach, isBounded }: { reach: number; isBounded: boolean },
  ): Step[] | undefined {
    for (const index of [TABLE, ...this.#indexes]) {
      const access = indexAccess(this.#table, index, conjuncts, { mayScan: true })!
      if (!access.isExact || !this.#mayServe(index, conjuncts, order)) continue
      const step = { access, order }
      const { plan, isFollowed: isSo } = this.#planOf(step)
      if (!isSo) continue
      const sorting = sortingOf(plan)
      if (sorting === 'none' || (sorting === 'ties' && !isBounded)) return [step]
      const apart = sorting === 'ties' ? this.#tiesApart(index, step, reach) : undefined
      if (apart !== undefined) return apart
    }
    return undefined
  }

  /** Few rows, found through an index and then sorted. */
  #sorted(
    conjuncts: readonly Conjunct[],
    order: OrderPart['order'],
    options: { isBounded: boolean; parts: number },
  ): Step[] | undefined {
    const weight = order.reduce((sum, term) => sum + term.weight, 0)
    const access = this.few(conjuncts, { weight, ...options })
    const step = access?.constraints === undefined ? undefined : { access, order }
    return step !== undefined && this.#isAsProbed(step) ? [step] : undefined
  }

  #planOf(step: Step): { plan: readonly string[]; isFollowed: boolean } {
    const { sql, params } = stepSql(this.#table, step, '1')
    const { plan } = this.#statements.prepare(sql, [...params, 1, 0])
    return { plan, isFollowed: isFollowed(step.access, plan, 'exactly') }
  }

  /** Spares asking SQLite about indexes that begin with something else. */
  #mayServe({ name, columns }: IndexShape, conjuncts: readonly Conjunct[], order: OrderPart['order']): boolean {
    if (name === this.#table.changedIndex && !conjuncts.some(({ column }) => column === columns[0])) return false
    const first = order[0]
    if (first === undefined) return true
    if (first.column === null) return false
    if (name === null) return first.column === POSITION
    return first.column === POSITION || columns.includes(first.column)
  }

  /**
   * An index followed backwards has equal rows the wrong way round, and SQLite sorts them: all that are equal to the last
   * one that is asked for, however many. So that one is looked up first; the rows before it, which are no more than are
   * asked for, may be sorted; and those that are equal to it are in order by themselves.
   */
  #tiesApart(index: IndexShape, { access, order }: Step, reach: number): Step[] | undefined {
    const terms = order.slice(0, -1)
    const where = whereSql(access.conjuncts)
    const sql = `SELECT ${terms.map((term) => term.sql).join(', ')} FROM ${access.from.sql}${where.sql} ORDER BY ${orderSql(terms)} LIMIT 1 OFFSET ${UNSEEN}`
    const bound = [...access.from.params, ...where.params, reach]
    const { statement, plan } = this.#statements.prepare(sql, bound)
    if (!isFollowed(access, plan, 'exactly') || sortingOf(plan) !== 'none') return undefined
    // What is looked up is compared with again: an integer that were rounded would be another one.
    const last = statement.safeIntegers(true).get(...bound) as Cell[] | undefined
    if (last === undefined) return [{ access, order }]
    const placed = terms.map((term, at) => standingAt(term, exactCell(last[at]!)))
    const steps: Step[] = []
    for (const part of orderParts(placed.map(backwards)).toReversed()) {
      const conjuncts = tighten([...access.conjuncts, ...part.conjuncts])
      if (conjuncts === undefined) continue
      const step = { access: indexAccess(this.#table, index, conjuncts, { mayScan: false })!, order }
      if (!step.access?.isExact || !this.#planOf(step).isFollowed) return undefined
      steps.push(step)
    }
    const equal = tighten([...access.conjuncts, ...placed.map(isSame)])
    if (equal === undefined) return undefined
    const tie = order.slice(-1)
    const rest =
      this.#ordered(equal, tie, { reach, isBounded: true }) ?? this.#sorted(equal, tie, { isBounded: true, parts: 1 })
    return rest && [...steps, ...rest]
  }

  #isAsProbed(step: Step): boolean {
    if (step.access.constraints === undefined) return true
    const { sql, params } = stepSql(this.#table, step, '1')
    return isFollowed(step.access, this.#statements.prepare(sql, [...params, 1, 0]).plan, 'at least')
  }

  /** Whether a row has NULL there, as far as an index tells at once; only then it matters. */
  #isNullable(column: string): boolean {
    if (this.#table.key.some((name) => this.#table.sql(name) === column)) return false
    let isNullable = this.#nullable.get(column)
    if (isNullable === undefined) {
      const index = this.#indexes.find(({ columns }) => columns[0] === column)
      const isNull: Conjunct = { sql: `n.${column} IS NULL`, params: [], weight: 0, column, bound: 'eq' }
      const range = index && rangeOf(this.#table, index, [isNull])
      isNullable = range === undefined || this.#probe(range, 1) > 0
      this.#nullable.set(column, isNullable)
    }
    return isNullable
  }
}

/** A number where there is one, as everywhere else. */
function exactCell(cell: Cell): Cell {
  const number = Number(cell)
  return typeof cell === 'bigint' && Number.isSafeInteger(number) ? number : cell
}

const TABLE: IndexShape = { name: null, columns: [] }
