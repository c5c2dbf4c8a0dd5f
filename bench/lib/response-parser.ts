export interface Head {
  readonly status: number
  /** The whole head as it came, status line included. */
  readonly text: string
}

export function headerOf(head: Head, name: string): string | undefined {
  return new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*$`, 'im').exec(head.text)?.[1]
}

const HEAD_END = Buffer.from('\r\n\r\n')
const LINE_END = Buffer.from('\r\n')

type Place = 'head' | 'counted' | 'until-close' | 'chunk-size' | 'chunk' | 'trailer'

/**
 * Finds where HTTP/1.1 responses end, and looks at nothing it need not see: the measured server must be the slower
 * one. Body bytes are handed on as they lie in the pushed buffer, valid only during the call.
 */
export class ResponseParser {
  readonly #onHead: (head: Head) => void
  readonly #onBody: (bytes: Buffer) => void
  readonly #onEnd: () => void
  #place: Place = 'head'
  #carried: Buffer | undefined
  #left = 0
  #hasNoBody = false

  constructor(on: { head?(head: Head): void; body?(bytes: Buffer): void; end(): void }) {
    this.#onHead = (head) => on.head?.(head)
    this.#onBody = (bytes) => on.body?.(bytes)
    this.#onEnd = () => on.end()
  }

  /** The next response answers a HEAD request: whatever its head says, no body follows. */
  expectNoBody(): void {
    this.#hasNoBody = true
  }

  /** @throws Error when the bytes are no HTTP/1.1 response */
  push(bytes: Buffer): void {
    let rest: Buffer | undefined = this.#carried === undefined ? bytes : Buffer.concat([this.#carried, bytes])
    this.#carried = undefined
    while (rest !== undefined && rest.length > 0) rest = this.#step(rest)
  }

  /** The connection is over. True when nothing was cut off. */
  close(): boolean {
    if (this.#place === 'until-close') {
      this.#end()
      return true
    }
    return this.#place === 'head' && this.#carried === undefined
  }

  /** Consumes something and gives back the rest; undefined when more bytes are needed. */
  #step(bytes: Buffer): Buffer | undefined {
    switch (this.#place) {
      case 'head': {
        const end = bytes.indexOf(HEAD_END)
        if (end < 0) return this.#carry(bytes)
        this.#begin(bytes.toString('latin1', 0, end))
        return bytes.subarray(end + 4)
      }
      case 'counted':
      case 'chunk': {
        const taken = Math.min(this.#left, bytes.length)
        this.#onBody(taken === bytes.length ? bytes : bytes.subarray(0, taken))
        this.#left -= taken
        if (this.#left === 0) {
          if (this.#place === 'counted') this.#end()
          else this.#place = 'chunk-size'
        }
        return bytes.subarray(taken)
      }
      case 'until-close':
        this.#onBody(bytes)
        return undefined
      case 'chunk-size': {
        // The line end of the chunk before comes first, except at the very beginning.
        const from = bytes[0] === 13 ? 2 : 0
        const end = bytes.indexOf(LINE_END, from)
        if (end < 0) return this.#carry(bytes)
        const size = Number.parseInt(bytes.toString('latin1', from, end), 16)
        if (!(size >= 0)) throw new Error(`not a chunk size: ${JSON.stringify(bytes.toString('latin1', from, end))}`)
        this.#left = size
        this.#place = size === 0 ? 'trailer' : 'chunk'
        return bytes.subarray(end + 2)
      }
      case 'trailer': {
        const end = bytes.indexOf(LINE_END)
        if (end < 0) return this.#carry(bytes)
        if (end === 0) this.#end()
        return bytes.subarray(end + 2)
      }
    }
  }

  #begin(text: string): void {
    const status = Number(text.slice(9, 12))
    if (!text.startsWith('HTTP/1.1 ') || !(status >= 100))
      throw new Error(`not a response: ${JSON.stringify(text.slice(0, 80))}`)
    this.#onHead({ status, text })
    if (status === 304 || status === 204 || this.#hasNoBody) return this.#end()
    const length = /\r\ncontent-length:[ \t]*(\d+)/i.exec(text)
    if (length !== null) {
      this.#left = Number(length[1])
      this.#place = 'counted'
      if (this.#left === 0) this.#end()
    } else {
      this.#place = /\r\ntransfer-encoding:[ \t]*chunked/i.test(text) ? 'chunk-size' : 'until-close'
    }
  }

  #end(): void {
    this.#place = 'head'
    this.#hasNoBody = false
    this.#onEnd()
  }

  #carry(bytes: Buffer): undefined {
    if (bytes.length > 65_536) throw new Error('a line of the response is too long')
    // Copied: the socket reads into the same buffer again.
    this.#carried = Buffer.from(bytes)
  }
}
