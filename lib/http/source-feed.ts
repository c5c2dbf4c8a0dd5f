import type { Clock } from '../base/clock.ts'
import type { Engine } from '../engine.ts'
import type { SourceRecord } from '../sync-run.ts'
import type { HttpLog } from './log.ts'

const RETRY_MS = 1000

/**
 * The newest record of each source, in memory: one watcher a source, however many requests and streams read it.
 * Reading it costs nothing, so even an answer that touches no database can tell its age.
 */
export class SourceFeed {
  readonly #engine: Engine
  readonly #clock: Clock
  readonly #log: HttpLog
  readonly #records = new Map<string, SourceRecord>()
  readonly #listeners = new Map<string, Set<() => void>>()

  constructor(parts: { engine: Engine; clock: Clock; log: HttpLog }) {
    this.#engine = parts.engine
    this.#clock = parts.clock
    this.#log = parts.log
  }

  /** Follows the sources until `signal` aborts. */
  start(sources: readonly string[], signal: AbortSignal): void {
    for (const source of sources) void this.#follow(source, signal)
  }

  /** The newest known record; asks the engine only when none has arrived yet. */
  latest(source: string): SourceRecord | undefined {
    return this.#records.get(source) ?? this.fresh(source)
  }

  /** The record as the engine has it now, or the last known one while the engine is busy. */
  fresh(source: string): SourceRecord | undefined {
    try {
      this.#records.set(source, this.#engine.source(source))
    } catch (error) {
      this.#log.debug({ error, source }, 'source record not available')
    }
    return this.#records.get(source)
  }

  /** Calls `listener` after each change, until disposed. */
  onChange(source: string, listener: () => void): Disposable {
    const listeners = this.#listeners.get(source) ?? new Set()
    this.#listeners.set(source, listeners.add(listener))
    return { [Symbol.dispose]: () => void listeners.delete(listener) }
  }

  #changed(record: SourceRecord): void {
    this.#records.set(record.source, record)
    for (const listener of this.#listeners.get(record.source) ?? []) listener()
  }

  async #follow(source: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const record of this.#engine.watch(source, signal)) this.#changed(record)
      } catch (error) {
        if (!signal.aborted) this.#log.warn({ error, source }, 'watching a source failed; trying again')
      }
      await this.#clock.sleep(RETRY_MS, signal)
    }
  }
}
