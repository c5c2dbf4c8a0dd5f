import type { Clock } from '../base/clock.ts'
import type { Plan } from '../source.ts'
import type { Progress } from '../sync-run.ts'

const WINDOW_MS = 10_000

/** Counts what a run has done, and tells rate and time left from the last seconds. */
export class ProgressMeter {
  readonly #clock: Clock
  readonly #completed = new Map<string, number>()
  readonly #totals = new Map<string, number | null>()
  #samples: { at: number; rows: number; done: number | null }[] = []
  #done: number | null = null
  phase: Progress['phase'] = 'planning'

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Begins at what an earlier attempt left; a pull that begins again is counted anew. */
  planned(plan: Plan, completed: (table: string) => number): void {
    this.#completed.clear()
    this.#totals.clear()
    this.#samples = []
    for (const table of plan.tables) {
      this.#totals.set(table.name, table.expectedRows ?? table.estimatedRows ?? null)
      this.#completed.set(table.name, completed(table.name))
    }
    this.#done = this.#shareOfTotals()
    this.#sample()
  }

  page(table: string, completed: number, done: number | undefined): void {
    this.#completed.set(table, completed)
    this.#done = done ?? this.#shareOfTotals()
    this.#sample()
  }

  /** All is pulled, whatever was expected. */
  pulled(): void {
    this.#done = 1
    this.#sample()
  }

  get progress(): Progress {
    const rate = this.#rate((sample) => sample.rows)
    const speed = this.#rate((sample) => sample.done)
    return {
      phase: this.phase,
      tables: [...this.#completed].map(([table, completed]) => ({
        table,
        total: this.#totals.get(table) ?? null,
        completed,
        failed: 0,
      })),
      done: this.#done,
      rate: Math.round(rate),
      etaMs: speed > 0 && this.#done !== null ? Math.round(((1 - this.#done) / speed) * 1000) : null,
      at: this.#clock.now(),
    }
  }

  get #rows(): number {
    return [...this.#completed.values()].reduce((sum, rows) => sum + rows, 0)
  }

  #shareOfTotals(): number | null {
    const totals = [...this.#totals.values()]
    if (totals.some((total) => total === null)) return null
    const total = totals.reduce<number>((sum, rows) => sum + (rows ?? 0), 0)
    return total === 0 ? null : Math.min(1, this.#rows / total)
  }

  #sample(): void {
    const at = this.#clock.now()
    this.#samples.push({ at, rows: this.#rows, done: this.#done })
    const first = this.#samples.findIndex((sample) => sample.at >= at - WINDOW_MS)
    if (first > 0 && this.#samples.length > 2)
      this.#samples = this.#samples.slice(Math.min(first, this.#samples.length - 2))
  }

  /** Growth a second over the window, as far as it is known. */
  #rate(of: (sample: { rows: number; done: number | null }) => number | null): number {
    const first = this.#samples.find((sample) => of(sample) !== null)
    const last = this.#samples.at(-1)
    if (first === undefined || last === undefined || last.at <= first.at) return 0
    return Math.max(0, (((of(last) ?? 0) - (of(first) ?? 0)) * 1000) / (last.at - first.at))
  }
}
