import { READING_MS, type MountedSnapshot, type Pointer, type Snapshots } from '../../snapshot.ts'

/** Of one source. */
const MAX_KEPT = 8
/** Others are told at most so often that somebody reads on. */
const TELL_EVERY_MS = 5000
/** Another process may be giving out the first offset in it just now, and is heard of a moment later. */
const SETTLE_MS = 2000

interface Kept {
  readonly mounted: MountedSnapshot
  readonly pin: Disposable
  /** Epoch milliseconds, as are all times here: those of other processes are. */
  usedAt: number
  toldAt: number
  timer: NodeJS.Timeout
}

/**
 * The snapshots that lists go on in, page by page. Each stays readable for two minutes after the last page that any
 * process has given out of it, whatever is published meanwhile: the next page may be asked of another process. Of too
 * many of one source, the one goes that was read longest ago.
 */
export class Iterations implements Disposable {
  readonly #snapshots: Snapshots
  readonly #kept = new Map<string, Kept>()
  readonly #publishes: Disposable

  constructor(snapshots: Snapshots) {
    this.#snapshots = snapshots
    this.#publishes = snapshots.onPublish((source, { previous }) => {
      const mounted = previous === null ? undefined : snapshots.find(source, previous.snapshot)
      if (mounted !== undefined) this.#keep(mounted, Date.now() - READING_MS + SETTLE_MS)
    })
  }

  /** A list goes on in this one. */
  readOn(mounted: MountedSnapshot): void {
    const now = Date.now()
    const kept = this.#keep(mounted, now)
    kept.usedAt = now
    if (Math.abs(now - kept.toldAt) < TELL_EVERY_MS) return
    kept.toldAt = now
    this.#snapshots.tellReading(mounted.pointer)
  }

  /** Undefined: it is gone. */
  find(source: string, snapshot: string): MountedSnapshot | undefined {
    return this.#kept.get(keyOf({ source, snapshot }))?.mounted ?? this.#snapshots.find(source, snapshot)
  }

  [Symbol.dispose](): void {
    this.#publishes[Symbol.dispose]()
    for (const [key, kept] of this.#kept) this.#drop(key, kept)
  }

  #keep(mounted: MountedSnapshot, usedAt: number): Kept {
    const key = keyOf(mounted.pointer)
    const known = this.#kept.get(key)
    if (known !== undefined) return known
    const kept: Kept = { mounted, pin: mounted.pin(), usedAt, toldAt: -Infinity, timer: this.#lookIn(usedAt, key) }
    this.#kept.set(key, kept)
    this.#dropTooMany(mounted.pointer)
    return kept
  }

  #dropTooMany({ source }: Pointer): void {
    const ofSource = [...this.#kept].filter(([, { mounted }]) => mounted.pointer.source === source)
    if (ofSource.length <= MAX_KEPT) return
    for (const [, kept] of ofSource) this.#hear(kept)
    const [oldest] = ofSource.toSorted(([, a], [, b]) => a.usedAt - b.usedAt)
    if (oldest !== undefined) this.#drop(...oldest)
  }

  /** What others have read of it counts as well. */
  #hear(kept: Kept): void {
    const heard = this.#snapshots.lastReading(kept.mounted.pointer) ?? -Infinity
    kept.usedAt = Math.min(Date.now(), Math.max(kept.usedAt, heard))
  }

  #lookIn(usedAt: number, key: string): NodeJS.Timeout {
    const ms = Math.min(READING_MS, Math.max(0, usedAt + READING_MS - Date.now()))
    return setTimeout(() => this.#look(key), ms).unref()
  }

  #look(key: string): void {
    const kept = this.#kept.get(key)
    if (kept === undefined) return
    this.#hear(kept)
    if (Date.now() - kept.usedAt >= READING_MS) this.#drop(key, kept)
    else kept.timer = this.#lookIn(kept.usedAt, key)
  }

  #drop(key: string, { timer, pin }: Kept): void {
    this.#kept.delete(key)
    clearTimeout(timer)
    pin[Symbol.dispose]()
  }
}

function keyOf({ source, snapshot }: { readonly source: string; readonly snapshot: string }): string {
  return `${source}/${snapshot}`
}
