import type { Principal } from '../access.ts'
import type { Clock } from '../base/clock.ts'
import { Failure } from '../errors.ts'

/** Forgetting a bucket that is full changes nothing. */
const MAX_BUCKETS = 10_000
const MAX_ADDRESSES = 10_000
const FAILURES: Rate = { limit: 30, windowMs: 60_000 }

type Rate = NonNullable<Principal['rate']>

/** What became of a request that counts. */
export interface Allowance {
  /** Seconds until the next one is fine; 0 when this one is. */
  readonly retryAfter: number
  /** The share of this process. */
  readonly limit: number
  /** `RateLimit-Policy` and `RateLimit`. */
  readonly headers: readonly string[]
}

/**
 * Requests of each key within its rate: a bucket that holds as many as the window allows and is refilled steadily. Of
 * this process alone: of `processes` that serve, each has its share.
 */
export class RateLimits {
  readonly #clock: Clock
  readonly #processes: number
  readonly #buckets = new Map<string, Bucket>()

  constructor(clock: Clock, processes: number) {
    this.#clock = clock
    this.#processes = processes
  }

  /** Counts a request, if there is a rate at all. One that is refused does not count. */
  take({ id, rate }: Principal): Allowance | undefined {
    if (rate === null) return undefined
    const now = this.#clock.now()
    const limit = Math.max(1, Math.floor(rate.limit / this.#processes))
    const share = { limit, windowMs: rate.windowMs }
    let bucket = this.#buckets.get(id)
    if (!bucket?.isOf(share)) {
      this.#makeRoom(now)
      this.#buckets.set(id, (bucket = new Bucket(share, now)))
    }
    const waitMs = bucket.take(now)
    const reset = Math.max(1, Math.ceil(bucket.untilFullMs / 1000))
    return {
      retryAfter: Math.ceil(waitMs / 1000),
      limit,
      headers: [
        'RateLimit-Policy', `"default";q=${limit};w=${Math.ceil(rate.windowMs / 1000)}`,
        'RateLimit', `"default";r=${bucket.left};t=${reset}`,
      ],
    } // prettier-ignore
  }

  #makeRoom(now: number): void {
    if (this.#buckets.size < MAX_BUCKETS) return
    for (const [id, bucket] of this.#buckets) if (bucket.isFull(now)) this.#buckets.delete(id)
  }
}

/** Failed attempts to be let in, by remote address. Whoever has a valid key is never asked. */
export class FailedAttempts {
  readonly #clock: Clock
  readonly #buckets = new Map<string, Bucket>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Counts one; `what` says what was wrong with it. @throws Failure `rate_limited` when there were too many */
  count(address: string, what = 'with keys that are not valid'): void {
    const now = this.#clock.now()
    const bucket = this.#buckets.get(address) ?? new Bucket(FAILURES, now)
    const waitMs = bucket.take(now)
    // Behind those that were heard of less recently.
    this.#buckets.delete(address)
    this.#buckets.set(address, bucket)
    if (this.#buckets.size > MAX_ADDRESSES)
      for (const [oldest] of this.#buckets.entries().take(1)) this.#buckets.delete(oldest)
    if (waitMs === 0) return
    throw new Failure(
      'rate_limited',
      `Too many requests ${what} came from this address. Look at what is wrong before you try again.`,
      { facts: { retry_after_seconds: Math.ceil(waitMs / 1000) } },
    )
  }
}

class Bucket {
  readonly #rate: Rate
  #tokens: number
  #at: number

  constructor(rate: Rate, now: number) {
    this.#rate = rate
    this.#tokens = rate.limit
    this.#at = now
  }

  get left(): number {
    return Math.floor(this.#tokens)
  }

  get untilFullMs(): number {
    return ((this.#rate.limit - this.#tokens) * this.#rate.windowMs) / this.#rate.limit
  }

  isOf({ limit, windowMs }: Rate): boolean {
    return this.#rate.limit === limit && this.#rate.windowMs === windowMs
  }

  isFull(now: number): boolean {
    this.#refill(now)
    return this.#tokens === this.#rate.limit
  }

  /** Takes one; else how long it is until there is one. */
  take(now: number): number {
    this.#refill(now)
    if (this.#tokens < 1) return Math.max(1, ((1 - this.#tokens) * this.#rate.windowMs) / this.#rate.limit)
    this.#tokens--
    return 0
  }

  /** A clock that was set back refills nothing. */
  #refill(now: number): void {
    const { limit, windowMs } = this.#rate
    const passed = Math.max(0, now - this.#at)
    this.#tokens = Math.min(limit, this.#tokens + (passed * limit) / windowMs)
    this.#at = now
  }
}
