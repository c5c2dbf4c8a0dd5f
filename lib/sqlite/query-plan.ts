import { quote } from './database.ts'
import type { Conjunct } from './sql-condition.ts'
import { joinTerms, UNSEEN, type Fragment } from './sql-fragment.ts'
import { orderSql, type OrderTerm } from './query-order.ts'
import { POSITION, type SqlTable } from './snapshot-schema.ts'

/** An index and the SQL names it is sorted by; position comes last in each. The table itself is one by position. */
export interface IndexShape {
  /** Null: the table itself. */
  readonly name: string | null
  readonly columns: readonly string[]
}

/** A way to some of a table's rows. */
export interface Access {
  readonly from: Fragment
  /** Every condition the rows must meet. */
  readonly conjuncts: readonly Conjunct[]
  /** The conditions by which the index finds them, as SQLite's plan writes them; undefined: SQLite chooses. */
  readonly constraints: string | undefined
  /** Whether the index takes all conditions: no row is looked at in vain. */
  readonly isExact: boolean
  /** What trying the rest on one row costs. */
  readonly weight: number
}

/** Positions of the rows: a part of an answer, in order. */
export interface Step {
  readonly access: Access
  readonly order: readonly OrderTerm[]
}

/** The conditions that an index can take: a value for each of its first columns, then a range of the next one. */
function takenBy(index: IndexShape, conjuncts: readonly Conjunct[]): Conjunct[] {
  const taken: Conjunct[] = []
  const columns = index.name === null ? [POSITION] : [...index.columns, POSITION]
  for (const column of columns) {
    const same = conjuncts.filter((conjunct) => conjunct.column === column)
    const equal = same.find(({ bound }) => bound === 'eq') ?? same.find(({ bound }) => bound === 'in')
    if (equal !== undefined) {
      taken.push(equal)
      continue
    }
    const lower = same.find(({ bound }) => bound === 'lower')
    const upper = same.find(({ bound }) => bound === 'upper')
    if (lower !== undefined) taken.push(lower)
    if (upper !== undefined) taken.push(upper)
    break
  }
  return taken
}

/** The way through an index, or undefined where it takes none of the conditions and `mayScan` is not set. */
export function indexAccess(
  table: SqlTable,
  index: IndexShape,
  conjuncts: readonly Conjunct[],
  options: { mayScan: boolean },
): Access | undefined {
  const taken = takenBy(index, conjuncts)
  if (taken.length === 0 && !options.mayScan) return undefined
  const rest = conjuncts.filter((conjunct) => !taken.includes(conjunct) && !conjunct.isImplied)
  const hint = index.name === null ? 'NOT INDEXED' : `INDEXED BY ${quote(index.name)}`
  return {
    from: { sql: `${quote(table.sqlName)} AS n ${hint}`, params: [] },
    conjuncts,
    constraints: taken.map(constraintText).join(' AND '),
    isExact: rest.length === 0 && taken.every(({ bound }) => bound !== 'in'),
    weight: weightOf(rest),
  }
}

/** The way through the full text index, by all searches at once. */
export function searchAccess(table: SqlTable, conjuncts: readonly Conjunct[]): Access | undefined {
  const searches = conjuncts.filter(({ search }) => search !== undefined)
  if (searches.length === 0) return undefined
  const name = quote(table.searchTable)
  const match = searches.map(({ search }) => `(${search!.match})`).join(' AND ')
  const rest = conjuncts.filter(({ search }) => search === undefined)
  return {
    from: { sql: `${name} CROSS JOIN ${quote(table.sqlName)} AS n ON n.${POSITION} = ${name}.rowid`, params: [] },
    conjuncts: [{ sql: `${name} MATCH ?`, params: [match], weight: 0, column: null, bound: null }, ...rest],
    constraints: undefined,
    isExact: false,
    weight: weightOf(rest),
  }
}

/** Whatever way SQLite takes. */
export function anyAccess(table: SqlTable, conjuncts: readonly Conjunct[]): Access {
  return {
    from: { sql: `${quote(table.sqlName)} AS n`, params: [] },
    conjuncts,
    constraints: undefined,
    isExact: false,
    weight: weightOf(conjuncts),
  }
}

/** Whether SQLite's plan (the lines of EXPLAIN QUERY PLAN) finds the rows by these conditions at least. */
export function isFollowed({ constraints }: Access, lines: readonly string[], how: 'exactly' | 'at least'): boolean {
  if (constraints === undefined) return true
  const found = lines.find((line) => /^(?:SEARCH|SCAN) n\b/.test(line)) ?? ''
  const text = / \(([^]*)\)$/.exec(found)?.[1] ?? ''
  return how === 'exactly' ? text === constraints : text.startsWith(constraints)
}

/** How SQLite's plan sorts: not at all, only rows that are equal in all but the tie-break, or all of them. */
export function sortingOf(lines: readonly string[]): 'none' | 'ties' | 'all' {
  const sorts = lines.filter((line) => line.includes('TEMP B-TREE'))
  if (sorts.length === 0) return 'none'
  return sorts.every((line) => line.includes('FOR LAST TERM OF ORDER BY')) ? 'ties' : 'all'
}

export function whereSql(conjuncts: readonly Conjunct[]): Fragment {
  if (conjuncts.length === 0) return { sql: '', params: [] }
  const sql = joinTerms(
    conjuncts.map((conjunct) => `(${conjunct.sql})`),
    ' AND ',
  )
  return { sql: ` WHERE ${sql}`, params: conjuncts.flatMap(({ params }) => params) }
}

/** Finds the positions of the rows of a step, in order; two more parameters follow: how many, and how many before. */
export function positionsSql(step: Step): Fragment {
  const { from, conjuncts } = step.access
  const where = whereSql(conjuncts)
  const order = step.order.length === 0 ? '' : ` ORDER BY ${orderSql(step.order)}`
  return {
    sql: `SELECT n.${POSITION} AS p FROM ${from.sql}${where.sql}${order} LIMIT ${UNSEEN} OFFSET ${UNSEEN}`,
    params: [...from.params, ...where.params, ...step.order.flatMap(({ params }) => params)],
  }
}

/** Reads `cells` of the table `t` for the same rows. */
export function stepSql(table: SqlTable, step: Step, cells: string): Fragment {
  const { sql: found, params } = positionsSql(step)
  const sql = `SELECT ${cells} FROM (${found}) AS f CROSS JOIN ${quote(table.sqlName)} AS t ON t.${POSITION} = f.p`
  return { sql, params }
}

/** Counts the rows, up to the limit that is its last parameter. */
export function countSql({ from, conjuncts }: Access): Fragment {
  const where = whereSql(conjuncts)
  return {
    sql: `SELECT count(*) FROM (SELECT 1 FROM ${from.sql}${where.sql} LIMIT ${UNSEEN})`,
    params: [...from.params, ...where.params],
  }
}

/** Only the conditions by which the index finds the rows: how many it would have to look at. */
export function rangeOf(table: SqlTable, index: IndexShape, conjuncts: readonly Conjunct[]): Access | undefined {
  const taken = takenBy(index, conjuncts)
  const implied = conjuncts.filter(({ isImplied, column }) => isImplied && column === null)
  return indexAccess(table, index, [...taken, ...implied], { mayScan: false })
}

function weightOf(conjuncts: readonly Conjunct[]): number {
  return conjuncts.reduce((sum, { weight }) => sum + weight, 0)
}

function constraintText({ column, bound }: Conjunct): string {
  const name = column === POSITION ? 'rowid' : column!.replace(/^"([^]*)"$/, '$1').replaceAll('""', '"')
  return `${name}${bound === 'lower' ? '>' : bound === 'upper' ? '<' : '='}?`
}
