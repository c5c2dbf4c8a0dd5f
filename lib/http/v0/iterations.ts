import type { MountedSnapshot, Snapshots } from '../../snapshot.ts'

const MAX_KEPT = 8
const IDLE_MS = 120_000

interface Kept {
  readonly mounted: MountedSnapshot
  readonly pin: Disposable
  readonly timer: NodeJS.Timeout
}

/**
 * The snapshots that lists go on in, page by page. While anybody lists, each stays readable for some time after it is
 * no longer the active one, and after each page that is read from it; of too many, the one read longest ago goes.
 */
export class Iterations implements Disposable {
  readonly #snapshots: Snapshots
  /** In the order of use. */
  readonly #kept = new Map<string, Kept>()
  readonly #publishes: Disposable
  #askedAt = -Infinity

  constructor(snapshots: Snapshots) {
    this.#snapshots = snapshots
    this.#publishes = snapshots.onPublish((source, { previous }) => {
      if (previous === null || performance.now() - this.#askedAt > IDLE_MS) return
      const mounted = snapshots.find(source, previous.snapshot)
      if (mounted !== undefined) this.keep(mounted)
    })
  }

  /** Somebody lists: what is active may be gone on in. */
  asked(): void {
    this.#askedAt = performance.now()
  }

  /** A list goes on in this one. */
  keep(mounted: MountedSnapshot): void {
    const key = keyOf(mounted.pointer)
    const before = this.#kept.get(key)
    clearTimeout(before?.timer)
    this.#kept.delete(key)
    const timer = setTimeout(() => this.#drop(key), IDLE_MS).unref()
    this.#kept.set(key, { mounted: before?.mounted ?? mounted, pin: before?.pin ?? mounted.pin(), timer })
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MAX_KEPT) break
      this.#drop(oldest)
    }
  }

  /** Undefined: it is gone. */
  find(source: string, snapshot: string): MountedSnapshot | undefined {
    return this.#kept.get(keyOf({ source, snapshot }))?.mounted ?? this.#snapshots.find(source, snapshot)
  }

  [Symbol.dispose](): void {
    this.#publishes[Symbol.dispose]()
    for (const key of this.#kept.keys()) this.#drop(key)
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key)
    if (kept === undefined) return
    this.#kept.delete(key)
    clearTimeout(kept.timer)
    kept.pin[Symbol.dispose]()
  }
}

function keyOf({ source, snapshot }: { readonly source: string; readonly snapshot: string }): string {
  return `${source}/${snapshot}`
}
