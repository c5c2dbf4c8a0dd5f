import { createGunzip, type Gunzip } from 'node:zlib'
import { pipeline, Readable } from 'node:stream'
import type { FileHandle } from 'node:fs/promises'
import { Malformed } from './format.ts'

/** The bytes of a file in order, uncompressed. */
export interface ByteReader extends Disposable {
  /** Fills `into` from its start, maybe not to its end; 0 when there are no more bytes. */
  read(into: Buffer): Promise<number>
  /** How many bytes of the file itself were used so far. */
  readonly fileBytes: number
}

/** Reads as far as `size`: what is appended meanwhile is not part of the state that was planned. */
export class PlainReader implements ByteReader {
  readonly #handle: FileHandle
  readonly #size: number
  #position: number

  constructor(handle: FileHandle, size: number, position = 0) {
    this.#handle = handle
    this.#size = size
    this.#position = position
  }

  get fileBytes(): number {
    return this.#position
  }

  async read(into: Buffer): Promise<number> {
    const wanted = Math.min(into.length, this.#size - this.#position)
    if (wanted <= 0) return 0
    const { bytesRead } = await this.#handle.read(into, 0, wanted, this.#position)
    this.#position += bytesRead
    return bytesRead
  }

  [Symbol.dispose](): void {}
}

const COMPRESSED_CHUNK_BYTES = 128 * 1024

export class GzipReader implements ByteReader {
  readonly #gunzip: Gunzip
  readonly #chunks: AsyncIterator<Buffer>
  readonly #size: number
  #chunk: Buffer = Buffer.alloc(0)

  constructor(handle: FileHandle, size: number) {
    this.#size = size
    this.#gunzip = createGunzip({ chunkSize: 256 * 1024 })
    // Errors of either stream surface where the chunks are awaited.
    pipeline(Readable.from(compressedChunks(new PlainReader(handle, size))), this.#gunzip, () => {})
    this.#chunks = this.#gunzip[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  }

  get fileBytes(): number {
    return this.#gunzip.bytesWritten
  }

  async read(into: Buffer): Promise<number> {
    // To zlib, no bytes at all are a file cut off; here it is the empty file, as without gzip.
    if (this.#size === 0) return 0
    while (this.#chunk.length === 0) {
      const next = await this.#chunks.next().catch((error: unknown) => {
        throw gzipProblem(error)
      })
      if (next.done) return 0
      this.#chunk = next.value
    }
    const copied = this.#chunk.copy(into)
    this.#chunk = this.#chunk.subarray(copied)
    return copied
  }

  [Symbol.dispose](): void {
    this.#gunzip.destroy()
  }
}

async function* compressedChunks(reader: PlainReader): AsyncGenerator<Buffer> {
  for (;;) {
    const chunk = Buffer.allocUnsafe(COMPRESSED_CHUNK_BYTES)
    const length = await reader.read(chunk)
    if (length === 0) return
    yield chunk.subarray(0, length)
  }
}

function gzipProblem(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (!code.startsWith('Z_')) return error
  const found =
    code === 'Z_BUF_ERROR' ? 'gzip data that is cut off (truncated)' : `corrupt gzip data (${(error as Error).message})`
  return new Malformed(found, 'a whole gzip file', null, { cause: error })
}
