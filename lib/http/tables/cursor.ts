import { hash } from 'node:crypto'
import type { Cell } from '../../query.ts'
import { badParameter } from '../query.ts'

/** Where a crawl goes on. In key order it holds across snapshots; in any other it belongs to one. */
export interface Cursor {
  readonly snapshot: string | null
  readonly after: readonly Cell[]
}

const MAX_LENGTH = 4096

/**
 * The text of a cursor: opaque, made of the last row's sort values, and only good for the query it came from. Null where
 * those are so long that no URL could take it.
 */
export function writeCursor({ snapshot, after }: Cursor, query: string): string | null {
  const cells = after.map((cell) => (typeof cell === 'bigint' ? { n: String(cell) } : cell))
  const text = Buffer.from(JSON.stringify([1, fingerprint(query), snapshot, cells])).toString('base64url')
  return text.length > MAX_LENGTH ? null : text
}

/** @throws Failure `bad_parameter` for a text that is not a cursor, or one of another query */
export function readCursor(text: string, query: string): Cursor {
  const [format, of, snapshot, after] = parse(text)
  if (format !== 1 || !(snapshot === null || typeof snapshot === 'string') || !Array.isArray(after)) throw notOne()
  if (of !== fingerprint(query)) {
    throw badParameter(
      'cursor',
      'with the sort and filters of the request it came from: they are a part of where it goes on',
    )
  }
  return { snapshot, after: after.map(toCell) }
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
