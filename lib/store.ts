import type { Lease, Timings } from './control.ts'
import type { Cursor, Page, Plan, Published } from './source.ts'
import type { Pointer } from './snapshot.ts'

/** A table as it was pulled, for the guard to judge. */
export interface PulledTable {
  readonly name: string
  readonly rows: number
  readonly columns: readonly string[]
  /** The upstream did not give it: it is as it was. */
  readonly isKept?: boolean
}

/** A snapshot that one run is building; nobody else sees it, nobody else writes it. */
export interface Stage extends Disposable {
  readonly plan: Plan
  /** How the source was configured when it was pulled. */
  readonly shape: string
  /** Where the pull continues; undefined at its beginning. */
  readonly cursor: Cursor | undefined
  /** Whether an earlier attempt pulled everything already. */
  readonly isPulled: boolean
  rows(table: string): number
  /** Whether nothing was pulled that differs from the active snapshot, as far as can be told without a look at its rows. */
  readonly isSame: boolean
  /** Adds the page and moves the checkpoint behind it, in one step. @throws Failure `upstream_malformed` */
  write(page: Page): void
  /** Everything was pulled: checks keys and counts. @throws Failure `snapshot_rejected`, `upstream_malformed` */
  finishPull(): PulledTable[]
  /** Finds the differences to the active snapshot, in what the tables hold and in how they are kept. */
  compare(): { isChanged: boolean; puts: number; deletes: number }
  /**
   * Adds indexes, renders the full answers and closes the file, complete and on disk. What may be silent for long is
   * handed to `busy`.
   */
  finish(options: { signal: AbortSignal; onProgress: () => void; busy(work: () => void): void }): Promise<void>
  /** Makes it the active snapshot and ends the run, in one step. @throws Failure `lease_lost` */
  publish(options: { checkedAt: number; timings: () => Timings }): Pointer
  /** Keeps it aside as what the guard refused. */
  reject(): void
  /** Drops it. */
  discard(): void
}

/** Where runs build snapshots. */
export interface Store {
  active(source: string): Pointer | undefined
  /** What the active snapshot was made of; undefined where the next plan must not build on it. */
  published(source: string): Published | undefined
  /** The upstream identity that was last found to be what is published, read with the same configuration. */
  seenIdentity(source: string): string | undefined
  /** Fingerprint of how the source is configured. */
  shape(source: string): string
  /** Goes on with what an interrupted run left of the same upstream state, or begins. */
  stage(options: { lease: Lease; run: string; plan: Plan }): Stage
  /** What the guard refused in an earlier run, to be published after all. @throws Failure `nothing_to_publish` */
  stageRejected(options: { lease: Lease; run: string; rejected: string }): Stage
  /** Renders the full answers that the active snapshot lacks, as it does after a rollback. */
  renderActive(source: string, options: { signal: AbortSignal; onProgress: () => void }): Promise<void>
  /** Removes what nobody needs any more: older snapshots, leftovers of earlier generations. */
  collect(lease: Lease): void
}
