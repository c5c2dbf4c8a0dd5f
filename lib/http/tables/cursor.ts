import { hash } from 'node:crypto'
import type { Cell } from '../../query.ts'
import { badParameter } from '../query.ts'

/** Where a crawl goes on. In key order it holds across snapshots; in any other it belongs to one. */
export interface Cursor {
  readonly snapshot: string | null
  /** The last row's sort values. Null where they are too long: in one snapshot, `seen` tells the place as well. */
  readonly after: readonly Cell[] | null
  /** How many rows the crawl has left behind. */
  readonly seen: number
}

const MAX_LENGTH = 4096

/**
 * The text of a cursor: opaque, and only good for the query it came from. Null where the last row's key is so long that
 * no URL could take it.
 */
export function writeCursor({ snapshot, after, seen }: Cursor, query: string): string | null {
  const cells = after?.map((cell) => (typeof cell === 'bigint' ? { n: String(cell) } : cell)) ?? null
  const text = Buffer.from(JSON.stringify([1, fingerprint(query), snapshot, cells, seen])).toString('base64url')
  if (text.length <= MAX_LENGTH) return text
  return snapshot === null || after === null ? null : writeCursor({ snapshot, after: null, seen }, query)
}

/** @throws Failure `bad_parameter` for a text that is not a cursor, or one of another query */
export function readCursor(text: string, query: string): Cursor {
  const [format, of, snapshot, after, seen] = parse(text)
  const isPlace = snapshot === null || typeof snapshot === 'string'
  if (format !== 1 || !isPlace || !isCount(seen)) throw notOne()
  if (!Array.isArray(after) && (after !== null || snapshot === null)) throw notOne()
  if (of !== fingerprint(query)) {
    throw badParameter(
      'cursor',
      'with the sort and filters of the request it came from: they are a part of where it goes on',
    )
  }
  return { snapshot, after: after?.map(toCell) ?? null, seen }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function parse(text: string): unknown[] {
  try {
    if (text.length > MAX_LENGTH) throw notOne()
    const value = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown
    if (Array.isArray(value)) return value as unknown[]
  } catch {
    // Falls through: whatever it is, it is not a cursor.
  }
  throw notOne()
}

function toCell(value: unknown): Cell {
  if (value === null || typeof value === 'string' || typeof value === 'number') return value
  const digits = (value as { n?: unknown }).n
  if (typeof digits === 'string' && /^-?\d{1,19}$/.test(digits)) return BigInt(digits)
  throw notOne()
}

function notOne() {
  return badParameter('cursor', 'as an earlier answer gave it, in pagination.cursor or Link')
}

function fingerprint(query: string): string {
  return hash('sha256', query, 'base64url').slice(0, 8)
}
