import type { IncomingHttpHeaders } from 'node:http'
import { Failure } from '../../errors.ts'
import { parseConditions, parseOrder, parseSelect } from '../../query-grammar.ts'
import type { Query } from '../../query.ts'
import { readOpenQuery } from '../query.ts'
import { readAccept, type Representation } from './accept.ts'
import { readPrefer } from './prefer.ts'
import { readSpan } from './range.ts'

/** What a request asks for, before its table is known. */
export interface RestRequest {
  readonly query: Query
  readonly representation: Representation
  /** Preferences that the answer keeps to. */
  readonly applied: readonly string[]
}

/** Every other parameter is a filter on a column, as often as it is there. */
const PARAMETERS = {
  // Where it is empty all columns are meant.
  select: { kind: 'text', mayBeEmpty: true },
  order: { kind: 'text' },
  limit: { kind: 'text' },
  offset: { kind: 'text' },
} as const

const SCHEMA = 'public'

export function readRestRequest(
  query: string,
  headers: IncomingHttpHeaders,
  bounds: { readonly maxRows: number },
): RestRequest {
  checkSchema(headerOf(headers, 'accept-profile'))
  const representation = readAccept(headers.accept)
  const { count, applied } = readPrefer(headerOf(headers, 'prefer'))
  const { known, others } = readOpenQuery(query, PARAMETERS)
  const isOfRows = (headerOf(headers, 'range-unit') ?? 'items').trim().toLowerCase() === 'items'
  const span = readSpan(known, isOfRows ? headers.range : undefined)
  return {
    representation,
    applied,
    query: {
      outputs: known.select ? parseSelect(known.select) : ['*'],
      where: parseConditions(others),
      order: known.order === undefined ? [] : parseOrder(known.order),
      byKey: false,
      isNameless: true,
      offset: span.offset,
      // Two rows are enough to know that it is not one.
      limit: Math.min(span.limit, representation.isSingular ? 2 : bounds.maxRows),
      after: null,
      count,
    },
  }
}

function checkSchema(schema: string | undefined): void {
  if (schema === undefined || schema === SCHEMA) return
  throw new Failure(
    'not_acceptable',
    `There is no schema ${JSON.stringify(schema.slice(0, 100))}. There is: ${SCHEMA}. A table of a certain source is named source.table.`,
    { facts: { schema: schema.slice(0, 100), available: [SCHEMA] } },
  )
}

function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}
