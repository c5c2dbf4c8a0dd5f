import type { Clock } from '../base/clock.ts'
import type { Logger } from 'pino'
import type { Settings } from '../settings.ts'
import type { SyncThread } from '../sync/runner.ts'
import { spawnThread } from './spawn.ts'

/** A source that changes all the time is rendered at most this often, and for at most this share of the time. */
const PAUSE_MS = 5000
const PAUSES = 4

interface Rendering {
  /** Undefined while it waits for its turn. */
  thread: SyncThread | undefined
  isAskedAgain: boolean
}

/** Renders full answers behind the publish, in one thread for each source: of changes, and of what was rolled back to. */
export class Renders {
  readonly #settings: Settings
  readonly #clock: Clock
  readonly #log: Logger
  readonly #going = new Map<string, Rendering>()
  readonly #notBefore = new Map<string, number>()
  readonly #draining = new AbortController()

  constructor(settings: Settings, clock: Clock, log: Logger) {
    this.#settings = settings
    this.#clock = clock
    this.#log = log
  }

  start(source: string): void {
    if (this.#draining.signal.aborted) return
    const going = this.#going.get(source)
    if (going !== undefined) {
      if (going.thread !== undefined) going.isAskedAgain = true
      return
    }
    const rendering: Rendering = { thread: undefined, isAskedAgain: false }
    this.#going.set(source, rendering)
    void this.#render(source, rendering)
  }

  async drain(): Promise<void> {
    this.#draining.abort()
    const threads = [...this.#going.values()].flatMap(({ thread }) => thread ?? [])
    for (const thread of threads) thread.end('interrupted')
    await Promise.all(threads.map((thread) => thread.done))
  }

  async #render(source: string, rendering: Rendering): Promise<void> {
    const waitMs = (this.#notBefore.get(source) ?? 0) - this.#clock.monotonic()
    if (waitMs > 0) await this.#clock.sleep(waitMs, this.#draining.signal)
    if (this.#draining.signal.aborted) return
    const began = this.#clock.monotonic()
    rendering.thread = spawnThread({ kind: 'render', source }, this.#settings)
    const { crash } = await rendering.thread.done
    if (crash !== undefined) this.#log.error({ source, err: crash }, 'full answers could not be rendered')
    const now = this.#clock.monotonic()
    this.#notBefore.set(source, now + Math.max(PAUSE_MS, PAUSES * (now - began)))
    this.#going.delete(source)
    if (rendering.isAskedAgain) this.start(source)
  }
}
