import { Failure } from '../../errors.ts'
import { badParameter } from '../query.ts'

/** Which of the rows that are found. */
export interface Span {
  readonly offset: number
  /** Infinity: all that there are. */
  readonly limit: number
}

/** What `limit` and `offset` leave of what `Range` asks for: the rows that both name. */
export function readSpan(
  parameters: { readonly limit?: string; readonly offset?: string },
  header: string | undefined,
): Span {
  const limit = readLimit(parameters.limit)
  const offset = parameters.offset === undefined ? 0 : readNumber('offset', parameters.offset)
  if (limit === 0) return { offset, limit }
  const range = readRange(header)
  const from = Math.max(offset, range.from)
  const to = Math.min(offset + limit - 1, range.to)
  if (from > to) throw emptyRange(`Range and limit and offset have no row in common.`)
  return { offset: from, limit: to - from + 1 }
}

/** `0-24`, or `*` where there is no row; of how many, as far as that is known. */
export function contentRange(offset: number, rows: number, total: number | null): string {
  const shown = rows === 0 ? '*' : `${offset}-${offset + rows - 1}`
  return `${shown}/${total ?? '*'}`
}

export function outOfBounds(offset: number, total: number): Failure {
  return new Failure(
    'range_not_satisfiable',
    `The rows asked for begin at ${offset}, and there are only ${total}. Begin at ${total} or before.`,
    { facts: { offset, total } },
  )
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return Infinity
  if (/^-\d+$/.test(text)) throw emptyRange('The parameter limit must not be negative.')
  return readNumber('limit', text)
}

function readNumber(name: string, text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN
  if (value <= Number.MAX_SAFE_INTEGER) return value
  throw badParameter(name, `as a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`)
}

/** `0-24` or `10-`, both ends included. Anything else, such as bytes, is not meant for rows and is not looked at. */
function readRange(header: string | undefined): { from: number; to: number } {
  const [, from, to] = /^(?:items=)?(\d{1,15})-(\d{0,15})$/.exec(header?.trim() ?? '') ?? []
  if (from === undefined) return { from: 0, to: Infinity }
  const range = { from: Number(from), to: to === '' ? Infinity : Number(to) }
  if (range.from > range.to) throw emptyRange(`The range ${from}-${to} ends before it begins.`)
  return range
}

function emptyRange(sentence: string): Failure {
  return new Failure('range_not_satisfiable', sentence)
}
