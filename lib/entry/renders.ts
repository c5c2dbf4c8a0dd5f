import type { Logger } from 'pino'
import type { Settings } from '../settings.ts'
import type { SyncThread } from '../sync/runner.ts'
import { spawnThread } from './spawn.ts'

/** Renders the full answers of snapshots that were rolled back to, in one thread for each source. */
export class Renders {
  readonly #settings: Settings
  readonly #log: Logger
  readonly #threads = new Map<string, { thread: SyncThread; isAskedAgain: boolean }>()
  #isDraining = false

  constructor(settings: Settings, log: Logger) {
    this.#settings = settings
    this.#log = log
  }

  start(source: string): void {
    if (this.#isDraining) return
    const going = this.#threads.get(source)
    if (going !== undefined) {
      going.isAskedAgain = true
      return
    }
    const render = { thread: spawnThread({ kind: 'render', source }, this.#settings), isAskedAgain: false }
    this.#threads.set(source, render)
    void render.thread.done.then(({ crash }) => {
      this.#threads.delete(source)
      if (crash !== undefined) this.#log.error({ source, err: crash }, 'full answers could not be rendered')
      if (render.isAskedAgain) this.start(source)
    })
  }

  async drain(): Promise<void> {
    this.#isDraining = true
    const threads = [...this.#threads.values()].map(({ thread }) => thread)
    for (const thread of threads) thread.end('interrupted')
    await Promise.all(threads.map((thread) => thread.done))
  }
}
