import type { Condition, Count, Order, Output } from '../../query.ts'
import { LOGIC, parseConditions, parseOrder, parseSelect } from '../../query-grammar.ts'
import { FORMATS, type Format } from '../fetch-data-query.ts'
import { badParameter, readOpenQuery, type ParameterRule } from '../query.ts'

const DEFAULT_ROWS = 100
const TOTALS = ['exact', 'estimated', 'none'] as const

export const TABLES_PARAMETERS = {
  page: { kind: 'integer', from: 1 },
  pageSize: { kind: 'integer', from: 1 },
  limit: { kind: 'integer', from: 0 },
  offset: { kind: 'integer', from: 0 },
  cursor: { kind: 'text' },
  sort: { kind: 'text' },
  fields: { kind: 'text' },
  modifiedAfter: { kind: 'text' },
  q: { kind: 'text' },
  total: { kind: 'choice', of: TOTALS },
  format: { kind: 'choice', of: FORMATS },
  and: { kind: 'text' },
  or: { kind: 'text' },
  'not.and': { kind: 'text' },
  'not.or': { kind: 'text' },
} as const satisfies Record<string, ParameterRule>

/** A question about the records of a table, before the table is known. */
export interface TablesQuery {
  readonly outputs: readonly (Output | '*')[]
  readonly where: Condition | null
  readonly order: readonly Order[]
  readonly limit: number
  readonly offset: number
  /** Counted from 1, where pages are what was asked for. */
  readonly page: number | null
  readonly cursor: string | null
  /** Undefined: whatever costs nothing. */
  readonly total: (typeof TOTALS)[number] | undefined
  readonly format: Format | undefined
  /** Sort and filters as text: a cursor is only good for the same. */
  readonly identity: string
}

/** @throws Failure `bad_parameter`, `bad_filter`, `not_supported` */
export function readTablesQuery(text: string, maxRows: number): TablesQuery {
  const { known, others } = readOpenQuery(text, TABLES_PARAMETERS)
  const trees = LOGIC.flatMap((kind) => (known[kind] === undefined ? [] : [[kind, known[kind]] as const]))
  const filters = parseConditions([...others, ...trees])
  const conditions: Condition[] = filters === null ? [] : [filters]
  if (known.modifiedAfter !== undefined) {
    conditions.push({ kind: 'modified_after', at: readTime('modifiedAfter', known.modifiedAfter) })
  }
  if (known.q !== undefined) conditions.push({ kind: 'search', text: known.q })
  return {
    outputs: known.fields === undefined ? ['*'] : parseSelect(known.fields),
    where: conditions.length === 0 ? null : conditions.length === 1 ? conditions[0]! : { kind: 'and', of: conditions },
    order: known.sort === undefined ? [] : parseOrder(known.sort, { parameter: 'sort', allowMinus: true }),
    ...readWindow(known, maxRows),
    cursor: known.cursor ?? null,
    total: known.total,
    format: known.format,
    identity: JSON.stringify([others, trees, known.sort, known.q, known.modifiedAfter]),
  }
}

interface Window {
  readonly page?: number | undefined
  readonly pageSize?: number | undefined
  readonly limit?: number | undefined
  readonly offset?: number | undefined
  readonly cursor?: string | undefined
}

function readWindow(
  { page, pageSize, limit, offset, cursor }: Window,
  maxRows: number,
): { limit: number; offset: number; page: number | null } {
  if (pageSize !== undefined && limit !== undefined) throw badParameter('limit', 'without pageSize: they mean the same')
  if (page !== undefined && offset !== undefined) throw badParameter('offset', 'without page: use one or the other')
  if (cursor !== undefined && (page !== undefined || offset !== undefined)) {
    throw badParameter('cursor', 'without page and offset: it says where to go on')
  }
  const rows = pageSize ?? limit ?? Math.min(DEFAULT_ROWS, maxRows)
  if (rows > maxRows) {
    const name = pageSize === undefined ? 'limit' : 'pageSize'
    throw badParameter(name, `as a number up to ${maxRows}; go on with the cursor, or take an export`)
  }
  const start = page === undefined ? (offset ?? 0) : (page - 1) * rows
  if (!Number.isSafeInteger(start)) throw badParameter('page', 'as the number of a page that there can be')
  const isPaged = cursor === undefined && (page !== undefined || (pageSize !== undefined && offset === undefined))
  return { limit: rows, offset: start, page: isPaged ? (page ?? 1) : null }
}

/** ISO 8601 with a time zone, or a date (its midnight in UTC), as epoch milliseconds. */
function readTime(name: string, text: string): number {
  const isTime = /^\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d:?\d\d))?$/.test(text)
  const at = isTime ? Date.parse(text.replace(' ', 'T')) : NaN
  if (Number.isNaN(at)) throw badParameter(name, 'as a time such as 2026-01-31T12:00:00Z, or a date')
  return at
}

/** How a total is counted; unfiltered tables know theirs. */
export function countOf({ total, where }: TablesQuery): Count {
  if (total === undefined) return where === null ? 'exact' : 'none'
  return total
}
