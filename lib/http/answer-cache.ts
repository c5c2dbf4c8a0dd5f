import type { Coding, Pointer } from '../snapshot.ts'

/** An answer in all the codings it was asked for so far, and what every time is sent with it. */
export interface CachedAnswer {
  readonly source: string
  /** Whose rows these are: the answer is good while this is what is active. */
  readonly pointer: Pointer
  readonly status: number
  /** Everything but entity tag, coding and length. */
  readonly headers: readonly string[]
  readonly tagStem: string
  /** Never compressed, where the client takes it as it is. */
  readonly isPlain: boolean
  readonly bodies: Map<Coding, Buffer>
}

/** What an entry costs beside its bodies and its key. */
const ENTRY_BYTES = 1024

/** Answers in memory within a number of bytes, least recently used first out. */
export class AnswerCache {
  readonly #maxBytes: number
  /** In the order of use. */
  readonly #entries = new Map<string, { readonly answer: CachedAnswer; bytes: number }>()
  #held = 0
  hits = 0
  misses = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get heldBytes(): number {
    return this.#held
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string): CachedAnswer | undefined {
    const entry = this.#entries.get(key)
    if (!entry) {
      this.misses++
      return undefined
    }
    this.hits++
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.answer
  }

  /** Keeps an answer, also again when it has become larger. One that alone would take a quarter of it all is not kept. */
  set(key: string, answer: CachedAnswer): void {
    this.#remove(key)
    let bytes = ENTRY_BYTES + 2 * key.length
    // Links repeat the query, a few times over.
    for (const header of answer.headers) bytes += header.length
    for (const body of answer.bodies.values()) bytes += body.length
    if (bytes > this.#maxBytes / 4) return
    this.#entries.set(key, { answer, bytes })
    this.#held += bytes
    for (const oldest of this.#entries.keys()) {
      if (this.#held <= this.#maxBytes) break
      this.#remove(oldest)
    }
  }

  /** Forgets the answers of a source, whose rows have become others. */
  drop(source: string): void {
    for (const [key, { answer }] of this.#entries) if (answer.source === source) this.#remove(key)
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key)
    if (!entry) return
    this.#entries.delete(key)
    this.#held -= entry.bytes
  }
}
