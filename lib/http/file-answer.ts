import type { FileHandle } from 'node:fs/promises'
import { Failure } from '../errors.ts'
import type { Exchange } from './exchange.ts'
import { filePieces } from './file-pieces.ts'
import { matchesTag } from './negotiate.ts'
import { rangeCounts, readRange } from './ranges.ts'

/** A file whose bytes never change, on its way to a client. */
export interface FileAnswer {
  /** What it is, in a sentence: `The export`. */
  readonly what: string
  readonly bytes: number
  /** Of all bytes, base64. */
  readonly sha256: string
  /** Null where there is no `Last-Modified`. Epoch milliseconds. */
  readonly modifiedAt: number | null
  /** Beside the entity tag: 200, 206 and 304 have these. */
  readonly validators: readonly string[]
  /** Beside length, ranges and digest: 200 and 206 have these. */
  readonly content: readonly string[]
  /** Opens it, with as many bytes as it must have. Throws what to answer where it is not there. */
  open(): Promise<FileHandle>
}

/** Sends a file, or the range of it that is asked for: the same bytes for ever, so a download goes on anywhere. */
export async function sendFile(exchange: Exchange, answer: FileAnswer): Promise<void> {
  const { bytes, what, modifiedAt } = answer
  const tag = `"${Buffer.from(answer.sha256, 'base64').toString('base64url')}"`
  const validators = ['ETag', tag, ...answer.validators]
  if (matchesTag(exchange.header('if-none-match'), tag)) return exchange.empty(304, validators)

  const asks = !exchange.isHead && rangeCounts(exchange.header('if-range'), tag, modifiedAt)
  const range = asks ? readRange(exchange.header('range'), bytes) : 'whole'
  if (range === 'outside') {
    const failure = new Failure('range_not_satisfiable', `${what} has ${bytes} bytes; the range begins behind them.`, {
      facts: { bytes },
    })
    return exchange.fail(failure, ['Accept-Ranges', 'bytes', 'Content-Range', `bytes */${bytes}`])
  }
  const { from, to } = range === 'whole' ? { from: 0, to: bytes - 1 } : range
  const size = to - from + 1
  // Open before anything is said: from then on it does not matter that its name may be removed.
  await using handle = await answer.open()
  const headers = [
    ...validators,
    ...answer.content,
    'Accept-Ranges', 'bytes',
    'Repr-Digest', `sha-256=:${answer.sha256}:`,
    ...(range === 'whole' ? [] : ['Content-Range', `bytes ${from}-${to}/${bytes}`]),
  ] // prettier-ignore
  await exchange.stream(range === 'whole' ? 200 : 206, headers, {
    size,
    bytes: undefined,
    pieces: () => filePieces(handle, from, size),
  })
}
