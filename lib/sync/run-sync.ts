import type { Clock } from '../base/clock.ts'
import type { RunRecord, Timings } from '../control.ts'
import { toFailure } from '../errors.ts'
import type { FileOffers } from '../files.ts'
import type { GuardSettings } from '../settings.ts'
import type { Plan, Source } from '../source.ts'
import type { Stage, Store } from '../store.ts'
import type { Progress, RunStatus } from '../sync-run.ts'
import { guard } from './guard.ts'
import { ProgressMeter } from './progress-meter.ts'

/** Progress is saved at most this often. */
const SAVE_MS = 250
/** How often an upstream that changes while it is read is begun again, and after how long. */
const MAX_ATTEMPTS = 4
const RETRY_MS = 500

export interface RunParts {
  readonly source: Source
  readonly store: Store
  readonly record: RunRecord
  readonly limits: GuardSettings
  readonly clock: Clock
  /** Where the files are to be fetched that rows speak of; without, nobody fetches them. */
  readonly files?: FileOffers | undefined
  /** Aborts with a reason of `stopped`, `interrupted` or a Failure. */
  readonly signal: AbortSignal
  /** Called whenever the run came further: work that stays silent loses its lease. */
  readonly onBeat: () => void
  /** Runs something that may be silent for long, such as one statement over a whole table: it keeps its lease. */
  busy<T>(work: () => T): T
}

/** Runs one sync to its end, whatever that is; the run's record says how it went. Never throws but `lease_lost`. */
export async function runSync(parts: RunParts): Promise<RunStatus> {
  const { record, signal } = parts
  const run = new RunClock(parts)
  try {
    return await sync(parts, run)
  } catch (error) {
    const failure = toFailure(error)
    if (failure.code === 'lease_lost') throw failure
    const pausedBy = signal.aborted ? pauseReason(signal.reason) : undefined
    if (pausedBy !== undefined) {
      record.paused(pausedBy, run.timings)
      return 'paused'
    }
    if (failure.code === 'snapshot_rejected') {
      record.rejected(failure, run.timings)
      return 'rejected'
    }
    record.failed(failure, run.timings)
    return 'failed'
  }
}

async function sync(parts: RunParts, run: RunClock): Promise<RunStatus> {
  const { source, store, record, signal } = parts
  const refusedAt = record.refusedAt()
  if (record.run.republish !== null) return build(parts, run, undefined)
  let wantsAll = false
  for (let attempt = 1; ; attempt++) {
    let isChangesOnly = false
    try {
      const published = store.published(source.id)
      const plan = await source.plan({ signal, trigger: record.run.trigger, published, wantsAll, refusedAt })
      isChangesOnly = plan.tables.some(({ from }) => from === 'active')
      tell(parts, plan)
      return await build(parts, run, plan)
    } catch (error) {
      const { code } = toFailure(error)
      if (attempt === MAX_ATTEMPTS) throw error
      // What was made of changes alone may be wrong where the upstream is right: it is asked for everything, once.
      if (code === 'snapshot_rejected' && isChangesOnly && refusedAt === null) wantsAll = true
      else if (code === 'upstream_changed') await sleepBeforeRetry(parts, attempt)
      else throw error
      signal.throwIfAborted()
    }
  }
}

function tell({ source, record }: RunParts, plan: Plan): void {
  record.told({ warnings: plan.warnings ?? [], usage: source.usage?.() ?? null })
}

async function sleepBeforeRetry({ clock, signal }: RunParts, attempt: number): Promise<void> {
  await clock.sleep(RETRY_MS * attempt * (0.5 + Math.random()), signal)
}

/** Builds and publishes what the plan says, or without a plan what an earlier run was refused. */
async function build(parts: RunParts, run: RunClock, plan: Plan | undefined): Promise<RunStatus> {
  const { source, store, record, clock, signal } = parts
  const { lease } = record
  const checkedAt = plan === undefined ? record.refusedRowsReadAt() : clock.now()
  if (plan !== undefined && plan.identity === store.seenIdentity(source.id)) {
    const seen = { identity: plan.identity, shape: store.shape(source.id), checkedAt }
    record.unchanged({ timings: run.timings, seen })
    store.collect(lease)
    return 'completed'
  }
  using stage =
    plan === undefined
      ? parts.busy(() => store.stageRejected({ lease, run: record.run.id, rejected: record.run.republish ?? '' }))
      : parts.busy(() => store.stage({ lease, run: record.run.id, plan }))
  store.collect(lease)
  run.plan()
  const isChanged = (): boolean => {
    if (stage.isSame) return false
    verify(parts, run, stage)
    run.enter('comparing')
    return parts.busy(() => stage.compare()).isChanged
  }
  try {
    await pull(parts, run, stage)
    tell(parts, stage.plan)
    if (!isChanged()) {
      const { cursor, shape } = stage
      stage.discard()
      // To publish what was refused takes no look at the upstream.
      const seen = plan === undefined ? null : { identity: plan.identity, shape, checkedAt, cursor }
      record.unchanged({ timings: run.timings, seen })
      return 'completed'
    }
    run.enter('rendering')
    await stage.finish({ signal, onProgress: () => run.beat(), busy: (work) => parts.busy(work) })
    signal.throwIfAborted()
    run.enter('publishing')
    parts.busy(() => stage.publish({ checkedAt, timings: () => run.timings }))
    store.collect(lease)
    return 'completed'
  } catch (error) {
    const { code } = toFailure(error)
    if (code === 'snapshot_rejected') stage.reject()
    else if (code === 'upstream_changed' || code === 'upstream_malformed') stage.discard()
    throw error
  }
}

async function pull(parts: RunParts, run: RunClock, stage: Stage): Promise<void> {
  const { source, files, signal } = parts
  const { plan } = stage
  run.enter('pulling')
  run.meter.planned(plan, (table) => stage.rows(table))
  if (!stage.isPulled) {
    const resumeFrom = stage.cursor
    for await (const page of source.pull({ plan, signal, ...(resumeFrom !== undefined && { resumeFrom }) })) {
      signal.throwIfAborted()
      // Before its rows: whoever finds these published can fetch what they speak of.
      if (page.files !== undefined) files?.add(page.files)
      parts.busy(() => stage.write(page))
      run.meter.page(page.table, stage.rows(page.table), page.done)
      run.beat()
    }
  }
  signal.throwIfAborted()
  run.meter.pulled()
}

function verify(parts: RunParts, run: RunClock, stage: Stage): void {
  const { source, store, limits, record } = parts
  const { plan } = stage
  run.enter('verifying')
  const pulled = parts.busy(() => stage.finishPull())
  // An operator who publishes a refused run has looked at it.
  if (record.run.republish === null) guard(pulled, { plan, active: store.active(source.id), limits })
}

/** Where a run is and how long each phase took. */
class RunClock {
  readonly meter: ProgressMeter
  readonly #parts: RunParts
  readonly #phases: Partial<Record<Progress['phase'], number>> = {}
  #phaseBegan = performance.now()
  #savedAt = -Infinity
  #isPlanned = false

  constructor(parts: RunParts) {
    this.#parts = parts
    this.meter = new ProgressMeter(parts.clock)
  }

  get timings(): Timings {
    const spent = performance.now() - this.#phaseBegan
    const { phase } = this.meter
    const phases = { ...this.#phases, [phase]: (this.#phases[phase] ?? 0) + spent }
    return Object.fromEntries(Object.entries(phases).map(([name, ms]) => [name, Math.round(ms * 10) / 10]))
  }

  /** Tells that the plan is made; a run that begins again is planned already. */
  plan(): void {
    if (!this.#isPlanned) this.#parts.record.planned()
    this.#isPlanned = true
  }

  enter(phase: Progress['phase']): void {
    const now = performance.now()
    this.#phases[this.meter.phase] = (this.#phases[this.meter.phase] ?? 0) + now - this.#phaseBegan
    this.#phaseBegan = now
    this.meter.phase = phase
    this.#savedAt = -Infinity
    this.beat()
  }

  beat(): void {
    this.#parts.onBeat()
    const now = performance.now()
    if (now - this.#savedAt < SAVE_MS) return
    this.#savedAt = now
    this.#parts.record.progress(this.meter.progress)
  }
}

function pauseReason(reason: unknown): 'stopped' | 'interrupted' | undefined {
  return reason === 'stopped' || reason === 'interrupted' ? reason : undefined
}
