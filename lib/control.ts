import type { Failure } from './errors.ts'
import type { Cursor } from './source.ts'
import type { Progress, Run, SourceRecord, Told, Trigger } from './sync-run.ts'

/** A time-limited right to sync one source. The generation grows each time it changes hands. */
export interface Lease {
  readonly source: string
  readonly holder: string
  readonly generation: number
}

/** A run together with the right to work on it. */
export interface Claim {
  readonly run: Run
  readonly lease: Lease
}

export type Timings = NonNullable<Run['timings']>

/**
 * Leases and runs of a data directory, the same for every process. Reads answer at once; writes try, and try again
 * later if another process is writing. They fail with `control_busy` in the end.
 */
export interface Control {
  source(id: string): SourceRecord
  run(id: string): Run | undefined
  /** Newest first. */
  runs(options: { source?: string; limit: number; before?: string }): Run[]
  /** A number that differs whenever anything may have changed since. */
  version(): number

  request(source: string, trigger: Trigger): Promise<{ run: Run; joined: boolean }>
  /** Sources with a run that waits: queued, interrupted, or left by a holder whose lease ran out. The longest first. */
  claimable(): string[]
  /** Takes the lease and the waiting run, or gives undefined if another was faster. */
  claim(source: string, holder: string, ttlMs: number): Promise<Claim | undefined>
  /** Takes the lease of a source for something other than a run. Undefined while another holds it. */
  lease(source: string, holder: string, ttlMs: number): Promise<Lease | undefined>
  /** False when the lease went to another. */
  renew(lease: Lease, ttlMs: number): Promise<boolean>
  release(lease: Lease): Promise<void>

  stop(source: string): Promise<SourceRecord>
  reset(source: string): Promise<SourceRecord>
  /** Whether somebody asked for the run to stop. */
  isStopRequested(run: string): boolean
  /** Claims a slot of a schedule; true for exactly one of all who try. */
  claimSlot(source: string, slot: number): Promise<boolean>
}

/** A look at the upstream. */
export interface Seen {
  readonly identity: string
  /** How it was read. */
  readonly shape: string
  /** Epoch milliseconds. */
  readonly checkedAt: number
  /** Where the pull ended, if there was one. */
  readonly cursor?: Cursor | undefined
}

/**
 * The record of one run, kept by whoever works on it. Everything is refused with `lease_lost` once the lease went to
 * another. Calls may wait for other writers: not for a serving thread.
 */
export interface RunRecord {
  readonly run: Run
  readonly lease: Lease
  /** When the guard last refused a run of the source since something was published; null: never. Epoch milliseconds. */
  refusedAt(): number | null
  planned(): void
  /** What is known of the upstream now. */
  told(told: Told): void
  progress(progress: Progress): void
  /** When the rows were read that a run with `republish` brings. Epoch milliseconds. */
  refusedRowsReadAt(): number
  /** Ends the run without a new snapshot. `seen`: what was seen of the upstream is what is published. */
  unchanged(options: { timings: Timings; seen: Seen | null }): void
  failed(failure: Failure, timings: Timings): void
  /** Ends the run because the guard refused what it pulled. */
  rejected(failure: Failure, timings: Timings): void
  /** The run stops here and its staged data stays: asked for, or because the process ends. */
  paused(reason: 'stopped' | 'interrupted', timings: Timings): void
}
