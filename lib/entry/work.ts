import { flushCompileCache } from 'node:module'
import { parseArgs } from 'node:util'
import pino, { type Logger } from 'pino'
import { loadSettings } from '../config/load-settings.ts'
import type { Engine } from '../engine.ts'
import { Failure, toFailure } from '../errors.ts'
import { isActive, type Run } from '../sync-run.ts'
import { endLine, progressLine } from '../sync/progress-line.ts'
import { openDataDirectory, type DataDirectory } from './parts.ts'
import { cannotStart, untilAskedToEnd } from './report.ts'
import { openSyncing, type Syncing } from './syncing.ts'
import { endTelemetry, startTelemetry } from './telemetry.ts'

const USAGE = `Usage: node sync-worker.ts [--once [source …]]

Without --once it follows the schedules, the watched upstreams and the refreshes asked for through the server.
With it, it syncs the sources named, or those that are due, and ends:
  0  all are up to date      2  the guard refused one      64  used wrongly
  1  one failed              3  one was stopped            78  the configuration cannot be used
`
const EX_USAGE = 64
/** Without a terminal a running sync is heard of this often. */
const LOG_EVERY_MS = 10_000
const DRAW_EVERY_MS = 100

/** The worker: syncs what is scheduled and asked for, apart from any server. */
export async function work(args: readonly string[]): Promise<void> {
  const asked = untilAskedToEnd()
  const { once, named } = readArgs(args)
  const settings = await loadSettings({ env: process.env, cwd: process.cwd() }).catch(cannotStart)
  const log = pino(
    { level: settings.logLevel },
    pino.destination({ dest: once && process.stderr.isTTY ? 2 : 1, sync: true }),
  )
  for (const warning of settings.warnings) log.warn(warning)
  for (const id of named) {
    if (settings.sources.has(id)) continue
    process.stderr.write(`There is no source ${id}. There is: ${[...settings.sources.keys()].join(', ')}.\n`)
    process.exitCode = EX_USAGE
    return
  }
  const directory = openDirectory(settings)
  const quiet = once && process.stdout.isTTY ? pino({ level: 'silent' }) : log
  const crashes = new Crashes()
  const telemetry = await startTelemetry(settings, { role: 'worker', log: quiet })
  const syncing = await openSyncing(directory, quiet, { telemetry, onCrash: (run, error) => crashes.add(run, error) })
  syncing.startWork()
  if (once) {
    process.exitCode = await Promise.race([
      syncOnce(directory, syncing, { named, log: quiet, crashes }),
      asked.then((signal) => (signal === 'SIGINT' ? 130 : 143)),
    ])
  } else {
    log.info({ sources: [...settings.sources.keys()] }, 'the worker follows its sources')
    syncing.startAgeWatch()
    await Promise.race([syncing.startTriggers(), asked])
    flushCompileCache()
    log.info({ signal: await asked }, 'draining')
  }
  const askedAt = performance.now()
  await syncing.drain()
  await endTelemetry(telemetry, askedAt)
  directory[Symbol.dispose]()
}

function readArgs(args: readonly string[]): { once: boolean; named: readonly string[] } {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { once: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    })
    if (values.help) {
      process.stdout.write(USAGE)
      process.exit(0)
    }
    if (positionals.length > 0 && values.once !== true) throw new Error('sources are named after --once')
    return { once: values.once ?? false, named: positionals }
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`)
    process.exit(EX_USAGE)
  }
}

interface OnceOptions {
  readonly named: readonly string[]
  readonly log: Logger
  readonly crashes: Crashes
}

/** Runs whose thread broke here. They are taken up again by whoever comes next; one attempt is all that `--once` makes. */
class Crashes {
  readonly #errors = new Map<string, Error>()
  readonly #waiting = new Map<string, AbortController>()

  add(run: string, error: Error): void {
    this.#errors.set(run, error)
    this.#waiting.get(run)?.abort()
  }

  of(run: string): Error | undefined {
    return this.#errors.get(run)
  }

  /** Aborts when the run's thread breaks. */
  signal(run: string): AbortSignal {
    const controller = new AbortController()
    this.#waiting.set(run, controller)
    if (this.#errors.has(run)) controller.abort()
    return controller.signal
  }
}

async function syncOnce(directory: DataDirectory, syncing: Syncing, options: OnceOptions): Promise<number> {
  const { engine } = syncing
  const now = directory.clock.now()
  const ids =
    options.named.length > 0
      ? options.named
      : [...directory.settings.sources.keys()].filter((id) => isDue(directory, syncing, id, now))
  if (ids.length === 0) process.stdout.write('Nothing is due.\n')
  const codes = await Promise.all(ids.map(async (id) => exitCodeOf(await syncSource(engine, id, options))))
  await syncing.fetchFiles(options.named.length > 0 ? options.named : [...directory.settings.sources.keys()])
  return Math.max(0, ...codes)
}

function isDue({ publisher, control }: DataDirectory, syncing: Syncing, id: string, now: number): boolean {
  if (publisher.folders.get(id)?.readPointer() === undefined) return true
  const { run, checkedAt } = control.source(id)
  // A run that waits or was interrupted is always due, and so is one that failed.
  if (run !== null && (isActive(run) || run.status === 'paused' || run.status === 'failed')) return true
  return syncing.schedules.get(id)?.isDue(checkedAt ?? 0, now) ?? false
}

async function syncSource(engine: Engine, id: string, { log, crashes }: OnceOptions): Promise<Run | Failure> {
  let run: Run
  try {
    run = (await engine.request(id, 'once')).run
  } catch (error) {
    const failure = toFailure(error)
    if (failure.code === 'internal') throw error
    process.stderr.write(`${id}  ${failure.message}\n`)
    return failure
  }
  const ended = new AbortController()
  let last: Run = run
  let saidAt = performance.now()
  for await (const record of engine.watch(id, AbortSignal.any([ended.signal, crashes.signal(run.id)]))) {
    last = engine.run(run.id) ?? last
    if (process.stdout.isTTY) draw(progressLine(last, (process.stdout.columns ?? 80) - 1))
    else if (performance.now() - saidAt > LOG_EVERY_MS) {
      saidAt = performance.now()
      log.info({ source: id, run: run.id, progress: last.progress }, 'syncing')
    }
    if (
      !isActive(last) &&
      !(last.status === 'paused' && record.state.state === 'PAUSED' && record.state.reason === 'interrupted')
    )
      break
  }
  ended.abort()
  if (process.stdout.isTTY) draw('')
  const crash = crashes.of(run.id)
  if (crash !== undefined) {
    const failure = toFailure(crash)
    process.stdout.write(`${id}  broke off: ${failure.message} (${failure.code})\n`)
    return failure
  }
  process.stdout.write(`${endLine(last)}\n`)
  return last
}

let drawnAt = -Infinity

function draw(line: string): void {
  if (line !== '' && performance.now() - drawnAt < DRAW_EVERY_MS) return
  drawnAt = performance.now()
  process.stdout.write(`\r\u001B[2K${line}`)
}

function exitCodeOf(end: Run | Failure): number {
  if (end instanceof Failure) return end.code === 'source_paused' ? 3 : 1
  if (end.status === 'completed') return 0
  if (end.status === 'rejected') return 2
  return end.status === 'failed' ? 1 : 3
}

function openDirectory(settings: Parameters<typeof openDataDirectory>[0]): DataDirectory {
  try {
    return openDataDirectory(settings)
  } catch (error) {
    return cannotStart(error)
  }
}
