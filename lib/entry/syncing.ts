import type { Logger } from 'pino'
import type { Engine } from '../engine.ts'
import { toFailure } from '../errors.ts'
import { checkedAt as ageBegins } from '../http/freshness.ts'
import { probeLocks } from '../sqlite/lock-probe.ts'
import { rollback } from '../sqlite/publish.ts'
import { holderName } from '../sqlite/stuck-holder.ts'
import { AgeWatch } from '../sync/age-watch.ts'
import { Alerts } from '../sync/alerts.ts'
import { SyncEngine } from '../sync/engine.ts'
import { Runner, type RunnerEvent } from '../sync/runner.ts'
import { createSchedule, type Schedule } from '../sync/schedule.ts'
import type { Settings } from '../settings.ts'
import { isActive, type Trigger } from '../sync-run.ts'
import type { Telemetry } from '../telemetry.ts'
import { FileFetches } from './file-fetches.ts'
import { createSource, type DataDirectory } from './parts.ts'
import { Renders } from './renders.ts'
import { spawnThread } from './spawn.ts'

/** Work without a sign of life for this long loses its lease. */
const STALL_MS = 120_000
/** Syncs of different sources at a time, in this process. */
const MAX_THREADS = 2
/** A process that ends waits this long for alerts to be sent. */
const ALERTS_MS = 4000

/** The sync engine of a process. */
export interface Syncing {
  readonly engine: Engine
  readonly schedules: ReadonlyMap<string, Schedule>
  /** Works on runs, from now on. */
  startWork(): void
  /** Follows schedules and upstreams that tell of changes, and catches up on what was missed. */
  startTriggers(): Promise<void>
  /** Tells of sources that grow old, whoever syncs them, if there is somebody to tell. */
  startAgeWatch(): void
  /** Fetches the files of these sources that are missing, as far as that can be done now. */
  fetchFiles(sources: readonly string[]): Promise<void>
  /** Lets go: runs are left where they are, to be resumed, and their leases are given back. */
  drain(): Promise<void>
}

/** Who else hears of what happens here. */
export interface SyncingHooks {
  readonly onCrash?: (run: string, error: Error) => void
  readonly telemetry?: Telemetry | undefined
}

export async function openSyncing(
  directory: DataDirectory,
  log: Logger,
  { onCrash, telemetry }: SyncingHooks = {},
): Promise<Syncing> {
  const { settings, clock, control, publisher } = directory
  const { leaseTtlMs } = settings
  const holder = holderName()
  const sources = new Set(settings.sources.keys())
  const schedules = new Map<string, Schedule>()
  for (const [id, { schedule }] of settings.sources) schedules.set(id, await createSchedule(schedule, clock))
  const endAlerts = new AbortController()
  const alerts =
    settings.alertWebhookUrl === null
      ? undefined
      : new Alerts({
          url: settings.alertWebhookUrl,
          clock,
          signal: endAlerts.signal,
          onTrouble: (error) => log.error({ err: error }, 'an alert could not be sent'),
        })
  let isWorking = false
  const draining = new AbortController()
  const alertsSent = new Set<Promise<void>>()
  const renders = new Renders(settings, clock, log)
  const files = new FileFetches(directory, holder, log)
  const runner = new Runner({
    control,
    clock,
    holder,
    leaseTtlMs,
    stallMs: STALL_MS,
    maxThreads: MAX_THREADS,
    sources,
    spawn: (claim) => spawnThread({ kind: 'sync', claim }, settings),
    onEvent(event) {
      report(event, directory, log)
      if (event.kind === 'crashed') onCrash?.(event.run, event.error)
      const run = event.kind === 'ended' ? control.run(event.run) : undefined
      if (run === undefined) return
      if (run.result === 'published' && publisher.folders.get(run.source)?.readPointer()?.rendersLater)
        renders.start(run.source)
      if (run.status === 'completed') files.ran(run.source, run.result)
      // One whose lease was lost goes on elsewhere, and is told of from there.
      if (!isActive(run)) telemetry?.run(run, clock.now())
      if (alerts === undefined) return
      const sent = alerts.ended(run).finally(() => alertsSent.delete(sent))
      alertsSent.add(sent)
    },
  })
  const engine = new SyncEngine({
    control,
    clock,
    holder,
    leaseTtlMs,
    sources,
    nextRunAt: (source) => schedules.get(source)?.nextAt(),
    rollback: (lease) => rollback(publisher, lease),
    republish: async (source, rejected) => (await control.request(source, 'start', rejected)).run,
    onWork: () => runner.wake(),
    onRolledBack(source) {
      renders.start(source)
      files.start(source)
    },
  })
  const triggers: Disposable[] = []
  const addTrigger = (trigger: Disposable) => {
    triggers.push(trigger)
    // Whoever drains meanwhile has disposed of the others.
    if (draining.signal.aborted) trigger[Symbol.dispose]()
  }

  const ask = async (source: string, trigger: Trigger): Promise<void> => {
    try {
      await engine.request(source, trigger)
    } catch (error) {
      const failure = toFailure(error)
      if (failure.code !== 'source_paused' && !draining.signal.aborted)
        log.error({ source, trigger, err: failure }, 'a run could not be asked for')
    }
  }

  const catchUp = async (id: string): Promise<void> => {
    const pointer = publisher.folders.get(id)?.readPointer()
    const { checkedAt } = control.source(id)
    // What rendered them may have ended before it was through.
    if (pointer?.rendersLater || pointer?.isRolledBack) renders.start(id)
    if (isManual(settings, id)) return
    if (pointer === undefined) return ask(id, 'first')
    if (schedules.get(id)?.isDue(checkedAt ?? 0, clock.now())) return ask(id, 'schedule')
  }

  const followSource = async (id: string): Promise<void> => {
    const schedule = schedules.get(id)
    if (schedule !== undefined) {
      addTrigger(
        schedule.follow((slot) => {
          control.claimSlot(id, slot).then(
            (isOurs) => (isOurs ? ask(id, 'schedule') : undefined),
            (error: unknown) => log.error({ source: id, err: error }, 'a schedule slot could not be claimed'),
          )
        }),
      )
    }
    await catchUp(id)
    // Only files can be watched: what other kinds need is loaded where they are synced, not where answers are given.
    if (settings.sources.get(id)?.descriptor.kind !== 'file') return
    const source = await createSource(directory, id)
    if (source.watch === undefined || draining.signal.aborted) return
    addTrigger(source.watch(() => void ask(id, 'change')))
    // What changed while nobody watched.
    const plan = await source
      .plan({
        signal: AbortSignal.any([draining.signal, AbortSignal.timeout(10_000)]),
        trigger: 'change',
        published: undefined,
        wantsAll: false,
        refusedAt: null,
      })
      .catch(() => undefined)
    const isThere = publisher.folders.get(id)?.readPointer() !== undefined
    if (isThere && plan !== undefined && plan.identity !== control.seenIdentity(id)) await ask(id, 'change')
  }

  return {
    engine,
    schedules,
    startWork() {
      isWorking = true
      runner.start()
      for (const id of sources) files.start(id)
    },
    async startTriggers() {
      checkLocks(settings.dataDir, log)
      for (const id of settings.sources.keys()) {
        if (draining.signal.aborted) return
        try {
          await followSource(id)
        } catch (error) {
          // What is wrong with one source must not hold up the others.
          if (!draining.signal.aborted) log.error({ source: id, err: error }, 'a source could not be followed')
        }
      }
    },
    startAgeWatch() {
      if (alerts === undefined) return
      const onTrouble = (error: unknown) => log.error({ err: error }, 'the age of a source could not be looked at')
      const watch = new AgeWatch({
        schedules,
        clock,
        maxAgeMs: settings.readyMaxAgeMs,
        checkedAt(id) {
          const pointer = publisher.folders.get(id)?.readPointer()
          return pointer && ageBegins(pointer, control.source(id))
        },
        isPaused(id) {
          const { state } = control.source(id)
          return state.state === 'PAUSED' && state.reason !== 'interrupted'
        },
        // No source has a space in its name.
        claim: (id, hour) => control.claimSlot(`age of ${id}`, hour),
        alerts,
        onTrouble,
      })
      watch.follow(draining.signal).catch(onTrouble)
    },
    fetchFiles: (ids) => files.fetch(ids),
    async drain() {
      draining.abort()
      for (const trigger of triggers) trigger[Symbol.dispose]()
      await Promise.all([isWorking ? runner.drain() : undefined, renders.drain(), files.drain()])
      await Promise.race([Promise.all(alertsSent), clock.sleep(ALERTS_MS, endAlerts.signal)])
      endAlerts.abort()
    },
  }
}

/** Whether a source does nothing until somebody asks for it. */
function isManual({ sources }: Settings, id: string): boolean {
  const descriptor = sources.get(id)?.descriptor
  return descriptor?.kind === 'airtable' && descriptor.options.mode === 'manual'
}

/** Not waited for: what it finds is for people to act on. */
function checkLocks(dataDir: string, log: Logger): void {
  const trouble = 'locks do not hold on this volume: run one process only, or put DATA_DIR on a local disk'
  probeLocks(dataDir).then(
    (isHolding) => (isHolding ? undefined : log.error({ dataDir }, trouble)),
    (error: unknown) => log.warn({ err: error }, 'whether locks hold on this volume could not be tried'),
  )
}

function report(event: RunnerEvent, directory: DataDirectory, log: Logger): void {
  switch (event.kind) {
    case 'claimed':
      log.info({ source: event.source, run: event.run }, event.isResumed ? 'sync resumed' : 'sync started')
      return
    case 'crashed':
      log.error(
        { source: event.source, run: event.run, err: event.error },
        'the sync thread broke; the run is taken up again',
      )
      return
    case 'lease_lost':
      log.warn({ source: event.source, run: event.run }, 'the lease went to another holder; the run goes on there')
      return
    case 'trouble':
      log.error({ err: event.error }, 'the sync engine could not do its work')
      return
    case 'ended': {
      const run = directory.control.run(event.run)
      if (run === undefined) return
      const facts = { source: run.source, run: run.id, status: run.status, result: run.result, timings: run.timings }
      if (run.error === null) log.info(facts, 'sync ended')
      else {
        const what = run.status === 'rejected' ? 'sync refused' : 'sync failed'
        const { code, message: reason } = run.error
        log.warn({ ...facts, code, reason }, `${what}; what was published is still served`)
      }
      if (run.result !== 'published') return
      const warnings = directory.publisher.folders.get(run.source)?.readPointer()?.warnings ?? []
      if (warnings.length > 0)
        log.warn({ source: run.source, run: run.id, warnings }, 'some of what is configured for tables was left out')
    }
  }
}
