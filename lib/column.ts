/**
 * The types a mirrored column can have, and how each is stored in SQLite and leaves as JSON.
 *
 * | type    | SQLite  | JSON                                                        |
 * |---------|---------|-------------------------------------------------------------|
 * | integer | INTEGER | number; a string beyond ±(2^53 − 1), so that it stays exact  |
 * | real    | REAL    | number                                                      |
 * | decimal | TEXT    | string, digit for digit; compares and sorts as a number      |
 * | boolean | INTEGER | true or false                                               |
 * | text    | TEXT    | string                                                      |
 * | json    | TEXT    | the JSON value itself                                       |
 */
export const COLUMN_TYPES = ['integer', 'real', 'decimal', 'boolean', 'text', 'json'] as const
export type ColumnType = (typeof COLUMN_TYPES)[number]

export interface Column {
  readonly name: string
  readonly type: ColumnType
}

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [name: string]: JsonValue }

/** A number that a double cannot hold, kept as its digits: `0.1000000000000000055`. */
export class ExactNumber {
  readonly digits: string
  constructor(digits: string) {
    this.digits = digits
  }
}

/**
 * One cell as a source reads it. `bigint` is an integer of any size; an object or array is JSON; a string is
 * text, unless the table is `untyped` (see `TablePlan`), where a string may turn out to be a number.
 */
export type Value = null | string | number | bigint | boolean | ExactNumber | JsonValue
