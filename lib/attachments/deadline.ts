import { Failure } from '../errors.ts'

export interface DeadlineLimits {
  /** Without a byte for so long, it is given up. */
  readonly stallMs: number
  /** All of it has to be through at this rate, and `graceMs` on top. */
  readonly minBytesPerSecond: number
  readonly graceMs: number
}

/** How long a download may take, from its request to its last byte: it has to move, and to come to an end. */
export class Deadline implements Disposable {
  readonly signal: AbortSignal
  readonly #giveUp = new AbortController()
  readonly #stalling: NodeJS.Timeout
  readonly #ending: NodeJS.Timeout

  constructor(limits: DeadlineLimits, { bytes, signal }: { bytes: number; signal: AbortSignal }) {
    this.signal = AbortSignal.any([signal, this.#giveUp.signal])
    const seconds = limits.stallMs / 1000
    this.#stalling = this.#after(limits.stallMs, `The upstream sent nothing of the file for ${seconds} s.`)
    const totalMs = limits.graceMs + (bytes / limits.minBytesPerSecond) * 1000
    this.#ending = this.#after(totalMs, `The upstream sent the file at less than ${limits.minBytesPerSecond} B/s.`)
  }

  /** Something came. */
  touch(): void {
    this.#stalling.refresh()
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#stalling)
    clearTimeout(this.#ending)
  }

  #after(ms: number, message: string): NodeJS.Timeout {
    const failure = new Failure('upstream_unavailable', message)
    return setTimeout(() => this.#giveUp.abort(failure), Math.min(ms, 2 ** 31 - 1))
  }
}
