import { open, type FileHandle } from 'node:fs/promises'
import type { Coding } from '../snapshot.ts'
import type { BodyCache, BodyLease } from './body-cache.ts'
import { filePieces } from './file-pieces.ts'
import { rowText, type RowView } from './row-text.ts'
import type { MountedSnapshot } from '../snapshot.ts'

/** The bytes of one answer, wherever they come from. */
export interface Bytes {
  /** How many bytes there are, where that is known beforehand. */
  readonly size: number | undefined
  /** All of it, where it is in memory. */
  readonly bytes: Buffer | undefined
  /** Piece by piece, as the consumer takes them; once only. A piece is valid until the next one is asked for. */
  pieces(): AsyncIterable<Buffer | string>
}

/** To be disposed of when the last byte is sent. */
export interface Body extends Bytes, Disposable {}

/**
 * Opens the rendered answer of a table in a coding, from memory or else from its file; undefined where there is
 * none. Without a cache it only looks, for those who need no more than the size.
 */
export async function openRendered(
  cache: BodyCache | undefined,
  mounted: MountedSnapshot,
  table: string,
  coding: Coding,
): Promise<Body | undefined> {
  const file = mounted.bodyFile(table, coding)
  if (file === undefined) return undefined
  await using opened = new AsyncDisposableStack()
  opened.use(mounted.pin())
  const look = async () => {
    const handle = opened.use(await open(file, 'r'))
    return { handle, size: (await handle.stat()).size }
  }
  try {
    let found: Awaited<ReturnType<typeof look>> | undefined
    const lease = await cache?.take(file, ownerOf(mounted), async () => (found = await look()).size)
    if (lease) return fromMemory(lease)
    const { handle, size } = found ?? (await look())
    return fromFile(handle, size, opened.move())
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Whose bodies a snapshot's are in the cache. */
export function ownerOf(mounted: MountedSnapshot): string {
  return `${mounted.pointer.source}/${mounted.pointer.snapshot}`
}

function fromMemory(lease: BodyLease): Body {
  return {
    size: lease.size,
    get bytes() {
      return lease.bytes
    },
    pieces: () => lease.pieces(),
    [Symbol.dispose]: () => lease[Symbol.dispose](),
  }
}

/** `opened` is what there is to release, the handle included; a read that is under way ends before that. */
function fromFile(handle: FileHandle, size: number, opened: AsyncDisposableStack): Body {
  return {
    size,
    bytes: undefined,
    pieces: () => filePieces(handle, 0, size),
    [Symbol.dispose]: () => void opened.disposeAsync().catch(() => undefined),
  }
}

/** An answer made of rows while it is sent. */
export function fromRows(mounted: MountedSnapshot, view: RowView): Body {
  const pin = mounted.pin()
  return {
    size: undefined,
    bytes: undefined,
    pieces: () => rowText(mounted, view),
    [Symbol.dispose]: () => pin[Symbol.dispose](),
  }
}

/** All of a body, where it is a text of no more than so many characters; else the same body, to be sent by pieces. */
export async function gathered(body: Body, maxLength: number): Promise<string | Body> {
  const pieces = body.pieces()[Symbol.asyncIterator]()
  let text = ''
  while (text.length <= maxLength) {
    const next = await pieces.next()
    if (next.done) return text
    text += String(next.value)
  }
  return {
    size: undefined,
    bytes: undefined,
    async *pieces() {
      yield text
      for (let next = await pieces.next(); !next.done; next = await pieces.next()) yield next.value
    },
    [Symbol.dispose]: () => body[Symbol.dispose](),
  }
}

/** The same JSON object with more members at its front. The body must be identity-coded and not empty. */
export function withMembers(body: Body, members: Readonly<Record<string, unknown>>): Body {
  const front = Buffer.from(`${JSON.stringify(members).slice(0, -1)},`)
  return {
    size: body.size === undefined ? undefined : body.size - 1 + front.length,
    bytes: undefined,
    async *pieces() {
      yield front
      let isFirst = true
      for await (const piece of body.pieces()) {
        yield !isFirst ? piece : typeof piece === 'string' ? piece.slice(1) : piece.subarray(1)
        isFirst = false
      }
    },
    [Symbol.dispose]: () => body[Symbol.dispose](),
  }
}
