import type { Clock } from '../../lib/base/clock.ts'
import type { CallBudget, CallLimit, CallLimiter } from '../../lib/call-limiter.ts'
import { callLimiters } from '../../lib/sqlite/call-limiter.ts'
import { ControlDatabase } from '../../lib/sqlite/control-database.ts'
import { tempFolder } from '../support/temp.ts'

export const BASE: CallLimit = { account: 'base', calls: 5, windowMs: 1000 }
export const UNBOUNDED: CallBudget = { account: 'plan', calls: null }
const WALL_MS = Date.UTC(2026, 10, 15)
const WAY_MS = 30
const MAX_JITTER_MS = 49.999

/**
 * Many processes on one real `control.sqlite`, in a time of their own: it goes from event to event, so an hour takes a
 * moment, and everything that happens is replayed by the seed of `random`.
 */
export class World implements Disposable {
  readonly random: () => number
  readonly #folder = tempFolder()
  readonly #processes: WorldProcess[] = []
  readonly #events: { readonly at: number; readonly run: () => void }[] = []
  /** The monotonic clock of the machine. */
  nowMs = 1_000_000

  constructor(random: () => number) {
    this.random = random
  }

  get path(): string {
    return this.#folder.file('control.sqlite')
  }

  start(options: ProcessOptions = {}): WorldProcess {
    const process = new WorldProcess(this, options)
    this.#processes.push(process)
    return process
  }

  at(at: number, run: () => void): void {
    const behind = this.#events.findIndex((event) => event.at > at)
    this.#events.splice(behind < 0 ? this.#events.length : behind, 0, { at, run })
  }

  between(low: number, high: number): number {
    return low + this.random() * (high - low)
  }

  /** Lets time pass until something is the case, or for some milliseconds. */
  async pass(until: number | (() => boolean)): Promise<void> {
    const endMs = typeof until === 'number' ? this.nowMs + until : Infinity
    const isDone = typeof until === 'number' ? () => false : until
    await settled()
    while (!isDone()) {
      const next = this.#events[0]
      if (next === undefined || next.at > endMs) break
      this.#events.shift()
      this.nowMs = Math.max(this.nowMs, next.at)
      next.run()
      await settled()
    }
    if (typeof until === 'number') this.nowMs = Math.max(this.nowMs, endMs)
    else if (!isDone()) throw new Error('nothing can happen any more')
  }

  /** Everything of a promise that time brings. */
  async wait<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const end = () => (isSettled = true)
    promise.then(end, end)
    await this.pass(() => isSettled)
    return promise
  }

  [Symbol.dispose](): void {
    for (const process of this.#processes) process.control.close()
    this.#folder[Symbol.dispose]()
  }
}

export interface ProcessOptions {
  /** Timers are late, commits take long, and sometimes something keeps the thread. */
  readonly isRough?: boolean
  /** How long every commit takes. */
  readonly commitMs?: number
  readonly boot?: string
}

/** One process: a connection of its own, a wall clock of its own, and what can happen to it. */
export class WorldProcess implements Clock {
  readonly control: ControlDatabase
  readonly #world: World
  readonly #options: ProcessOptions
  #stoppedUntil = 0
  #wallMs = WALL_MS
  isKilled = false

  constructor(world: World, options: ProcessOptions) {
    this.#world = world
    this.#options = options
    this.control = new WorldControl(world.path, this)
  }

  limiter(limits: readonly CallLimit[] = [BASE], budget = UNBOUNDED): CallLimiter {
    return callLimiters(this.control, this.#options.boot ?? 'boot')(limits, budget)
  }

  now(): number {
    return this.#wallMs + this.#world.nowMs
  }

  monotonic(): number {
    return this.#world.nowMs
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      signal?.addEventListener('abort', () => resolve(), { once: true })
      this.after(ms + this.#lateMs(), resolve)
    })
  }

  /** Does something later, if it still runs by then. */
  after(ms: number, run: () => void): void {
    this.#world.at(this.#world.nowMs + ms, () => {
      if (this.isKilled) return
      if (this.#stoppedUntil > this.#world.nowMs) this.after(this.#stoppedUntil - this.#world.nowMs, run)
      else run()
    })
  }

  /** The moment between a commit and what comes of it, in which anything can happen too. */
  async turn(): Promise<void> {
    if (this.isKilled) return new Promise(() => undefined)
    const lateMs = Math.max(this.#options.commitMs ?? 0, this.#lateMs(), this.#stoppedUntil - this.#world.nowMs)
    if (lateMs > 0) await new Promise<void>((resolve) => this.after(lateMs, resolve))
  }

  kill(): void {
    this.isKilled = true
  }

  /** SIGSTOP, and SIGCONT after some time. */
  stop(ms: number): void {
    this.#stoppedUntil = this.#world.nowMs + ms
  }

  /** Somebody sets the wall clock. */
  jump(ms: number): void {
    this.#wallMs += ms
  }

  #lateMs(): number {
    if (!this.#options.isRough) return 0
    const chance = this.#world.random()
    if (chance < 0.5) return 0
    return chance < 0.97 ? this.#world.between(0, 3) : this.#world.between(3, 80)
  }
}

class WorldControl extends ControlDatabase {
  readonly #process: WorldProcess

  constructor(path: string, process: WorldProcess) {
    super(path, process)
    this.#process = process
  }

  override async write<T>(work: () => T): Promise<T> {
    const result = await super.write(work)
    await this.#process.turn()
    return result
  }
}

export interface Arrival {
  readonly at: number
  readonly isOurs: boolean
  readonly isRefused: boolean
}

/** What is called: knows when calls arrived, and refuses as Airtable does where there is a penalty. */
export class Upstream {
  readonly #world: World
  readonly #penaltyMs: number
  readonly #extendsPenalty: boolean
  readonly #wayBackMs: number
  #penaltyEnds = -Infinity
  /** In order. */
  readonly arrivals: Arrival[] = []
  penalties = 0

  /** Without a penalty nothing is refused. */
  constructor(world: World, options: { penaltyMs?: number; extendsPenalty?: boolean; wayBackMs?: number } = {}) {
    this.#world = world
    this.#penaltyMs = options.penaltyMs ?? 0
    this.#extendsPenalty = options.extendsPenalty ?? false
    this.#wayBackMs = options.wayBackMs ?? 100
  }

  get times(): number[] {
    return this.arrivals.map(({ at }) => at)
  }

  /** Our calls that were refused. */
  get refused(): number[] {
    return this.arrivals.filter(({ isOurs, isRefused }) => isOurs && isRefused).map(({ at }) => at)
  }

  /** Sends a call: up to 50 ms longer under way than others, often as much or as little as can be. */
  call(process: WorldProcess): Promise<{ isRefused: boolean }> {
    const chance = this.#world.random()
    const jitterMs = chance < 0.3 ? 0 : chance < 0.6 ? MAX_JITTER_MS : this.#world.between(0, MAX_JITTER_MS)
    return new Promise((resolve) => {
      this.#world.at(this.#world.nowMs + WAY_MS + jitterMs, () => {
        const isRefused = this.#arrive(true)
        process.after(this.#world.between(0.5, 1.5) * this.#wayBackMs, () => resolve({ isRefused }))
      })
    })
  }

  /** Somebody else calls, so many times a second for so long. */
  callStrangely(perSecond: number, ms: number): void {
    for (let after = 0; after < ms; after += 1000 / perSecond) {
      this.#world.at(this.#world.nowMs + after, () => void this.#arrive(false))
    }
  }

  #arrive(isOurs: boolean): boolean {
    const at = this.#world.nowMs
    const isRefused = this.#refuses(at)
    this.arrivals.push({ at, isOurs, isRefused })
    return isRefused
  }

  #refuses(at: number): boolean {
    if (this.#penaltyMs === 0) return false
    const isPunished = at < this.#penaltyEnds
    const recent = this.arrivals.filter((call) => !call.isRefused && call.at > at - BASE.windowMs)
    if (!isPunished && recent.length < BASE.calls) return false
    if (!isPunished) this.penalties++
    if (!isPunished || this.#extendsPenalty) this.#penaltyEnds = at + this.#penaltyMs
    return true
  }
}

/** Where more calls arrived in a window than may. */
export function crowds(arrivals: readonly number[], { calls, windowMs }: CallLimit = BASE): string[] {
  const sorted = arrivals.toSorted((a, b) => a - b)
  return sorted.flatMap((first, index) => {
    const last = sorted[index + calls]
    if (last === undefined || last - first >= windowMs) return []
    return [`${calls + 1} calls within ${(last - first).toFixed(1)} ms, at ${first.toFixed(1)}`]
  })
}

/** Calls again and again, as `count` cursors of a process do, until `isEnough`. */
export function keepCalling(
  process: WorldProcess,
  limiter: CallLimiter,
  upstream: Upstream,
  options: { count: number; isEnough: () => boolean; pauseMs?: number },
): void {
  const { count, isEnough, pauseMs = 30_000 } = options
  for (let cursor = 0; cursor < count; cursor++) {
    void (async () => {
      const { signal } = new AbortController()
      while (!isEnough()) {
        await limiter.slot(signal)
        if (process.isKilled) return
        const { isRefused } = await upstream.call(process)
        if (isRefused) limiter.pause(pauseMs)
      }
    })()
  }
}

export function rowsOf({ control }: WorldProcess, table: string): unknown[] {
  return control.db.prepare(`SELECT * FROM ${table}`).all()
}

/** Promises that wait for nothing but each other have all come to their end. */
function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}
