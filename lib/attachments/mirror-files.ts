import type { Clock } from '../base/clock.ts'
import { Failure, toFailure } from '../errors.ts'
import type { FileCounts, FileFacts, FileIndex, FileOffer, MissingFile } from '../files.ts'
import { download, DOWNLOAD_LIMITS, type DownloadLimits } from './download.ts'
import type { FileFolder } from './file-folder.ts'
import { nextTry } from './next-try.ts'
import { isThere, ReadyFiles, type ReadyFile, type RenewOffers } from './ready-files.ts'

const LANES = 5
/** So many in a row that cannot be reached: it is not the files. */
const OUTAGE = 25
/** An upstream that asks for a pause gets at most this one. */
const LONGEST_PAUSE_MS = 60_000
const VERIFY_EVERY_MS = 10 * 60_000
/** Files that no row speaks of any more are kept for so long: the rows may come back. */
const REMOVAL_GRACE_MS = 86_400_000
/** Where something kept files from being fetched, they are tried again after this time. */
const COME_BACK_MS = 60_000
/** The same where no offers could be had: asking for them takes calls. */
const ASK_AGAIN_MS = 15 * 60_000
const BUDGET_MS = 3_600_000
/** Counting is done this often, and takes no more than this share of the time. */
const COUNT_EVERY_MS = 1000
const COUNT_SHARE = 0.02

export interface MirrorParts {
  readonly index: FileIndex
  readonly folder: FileFolder
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Undefined where the upstream cannot be asked. */
  readonly renew: RenewOffers | undefined
  readonly limits?: Partial<DownloadLimits>
  readonly removalGraceMs?: number
  readonly random?: () => number
}

/**
 * Fetches the files that the active snapshot speaks of and that are not here, five at a time, and removes those that no
 * snapshot has spoken of for long. Whoever calls it has the lease of these files. Where one fails, the others go on. It
 * ends when nothing is left to do now, and its counts tell how far it came. Throws the signal's reason, and nothing
 * else but bugs.
 */
export async function mirrorFiles(parts: MirrorParts): Promise<FileCounts> {
  return await new Mirroring(parts).run()
}

class Mirroring {
  readonly #parts: MirrorParts
  readonly #limits: DownloadLimits
  readonly #random: () => number
  readonly #ready: ReadyFiles
  /** Aborts when nothing that was begun need be finished. */
  readonly #ending = new AbortController()
  readonly #signal: AbortSignal
  /** What keeps all files from being fetched. */
  #trouble: Failure | undefined
  /** Why some were left out. */
  #lack: Failure | undefined
  #unreachable = 0
  /** Bytes of files that are on their way: the room they need is taken. */
  #coming = 0
  /** By `Clock.monotonic`. */
  #pausedUntil = -Infinity
  #countAgainAt = -Infinity

  constructor(parts: MirrorParts) {
    this.#parts = parts
    this.#limits = { ...DOWNLOAD_LIMITS, ...parts.limits }
    this.#random = parts.random ?? Math.random
    this.#signal = AbortSignal.any([parts.signal, this.#ending.signal])
    this.#ready = new ReadyFiles({
      ...parts,
      onGone: (file) =>
        this.#fail(file, new Failure('upstream_refused', 'The upstream does not offer the file any more.')),
      hasRoom: (file) => this.#hasRoom(file),
      isOver: () => this.#trouble !== undefined,
    })
  }

  async run(): Promise<FileCounts> {
    try {
      this.#parts.folder.prepare()
      this.#verify()
      this.#count()
      await this.#mirrorAll()
      this.#parts.signal.throwIfAborted()
      if (this.#trouble === undefined) this.#clean()
    } catch (error) {
      this.#parts.signal.throwIfAborted()
      this.#trouble = troubleOf(error)
    }
    return this.#end()
  }

  async #mirrorAll(): Promise<void> {
    const files = this.#ready.files(this.#signal)
    const ends = await Promise.allSettled(Array.from({ length: LANES }, () => this.#lane(files)))
    const failed = ends.find((end) => end.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  async #lane(files: AsyncGenerator<ReadyFile, void>): Promise<void> {
    try {
      for (let next = await files.next(); next.done !== true; next = await files.next()) {
        try {
          await this.#mirror(next.value)
        } finally {
          this.#ready.giveBack(next.value)
        }
        if (performance.now() >= this.#countAgainAt) this.#count()
      }
    } catch (error) {
      // What one cannot do, such as note what it did, the others cannot do either.
      this.#ending.abort(error)
      throw error
    }
  }

  async #mirror(file: ReadyFile): Promise<void> {
    const { index, folder, clock } = this.#parts
    const { id, offer } = file
    try {
      if (isThere(file, folder)) return index.mirrored(id, await folder.facts(id, this.#signal))
      if (offer === undefined) return
      await clock.sleep(Math.max(0, this.#pausedUntil - clock.monotonic()), this.#signal)
      this.#signal.throwIfAborted()
      if (!this.#hasRoom(file)) return
      index.mirrored(id, await this.#fetch(file, offer))
      this.#unreachable = 0
    } catch (error) {
      this.#signal.throwIfAborted()
      const failure = toFailure(error)
      if (failure.code === 'disk_failed') this.#trouble ??= failure
      else if (failure.code.startsWith('upstream_')) this.#note(file, failure)
      else throw error
    }
  }

  /** Where there is none for this one, a smaller one may fit. */
  #hasRoom({ bytes }: MissingFile): boolean {
    const lack = this.#parts.folder.lackOfRoom(this.#coming + (bytes ?? 0))
    this.#lack ??= lack
    return lack === undefined
  }

  async #fetch({ id, bytes }: ReadyFile, { url }: FileOffer): Promise<FileFacts> {
    const { folder } = this.#parts
    const room = bytes ?? 0
    this.#coming += room
    const path = folder.partPath(id)
    try {
      const facts = await download({ url, path, bytes, limits: this.#limits, signal: this.#signal })
      folder.keep(path, id)
      return facts
    } catch (error) {
      folder.drop(path)
      throw error
    } finally {
      this.#coming -= room
    }
  }

  #note(file: ReadyFile, failure: Failure): void {
    const { index, clock, renew } = this.#parts
    const pauseMs = Number(failure.facts.retry_after_seconds ?? 0) * 1000
    if (pauseMs > 0) this.#pausedUntil = clock.monotonic() + Math.min(pauseMs, LONGEST_PAUSE_MS)
    if (failure.code !== 'upstream_unavailable') this.#unreachable = 0
    else if (++this.#unreachable === OUTAGE) this.#trouble = failure
    if (failure.code !== 'upstream_refused' || file.isRenewed || renew === undefined) return this.#fail(file, failure)
    // It may be given under another URL.
    index.dropOffer(file.id)
    index.failed(file.id, failure, { nextAt: clock.now(), isFinal: false })
  }

  #fail({ id, attempts }: MissingFile, failure: Failure): void {
    const { index, clock } = this.#parts
    const isRefused = failure.code === 'upstream_refused'
    if (isRefused) index.dropOffer(id)
    const { waitMs, isFinal } = nextTry({ attempts: attempts + 1, isRefused }, this.#random)
    index.failed(id, failure, { nextAt: Math.ceil(clock.now() + waitMs), isFinal })
  }

  /** Forgets what was here and is not on disk any more. */
  #verify(): void {
    const { index, folder } = this.#parts
    if (!index.isVerifyDue(VERIFY_EVERY_MS)) return
    for (let after: string | undefined = ''; after !== undefined;) {
      const batch = index.held({ after, limit: 1000 })
      for (const { id, bytes } of batch) if (folder.size(id) !== bytes) index.forget(id)
      after = batch.at(-1)?.id
    }
    index.verified()
  }

  #clean(): void {
    const { index, folder, removalGraceMs = REMOVAL_GRACE_MS } = this.#parts
    for (const id of index.unwanted({ graceMs: removalGraceMs })) {
      folder.remove(id)
      index.forget(id)
    }
    index.tidy()
  }

  #count(): void {
    const { index, clock } = this.#parts
    const began = performance.now()
    index.count({ trouble: null, nextAt: clock.now() + COME_BACK_MS })
    this.#countAgainAt = performance.now() + Math.max(COUNT_EVERY_MS, (performance.now() - began) / COUNT_SHARE)
  }

  #end(): FileCounts {
    const { index, clock } = this.#parts
    const failure = this.#trouble ?? this.#lack ?? this.#ready.noOffers
    if (failure === undefined) return index.count({ trouble: null, nextAt: index.nextTryAt(0) })
    const { code, message } = failure
    const askMs = code === 'upstream_budget_spent' ? BUDGET_MS : ASK_AGAIN_MS
    const waitMs = failure === this.#ready.noOffers ? askMs : COME_BACK_MS
    return index.count({ trouble: { code, message }, nextAt: clock.now() + waitMs })
  }
}

/** What keeps everything from being fetched, such as a full disk; a bug is thrown on. */
function troubleOf(error: unknown): Failure {
  const failure = toFailure(error)
  if (failure.code === 'internal') throw error
  return failure
}
