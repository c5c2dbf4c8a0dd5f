import type { Value } from '../../column.ts'

/** Whole records, taken from the text that was at hand. */
export interface Batch {
  readonly columns: readonly string[]
  readonly rows: Value[][]
  /** Index behind the last character taken. Equal to `from` when the text does not hold one whole record. */
  readonly end: number
}

/** One way to write rows as text. Pure: it is handed text, and what it remembers fits in a cursor. */
export interface Format {
  /**
   * Takes at most `maxRows` whole records of `text`, beginning at `from`; the rest is handed over again with more
   * text behind it. With `isLast` no more comes, so what is left must be whole. Throws `Malformed`; records in
   * front of a malformed one are returned first.
   */
  read(text: string, from: number, options: { isLast: boolean; maxRows: number }): Batch
  /** The text is used up. Throws `Malformed` unless a file may end here; returns the columns of a table without rows. */
  finish(): readonly string[]
  /** What a cursor carries, so that another one made with it reads on. */
  readonly state: FormatState
}

export interface FormatState {
  /** How many records were read. */
  readonly record: number
  /** JSON: how far the array around the records is open. */
  readonly part?: ArrayPart
  /** NDJSON: how many lines were read, blank ones too. */
  readonly line?: number
  /** CSV: the column names. */
  readonly header?: readonly string[]
}

export type ArrayPart = 'before' | 'first' | 'next' | 'after'

/** The file does not hold what it should: what was found and where, and what was expected. */
export class Malformed extends Error {
  readonly found: string
  readonly expected: string
  /** `index` counts in the text that was handed to `read`, `byte` in the (uncompressed) file. */
  readonly place: { readonly index: number } | { readonly byte: number } | null

  constructor(found: string, expected: string, place: Malformed['place'], options: ErrorOptions = {}) {
    super(`${found}; expected ${expected}`, options)
    this.found = found
    this.expected = expected
    this.place = place
  }
}
