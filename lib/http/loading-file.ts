import { open } from 'node:fs/promises'

/** The first one is there before anybody is answered; what is smaller is sent in one go. */
const PIECE_BYTES = 4 * 1024 * 1024

/** A file on its way into memory: read once, whoever sends it meanwhile. */
export class LoadingFile {
  readonly size: number
  /** Resolves when the first piece is in memory. Rejects, as `done` does, with what went wrong before. */
  readonly begun: Promise<void>
  readonly done: Promise<void>
  readonly #all: Buffer
  #filled = 0
  #more = news()

  constructor(file: string, size: number) {
    this.size = size
    this.#all = Buffer.allocUnsafeSlow(size)
    this.begun = size === 0 ? Promise.resolve() : this.#more.promise
    this.done = this.#read(file).then(
      () => this.#more.resolve(),
      (error: unknown) => {
        this.#more.reject(error)
        throw error
      },
    )
  }

  /** All of it, once it is there. */
  get bytes(): Buffer | undefined {
    return this.#filled === this.size ? this.#all : undefined
  }

  /** What is there, then the rest as it comes in. */
  async *pieces(): AsyncGenerator<Buffer, void> {
    for (let sent = 0; sent < this.size;) {
      const filled = this.#filled
      if (filled === sent) await this.#more.promise
      else yield this.#all.subarray(sent, filled)
      sent = filled
    }
  }

  async #read(file: string): Promise<void> {
    await using handle = await open(file, 'r')
    while (this.#filled < this.size) {
      const wanted = Math.min(PIECE_BYTES, this.size - this.#filled)
      const { bytesRead } = await handle.read(this.#all, this.#filled, wanted, this.#filled)
      if (bytesRead === 0) {
        throw new Error(`a rendered body became shorter while it was read: ${this.#filled} of ${this.size} bytes`)
      }
      this.#filled += bytesRead
      if (this.#filled === this.size) return // which is told once the file is closed
      this.#more.resolve()
      this.#more = news()
    }
  }
}

/** Nobody may be waiting for it when it is rejected. */
function news(): PromiseWithResolvers<void> {
  const resolvers = Promise.withResolvers<void>()
  resolvers.promise.catch(() => undefined)
  return resolvers
}
