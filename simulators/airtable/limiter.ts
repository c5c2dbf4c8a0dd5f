import type { ErrorShape } from './api-error.ts'

export type LimiterKind = 'sliding window' | 'fixed window' | 'token bucket'
export type Decision = 'passed' | 'base limit' | 'user limit' | 'penalty' | 'quota' | 'not counted'

export interface LimiterOptions {
  readonly kind: LimiterKind
  /** Requests in a window: for a base, whoever asks, and for all tokens of a user. */
  readonly perBase: number
  readonly perUser: number
  readonly windowMs: number
  /** How long everything is refused after a limit was exceeded. */
  readonly penaltyMs: number
  /** Whether a request during the penalty begins it anew. */
  readonly extendsPenalty: boolean
  readonly body: ErrorShape
  readonly retryAfterSeconds: number | undefined
  /** Of all bases together, in a calendar month (UTC). */
  readonly monthlyCalls: number | undefined
  readonly overQuota: 'refuse' | 'throttle'
}

export const LIMITER_DEFAULTS: LimiterOptions = {
  kind: 'sliding window',
  perBase: 5,
  perUser: 50,
  windowMs: 1000,
  penaltyMs: 30_000,
  extendsPenalty: false,
  body: 'errors',
  retryAfterSeconds: undefined,
  monthlyCalls: undefined,
  overQuota: 'refuse',
}

/** A plan whose calls are used up is slowed down to this, where it is not refused. */
const THROTTLED_PER_SECOND = 2

/** One limit, of one base or user; `at` never goes back. */
interface Gate {
  admits(at: number): boolean
}

/** Counts requests as Airtable does, and refuses. */
export class Limiter {
  readonly #options: LimiterOptions
  readonly #bases = new Map<string, Gate>()
  readonly #users = new Map<string, Gate>()
  readonly #penaltyEnds = new Map<string, number>()
  readonly #throttle: Gate
  #month = ''
  /** Calls of this month. */
  used = 0

  constructor(options: LimiterOptions) {
    this.#options = options
    this.#throttle = slidingWindow(THROTTLED_PER_SECOND, 1000)
  }

  /** `at` is monotonic, `now` what the calendar says. Requests that only read metadata are not on the monthly bill. */
  decide(request: { baseId: string | undefined; user: string; isMeta: boolean }, at: number, now: number): Decision {
    const keys = [request.baseId === undefined ? [] : `base ${request.baseId}`, `user ${request.user}`].flat()
    if (keys.some((key) => (this.#penaltyEnds.get(key) ?? Number.NEGATIVE_INFINITY) > at)) {
      if (this.#options.extendsPenalty) for (const key of keys) this.#punish(key, at)
      return 'penalty'
    }
    if (request.baseId !== undefined && !this.#gate(this.#bases, request.baseId, this.#options.perBase).admits(at)) {
      this.#punish(`base ${request.baseId}`, at)
      return 'base limit'
    }
    if (!this.#gate(this.#users, request.user, this.#options.perUser).admits(at)) {
      this.#punish(`user ${request.user}`, at)
      return 'user limit'
    }
    return request.isMeta ? 'passed' : this.#bill(at, now)
  }

  #bill(at: number, now: number): Decision {
    const month = new Date(now).toISOString().slice(0, 7)
    if (month !== this.#month) {
      // What a test wrote before the first request stays.
      if (this.#month !== '') this.used = 0
      this.#month = month
    }
    const { monthlyCalls, overQuota } = this.#options
    if (monthlyCalls === undefined || this.used < monthlyCalls) {
      this.used += 1
      return 'passed'
    }
    return overQuota === 'throttle' && this.#throttle.admits(at) ? 'passed' : 'quota'
  }

  #gate(gates: Map<string, Gate>, key: string, limit: number): Gate {
    let gate = gates.get(key)
    if (gate === undefined) {
      gate = GATES[this.#options.kind](limit, this.#options.windowMs)
      gates.set(key, gate)
    }
    return gate
  }

  #punish(key: string, at: number): void {
    this.#penaltyEnds.set(key, at + this.#options.penaltyMs)
  }
}

/** No window of that length, wherever it begins, has more. */
function slidingWindow(limit: number, windowMs: number): Gate {
  let times: number[] = []
  return {
    admits: (at) => {
      times = times.filter((time) => time > at - windowMs)
      if (times.length >= limit) return false
      times.push(at)
      return true
    },
  }
}

/** Windows begin at multiples of their length. */
function fixedWindow(limit: number, windowMs: number): Gate {
  let window = -1
  let count = 0
  return {
    admits: (at) => {
      const current = Math.floor(at / windowMs)
      if (current !== window) [window, count] = [current, 0]
      count += 1
      return count <= limit
    },
  }
}

/** Full at first; filled up evenly. */
function tokenBucket(limit: number, windowMs: number): Gate {
  let tokens = limit
  let filledAt: number | undefined
  return {
    admits: (at) => {
      tokens = Math.min(limit, tokens + ((at - (filledAt ?? at)) * limit) / windowMs)
      filledAt = at
      if (tokens < 1) return false
      tokens -= 1
      return true
    },
  }
}

const GATES: Readonly<Record<LimiterKind, (limit: number, windowMs: number) => Gate>> = {
  'sliding window': slidingWindow,
  'fixed window': fixedWindow,
  'token bucket': tokenBucket,
}
