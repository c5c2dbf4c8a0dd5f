import { isAscii, isUtf8 } from 'node:buffer'
import type { ByteReader } from './byte-reader.ts'
import { Malformed } from './format.ts'

/** A moving part of a file as text. It grows only as far as it has to for one whole record. */
export class TextWindow {
  /** Checked UTF-8, decoded in one piece: scanning it is fast, which a string put together from parts is not. */
  text = ''
  /** Index of the first character that was not taken. */
  at = 0
  /** No bytes come behind `text`. */
  isLast = false

  readonly #reader: ByteReader
  readonly #chunkBytes: number
  /** Where in the uncompressed file `text[at]` stands. */
  #offset: number
  #isAscii = true
  #bytes = Buffer.alloc(0)
  /** The bytes from `text[at]` on are `#bytes[#start]` to `#bytes[#end]`; decoded as far as whole characters go. */
  #start = 0
  #end = 0

  constructor(reader: ByteReader, options: { offset: number; chunkBytes: number }) {
    this.#reader = reader
    this.#offset = options.offset
    this.#chunkBytes = options.chunkBytes
  }

  get offset(): number {
    return this.#offset
  }

  get isEmpty(): boolean {
    return this.at === this.text.length
  }

  /** Bytes that were read and not taken. */
  get heldBytes(): number {
    return this.#end - this.#start
  }

  /** Takes the text up to `end`. */
  take(end: number): void {
    const bytes = this.#bytesUpTo(end)
    this.#start += bytes
    this.#offset += bytes
    this.at = end
  }

  /** Where in the uncompressed file `text[index]` stands; `index` is not before `at`. */
  offsetOf(index: number): number {
    return this.#offset + this.#bytesUpTo(index)
  }

  /** Reads on until at least `wantedBytes` are held, or the file ends. */
  async fill(wantedBytes: number, signal: AbortSignal): Promise<void> {
    this.#makeRoom(Math.max(wantedBytes, this.heldBytes) + this.#chunkBytes)
    while (this.heldBytes < wantedBytes && !this.isLast) {
      signal.throwIfAborted()
      const length = await this.#reader.read(this.#bytes.subarray(this.#end, this.#end + this.#chunkBytes))
      this.#end += length
      this.isLast = length === 0
    }
    signal.throwIfAborted()
    this.#decode()
  }

  #bytesUpTo(index: number): number {
    if (this.#isAscii) return index - this.at
    return Buffer.byteLength(this.text.slice(this.at, index))
  }

  #makeRoom(capacity: number): void {
    const held = this.#bytes.subarray(this.#start, this.#end)
    if (this.#bytes.length >= capacity) held.copy(this.#bytes)
    else this.#bytes = Buffer.concat([held], capacity)
    this.#end -= this.#start
    this.#start = 0
  }

  #decode(): void {
    if (this.#offset === 0 && startsWithBom(this.#bytes.subarray(0, this.#end))) {
      this.#start = this.#offset = 3
    }
    const bytes = this.#bytes.subarray(
      this.#start,
      this.isLast ? this.#end : wholeCharacters(this.#bytes, this.#start, this.#end),
    )
    if (!isUtf8(bytes)) throw notUtf8(bytes, this.#offset)
    this.#isAscii = isAscii(bytes)
    this.text = bytes.toString(this.#isAscii ? 'latin1' : 'utf8')
    this.at = 0
  }
}

function startsWithBom(bytes: Buffer): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
}

/** The end of the last character that is not cut off by `end`. */
function wholeCharacters(bytes: Buffer, start: number, end: number): number {
  for (let back = 1; back <= 3 && end - back >= start; back++) {
    const byte = bytes[end - back]!
    if (byte < 0x80) return end
    if (byte < 0xc0) continue
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
    return length > back ? end - back : end
  }
  return end
}

function notUtf8(bytes: Buffer, offset: number): Malformed {
  let valid = 0
  // The longest prefix that is valid once a cut character at its end is left out, found by halving.
  for (let step = 1 << Math.ceil(Math.log2(bytes.length + 1)); step >= 1; step >>= 1) {
    const end = valid + step
    if (end <= bytes.length && isUtf8(bytes.subarray(0, wholeCharacters(bytes, 0, end)))) valid = end
  }
  const byte = offset + wholeCharacters(bytes, 0, valid)
  const shown = bytes.subarray(byte - offset, byte - offset + 4).toString('hex')
  return new Malformed(`bytes that are not UTF-8 (${shown})${hint(bytes, offset)}`, 'UTF-8 text', { byte })
}

function hint(bytes: Buffer, offset: number): string {
  if (offset !== 0) return ''
  const [first, second] = bytes
  if (first === 0x1f && second === 0x8b) return ', as a gzip file has; end its name in .gz'
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return ', as UTF-16 has'
  return ''
}
