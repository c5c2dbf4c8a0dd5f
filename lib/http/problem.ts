import { FAILURES, type Failure, type Facts } from '../errors.ts'

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'
const RETRY_AFTER_S = 5
const DEFINED = new Set(['type', 'title', 'status', 'detail', 'code', 'instance', 'request_id'])

/** An answer to a request that failed: RFC 9457. */
export interface Problem {
  readonly status: number
  /** Content type, where it is not `application/problem+json`. */
  readonly type?: string
  readonly headers: readonly string[]
  readonly body: string
}

/** Facts that become a header too, or only that. */
interface HttpFacts extends Facts {
  readonly retry_after_seconds?: number
}

/** Translates a failure; `internal` keeps what happened to the log. */
export function problemOf(failure: Failure, requestId: string): Problem {
  const { status, title, retry } = FAILURES[failure.code]
  const detail =
    failure.code === 'internal'
      ? 'This is a bug in Holdfast. The log has the details under this request id.'
      : failure.message
  const facts: HttpFacts = failure.code === 'internal' ? {} : failure.facts
  const body = JSON.stringify({
    type: `urn:holdfast:problem:${failure.code}`,
    title,
    status,
    detail,
    code: failure.code,
    request_id: requestId,
    ...extensions(facts),
  })
  return { status, headers: [...challenge(failure), ...retryAfter(facts, retry, status)], body }
}

/** Facts become members of their own, but never in the place of one that is defined. */
function extensions(facts: Facts): object {
  return Object.fromEntries(Object.entries(facts).filter(([name]) => !DEFINED.has(name)))
}

function challenge(failure: Failure): string[] {
  if (failure.code === 'unauthorized') return ['WWW-Authenticate', 'Bearer realm="holdfast"']
  if (failure.code === 'bad_signature') return ['WWW-Authenticate', 'HMAC-SHA256 realm="holdfast"']
  if (failure.code !== 'forbidden' || failure.facts.scope === undefined) return []
  return [
    'WWW-Authenticate',
    `Bearer realm="holdfast", error="insufficient_scope", scope="${String(failure.facts.scope)}"`,
  ]
}

function retryAfter(facts: HttpFacts, canRetry: boolean, status: number): string[] {
  if (!canRetry || (status !== 429 && status !== 503 && status !== 409)) return []
  return ['Retry-After', String(facts.retry_after_seconds ?? RETRY_AFTER_S)]
}
