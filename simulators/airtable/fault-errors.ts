import { ApiError, forbidden, iteratorGone, notFound, overQuota, rateLimited, wrongToken } from './api-error.ts'
import type { FaultSpec } from './faults.ts'
import type { LimiterOptions } from './limiter.ts'

const SLOW_MS = 10_000

/** The 429 of whoever asks too often. */
export function limitError(limits: LimiterOptions, retryAfterSeconds: number | undefined): ApiError {
  return rateLimited(limits.body, retryAfter(retryAfterSeconds))
}

/** Throws the answer that a fault consists of; those that spoil an answer on its way throw nothing. */
export function throwFault({ kind, retryAfterSeconds }: FaultSpec, limits: LimiterOptions): void {
  switch (kind) {
    case 'iterator':
      throw iteratorGone()
    case 'rate limit':
      throw limitError(limits, retryAfterSeconds)
    case 'quota':
      throw overQuota()
    case 'unauthorized':
      throw wrongToken()
    case 'forbidden':
      throw forbidden()
    case 'not found':
      throw notFound()
    case 'server error':
      throw new ApiError(500, 'SERVER_ERROR', 'Something went wrong')
    case 'bad gateway':
      throw new ApiError(502, 'BAD_GATEWAY', 'Bad gateway', { headers: retryAfter(retryAfterSeconds) })
    case 'unavailable':
      throw new ApiError(503, 'RETRIABLE_ERROR', 'Try again later', { headers: retryAfter(retryAfterSeconds) })
    case 'stall':
    case 'cut':
    case 'reset':
    case 'slow':
    case 'repeat page':
    case 'wrong size':
    case 'call':
  }
}

export function delayOf(faults: readonly FaultSpec[]): number {
  const slow = faults.find(({ kind }) => kind === 'slow')
  return slow === undefined ? 0 : (slow.delayMs ?? SLOW_MS)
}

function retryAfter(seconds: number | undefined): Readonly<Record<string, string>> {
  return seconds === undefined ? {} : { 'retry-after': String(seconds) }
}
