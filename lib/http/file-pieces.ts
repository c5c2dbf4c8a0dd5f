import type { FileHandle } from 'node:fs/promises'

/** The first piece, so that something is on its way soon; each further one is twice as large. */
const FIRST_BYTES = 256 * 1024
const LARGE_BYTES = 2 * 1024 * 1024
/** Files that are sent by large pieces at once. */
const MAX_LARGE_PAIRS = 16
/** Of the buffers for those, so many are kept: the first touch of new memory takes longer than filling it. */
const MAX_SPARE = 4
const SMALL_BYTES = 128 * 1024

/** One buffer is being filled while the other is being sent. */
interface Pair extends Disposable {
  readonly buffers: readonly [Buffer, Buffer]
  /** Nobody reads from them or writes to them any more. */
  isFree: boolean
}

let largePairs = 0
const spare: Buffer[] = []

/**
 * Reads `size` bytes of a file from a place on, a piece ahead of the reader: exactly as many, or a failure, since the
 * length has been announced by then. A piece is valid until the next one is asked for.
 */
export async function* filePieces(handle: FileHandle, from: number, size: number): AsyncGenerator<Buffer, void> {
  if (size === 0) return
  using pair = takePair(size)
  let [next, other] = pair.buffers
  let wanted = FIRST_BYTES
  const fill = (buffer: Buffer, done: number) => {
    const filled = handle.read(buffer, 0, Math.min(buffer.length, wanted, size - done), from + done)
    filled.catch(() => undefined) // seen when it is awaited, which it is not when the reader leaves
    wanted *= 2
    return filled
  }
  let ahead = fill(next, 0)
  try {
    for (let sent = 0; sent < size;) {
      const { bytesRead, buffer } = await ahead
      if (bytesRead === 0) throw new Error(`a file became shorter while it was sent: ${sent} of ${size} bytes`)
      sent += bytesRead
      ;[next, other] = [other, next]
      if (sent < size) ahead = fill(next, sent)
      yield buffer.subarray(0, bytesRead)
    }
    pair.isFree = true
  } finally {
    // Where the reader has left, one may still be being filled.
    await ahead.catch(() => undefined)
  }
}

function takePair(size: number): Pair {
  if (size <= SMALL_BYTES || largePairs >= MAX_LARGE_PAIRS) {
    const length = Math.min(size, SMALL_BYTES)
    return { buffers: [newBuffer(length), newBuffer(length)], isFree: false, [Symbol.dispose]: () => undefined }
  }
  const buffers = [spare.pop() ?? newBuffer(LARGE_BYTES), spare.pop() ?? newBuffer(LARGE_BYTES)] as const
  largePairs++
  return {
    buffers,
    isFree: false,
    [Symbol.dispose]() {
      largePairs--
      // Where the reader has left, one of them may still be on its way out.
      if (this.isFree) spare.push(...buffers.slice(0, MAX_SPARE - spare.length))
    },
  }
}

function newBuffer(length: number): Buffer {
  return Buffer.allocUnsafeSlow(length)
}
