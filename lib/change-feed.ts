import type { Watermark } from './watermark.ts'

/** What happened to one row, or that a whole table has to be fetched again. */
export interface Change {
  readonly table: string
  /** The row's key as text; empty for `resync`. */
  readonly key: string
  readonly op: 'put' | 'delete' | 'resync'
  /** The row as a JSON object's text, for `put`. */
  readonly row: string | null
}

/** The changes of one publish: readers see all of them or none. */
export interface Batch {
  readonly watermark: Watermark
  readonly source: string
  /** Epoch milliseconds. */
  readonly at: number
  /** None where a publish changed no row. */
  readonly changes: readonly Change[]
}

/** What a reader has to fetch again whose position the log does not reach back to. */
export interface Missed {
  readonly source: string
  readonly tables: readonly string[]
}

export interface ChangePage {
  /** In the order of watermarks. */
  readonly batches: readonly Batch[]
  /** Everything up to here has been told, or is to be fetched again. */
  readonly through: Watermark
  /** There was nothing behind it that could be read then. */
  readonly isAtHead: boolean
  /** Not empty: the log does not reach back that far. There are no batches then, and `through` is where to go on. */
  readonly missed: readonly Missed[]
}

/** The change log of a data directory, over all its sources, as one process reads it. Nothing here waits. */
export interface ChangeLog {
  /** Names the data directory: a watermark of another one means nothing here. */
  readonly epoch: string
  /** The newest watermark that was committed: nothing behind it is told. */
  head(): Watermark
  /** Where a reader goes on who fetches these sources from this process now. */
  now(sources: readonly string[]): Watermark
  /**
   * Batches after a watermark, as many as fit `maxBytes`, at least one if there is any; a batch is never cut. Whoever
   * goes on at `through` each time gets every batch of these sources once, whatever is published meanwhile, or is told
   * what to fetch again.
   */
  read(after: Watermark, options: { sources: readonly string[]; maxBytes: number }): ChangePage
}

/** A point in the log of one data directory, as clients keep it. Sorts as a string. */
export function encodeCursor(epoch: string, watermark: Watermark): string {
  return `${epoch}-${watermark}`
}

/** The two halves of a cursor, or undefined if the text cannot be one. */
export function decodeCursor(text: string): { epoch: string; watermark: Watermark } | undefined {
  const match = /^([0-9a-z]{1,32})-([a-k][0-9a-z]{1,11})$/.exec(text)
  return match === null ? undefined : { epoch: match[1]!, watermark: match[2]! }
}
