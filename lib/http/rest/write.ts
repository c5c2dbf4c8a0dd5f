import { encloseUtf8, joinUtf8 } from '../../base/utf8-writer.ts'
import type { Column } from '../../column.ts'
import { Failure } from '../../errors.ts'
import type { Answer, Query } from '../../query.ts'
import { rowToJson } from '../../row-json.ts'
import { csvHeader, rowToCsv } from '../../row-csv.ts'
import { contentType } from './accept.ts'
import { contentRange, outOfBounds } from './range.ts'
import type { RestRequest } from './request.ts'
import { stripNulls } from './strip-nulls.ts'

export interface RestAnswer {
  readonly status: number
  readonly headers: readonly string[]
  readonly body: string | Buffer
}

/**
 * Writes rows as they were asked for.
 *
 * @throws Failure `not_singular`, `range_not_satisfiable`
 */
export function writeRest(answer: Answer, { query, representation, applied }: RestRequest): RestAnswer {
  const { length } = answer
  const total = totalOf(answer, query.offset)
  if (total !== null && !answer.isEstimate && query.offset > total) throw outOfBounds(query.offset, total)
  if (representation.isSingular && length !== 1) throw notSingular(answer)
  return {
    status: total !== null && length < total ? 206 : 200,
    headers: [
      'Content-Type', contentType(representation),
      'Content-Range', contentRange(query.offset, length, total),
      ...(applied.length === 0 ? [] : ['Preference-Applied', applied.join(', ')]),
    ], // prettier-ignore
    body: bodyOf(answer, representation),
  }
}

/** An estimate is never below what can be seen. */
function totalOf({ total, isEstimate, length }: Answer, offset: number): number | null {
  if (total === null || !isEstimate || length === 0) return total
  return Math.max(total, offset + length)
}

/** What the query of a request asks for, so that its answer can be written. */
export function textShapeOf({ format, stripsNulls }: RestRequest['representation']): Pick<Query, 'text'> {
  return format === 'csv' || stripsNulls ? {} : { text: { separator: ',', names: null } }
}

function bodyOf(
  { columns, rows, text }: Answer,
  { format, isSingular }: RestRequest['representation'],
): string | Buffer {
  if (format === 'csv') return csvHeader(columns) + rows.map(rowToCsv(columns)).join('')
  const objects = text ?? joinUtf8(rows.map(strippedRow(columns)), ',')
  return isSingular ? encloseUtf8('', objects, '') : encloseUtf8('[', objects, ']')
}

function strippedRow(columns: readonly Column[]): (cells: readonly unknown[]) => string {
  const write = rowToJson(columns)
  return (cells) => stripNulls(write(cells))
}

function notSingular({ length, hasMore, total }: Answer): Failure {
  const found = length === 0 ? '0' : total === null || hasMore ? `${length} or more` : String(length)
  return new Failure(
    'not_singular',
    `One object was asked for, and there ${found === '0' ? 'is no row' : `are ${found} rows`}. Filter by a key, or accept a list.`,
    { facts: { rows: found } },
  )
}
