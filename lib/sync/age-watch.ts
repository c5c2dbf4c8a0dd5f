import type { Clock } from '../base/clock.ts'
import type { Alerts } from './alerts.ts'
import type { Schedule } from './schedule.ts'

export interface AgeWatchParts {
  readonly schedules: ReadonlyMap<string, Schedule>
  readonly clock: Clock
  /** What age is too much; null: the schedules tell. */
  readonly maxAgeMs: number | null
  /** When the data of a source was last known to be the upstream's; undefined while there is none. Epoch milliseconds. */
  checkedAt(source: string): number | undefined
  /** Whether somebody wants the source to stay as it is. */
  isPaused(source: string): boolean
  /** True for one of all processes that ask for the same hour. */
  claim(source: string, hour: number): Promise<boolean>
  readonly alerts: Pick<Alerts, 'stale' | 'fresh'>
  readonly onTrouble: (error: unknown) => void
}

const LOOK_MS = 60_000
/** So many slots of a schedule in a row may bring nothing. */
const MISSED = 3

/**
 * Looks now and then how old the data of each source is. It does not matter why: what syncs may have stopped, hang, or
 * never have been started, and then there is no run that could fail.
 */
export class AgeWatch {
  readonly #parts: AgeWatchParts
  /** The last slots that were seen to pass; the data must not be older than the first once all are there. */
  readonly #slots = new Map<string, number[]>()

  constructor(parts: AgeWatchParts) {
    this.#parts = parts
  }

  /** Looks until `signal` aborts; the first time after a while, since what was missed is being caught up on. */
  async follow(signal: AbortSignal): Promise<void> {
    const { schedules, clock, maxAgeMs } = this.#parts
    using followed = new DisposableStack()
    for (const [source, schedule] of schedules) followed.use(schedule.follow((slot) => this.passed(source, slot)))
    for (;;) {
      await clock.sleep(Math.min(LOOK_MS, maxAgeMs ?? LOOK_MS), signal)
      if (signal.aborted) return
      await this.look()
    }
  }

  /** A slot of a schedule has come. */
  passed(source: string, slot: number): void {
    const slots = this.#slots.get(source) ?? []
    // What the slot before the last asked for had until the last to come.
    this.#slots.set(source, [...slots, slot].slice(-MISSED - 1))
  }

  async look(): Promise<void> {
    const { schedules, alerts, claim, onTrouble } = this.#parts
    for (const source of schedules.keys()) {
      try {
        const message = this.#whyStale(source)
        if (message === undefined) await alerts.fresh(source)
        else await alerts.stale(source, message, (hour) => claim(source, hour))
      } catch (error) {
        onTrouble(error)
      }
    }
  }

  #whyStale(source: string): string | undefined {
    const { clock, maxAgeMs, checkedAt, isPaused } = this.#parts
    const at = checkedAt(source)
    if (at === undefined) return undefined
    const last = `${source} was last known to be up to date at ${new Date(at).toISOString()}`
    if (maxAgeMs !== null) {
      return clock.now() - at > maxAgeMs ? `${last}; READY_MAX_AGE allows ${maxAgeMs / 1000} s.` : undefined
    }
    const slots = this.#slots.get(source)
    if (slots === undefined || slots.length <= MISSED || at >= slots[0]! || isPaused(source)) return undefined
    return `${last}: its schedule has since come round ${MISSED} times in vain.`
  }
}
