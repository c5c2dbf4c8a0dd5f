import type { ServerResponse } from 'node:http'

/** What is smaller fits into the buffers of a connection. */
const MIN_BYTES = 64 * 1024

interface Held {
  readonly owner: string
  readonly bytes: number
  readonly responses: Set<ServerResponse>
}

/**
 * Bytes of answers that their readers have not taken yet, within a bound: beyond it, of whoever has most of them, what
 * has been held longest is cut off. Bytes that many are being sent count once.
 */
export class HeldBytes {
  readonly #max: number
  /** By the bytes themselves, in the order in which they came. */
  readonly #held = new Map<object, Held>()
  #total = 0

  constructor(maxBytes: number) {
    this.#max = maxBytes
  }

  get total(): number {
    return this.#total
  }

  /**
   * Counts bytes that were handed to a response, until what is returned is called or the response closes. `owner`: whose
   * request it is.
   */
  hold(response: ServerResponse, owner: string, body: Buffer | string): () => void {
    const bytes = typeof body === 'string' ? 2 * body.length : body.length
    if (bytes < MIN_BYTES || response.writableLength === 0 || response.destroyed) return () => {}
    const name = typeof body === 'string' ? response : body
    let held = this.#held.get(name)
    if (held === undefined) {
      held = { owner, bytes, responses: new Set() }
      this.#held.set(name, held)
      this.#total += bytes
    }
    held.responses.add(response)
    const release = () => {
      response.off('close', release)
      this.#release(name, response)
    }
    response.once('close', release)
    while (this.#total > this.#max) this.#cut()
    return release
  }

  #release(name: object, response: ServerResponse): void {
    const held = this.#held.get(name)
    if (!held?.responses.delete(response) || held.responses.size > 0) return
    this.#held.delete(name)
    this.#total -= held.bytes
  }

  #cut(): void {
    const byOwner = new Map<string, number>()
    for (const { owner, bytes } of this.#held.values()) byOwner.set(owner, (byOwner.get(owner) ?? 0) + bytes)
    const [most] = [...byOwner].reduce((a, b) => (b[1] > a[1] ? b : a))
    for (const [name, { owner, bytes, responses }] of this.#held) {
      if (owner !== most) continue
      this.#held.delete(name)
      this.#total -= bytes
      for (const response of responses) response.destroy()
      return
    }
  }
}
