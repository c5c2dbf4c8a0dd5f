import { randomBytes } from 'node:crypto'
import type { Failure } from '../errors.ts'
import {
  NOTHING_TOLD,
  type PauseReason,
  type Progress,
  type Run,
  type RunResult,
  type RunStatus,
  type SourceState,
  type State,
  type Told,
  type Trigger,
} from '../sync-run.ts'
import type { Timings } from '../control.ts'
import type { Watermark } from '../watermark.ts'
import type { ControlDatabase } from './control-database.ts'

interface RunRow {
  id: string
  source: string
  trigger: Trigger
  status: RunStatus
  result: RunResult | null
  snapshot: string | null
  requested_at: number
  started_at: number | null
  finished_at: number | null
  resumes: number
  stalls: number
  stop_requested: 0 | 1
  republish: string | null
  error: string | null
  progress: string | null
  timings: string | null
}

export interface SourceRow {
  source: string
  generation: number
  holder: string | null
  expires_at: number
  ttl_ms: number
  state: State
  reason: PauseReason | null
  seen: string | null
  checked_at: number | null
  published: string | null
}

/** Runs of a source that are kept after they ended. */
const HISTORY = 200
/** A run that was taken up this often without coming further is given up. */
export const MAX_STALLS = 20

/** The SQL of sources and runs; every call belongs inside a transaction of its caller's. */
export class RunTable {
  readonly #sql

  constructor(control: ControlDatabase) {
    const { db } = control
    this.#sql = {
      addSource: db.prepare(`INSERT OR IGNORE INTO sources (source) VALUES (?)`),
      source: db.prepare<[string], SourceRow>(`SELECT * FROM sources WHERE source = ?`),
      setState: db.prepare(`UPDATE sources SET state = ?, reason = ? WHERE source = ?`),
      setChecked: db.prepare(`UPDATE sources SET checked_at = ?, seen = ? WHERE source = ?`),
      setUnseen: db.prepare(`UPDATE sources SET checked_at = ?, seen = NULL WHERE source = ?`),
      setSeenShape: db.prepare(`INSERT OR REPLACE INTO meta (name, value) VALUES ('shape of ' || ?, ?)`),
      seenShape: db.prepare<[string], string>(`SELECT value FROM meta WHERE name = 'shape of ' || ?`).pluck(),
      setTold: db.prepare(`INSERT OR REPLACE INTO meta (name, value) VALUES ('told of ' || ?, ?)`),
      told: db.prepare<[string], string>(`SELECT value FROM meta WHERE name = 'told of ' || ?`).pluck(),
      setPosition: db.prepare(`INSERT OR REPLACE INTO meta (name, value) VALUES ('position of ' || ?, ?)`),
      position: db.prepare<[string], string>(`SELECT value FROM meta WHERE name = 'position of ' || ?`).pluck(),
      setPublished: db.prepare(`UPDATE sources SET published = ? WHERE source = ?`),
      setLease: db.prepare(
        `UPDATE sources SET generation = ?, holder = ?, expires_at = ?, ttl_ms = ? WHERE source = ?`,
      ),
      add: db.prepare(
        `INSERT INTO runs (id, source, trigger, status, requested_at, republish) VALUES (?, ?, ?, 'queued', ?, ?)`,
      ),
      run: db.prepare<[string], RunRow>(`SELECT * FROM runs WHERE id = ?`),
      newest: db.prepare<[string], RunRow>(`SELECT * FROM runs WHERE source = ? ORDER BY id DESC LIMIT 1`),
      ofSource: db.prepare<[string, string, number], RunRow>(
        `SELECT * FROM runs WHERE source = ? AND id < ? ORDER BY id DESC LIMIT ?`,
      ),
      ofAll: db.prepare<[string, number], RunRow>(`SELECT * FROM runs WHERE id < ? ORDER BY id DESC LIMIT ?`),
      waiting: db.prepare<[string], RunRow>(
        `SELECT * FROM runs WHERE source = ? AND status IN ('queued', 'running', 'paused') ORDER BY id`,
      ),
      sourcesWithRuns: db.prepare<[], SourceRow>(
        `SELECT * FROM sources WHERE source IN (SELECT source FROM runs WHERE status IN ('queued', 'running', 'paused'))`,
      ),
      begin: db.prepare(
        `UPDATE runs SET status = 'running', started_at = coalesce(started_at, ?), resumes = ?, stalls = ?, stop_requested = 0,
           finished_at = NULL, error = NULL WHERE id = ?`,
      ),
      setStatus: db.prepare(`UPDATE runs SET status = ? WHERE id = ?`),
      requestStop: db.prepare(`UPDATE runs SET stop_requested = 1 WHERE id = ?`),
      progress: db.prepare(`UPDATE runs SET progress = ?, stalls = iif(?, 0, stalls) WHERE id = ?`),
      end: db.prepare(
        `UPDATE runs SET status = ?, result = ?, snapshot = ?, finished_at = ?, error = ?, timings = ? WHERE id = ?`,
      ),
      prune: db.prepare(
        `DELETE FROM runs WHERE source = ? AND status NOT IN ('queued', 'running', 'paused') AND id NOT IN
           (SELECT id FROM runs WHERE source = ? ORDER BY id DESC LIMIT ${HISTORY})`,
      ),
      addSlot: db.prepare(`INSERT OR IGNORE INTO slots (source, slot) VALUES (?, ?)`),
      pruneSlots: db.prepare(`DELETE FROM slots WHERE source = ? AND slot < ?`),
      sequence: db.prepare<[], number>(`SELECT value FROM meta WHERE name = 'sequence'`).pluck(),
      setSequence: db.prepare(`UPDATE meta SET value = ? WHERE name = 'sequence'`),
    }
  }

  /** The record of a source; made on first sight. */
  source(source: string): SourceRow {
    const row = this.#sql.source.get(source)
    if (row !== undefined) return row
    this.#sql.addSource.run(source)
    return this.source(source)
  }

  peekSource(source: string): SourceRow | undefined {
    return this.#sql.source.get(source)
  }

  setState(source: string, state: SourceState): void {
    this.#sql.setState.run(state.state, state.state === 'PAUSED' ? state.reason : null, source)
  }

  /** The upstream was seen to be what is published: in this state, read in this way. */
  setChecked(source: string, checkedAt: number, { identity, shape }: { identity: string; shape: string }): void {
    this.#sql.setChecked.run(checkedAt, identity, source)
    this.#sql.setSeenShape.run(source, shape)
  }

  /** What is published now was read at this time, and has not been compared with the upstream since. */
  setUnseen(source: string, checkedAt: number): void {
    this.#sql.setUnseen.run(checkedAt, source)
  }

  /** How the source was configured when `seen` was written. */
  seenShape(source: string): string | undefined {
    return this.#sql.seenShape.get(source)
  }

  setTold(source: string, told: Told): void {
    const text = JSON.stringify(told)
    if (text !== (this.#sql.told.get(source) ?? JSON.stringify(NOTHING_TOLD))) this.#sql.setTold.run(source, text)
  }

  told(source: string): Told {
    const text = this.#sql.told.get(source)
    return text === undefined ? NOTHING_TOLD : (JSON.parse(text) as Told)
  }

  /** Where a pull ended that found nothing new since a snapshot. */
  setPosition(source: string, snapshot: string, cursor: string): void {
    this.#sql.setPosition.run(source, JSON.stringify([snapshot, cursor]))
  }

  /** The cursor of the last such pull since this snapshot, if there was one. */
  position(source: string, snapshot: string): string | undefined {
    const [since, cursor] = JSON.parse(this.#sql.position.get(source) ?? '[]') as string[]
    return since === snapshot ? cursor : undefined
  }

  setPublished(source: string, watermark: Watermark): void {
    this.#sql.setPublished.run(watermark, source)
  }

  setLease(
    source: string,
    lease: { generation: number; holder: string | null; expiresAt: number; ttlMs: number },
  ): void {
    this.#sql.setLease.run(lease.generation, lease.holder, lease.expiresAt, lease.ttlMs, source)
  }

  add(source: string, trigger: Trigger, at: number, republish: string | null = null): RunRow {
    const newest = this.#sql.newest.get(source)
    const id = newRunId(at, newest?.id)
    this.#sql.add.run(id, source, trigger, at, republish)
    this.#sql.prune.run(source, source)
    return this.row(id) as RunRow
  }

  row(id: string): RunRow | undefined {
    return this.#sql.run.get(id)
  }

  newest(source: string): RunRow | undefined {
    return this.#sql.newest.get(source)
  }

  list(options: { source?: string; limit: number; before?: string }): RunRow[] {
    const before = options.before ?? '~'
    return options.source === undefined
      ? this.#sql.ofAll.all(before, options.limit)
      : this.#sql.ofSource.all(options.source, before, options.limit)
  }

  /** Runs of a source that have not ended, oldest first. */
  waiting(source: string): RunRow[] {
    return this.#sql.waiting.all(source)
  }

  sourcesWithRuns(): SourceRow[] {
    return this.#sql.sourcesWithRuns.all()
  }

  begin(run: RunRow, at: number, isResumed: boolean): void {
    this.#sql.begin.run(at, run.resumes + (isResumed ? 1 : 0), isResumed ? run.stalls + 1 : 0, run.id)
  }

  setStatus(id: string, status: RunStatus): void {
    this.#sql.setStatus.run(status, id)
  }

  requestStop(id: string): void {
    this.#sql.requestStop.run(id)
  }

  progress(id: string, progress: Progress, isFurther: boolean): void {
    this.#sql.progress.run(JSON.stringify(progress), isFurther ? 1 : 0, id)
  }

  end(
    id: string,
    status: RunStatus,
    end: { at: number | null; result?: RunResult; snapshot?: string; failure?: Failure; timings?: Timings },
  ): void {
    const { failure } = end
    const error = failure && JSON.stringify({ code: failure.code, message: failure.message, facts: failure.facts })
    const timings = end.timings && JSON.stringify(end.timings)
    this.#sql.end.run(status, end.result ?? null, end.snapshot ?? null, end.at, error ?? null, timings ?? null, id)
  }

  /** Nothing goes on in a source that has stopped, but what somebody started since. */
  cancelQueued(source: string, at: number): void {
    for (const run of this.waiting(source)) {
      if (run.status === 'queued' && run.trigger !== 'start') this.end(run.id, 'cancelled', { at })
    }
  }

  claimSlot(source: string, slot: number): boolean {
    this.#sql.pruneSlots.run(source, slot - 7 * 24 * 3600 * 1000)
    return this.#sql.addSlot.run(source, slot).changes === 1
  }

  sequence(): number {
    return this.#sql.sequence.get() ?? 0
  }

  setSequence(sequence: number): void {
    this.#sql.setSequence.run(sequence)
  }
}

export function stateOf(row: SourceRow): SourceState {
  if (row.state === 'PAUSED') return { state: 'PAUSED', reason: row.reason ?? 'stopped' }
  return { state: row.state }
}

export function toRun(row: RunRow): Run {
  return {
    id: row.id,
    source: row.source,
    trigger: row.trigger,
    status: row.status,
    result: row.result,
    snapshot: row.snapshot,
    requestedAt: row.requested_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    resumes: row.resumes,
    republish: row.republish,
    error: row.error === null ? null : (JSON.parse(row.error) as Run['error']),
    progress: row.progress === null ? null : (JSON.parse(row.progress) as Progress),
    timings: row.timings === null ? null : (JSON.parse(row.timings) as Timings),
  }
}

/** Sorts by time, and after the run before even if the clock went back. */
function newRunId(at: number, after: string | undefined): string {
  const time = at.toString(36).padStart(9, '0')
  const previous = after?.slice(1, 10) ?? ''
  const later = time > previous ? time : (Number.parseInt(previous, 36) + 1).toString(36).padStart(9, '0')
  return `r${later}${randomBytes(4).toString('hex')}`
}

export type { RunRow }
