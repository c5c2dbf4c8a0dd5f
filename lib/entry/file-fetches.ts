import type { Logger } from 'pino'
import type { Lease } from '../control.ts'
import type { FileCounts } from '../files.ts'
import { SqliteMirroredFiles } from '../sqlite/mirrored-files.ts'
import type { RunResult } from '../sync-run.ts'
import type { SyncThread } from '../sync/runner.ts'
import type { DataDirectory } from './parts.ts'
import { spawnThread } from './spawn.ts'

/** Somebody else fetches the files of a source: whether that goes on is looked at this often. */
const LOOK_MS = 5000
/** A thread that broke is followed by another after this time, and any other after this. */
const CRASH_MS = 60_000
const PAUSE_MS = 2000
const LONGEST_WAIT_MS = 3_600_000

interface Fetch {
  readonly done: Promise<void>
  thread: SyncThread | undefined
  isAskedAgain: boolean
}

/**
 * Fetches the files that rows speak of, in one thread for each source, and in one process for each: whoever has the
 * lease of its files.
 */
export class FileFetches {
  readonly #directory: DataDirectory
  readonly #holder: string
  readonly #log: Logger
  readonly #files: SqliteMirroredFiles
  readonly #going = new Map<string, Fetch>()
  readonly #timers = new Map<string, NodeJS.Timeout>()
  /** By `Clock.monotonic`. */
  readonly #notBefore = new Map<string, number>()
  readonly #told = new Map<string, string>()
  readonly #draining = new AbortController()

  constructor(directory: DataDirectory, holder: string, log: Logger) {
    this.#directory = directory
    this.#holder = holder
    this.#log = log
    this.#files = new SqliteMirroredFiles(directory.publisher.folders, directory.settings.storagePath)
  }

  /** Looks for files that are missing. Of a source that never offered any, this costs nothing. */
  start(source: string): void {
    const going = this.#going.get(source)
    if (going !== undefined) going.isAskedAgain = true
    if (going !== undefined || this.#draining.signal.aborted || !this.#files.isKnown(source)) return
    const waitMs = (this.#notBefore.get(source) ?? 0) - this.#directory.clock.monotonic()
    if (waitMs > 0) this.#startIn(waitMs, source)
    else this.#begin(source)
  }

  /** The same after a run: one that published nothing may have brought what is missing within reach. */
  ran(source: string, result: RunResult | null): void {
    const counts = this.#files.counts(source)
    if (result === 'published' || (counts !== undefined && counts.waiting + counts.failed > 0)) this.start(source)
  }

  /** Resolves when what is missing now of these is here, as far as it can be. */
  async fetch(sources: readonly string[]): Promise<void> {
    await Promise.all(
      sources.map(async (source) => {
        // One that is going may have looked already.
        await this.#going.get(source)?.done
        if (!this.#going.has(source) && !this.#draining.signal.aborted && this.#files.isKnown(source))
          this.#begin(source)
        await this.#going.get(source)?.done
      }),
    )
  }

  async drain(): Promise<void> {
    this.#draining.abort()
    for (const timer of this.#timers.values()) clearTimeout(timer)
    for (const { thread } of this.#going.values()) thread?.end('interrupted')
    await Promise.all([...this.#going.values()].map(({ done }) => done))
    this.#files[Symbol.dispose]()
  }

  #begin(source: string): void {
    clearTimeout(this.#timers.get(source))
    const { promise: done, resolve } = Promise.withResolvers<void>()
    const fetch: Fetch = { done, thread: undefined, isAskedAgain: false }
    this.#going.set(source, fetch)
    void this.#run(source, fetch)
      .catch((error: unknown) => {
        this.#log.error({ source, err: error }, 'files could not be fetched')
        return CRASH_MS
      })
      .then((waitMs) => {
        this.#going.delete(source)
        this.#notBefore.set(source, this.#directory.clock.monotonic() + PAUSE_MS)
        if (fetch.isAskedAgain) this.start(source)
        else if (waitMs !== undefined) this.#startIn(waitMs, source)
        resolve()
      })
  }

  /** Gives the time after which there is something to do again. */
  async #run(source: string, fetch: Fetch): Promise<number | undefined> {
    const { control, settings, clock } = this.#directory
    // No source has a space in its name.
    const lease = await control.lease(`files of ${source}`, this.#holder, settings.leaseTtlMs)
    if (lease === undefined) return LOOK_MS
    try {
      if (this.#draining.signal.aborted) return undefined
      fetch.isAskedAgain = false
      const thread = (fetch.thread = spawnThread({ kind: 'files', source }, settings))
      await this.#attend(thread, lease)
    } finally {
      await control.release(lease)
    }
    const counts = this.#files.counts(source)
    // Somebody may just be at the index.
    if (counts === undefined) return LOOK_MS
    this.#tell(source, counts)
    return counts.nextAt === null ? undefined : counts.nextAt - clock.now()
  }

  /** Keeps the lease until the thread has ended. Without it the thread ends where it is. */
  async #attend(thread: SyncThread, lease: Lease): Promise<void> {
    const { control, clock, settings } = this.#directory
    const ended = new AbortController()
    let isLost = false
    const end = thread.done.finally(() => ended.abort())
    for (;;) {
      await clock.sleep(settings.leaseTtlMs / 3, ended.signal)
      if (ended.signal.aborted) break
      if (await control.renew(lease, settings.leaseTtlMs).catch(() => true)) continue
      isLost = true
      thread.kill()
    }
    const { crash } = await end
    if (crash !== undefined && !isLost) throw crash
  }

  #startIn(ms: number, source: string): void {
    if (this.#draining.signal.aborted) return
    clearTimeout(this.#timers.get(source))
    const timer = setTimeout(() => this.start(source), Math.min(Math.max(ms, 500), LONGEST_WAIT_MS))
    this.#timers.set(source, timer.unref())
  }

  #tell(source: string, { mirrored, waiting, failed, trouble }: FileCounts): void {
    const facts = { mirrored, waiting, failed, ...(trouble && { code: trouble.code, reason: trouble.message }) }
    const text = JSON.stringify(facts)
    if (this.#told.get(source) === text) return
    this.#told.set(source, text)
    if (trouble === null) this.#log.info({ source, ...facts }, 'files mirrored')
    else this.#log.warn({ source, ...facts }, 'files cannot be fetched at the moment')
  }
}
