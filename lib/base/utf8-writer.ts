const FIRST_BYTES = 64 * 1024
/** UTF-8 needs at most so many bytes for one UTF-16 unit. */
const MAX_UNIT_BYTES = 3

const shared: { writer: Utf8Writer | undefined } = { writer: undefined }

export function joinUtf8(texts: Iterable<string>, separator: string): Buffer {
  const writer = (shared.writer ??= new Utf8Writer())
  let isFirst = true
  for (const text of texts) {
    if (!isFirst) writer.write(separator)
    isFirst = false
    writer.write(text)
  }
  return writer.take()
}

/** `bytes` between two texts. */
export function encloseUtf8(start: string, bytes: Uint8Array, end: string): Buffer {
  const before = Buffer.byteLength(start)
  const whole = Buffer.allocUnsafeSlow(before + bytes.length + Buffer.byteLength(end))
  whole.write(start)
  whole.set(bytes, before)
  whole.write(end, before + bytes.length)
  return whole
}

/**
 * Texts, one behind the other, as UTF-8. Encoding them one by one is faster than joining them: one text beyond Latin-1
 * makes all of a joined one twice as wide.
 */
class Utf8Writer {
  #buffer = Buffer.allocUnsafe(FIRST_BYTES)
  #length = 0

  write(text: string): void {
    const needed = this.#length + text.length * MAX_UNIT_BYTES
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#buffer.length))
      this.#buffer.copy(larger, 0, 0, this.#length)
      this.#buffer = larger
    }
    this.#length += this.#buffer.write(text, this.#length)
  }

  /** All of it, in memory of its own; the writer begins anew. */
  take(): Buffer {
    const bytes = Buffer.allocUnsafeSlow(this.#length)
    this.#buffer.copy(bytes, 0, 0, this.#length)
    this.#length = 0
    if (this.#buffer.length > FIRST_BYTES) this.#buffer = Buffer.allocUnsafe(FIRST_BYTES)
    return bytes
  }
}
