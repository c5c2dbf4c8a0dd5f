import { Failure, type FailureCode } from '../../errors.ts'
import type { Answer } from './exchange.ts'

const LONGEST_MESSAGE = 200

/** Airtable said no. */
export class Refusal extends Failure {
  override readonly name = 'Failure'
  readonly httpStatus: number
  /** Airtable's own word for it, such as `NOT_FOUND`; `HTTP_502` where it has none. */
  readonly type: string

  constructor(code: FailureCode, message: string, { httpStatus, type }: { httpStatus: number; type: string }) {
    super(code, message, { facts: { status: httpStatus, type } })
    this.httpStatus = httpStatus
    this.type = type
  }

  /** A list cannot be continued where it was, but from its beginning. */
  get isIteratorGone(): boolean {
    return this.type === 'LIST_RECORDS_ITERATOR_NOT_AVAILABLE'
  }

  /** Asked again, the answer would be the same; what it was about can be left out, and the rest goes on. */
  get isOfOneThing(): boolean {
    return [400, 403, 404, 410, 413, 414, 422].includes(this.httpStatus)
  }
}

/** What an answer means that is no success. */
export interface Trouble {
  /** `later`: it can be asked again; `too many`: so it can, when the pause is over that Airtable imposes on all. */
  readonly kind: 'final' | 'later' | 'too many'
  readonly status: number
  readonly type: string
  readonly message: string
}

/**
 * Reads an error in any of the shapes it comes in: `{error: 'X'}`, `{error: {type}}`, `{error: {type, message}}`,
 * `{errors: [{error, message}]}`, or no JSON at all.
 */
export function troubleOf({ status, body }: Pick<Answer, 'status' | 'body'>): Trouble {
  const told = tellingOf(body)
  const type = textOf(told?.type) ?? `HTTP_${status}`
  return { kind: kindOf(status, type), status, type, message: textOf(told?.message) ?? '' }
}

/** `doing` says what was asked for: "list the records of table …". */
export function refusalOf({ status, type, message, kind }: Trouble, doing: string): Refusal {
  const said = message === '' ? '' : `: ${message}`
  const code = codeOf(status, type, kind)
  const advice = adviceFor(status, code)
  return new Refusal(code, `Airtable refused to ${doing} (${status} ${type}${said}).${advice}`, {
    httpStatus: status,
    type,
  })
}

function adviceFor(status: number, code: FailureCode): string {
  if (code === 'upstream_budget_spent') return ' Calls go on when the month has ended, or with a larger plan.'
  return [401, 403, 404].includes(status) ? ' Check the token, its scopes, and what it may see.' : ''
}

function tellingOf(body: Answer['body']): { type: unknown; message?: unknown } | undefined {
  const { error, errors } = body ?? {}
  if (typeof error === 'string') return { type: error }
  const [first] = Array.isArray(errors) ? (errors as readonly unknown[]) : []
  if (isObject(first)) return { type: first['error'] ?? first['type'], message: first['message'] }
  return isObject(error) ? { type: error['type'], message: error['message'] } : undefined
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

/** One line of what it says; it goes into logs and answers. */
function textOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const line = value
    .toWellFormed()
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .trim()
  return line.length > LONGEST_MESSAGE ? `${line.slice(0, LONGEST_MESSAGE)}…` : line
}

function kindOf(status: number, type: string): Trouble['kind'] {
  if (status === 429) return isQuota(type) ? 'final' : 'too many'
  return status >= 500 || status === 408 || status < 300 ? 'later' : 'final'
}

function isQuota(type: string): boolean {
  return type.includes('BILLING_LIMIT')
}

function codeOf(status: number, type: string, kind: Trouble['kind']): FailureCode {
  if (status === 429 && isQuota(type)) return 'upstream_budget_spent'
  // A success that holds something else than JSON.
  if (status < 400) return 'upstream_malformed'
  return kind === 'final' ? 'upstream_refused' : 'upstream_unavailable'
}
