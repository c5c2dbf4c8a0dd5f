import type { Claim, Lease, RunRecord, Seen, Timings } from '../control.ts'
import { Failure } from '../errors.ts'
import type { Pointer } from '../snapshot.ts'
import { advance, type Progress, type Run, type RunEvent, type Told } from '../sync-run.ts'
import { decodeWatermark } from '../watermark.ts'
import type { ControlDatabase } from './control-database.ts'
import type { SourceFolder } from './pointer.ts'
import { stateOf, type RunTable } from './run-table.ts'

/** Runs among which a refused one is looked for. */
const LOOK_BACK = 100

/** The record of one run in `control.sqlite`, for whoever holds the claim. */
export class SqliteRunRecord implements RunRecord {
  readonly run: Run
  readonly lease: Lease
  readonly #control: ControlDatabase
  readonly #table: RunTable
  readonly #folders: ReadonlyMap<string, SourceFolder>
  #furthest: number

  constructor(claim: Claim, control: ControlDatabase, table: RunTable, folders: ReadonlyMap<string, SourceFolder>) {
    this.run = claim.run
    this.lease = claim.lease
    this.#control = control
    this.#table = table
    this.#folders = folders
    this.#furthest = rowsOf(claim.run.progress)
  }

  refusedAt(): number | null {
    const { source } = this.run
    const publishedAt = pointerOf(this.#folders, source)?.publishedAt ?? 0
    const runs = this.#control.read(() => this.#table.list({ source, limit: LOOK_BACK }))
    const refused = runs.find(({ status, finished_at: at }) => status === 'rejected' && (at ?? 0) > publishedAt)
    return refused?.finished_at ?? null
  }

  planned(): void {
    this.#write(() => this.#advance({ kind: 'planned' }))
  }

  told(told: Told): void {
    this.#write(() => this.#table.setTold(this.run.source, told))
  }

  progress(progress: Progress): void {
    const isFurther = rowsOf(progress) > this.#furthest
    if (isFurther) this.#furthest = rowsOf(progress)
    this.#write(() => this.#table.progress(this.run.id, progress, isFurther))
  }

  refusedRowsReadAt(): number {
    const { republish } = this.run
    return (republish && this.#control.read(() => this.#table.row(republish)?.started_at)) || this.#now()
  }

  unchanged({ timings, seen }: Parameters<RunRecord['unchanged']>[0]): void {
    this.#write(() => {
      this.#table.end(this.run.id, 'completed', { at: this.#now(), result: 'unchanged', timings })
      if (seen !== null) this.#saw(seen)
      this.#advance({ kind: 'finished' })
    })
  }

  failed(failure: Failure, timings: Timings): void {
    this.#write(() => {
      if (this.#isPublished(timings)) return
      this.#table.end(this.run.id, 'failed', { at: this.#now(), failure, timings })
      this.#advance({ kind: 'failed' })
    })
  }

  rejected(failure: Failure, timings: Timings): void {
    this.#write(() => {
      this.#table.end(this.run.id, 'rejected', { at: this.#now(), failure, timings })
      this.#advance({ kind: 'failed' })
    })
  }

  paused(reason: 'stopped' | 'interrupted', timings: Timings): void {
    this.#write(() => {
      if (this.#isPublished(timings)) return
      // Whoever asked for a stop means it, even where the process is interrupted first.
      const isStopped = reason === 'stopped' || this.#table.row(this.run.id)?.stop_requested === 1
      this.#table.end(this.run.id, 'paused', { at: null, timings })
      if (isStopped) this.#table.cancelQueued(this.run.source, this.#now())
      this.#advance({ kind: isStopped ? 'stop' : 'interrupted' })
    })
  }

  #isPublished(timings: Timings): boolean {
    return settlePublished(this.#table, this.#folders, this.run, { at: this.#now(), timings })
  }

  #advance(event: RunEvent): void {
    const from = stateOf(this.#table.source(this.run.source))
    const to = advance(from, event)
    if (to === undefined) {
      throw new Failure('illegal_transition', `${event.kind} has no meaning while ${this.run.source} is ${from.state}.`)
    }
    this.#table.setState(this.run.source, to)
  }

  #write(work: () => void): void {
    this.#control.writeWaiting(() => {
      assertHeld(this.#table, this.lease)
      work()
    })
  }

  #saw(seen: Seen): void {
    this.#table.setChecked(this.run.source, seen.checkedAt, seen)
    const active = pointerOf(this.#folders, this.run.source)
    if (seen.cursor === undefined || active === undefined) return
    this.#table.setPosition(this.run.source, active.snapshot, seen.cursor)
  }

  #now(): number {
    return this.#control.clock.now()
  }
}

/**
 * The pointer alone decides: a run whose snapshot it names has published, whatever went wrong between the pointer and
 * the commit of the control database. Ends the run so, if it is such a run.
 */
export function settlePublished(
  table: RunTable,
  folders: ReadonlyMap<string, SourceFolder>,
  run: { id: string; source: string },
  end: { at: number; timings?: Timings },
): boolean {
  const pointer = pointerOf(folders, run.source)
  if (pointer?.run !== run.id) return false
  table.end(run.id, 'completed', { ...end, result: 'published', snapshot: pointer.snapshot })
  table.setState(run.source, { state: 'COMPLETED' })
  table.setChecked(run.source, pointer.publishedAt, pointer)
  table.setSequence(Math.max(table.sequence(), decodeWatermark(pointer.watermark) ?? 0))
  table.setPublished(run.source, pointer.watermark)
  return true
}

/** Writes down that the pointer went back: nothing that was waiting may bring the bad data forward again. */
export function markRolledBack(table: RunTable, source: string, pointer: Pointer, at: number): void {
  table.setPublished(source, pointer.watermark)
  table.setUnseen(source, pointer.checkedAt)
  table.setSequence(Math.max(table.sequence(), decodeWatermark(pointer.watermark) ?? 0))
  for (const run of table.waiting(source)) table.end(run.id, 'cancelled', { at })
  table.setState(source, { state: 'PAUSED', reason: 'rolled_back' })
}

/** One that cannot be read names no run; whoever needs it says why. */
export function pointerOf(folders: ReadonlyMap<string, SourceFolder>, source: string): Pointer | undefined {
  try {
    return folders.get(source)?.readPointer()
  } catch {
    return undefined
  }
}

/** @throws Failure `lease_lost` */
export function assertHeld(table: RunTable, lease: Lease): void {
  const row = table.source(lease.source)
  if (row.generation === lease.generation && row.holder === lease.holder) return
  throw new Failure(
    'lease_lost',
    `The lease of ${lease.source} went from generation ${lease.generation} to ${row.generation}.`,
    {
      facts: { source: lease.source, generation: lease.generation, now: row.generation },
    },
  )
}

function rowsOf(progress: Progress | null): number {
  return progress?.tables.reduce((sum, table) => sum + table.completed, 0) ?? 0
}
