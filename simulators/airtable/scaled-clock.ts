import { systemClock, type Clock } from '../../lib/base/clock.ts'

/**
 * The system's clock, `speed` times as fast, so that real processes can share a simulator without waiting for real
 * penalties: a limit of 5 requests a second is one of 5 requests in 1/`speed` seconds to whoever looks at a real clock.
 */
export class ScaledClock implements Clock {
  readonly speed: number
  readonly #wallMs: number
  /** Reading of `monotonic()` at which `now()` is what it starts at. */
  readonly #startedAt: number
  #jumpedMs = 0

  constructor(options: { speed: number; startAt?: number }) {
    this.speed = options.speed
    this.#wallMs = options.startAt ?? systemClock.now()
    this.#startedAt = this.monotonic()
  }

  now(): number {
    return Math.floor(this.#wallMs + this.#jumpedMs + this.monotonic()) - this.#startedAt
  }

  monotonic(): number {
    // From the start of the machine, as the system's: processes on clocks of one speed agree.
    return systemClock.monotonic() * this.speed
  }

  /** Never too short, although a timer may be, by less than a real millisecond. */
  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const dueMs = this.monotonic() + ms
    for (let left = ms; left > 0 && signal?.aborted !== true; left = dueMs - this.monotonic()) {
      await systemClock.sleep(left / this.speed, signal)
    }
  }

  jump(ms: number): void {
    this.#jumpedMs += ms
  }
}
