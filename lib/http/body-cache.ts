import { LoadingFile } from './loading-file.ts'

/** A body that is in memory, or on its way there, and stays until released. */
export interface BodyLease extends Disposable {
  readonly size: number
  /** All of it, unless it is still being read. */
  readonly bytes: Buffer | undefined
  /** What has been read, then the rest as it comes in. */
  pieces(): AsyncIterable<Buffer>
}

type WholeLease = BodyLease & { readonly bytes: Buffer }

interface Entry {
  readonly file: string
  readonly owner: string
  readonly content: LoadingFile
  /** The one that reads the file included. */
  readers: number
  dropped: boolean
}

/**
 * Rendered bodies in memory, least recently used first out. What it holds never exceeds `maxBytes`, bodies that slow
 * readers still hold included: what does not fit at the moment is for the caller to stream from its file.
 */
export class BodyCache {
  readonly #maxBytes: number
  /** In the order of use. */
  readonly #entries = new Map<string, Entry>()
  /** Dropped while someone was reading them; still in memory. */
  #lingering = 0
  #held = 0
  hits = 0
  misses = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get heldBytes(): number {
    return this.#held
  }

  get lingeringBytes(): number {
    return this.#lingering
  }

  /** The body, if all of it is in memory. */
  peek(file: string): WholeLease | undefined {
    const entry = this.#entries.get(file)
    if (!entry?.content.bytes) return undefined
    this.hits++
    this.#entries.delete(file)
    this.#entries.set(file, entry)
    return this.#lease(entry) as WholeLease
  }

  /**
   * The body, read from its file if need be (once, however many ask); undefined if there is no room for it now. Does
   * not wait for all of it: what is read can be sent while the rest comes in. `sizeOf` is asked where the file is not
   * known yet.
   */
  async take(file: string, owner: string, sizeOf: () => Promise<number>): Promise<BodyLease | undefined> {
    const cached = this.peek(file)
    if (cached) return cached
    this.misses++
    const entry = this.#entries.get(file) ?? this.#load(file, owner, await sizeOf())
    if (!entry) return undefined
    entry.readers++
    try {
      await entry.content.begun
      return this.#lease(entry)
    } finally {
      this.#release(entry)
    }
  }

  /** Forgets the bodies of an owner; those being read leave when their last reader does. */
  drop(owner: string): void {
    for (const entry of this.#entries.values()) if (entry.owner === owner) this.#remove(entry)
  }

  #load(file: string, owner: string, size: number): Entry | undefined {
    const known = this.#entries.get(file)
    if (known) return known
    if (!this.#makeRoom(size)) return undefined
    const entry: Entry = { file, owner, content: new LoadingFile(file, size), readers: 1, dropped: false }
    this.#entries.set(file, entry)
    this.#held += size
    entry.content.done.then(
      () => this.#release(entry),
      () => {
        this.#remove(entry) // whoever waits for it hears why
        this.#release(entry)
      },
    )
    return entry
  }

  #makeRoom(size: number): boolean {
    const idle = this.#entries.values().filter((entry) => entry.readers === 0)
    const evicted: Entry[] = []
    let free = this.#maxBytes - this.#held
    for (const entry of idle) {
      if (free >= size) break
      free += entry.content.size
      evicted.push(entry)
    }
    if (free < size) return false
    for (const entry of evicted) this.#remove(entry)
    return true
  }

  #lease(entry: Entry): BodyLease {
    entry.readers++
    let isOpen = true
    const { content } = entry
    return {
      size: content.size,
      get bytes() {
        return content.bytes
      },
      pieces: () => content.pieces(),
      [Symbol.dispose]: () => {
        if (isOpen) this.#release(entry)
        isOpen = false
      },
    }
  }

  #release(entry: Entry): void {
    entry.readers--
    if (!entry.dropped || entry.readers > 0) return
    this.#held -= entry.content.size
    this.#lingering -= entry.content.size
  }

  #remove(entry: Entry): void {
    if (entry.dropped) return
    entry.dropped = true
    this.#entries.delete(entry.file)
    if (entry.readers > 0) this.#lingering += entry.content.size
    else this.#held -= entry.content.size
  }
}
