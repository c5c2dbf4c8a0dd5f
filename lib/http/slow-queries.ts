import { systemClock, type Clock } from '../base/clock.ts'

const KEPT = 20
const KEPT_MS = 60 * 60 * 1000
const MAX_TEXT = 500

export interface SlowQuery {
  readonly ms: number
  readonly table: string
  /** As it was asked, cut where it is long. */
  readonly query: string
  /** Epoch milliseconds. */
  readonly at: number
}

/** The slowest queries of the last hour. */
export class SlowQueries {
  readonly #clock: Clock
  /** Slowest first. */
  #kept: readonly SlowQuery[] = []
  /** When the oldest that is kept becomes too old. */
  #endsAt = Infinity

  constructor(clock: Clock = systemClock) {
    this.#clock = clock
  }

  note({ ms, table, query }: { ms: number; table: string; query: string }): void {
    const at = this.#clock.now()
    const fastest = this.#kept[KEPT - 1]
    // Nearly all queries end here.
    if (fastest !== undefined && ms <= fastest.ms && at <= this.#endsAt) return
    const noted: SlowQuery = { ms, table, query: query.slice(0, MAX_TEXT), at }
    this.#kept = [...this.list(), noted].toSorted((a, b) => b.ms - a.ms).slice(0, KEPT)
    this.#endsAt = Math.min(...this.#kept.map((kept) => kept.at)) + KEPT_MS
  }

  list(): readonly SlowQuery[] {
    const now = this.#clock.now()
    return this.#kept.filter(({ at }) => now <= at + KEPT_MS)
  }
}
