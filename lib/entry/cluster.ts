import cluster, { type Worker } from 'node:cluster'
import { fileURLToPath } from 'node:url'
import type { Logger } from 'pino'
import type { Settings } from '../settings.ts'
import { CannotStart } from './report.ts'
import type { Serving } from './serving.ts'
import type { Order, Report, Serve } from './serving-messages.ts'
import { cloneable } from './spawn.ts'

/** More than a serving process needs to drain, and less than the ten seconds a platform leaves. */
const DRAIN_MS = 9000
/**
 * Each of V8's two spaces for what is young, in MiB. Left alone they grow with the number of connections that are
 * written to at once, to many times of what lives in them, and stay so.
 */
const YOUNG_MIB = 16
/** A process that served this long is well: its next crash counts as the first. */
const STEADY_MS = 10_000
/** So many crashes in a row are replaced at once; from then on each is waited for twice as long. */
const FREE_CRASHES = 5
const FIRST_WAIT_MS = 250
const LONGEST_WAIT_MS = 30_000

export interface ServingProcessesParts {
  readonly settings: Settings
  readonly keys: readonly string[]
  readonly log: Logger
  /** After this time who still drains is killed. */
  readonly drainMs?: number
}

/** Serves from `webConcurrency` processes on one port, each of which is replaced when it ends unasked. */
export function openServingProcesses(parts: ServingProcessesParts): Serving {
  return new ServingProcesses(parts)
}

/** The place of one serving process; who crashes is followed by another. */
interface Place {
  readonly number: number
  worker: Worker | undefined
  startedAt: number
  crashes: number
  timer: NodeJS.Timeout | undefined
}

class ServingProcesses implements Serving {
  readonly #log: Logger
  readonly #serve: Omit<Serve, 'place'>
  readonly #drainMs: number
  readonly #places: readonly Place[]
  readonly #listening = Promise.withResolvers<number>()
  #port: number | undefined
  /** Resolves when the last one has ended. */
  #drained: PromiseWithResolvers<void> | undefined

  constructor({ settings, keys, log, drainMs = DRAIN_MS }: ServingProcessesParts) {
    this.#drainMs = drainMs
    this.#log = log
    this.#serve = { kind: 'serve', settings: cloneable(settings), keys }
    this.#places = Array.from({ length: settings.webConcurrency }, (_, index) => ({
      number: index + 1,
      worker: undefined,
      startedAt: 0,
      crashes: 0,
      timer: undefined,
    }))
  }

  /** Resolves when the first of them serves. */
  listen(): Promise<number> {
    cluster.setupPrimary({
      exec: fileURLToPath(new URL('./serving-start.js', import.meta.url)),
      args: [],
      execArgv: [...process.execArgv, `--max-semi-space-size=${YOUNG_MIB}`],
      serialization: 'advanced',
    })
    for (const place of this.#places) this.#start(place)
    return this.#listening.promise
  }

  async drain(): Promise<void> {
    const drained = (this.#drained ??= Promise.withResolvers<void>())
    // Asked a second time, this process ends at once: then so do they.
    process.once('exit', () => this.#kill())
    for (const place of this.#places) {
      clearTimeout(place.timer)
      if (place.worker) order(place.worker, { kind: 'drain' })
    }
    const timer = setTimeout(() => {
      this.#log.warn('serving processes that did not end in time are killed')
      this.#kill()
    }, this.#drainMs)
    this.#noteIfDrained()
    await drained.promise
    clearTimeout(timer)
  }

  [Symbol.dispose](): void {
    this.#kill()
  }

  #start(place: Place): void {
    const worker = cluster.fork()
    place.worker = worker
    place.startedAt = performance.now()
    let reason: CannotStart | undefined
    closeWhatIsHandedOver(worker)
    // It has ended or will: its exit tells.
    worker.on('error', () => {})
    worker.on('message', (report: Report) => {
      if (report.kind === 'serving') this.#onServing(report.port)
      else reason = new CannotStart(report.sentence, report.exitCode)
    })
    worker.once('exit', (code: number | null, signal: string | null) => {
      const onEnd = () => {
        place.worker = undefined
        this.#onEnd(place, { process: worker.process.pid, code, signal }, reason)
      }
      // What it said last may still be on its way.
      if (worker.isConnected()) worker.once('disconnect', onEnd)
      else onEnd()
    })
    order(worker, { ...this.#serve, place: place.number })
  }

  #onServing(port: number): void {
    if (this.#port !== undefined && this.#port !== port)
      this.#log.warn({ port }, 'no serving process was left to hold the port; with PORT=0 the next one got another')
    this.#port = port
    this.#listening.resolve(port)
  }

  #onEnd(
    place: Place,
    facts: { process: number | undefined; code: number | null; signal: string | null },
    reason?: CannotStart,
  ): void {
    if (this.#drained) return this.#noteIfDrained()
    if (this.#port === undefined) return this.#giveUp(facts.code, reason)
    place.crashes = performance.now() - place.startedAt > STEADY_MS ? 1 : place.crashes + 1
    const waitMs =
      place.crashes <= FREE_CRASHES
        ? 0
        : Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (place.crashes - FREE_CRASHES - 1))
    this.#log.error(
      { ...facts, ...(reason && { reason: reason.message }), waitMs },
      'a serving process ended; another takes its place',
    )
    place.timer = setTimeout(() => this.#start(place), waitMs)
  }

  /** None has ever served: what keeps one from it keeps them all. */
  #giveUp(code: number | null, reason?: CannotStart): void {
    this.#drained = Promise.withResolvers<void>()
    this.#kill()
    const message = `The serving processes cannot start: the first to end did so with ${code ?? 'a signal'}.`
    this.#listening.reject(reason ?? new CannotStart(message, code || 1))
  }

  #noteIfDrained(): void {
    if (this.#places.every(({ worker }) => worker === undefined)) this.#drained?.resolve()
  }

  #kill(): void {
    for (const { worker } of this.#places) worker?.process.kill('SIGKILL')
  }
}

function order(worker: Worker, message: Order): void {
  // Whoever cannot be told has ended or will, and its exit tells.
  worker.send(message, undefined, undefined, () => {})
}

/**
 * A process may die while a connection is handed over to it. node:cluster then forgets the connection and leaves it
 * open, and its client would wait for ever for somebody to read what it sent; so it is closed.
 */
function closeWhatIsHandedOver(worker: Worker): void {
  const child = worker.process
  const send = child.send.bind(child) as (...args: unknown[]) => boolean
  // One is handed over at a time. When it was taken it is closed here already, and closing it again does nothing.
  let last: { close?(): void } | undefined
  child.send = (...args: unknown[]) => {
    const [, handle] = args
    if (typeof handle === 'object' && handle !== null) last = handle
    return send(...args)
  }
  worker.once('exit', () => last?.close?.())
}
