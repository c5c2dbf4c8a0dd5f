import type { Claim, Control, Lease, RunRecord } from '../control.ts'
import { Failure } from '../errors.ts'
import { advance, type Run, type RunEvent, type SourceRecord, type Trigger } from '../sync-run.ts'
import type { ControlDatabase } from './control-database.ts'
import type { SourceFolder } from './pointer.ts'
import { markRolledBack, pointerOf, settlePublished, SqliteRunRecord } from './run-record.ts'
import { MAX_STALLS, RunTable, stateOf, toRun, type RunRow, type SourceRow } from './run-table.ts'

/** Leases and runs in `control.sqlite`. */
export class SqliteControl implements Control {
  readonly #control: ControlDatabase
  readonly #table: RunTable
  readonly #folders: ReadonlyMap<string, SourceFolder>
  #ownWrites = 0

  constructor(control: ControlDatabase, folders: ReadonlyMap<string, SourceFolder>) {
    this.#control = control
    this.#table = new RunTable(control)
    this.#folders = folders
  }

  source(id: string): SourceRecord {
    return this.#control.read(() => {
      const row = this.#table.peekSource(id)
      const newest = this.#table.newest(id)
      return {
        source: id,
        state: row === undefined ? { state: 'IDLE' } : stateOf(row),
        run: newest === undefined ? null : toRun(newest),
        checkedAt: row?.checked_at ?? null,
        nextRunAt: null,
        told: this.#table.told(id),
      }
    })
  }

  run(id: string): Run | undefined {
    const row = this.#control.read(() => this.#table.row(id))
    return row && toRun(row)
  }

  runs(options: { source?: string; limit: number; before?: string }): Run[] {
    return this.#control.read(() => this.#table.list(options)).map(toRun)
  }

  version(): number {
    const version = this.#control.read(() => this.#control.db.pragma('data_version', { simple: true }) as number)
    // data_version counts what other connections wrote.
    return version * 1e9 + this.#ownWrites
  }

  request(source: string, trigger: Trigger, republish?: string): Promise<{ run: Run; joined: boolean }> {
    return this.#write(() => {
      const row = this.#table.source(source)
      const waiting = this.#table.waiting(source)
      if (republish !== undefined && waiting.length > 0) throw runActive(source)
      if (row.state === 'PAUSED' && row.reason !== 'interrupted') {
        if (trigger !== 'start') throw paused(source, row)
        const stopped = waiting.find((run) => run.status === 'paused')
        if (stopped !== undefined) {
          this.#table.setStatus(stopped.id, 'queued')
          return { run: toRun({ ...stopped, status: 'queued' }), joined: false }
        }
      }
      const underWay = waiting.find((run) => run.status !== 'queued')
      const mayHaveMissedIt = trigger === 'change' || trigger === 'webhook'
      // A run that is about to stop cannot be joined: whoever starts it now means after that. Nor can what waits
      // behind it and will be cancelled with it.
      const isStopping = trigger === 'start' && underWay?.stop_requested === 1
      const queued = waiting.find((run) => run.status === 'queued' && (!isStopping || run.trigger === 'start'))
      const isOver = underWay?.status === 'running' && (mayHaveMissedIt || isStopping)
      const joined = queued ?? (isOver ? undefined : underWay)
      if (joined !== undefined) return { run: toRun(joined), joined: true }
      return { run: toRun(this.#table.add(source, trigger, this.#now(), republish)), joined: false }
    })
  }

  claimable(): string[] {
    return this.#control
      .read(() => this.#table.sourcesWithRuns())
      .filter((row) => !this.#isHeld(row))
      .flatMap((row) => this.#next(row) ?? [])
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
      .map((run) => run.source)
  }

  claim(source: string, holder: string, ttlMs: number): Promise<Claim | undefined> {
    return this.#write(() => {
      const row = this.#table.source(source)
      if (this.#isHeld(row)) return undefined
      if (this.#settleRollback(row)) return undefined
      const left = this.#table.waiting(source).find((run) => run.status === 'running')
      if (left !== undefined) settlePublished(this.#table, this.#folders, left, { at: this.#now() })
      const run = this.#next(this.#table.source(source))
      if (run === undefined) return undefined
      if (run.status === 'running' && run.stop_requested === 1) {
        // Whoever was asked to stop it is gone.
        this.#fence(row)
        this.#table.setStatus(run.id, 'paused')
        this.#table.cancelQueued(source, this.#now())
        this.#advance(source, { kind: 'stop' })
        return undefined
      }
      const isResumed = run.started_at !== null
      if (isResumed && run.stalls >= MAX_STALLS) {
        this.#giveUp(row, run)
        return undefined
      }
      if (run.status === 'running') this.#advance(source, { kind: 'interrupted' })
      this.#advance(source, { kind: 'start' })
      for (const other of this.#table.waiting(source)) {
        // Its staged data goes on in this one.
        if (other.status === 'paused' && other.id !== run.id)
          this.#table.end(other.id, 'cancelled', { at: this.#now() })
      }
      this.#table.begin(run, this.#now(), isResumed)
      const lease = this.#take(row, holder, ttlMs)
      return { run: toRun(this.#table.row(run.id) as RunRow), lease }
    })
  }

  lease(source: string, holder: string, ttlMs: number): Promise<Lease | undefined> {
    return this.#write(() => {
      const row = this.#table.source(source)
      return this.#isHeld(row) ? undefined : this.#take(row, holder, ttlMs)
    })
  }

  renew(lease: Lease, ttlMs: number): Promise<boolean> {
    return this.#write(() => {
      const row = this.#table.source(lease.source)
      if (row.generation !== lease.generation || row.holder !== lease.holder) return false
      this.#table.setLease(lease.source, { ...lease, expiresAt: this.#now() + ttlMs, ttlMs })
      return true
    })
  }

  release(lease: Lease): Promise<void> {
    return this.#write(() => {
      const row = this.#table.source(lease.source)
      if (row.generation !== lease.generation || row.holder !== lease.holder) return
      this.#table.setLease(lease.source, { generation: lease.generation, holder: null, expiresAt: 0, ttlMs: 0 })
    })
  }

  async stop(source: string): Promise<SourceRecord> {
    await this.#write(() => {
      const row = this.#table.source(source)
      for (const run of this.#table.waiting(source)) {
        if (run.status === 'queued') this.#table.end(run.id, 'cancelled', { at: this.#now() })
        else if (run.status === 'running' && this.#isHeld(row)) this.#table.requestStop(run.id)
        else if (!(row.state === 'PAUSED' && row.reason === 'stopped')) {
          // Nobody works on it: whoever left it behind has stopped already, or comes back too late.
          this.#fence(row)
          this.#table.setStatus(run.id, 'paused')
          this.#advance(source, { kind: 'stop' })
        }
      }
    })
    return this.source(source)
  }

  async reset(source: string): Promise<SourceRecord> {
    await this.#write(() => {
      const row = this.#table.source(source)
      if (this.#isHeld(row)) throw runActive(source)
      this.#fence(row)
      if (row.state === 'INITIALIZING' || row.state === 'PROCESSING') this.#advance(source, { kind: 'interrupted' })
      for (const run of this.#table.waiting(source)) this.#table.end(run.id, 'cancelled', { at: this.#now() })
      this.#advance(source, { kind: 'reset' })
      // Nobody holds the lease, and nobody can take it before this is through.
      this.#folders.get(source)?.removeStaged()
    })
    return this.source(source)
  }

  isStopRequested(run: string): boolean {
    return this.#control.read(() => this.#table.row(run))?.stop_requested === 1
  }

  claimSlot(source: string, slot: number): Promise<boolean> {
    return this.#write(() => this.#table.claimSlot(source, slot))
  }

  /** The upstream identity that was last found to be what is published. */
  seenIdentity(source: string): string | null {
    return this.#control.read(() => this.#table.peekSource(source))?.seen ?? null
  }

  /** The record for whoever holds the claim, on a thread that may wait. */
  record(claim: Claim): RunRecord {
    return new SqliteRunRecord(claim, this.#control, this.#table, this.#folders)
  }

  async #write<T>(work: () => T): Promise<T> {
    try {
      return await this.#control.write(work)
    } finally {
      this.#ownWrites++
    }
  }

  #now(): number {
    return this.#control.clock.now()
  }

  #isHeld(row: SourceRow): boolean {
    const leftMs = row.expires_at - this.#now()
    // More left than was ever granted: the clock went back, and the time says nothing. Generations keep it safe.
    return row.holder !== null && leftMs > 0 && leftMs <= row.ttl_ms
  }

  #take(row: SourceRow, holder: string, ttlMs: number): Lease {
    const generation = row.generation + 1
    this.#table.setLease(row.source, { generation, holder, expiresAt: this.#now() + ttlMs, ttlMs })
    return { source: row.source, holder, generation }
  }

  /** Sees to it that a holder whose lease ran out cannot come back to it: what is decided now, is decided. */
  #fence(row: SourceRow): void {
    this.#table.setLease(row.source, { generation: row.generation + 1, holder: null, expiresAt: 0, ttlMs: 0 })
  }

  /** The run to work on next, given that nobody holds the lease. */
  #next(row: SourceRow): RunRow | undefined {
    const waiting = this.#table.waiting(row.source)
    const left = waiting.find((run) => run.status === 'running')
    if (left !== undefined) return left
    if (row.state === 'PAUSED' && row.reason !== 'interrupted') {
      return waiting.find((run) => run.status === 'queued')
    }
    return waiting.find((run) => run.status === 'paused') ?? waiting.find((run) => run.status === 'queued')
  }

  #advance(source: string, event: RunEvent): void {
    const from = stateOf(this.#table.source(source))
    const to = advance(from, event)
    if (to !== undefined) this.#table.setState(source, to)
    else throw new Failure('illegal_transition', `${event.kind} has no meaning while ${source} is ${from.state}.`)
  }

  /** A rollback that was killed between the pointer and the commit: the source has to be paused all the same. */
  #settleRollback(row: SourceRow): boolean {
    const pointer = pointerOf(this.#folders, row.source)
    if (pointer?.isRolledBack !== true || pointer.watermark === row.published) return false
    markRolledBack(this.#table, row.source, pointer, this.#now())
    return true
  }

  #giveUp(row: SourceRow, run: RunRow): void {
    const failure = new Failure(
      'run_crashed',
      `The run was taken up ${run.stalls} times and ended each time without coming further. Look at the log, then start it again.`,
    )
    this.#fence(row)
    this.#table.end(run.id, 'failed', { at: this.#now(), failure })
    this.#table.setState(row.source, { state: 'ERROR' })
  }
}

function paused(source: string, row: SourceRow): Failure {
  const why = row.reason === 'rolled_back' ? 'was rolled back' : 'was stopped'
  return new Failure('source_paused', `${source} ${why}. POST /api/sources/${source}/start to let it sync again.`, {
    facts: { source, reason: row.reason },
  })
}

function runActive(source: string): Failure {
  return new Failure('run_active', `A run of ${source} is active. Stop it first, or wait until it ends.`, {
    facts: { source },
  })
}
