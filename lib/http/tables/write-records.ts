import { Failure } from '../../errors.ts'
import { encloseUtf8 } from '../../base/utf8-writer.ts'
import type { Answer, Query } from '../../query.ts'
import { csvHeader, rowToCsv } from '../../row-csv.ts'
import { FORMAT_TYPES } from '../row-text.ts'
import type { Target } from '../target.ts'
import { writeCursor } from './cursor.ts'
import { recordNames, withFacts } from './record-names.ts'
import type { TablesQuery } from './tables-query.ts'

const MAX_LINK_BYTES = 8 * 1024

/** What an answer is about, beside its rows. */
export interface Listing {
  readonly target: Target
  readonly query: TablesQuery
  readonly format: keyof typeof FORMAT_TYPES
  /** The path and query it was asked with, to make links of. */
  readonly path: string
  readonly text: string
  /** Rows in key order can be gone on from whatever is published meanwhile. */
  readonly isByKey: boolean
  /** How many rows are left behind before these. */
  readonly start: number
}

/** Writes the records of one page, with where to find the next. */
export function writeRecords(
  answer: Answer,
  listing: Listing,
): { status: number; headers: readonly string[]; body: string | Buffer } {
  const { target, query, format } = listing
  const cursor = cursorOf(answer, listing)
  const headers = ['Content-Type', FORMAT_TYPES[format], ...linkHeader(answer, listing, cursor)]
  if (answer.total !== null && format !== 'json') headers.push('Total-Count', String(answer.total))
  if (format === 'json') {
    const pagination = JSON.stringify({ ...paginationOf(answer, query), cursor })
    const { source, table, mounted } = target
    const head = JSON.stringify({
      backend: 'sqlite',
      source,
      table: table.name,
      snapshot: mounted.pointer.snapshot,
    })
    const body = encloseUtf8(`${head.slice(0, -1)},"records":[`, answer.text!, `],"pagination":${pagination}}`)
    return { status: 200, headers, body }
  }
  if (format === 'ndjson') {
    return { status: 200, headers, body: encloseUtf8('', answer.text!, answer.length === 0 ? '' : '\n') }
  }
  const { columns, rows } = withFacts(answer, recordNames(target.table))
  return { status: 200, headers, body: csvHeader(columns) + rows.map(rowToCsv(columns)).join('') }
}

/** What the query of a listing asks for, so that it can be written in its format. */
export function textShapeOf(format: Listing['format'], table: Target['table']): Pick<Query, 'text'> {
  if (format === 'csv') return {}
  return { text: { separator: format === 'json' ? ',' : '\n', names: recordNames(table) } }
}

function paginationOf({ total, isEstimate, hasMore }: Answer, { page, limit, offset, cursor }: TablesQuery) {
  return {
    // How many rows there are before a cursor is not known.
    ...(page !== null ? { page } : cursor !== null ? { limit } : { limit, offset }),
    pageSize: limit,
    total,
    ...(isEstimate && { isEstimate }),
    totalPages: total === null || limit === 0 ? null : Math.ceil(total / limit),
    hasMore,
  }
}

/** @throws Failure `answer_too_large` where a crawl would end here, and could not tell why */
function cursorOf({ hasMore, last, length }: Answer, { query, target, isByKey, start }: Listing): string | null {
  if (!hasMore || last === null) return null
  const snapshot = isByKey ? null : target.mounted.pointer.snapshot
  const cursor = writeCursor({ snapshot, after: last, seen: start + length }, query.identity)
  if (cursor !== null || query.cursor === null) return cursor
  throw new Failure(
    'answer_too_large',
    'The key of the last record is too long for a cursor behind it. Ask by page or offset, or take an export.',
    { facts: { table: target.table.name } },
  )
}

/** The name of a parameter as it stands in a query string. */
function nameOf(part: string): string {
  const name = part.split('=', 1)[0]!
  return name.includes('%') ? decodeURIComponent(name) : name
}

/** RFC 8288. */
function linkHeader(
  { total, hasMore, length }: Answer,
  { query, path, text }: Listing,
  cursor: string | null,
): string[] {
  const { page, limit } = query
  const links: string[] = []
  const add = (rel: string, changes: Readonly<Record<string, string | null>>) => {
    const parts = text.split('&').filter((part) => part !== '' && !Object.hasOwn(changes, nameOf(part)))
    for (const [name, value] of Object.entries(changes)) if (value !== null) parts.push(`${name}=${value}`)
    links.push(`<${path}?${parts.join('&').replaceAll(/[<>"\s]/g, encodeURIComponent)}>; rel="${rel}"`)
  }
  if (page === null) {
    if (cursor !== null) add('next', { cursor, offset: null })
    else if (hasMore && limit > 0 && query.cursor === null) add('next', { offset: String(query.offset + limit) })
  } else {
    // Pages of no rows would follow on one another for ever.
    const last = total === null || limit === 0 ? null : Math.max(1, Math.ceil(total / limit))
    if (hasMore && limit > 0) add('next', { page: String(page + 1) })
    const isBeyond = length === 0 && last !== null
    if (page > 1) add('prev', { page: String(isBeyond ? Math.min(page - 1, last) : page - 1) })
    add('first', { page: '1' })
    if (last !== null) add('last', { page: String(last) })
  }
  // What is left out can be made of the answer itself; a header that is too large breaks clients and proxies.
  let bytes = 0
  const kept = links.filter((link) => (bytes += link.length) <= MAX_LINK_BYTES)
  return kept.length === 0 ? [] : ['Link', kept.join(', ')]
}
