import type { Clock } from '../base/clock.ts'
import type { Control, Lease } from '../control.ts'
import type { Engine } from '../engine.ts'
import { Failure, toFailure } from '../errors.ts'
import type { Pointer } from '../snapshot.ts'
import type { Run, SourceRecord, Trigger } from '../sync-run.ts'

export interface EngineParts {
  readonly control: Control
  readonly clock: Clock
  readonly holder: string
  readonly leaseTtlMs: number
  readonly sources: ReadonlySet<string>
  nextRunAt(source: string): number | undefined
  rollback(lease: Lease): Promise<Pointer>
  /** Asks for a run that publishes what the named run was refused. */
  republish(source: string, rejected: string): Promise<Run>
  /** Called when there may be work that this process can do at once. */
  readonly onWork: () => void
  /** Called after a rollback, whose full answers have yet to be rendered. */
  readonly onRolledBack: (source: string) => void
}

const LOOK_MS = 50

/** The sync engine as one process sees it: asks and answers through the control database. */
export class SyncEngine implements Engine {
  readonly #parts: EngineParts
  readonly #requests = new Map<string, Promise<{ run: Run; joined: boolean }>>()
  readonly #watchers = new Set<() => void>()
  #timer: NodeJS.Timeout | undefined
  #version = -1

  constructor(parts: EngineParts) {
    this.#parts = parts
  }

  async request(source: string, trigger: Trigger): Promise<{ run: Run; joined: boolean }> {
    this.#known(source)
    // Requests that come while one is being written are that one.
    const key = `${trigger} ${source}`
    const pending = this.#requests.get(key)
    if (pending !== undefined) return { run: (await pending).run, joined: true }
    const request = this.#parts.control.request(source, trigger)
    this.#requests.set(key, request)
    try {
      return await request
    } finally {
      this.#requests.delete(key)
      this.#parts.onWork()
    }
  }

  stop(source: string): Promise<SourceRecord> {
    this.#known(source)
    return this.#parts.control.stop(source)
  }

  reset(source: string): Promise<SourceRecord> {
    this.#known(source)
    return this.#parts.control.reset(source)
  }

  async rollback(source: string): Promise<{ snapshot: string }> {
    this.#known(source)
    const { control, holder, leaseTtlMs } = this.#parts
    const lease = await control.lease(source, holder, leaseTtlMs)
    if (lease === undefined) {
      throw new Failure('run_active', `A run of ${source} is active. Stop it first, or wait until it ends.`, {
        facts: { source },
      })
    }
    try {
      const { snapshot } = await this.#parts.rollback(lease)
      this.#parts.onRolledBack(source)
      return { snapshot }
    } catch (error) {
      // It may have been done all the same.
      if (toFailure(error).code === 'disk_failed') this.#parts.onRolledBack(source)
      throw error
    } finally {
      await control.release(lease)
    }
  }

  async publish(source: string, run?: string): Promise<{ run: Run }> {
    this.#known(source)
    const rejected =
      run === undefined
        ? this.runs({ source, limit: 200 }).find((candidate) => candidate.status === 'rejected')
        : this.run(run)
    if (run !== undefined && rejected === undefined) throw new Failure('run_not_found', `There is no run ${run}.`)
    if (rejected === undefined || rejected.source !== source || rejected.status !== 'rejected') {
      throw new Failure(
        'nothing_to_publish',
        run === undefined
          ? `The guard refused no run of ${source} that is still known.`
          : `Run ${run} is not one of ${source} that the guard refused.`,
      )
    }
    const created = await this.#parts.republish(source, rejected.id)
    this.#parts.onWork()
    return { run: created }
  }

  source(id: string): SourceRecord {
    this.#known(id)
    return { ...this.#parts.control.source(id), nextRunAt: this.#parts.nextRunAt(id) ?? null }
  }

  run(id: string): Run | undefined {
    return this.#parts.control.run(id)
  }

  runs(options: { source?: string; limit: number; before?: string }): Run[] {
    if (options.source !== undefined) this.#known(options.source)
    return this.#parts.control.runs(options)
  }

  watch(source: string, signal: AbortSignal): AsyncIterable<SourceRecord> {
    this.#known(source)
    return this.#watch(source, signal)
  }

  async *#watch(source: string, signal: AbortSignal): AsyncGenerator<SourceRecord, void> {
    let last: string | undefined
    let wake: () => void = () => {}
    const onLook = () => wake()
    this.#follow(onLook)
    signal.addEventListener('abort', onLook, { once: true })
    try {
      while (!signal.aborted) {
        const waiting = new Promise<void>((resolve) => (wake = resolve))
        const record = this.source(source)
        const text = JSON.stringify(record)
        if (text === last) {
          await waiting
          continue
        }
        last = text
        yield record
      }
    } finally {
      signal.removeEventListener('abort', onLook)
      this.#unfollow(onLook)
    }
  }

  /** One look at the control database serves all who watch. */
  #follow(onLook: () => void): void {
    this.#watchers.add(onLook)
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref()
  }

  #look(): void {
    let version: number
    try {
      version = this.#parts.control.version()
    } catch {
      // A look that fails is repeated; whoever asks for more than a look hears why.
      return
    }
    if (version === this.#version) return
    this.#version = version
    for (const watcher of this.#watchers) watcher()
  }

  #unfollow(onLook: () => void): void {
    this.#watchers.delete(onLook)
    if (this.#watchers.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #known(source: string): void {
    if (this.#parts.sources.has(source)) return
    throw new Failure(
      'source_not_found',
      `There is no source ${source}. There is: ${[...this.#parts.sources].join(', ')}.`,
      {
        facts: { source, sources: [...this.#parts.sources] },
      },
    )
  }
}
