import { badParameter } from '../query.ts'
import { readCursor, writeCursor, type Cursor } from '../tables/cursor.ts'

/** Where a list goes on: all of it comes from one snapshot, and from one time. */
export interface Offset extends Cursor {
  readonly source: string
  readonly snapshot: string
  /** What `NOW()` was on its first page. Epoch milliseconds. */
  readonly startedAt: number
}

const MAX_LENGTH = 8192
/** What `Date` can hold. */
const LAST_TIME = 8.64e15

/** `itr…/rec…`: which list it is, and behind which record it goes on. Opaque, and only good for the query it came from. */
export function writeOffset({ source, startedAt, ...place }: Offset, query: string): string {
  const list = Buffer.from(JSON.stringify([source, startedAt])).toString('base64url')
  // A place in one snapshot always has a text.
  return `itr${list}/rec${writeCursor(place, query)!}`
}

/** @throws Failure `bad_parameter` for what is no offset, or one of another query */
export function readOffset(text: string, query: string): Offset {
  const [, list = '', place = ''] = (text.length <= MAX_LENGTH && /^itr([\w-]+)\/rec([\w-]+)$/.exec(text)) || []
  try {
    const { snapshot, after, seen } = readCursor(place, query)
    const [source, startedAt] = JSON.parse(Buffer.from(list, 'base64url').toString()) as unknown[]
    if (snapshot !== null && typeof source === 'string' && isTime(startedAt)) {
      return { source, startedAt, snapshot, after, seen }
    }
  } catch {
    // Whatever it is, it is none.
  }
  throw badParameter('offset', 'as the page before gave it, with the same table, formula, sort, view and maxRecords')
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= LAST_TIME
}
