import type { Clock } from '../base/clock.ts'
import type { Batch, ChangeLog, ChangePage } from '../change-feed.ts'
import type { Snapshots } from '../snapshot.ts'
import { BEGINNING, type Watermark } from '../watermark.ts'
import { ChangeFrames } from './change-frames.ts'
import type { ChangeLens } from './change-lens.ts'
import type { ChangeSubscriber } from './change-subscriber.ts'
import type { HttpLog } from './log.ts'
import { SharedPiece } from './shared-piece.ts'

/** As much of the log as is read in one go; one batch may be more. */
const PAGE_BYTES = 1024 * 1024
const MAX_PAGES = 8
const HEARTBEAT_MS = 15_000
/** Every fourth heartbeat says how far the log has come, to those who have not seen anything of it. */
const POSITION_BEATS = 4
/** So many frames are handed over before other requests have their turn. */
const FRAMES_A_TURN = 250
/** A pointer can be seen before its publish is committed: then the log is looked at again, ever later. */
const CHASE_MIN_MS = 2
const CHASE_MAX_MS = 1000
/** Whoever is behind what others were told, and cannot read further yet, looks again after this time. */
const HELD_MS = 50

/** Readers that see the same: what they are sent is written once for all of them. */
interface Group {
  readonly lens: ChangeLens
  readonly members: Set<ChangeSubscriber>
  /** The id of the last frame that all of them had. */
  told: Watermark
}

/** Reads the log once for all who follow it in this process. */
export class ChangeHub {
  readonly frames: ChangeFrames
  readonly log: ChangeLog
  readonly #sources: readonly string[]
  readonly #snapshots: Snapshots
  readonly #clock: Clock
  readonly #logger: HttpLog
  readonly #groups = new Map<string, Group>()
  readonly #wakers = new Set<() => void>()
  /** What was read since the log last moved, by position and sources. */
  readonly #pages = new Map<string, ChangePage>()
  /** Frames up to here have been handed to subscribers, or are about to be. */
  #position: Watermark = BEGINNING
  #isTelling = false
  #isLookWanted = false
  #chase: NodeJS.Timeout | undefined
  #chaseMs = CHASE_MIN_MS
  #heartbeat: NodeJS.Timeout | undefined
  #beats = 0
  #noticedAt: number | undefined
  #publishes: Disposable | undefined
  #size = 0
  /** From a publish being noticed to its frame being with the last subscriber, the last time there was one. */
  lagSeconds = 0

  constructor(parts: {
    log: ChangeLog
    sources: readonly string[]
    snapshots: Snapshots
    clock: Clock
    logger: HttpLog
  }) {
    this.log = parts.log
    this.frames = new ChangeFrames(parts.log.epoch)
    this.#sources = parts.sources
    this.#snapshots = parts.snapshots
    this.#clock = parts.clock
    this.#logger = parts.logger
  }

  /** Subscribers that are told of everything as it comes. */
  get size(): number {
    return this.#size
  }

  start(): void {
    this.#publishes ??= this.#snapshots.onPublish(() => {
      this.#pages.clear()
      this.#noticedAt ??= this.#clock.now()
      this.#chaseMs = CHASE_MIN_MS
      this.#lookSoon()
    })
  }

  stop(): void {
    this.#publishes?.[Symbol.dispose]()
    this.#publishes = undefined
    clearInterval(this.#heartbeat)
    this.#heartbeat = undefined
    clearTimeout(this.#chase)
    this.#chase = undefined
  }

  /** A page of the log; those who are at the same place read it once. */
  read(after: Watermark, sources: readonly string[]): ChangePage {
    const name = [after, ...sources].join('\n')
    const known = this.#pages.get(name)
    if (known && known.isAtHead && known.through === this.log.head()) return known
    const page = this.log.read(after, { sources, maxBytes: PAGE_BYTES })
    // Only the ends are worth keeping: that is where everybody is.
    if (page.isAtHead) {
      if (this.#pages.size >= MAX_PAGES) this.#pages.clear()
      this.#pages.set(name, page)
    }
    return page
  }

  /**
   * Takes a subscriber in that has read up to the end of the log, and sends it whatever comes from there on. False:
   * there is more to be read before.
   */
  join(subscriber: ChangeSubscriber): boolean {
    if (this.size === 0 && this.#wakers.size === 0) this.#position = subscriber.after
    if (subscriber.after < this.#position) return false
    const { lens } = subscriber
    let group = this.#groups.get(lens.id)
    if (!group) this.#groups.set(lens.id, (group = { lens, members: new Set(), told: subscriber.after }))
    subscriber.lens = group.lens
    group.members.add(subscriber)
    this.#size++
    this.#heartbeat ??= setInterval(() => this.#beat(), HEARTBEAT_MS).unref()
    this.#lookSoon()
    return true
  }

  leave(subscriber: ChangeSubscriber): void {
    const group = this.#groups.get(subscriber.lens.id)
    if (!group?.members.delete(subscriber)) return
    this.#size--
    if (group.members.size === 0) this.#groups.delete(subscriber.lens.id)
    if (this.size > 0) return
    clearInterval(this.#heartbeat)
    this.#heartbeat = undefined
  }

  /** Resolves when there may be something behind a position, after a time, or when the signal aborts. */
  async moved(after: Watermark, { ms, signal }: { ms: number; signal: AbortSignal }): Promise<void> {
    if (signal.aborted || ms <= 0) return
    if (this.size === 0 && this.#wakers.size === 0) this.#position = after
    const waitMs = after < this.#position ? Math.min(ms, HELD_MS) : ms
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        this.#wakers.delete(done)
        resolve()
      }
      const timer = setTimeout(done, waitMs)
      signal.addEventListener('abort', done, { once: true })
      this.#wakers.add(done)
      this.#lookSoon()
    })
  }

  #lookSoon(): void {
    if (this.#isLookWanted) return
    this.#isLookWanted = true
    setImmediate(() => void this.#tellAll())
  }

  /** Reads what is new, and hands it to everybody. */
  async #tellAll(): Promise<void> {
    if (this.#isTelling) return
    this.#isTelling = true
    try {
      while (this.#isLookWanted) {
        this.#isLookWanted = false
        if (this.size + this.#wakers.size === 0) this.#noticedAt = undefined
        else if (await this.#tellPage()) this.#isLookWanted = true
      }
      this.#chaseHead()
    } catch (error) {
      this.#logger.error({ error }, 'the change log could not be read; it is tried again')
      this.#isLookWanted = false
      this.#chaseMs = CHASE_MAX_MS
      this.#chaseLater()
    } finally {
      this.#isTelling = false
    }
  }

  /** Tells one page; whether there is another. */
  async #tellPage(): Promise<boolean> {
    const page = this.read(this.#position, this.#sources)
    if (page.through === this.#position) return false
    // From here on who joins has to have read this far, and is not told again.
    this.#position = page.through
    for (const wake of this.#wakers) wake()
    if (page.missed.length > 0) {
      await this.#hand(page.through, ({ lens }) => {
        const tables = lens.tables(page.missed)
        return tables.length === 0 ? undefined : this.frames.resync(page.through, 'too_old', tables)
      })
    }
    for (const batch of page.batches) await this.#handBatch(batch)
    if (page.isAtHead && this.size > 0 && this.#noticedAt !== undefined)
      this.lagSeconds = (this.#clock.now() - this.#noticedAt) / 1000
    if (page.isAtHead) this.#noticedAt = undefined
    return !page.isAtHead
  }

  async #handBatch(batch: Batch): Promise<void> {
    await this.#hand(batch.watermark, ({ lens }) => this.frames.batch(batch, lens))
  }

  /** Hands a frame to all who have not been told of it yet, some at a time. */
  async #hand(watermark: Watermark, write: (group: Group) => Buffer | undefined): Promise<void> {
    let count = 0
    for (const group of this.#groups.values()) {
      let frame: SharedPiece | undefined
      let isWritten = false
      for (const member of group.members) {
        if (member.after >= watermark) continue
        if (!isWritten) frame = shared(write(group))
        isWritten = true
        member.after = watermark
        if (frame !== undefined && !member.push(frame)) this.leave(member)
        // Also those that have nothing to see took their time.
        if (++count % FRAMES_A_TURN === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      if (frame !== undefined) group.told = watermark
    }
  }

  /** Looks again while there is something that could not be read yet. */
  #chaseHead(): void {
    clearTimeout(this.#chase)
    const newest = this.#sources
      .map((source) => this.#snapshots.active(source)?.pointer.watermark ?? BEGINNING)
      .reduce((a, b) => (a > b ? a : b), this.log.head())
    if (newest > this.#position) this.#chaseLater()
  }

  #chaseLater(): void {
    clearTimeout(this.#chase)
    if (this.size + this.#wakers.size === 0 || this.#publishes === undefined) return
    this.#chase = setTimeout(() => this.#lookSoon(), this.#chaseMs).unref()
    this.#chaseMs = Math.min(CHASE_MAX_MS, this.#chaseMs * 2)
  }

  #beat(): void {
    // While something is being told, not everybody has got as far as the position.
    const tellsPosition = ++this.#beats % POSITION_BEATS === 0 && !this.#isTelling
    for (const group of this.#groups.values()) {
      const tells = tellsPosition && group.told < this.#position
      const frame = tells ? shared(this.frames.position(this.#position)) : undefined
      if (frame !== undefined) group.told = this.#position
      for (const member of group.members) {
        if (frame === undefined || member.after > this.#position) member.beat()
        else if (!member.push(frame)) this.leave(member)
      }
    }
  }
}

function shared(frame: Buffer | undefined): SharedPiece | undefined {
  return frame && new SharedPiece(frame)
}
