import type { Clock } from '../../lib/base/clock.ts'

/** A moment that every test starts at unless it says otherwise: 2026-07-01T00:00:00Z. */
export const START_AT = Date.UTC(2026, 6, 1)
/** Sockets of this process have been heard after one turn; what follows from an answer takes a few more. */
const SETTLE_TURNS = 12

/** One request being worked on: the clock stands still, apart from the time it sleeps. */
export interface Service extends Disposable {
  /** As `Clock.sleep`. The time passes although the client of this request holds the clock. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** From here on until disposed nobody works on the request and its client waits, perhaps for ever. */
  idle(): Disposable
}

interface Sleeper {
  readonly dueMs: number
  readonly wake: () => void
}

/**
 * Time that passes when nothing else happens. Where all of a process waits, the clock goes to the moment the next
 * sleeper waits for: at once in real time, in the right order in its own. Who works on something meanwhile holds it.
 *
 * It sees that nothing happens by letting the event loop turn a few times. Loopback sockets are heard within a turn;
 * work in threads is not seen, so whoever does it holds the clock.
 */
export class VirtualClock implements Clock {
  readonly #settleTurns: number
  readonly #isAutomatic: boolean
  #elapsedMs = 0
  #wallMs: number
  #sleepers: Sleeper[] = []
  #holds = 0
  #services = 0
  #idleServices = 0
  #quietTurns = 0
  #isTurning = false

  /** Without `isAutomatic` only `advance` moves it. */
  constructor(options: { startAt?: number; settleTurns?: number; isAutomatic?: boolean } = {}) {
    this.#wallMs = options.startAt ?? START_AT
    this.#settleTurns = options.settleTurns ?? SETTLE_TURNS
    this.#isAutomatic = options.isAutomatic ?? true
  }

  now(): number {
    return Math.floor(this.#wallMs + this.#elapsedMs)
  }

  monotonic(): number {
    return this.#elapsedMs
  }

  /** How many sleep. */
  get sleeping(): number {
    return this.#sleepers.length
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted === true) return resolve()
      const wake = (): void => {
        signal?.removeEventListener('abort', wake)
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper)
        resolve()
        this.#stir()
      }
      const sleeper = { dueMs: this.#elapsedMs + Math.max(0, ms), wake }
      const behind = this.#sleepers.findIndex(({ dueMs }) => dueMs > sleeper.dueMs)
      this.#sleepers.splice(behind < 0 ? this.#sleepers.length : behind, 0, sleeper)
      signal?.addEventListener('abort', wake, { once: true })
      this.#stir()
    })
  }

  /** Time stands still until this is disposed: a request is in flight, or a test wants to look around. */
  hold(): Disposable {
    this.#holds += 1
    return once(() => {
      this.#holds -= 1
      this.#stir()
    })
  }

  /** For a server in this process. Its client may hold the clock or not: either way both wait for each other rightly. */
  serve(): Service {
    let isIdle = false
    const setIdle = (idle: boolean): void => {
      if (isIdle === idle) return
      isIdle = idle
      this.#services += idle ? -1 : 1
      this.#idleServices += idle ? 1 : -1
      this.#stir()
    }
    this.#services += 1
    const end = once(() => {
      setIdle(false)
      this.#services -= 1
      this.#stir()
    })
    return {
      sleep: async (ms, signal) => {
        setIdle(true)
        await this.sleep(ms, signal)
        setIdle(false)
      },
      idle: () => {
        setIdle(true)
        return once(() => setIdle(false))
      },
      [Symbol.dispose]: end[Symbol.dispose],
    }
  }

  /** The wall clock is set: `now()` jumps, back where `ms` is negative, while `monotonic()` and sleepers stay. */
  jump(ms: number): void {
    this.#wallMs += ms
  }

  /** Lets `ms` pass, waking everybody whose moment comes, in order; each gets to act before the next one wakes. */
  async advance(ms: number): Promise<void> {
    const target = this.#elapsedMs + ms
    await this.#settle()
    for (let next = this.#sleepers[0]; next !== undefined && next.dueMs <= target; next = this.#sleepers[0]) {
      this.#wakeNext(next)
      await this.#settle()
    }
    this.#elapsedMs = Math.max(this.#elapsedMs, target)
  }

  /** Each idle service has a client that waits for it, and if that one holds the clock its hold is no work. */
  get #isHeld(): boolean {
    return this.#services + Math.max(0, this.#holds - this.#idleServices) > 0
  }

  #wakeNext(next: Sleeper): void {
    this.#elapsedMs = Math.max(this.#elapsedMs, next.dueMs)
    next.wake()
  }

  #stir(): void {
    this.#quietTurns = 0
    if (this.#isTurning || !this.#isAutomatic) return
    this.#isTurning = true
    setImmediate(() => this.#turn())
  }

  #turn(): void {
    const [next] = this.#sleepers
    if (next === undefined || this.#isHeld) {
      this.#isTurning = false
      return
    }
    this.#quietTurns += 1
    if (this.#quietTurns >= this.#settleTurns) this.#wakeNext(next)
    setImmediate(() => this.#turn())
  }

  async #settle(): Promise<void> {
    let quiet = 0
    while (quiet < this.#settleTurns || this.#isHeld) {
      quiet = this.#isHeld ? 0 : quiet + 1
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
    }
  }
}

function once(act: () => void): Disposable {
  let isDone = false
  return {
    [Symbol.dispose]: () => {
      if (isDone) return
      isDone = true
      act()
    },
  }
}
