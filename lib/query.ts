import type { Column } from './column.ts'
import type { Expression } from './formula.ts'

/**
 * A question about the rows of one table: first as it was asked (names and texts), then resolved against the table it
 * is about (columns and cells). Comparison follows SQL: NULL is neither equal nor unequal to anything, and a row is
 * found when its condition is true, not when it is unknown.
 */

/** What a test or an order looks at: a column, or a place inside a JSON column (`data->a->0`, `data->>a`). */
export interface Operand {
  readonly column: string
  /** Member names and array positions (negative: from the end), outermost first. */
  readonly path: readonly (string | number)[]
  /** `->>`: the place's text. Only with a path. */
  readonly asText: boolean
}

export const COMPARISONS = ['eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'isdistinct'] as const
export const PATTERNS = ['like', 'ilike', 'match', 'imatch'] as const
export const CONTAINMENTS = ['cs', 'cd', 'ov'] as const
export const SEARCHES = ['fts', 'plfts', 'phfts', 'wfts'] as const

/** One test of one operand, its value as text. PostgREST's names. */
export type Test =
  | { readonly op: (typeof COMPARISONS)[number]; readonly value: string }
  /** `*` in like and ilike is `%` already; `\` takes the next character as it is. */
  | { readonly op: (typeof PATTERNS)[number]; readonly value: string }
  | { readonly op: 'is'; readonly value: 'null' | 'not_null' | 'true' | 'false' | 'unknown' }
  | { readonly op: 'in'; readonly values: readonly string[] }
  /** `{a,b}` or JSON. */
  | { readonly op: (typeof CONTAINMENTS)[number]; readonly value: string }
  | { readonly op: (typeof SEARCHES)[number]; readonly value: string }

export type Condition =
  | { readonly kind: 'and' | 'or'; readonly of: readonly Condition[] }
  | { readonly kind: 'not'; readonly of: Condition }
  | { readonly kind: 'test'; readonly operand: Operand; readonly test: Test }
  /** Full text over the columns that the table is configured to be searched by. */
  | { readonly kind: 'search'; readonly text: string }
  /** Changed after this time (epoch ms): upstream's time where it is known, else when the change was first seen. */
  | { readonly kind: 'modified_after'; readonly at: number }
  /** Found where this is true: of what is false or cannot be worked out, nothing is. */
  | { readonly kind: 'formula'; readonly of: Expression }

export interface Order {
  readonly operand: Operand
  readonly descending: boolean
  readonly nulls: 'first' | 'last'
}

export const CASTS = ['text', 'integer', 'real', 'decimal', 'boolean', 'json'] as const
export type Cast = (typeof CASTS)[number]

/** One member of each row that is answered. */
export interface Output {
  readonly operand: Operand
  readonly name: string
  readonly cast: Cast | null
}

/** The members by which a row's object says which row it is and since when, behind its fields. */
export interface RecordNames {
  readonly id: string
  readonly created: string
  readonly modified: string
}

/** Asks for the rows as JSON objects in one text: `{…},{…}`. */
export interface TextShape {
  readonly separator: ',' | '\n'
  /** Null: the objects have the outputs only. */
  readonly names: RecordNames | null
}

export type Count = 'none' | 'exact' | 'planned' | 'estimated'

export interface Query {
  /** `*` stands for all columns that there are. */
  readonly outputs: readonly (Output | '*')[]
  readonly where: Condition | null
  /**
   * Rows that are equal in all of these follow in upstream order. Empty: upstream order, or key order where
   * `byKey` is set.
   */
  readonly order: readonly Order[]
  readonly byKey: boolean
  /** The ids of rows are not told to whoever asks. */
  readonly isNameless?: true
  readonly offset: number
  readonly limit: number
  /** Goes on behind the row that an earlier answer's `last` names; `offset` counts from there. */
  readonly after: readonly Cell[] | null
  readonly count: Count
  /** Not there: the answer has cells. */
  readonly text?: TextShape
}

/** As SQLite stores it. An integer beyond 2^53 is a bigint on its way in and digits on its way out. */
export type Cell = null | string | number | bigint

/** An operand whose column is known. `type` is that of what it yields: `json` for `->`, `text` for `->>`. */
export interface ResolvedOperand {
  readonly column: Column
  readonly path: readonly (string | number)[]
  readonly asText: boolean
  readonly type: Column['type']
}

export type ResolvedTest =
  | { readonly op: (typeof COMPARISONS)[number]; readonly value: Cell }
  | { readonly op: (typeof PATTERNS)[number]; readonly value: string }
  | { readonly op: 'is'; readonly value: 'null' | 'not_null' | 'true' | 'false' | 'unknown' }
  | { readonly op: 'in'; readonly values: readonly Cell[] }
  /** JSON text, arrays written as `{a,b}` included. */
  | { readonly op: (typeof CONTAINMENTS)[number]; readonly value: string }
  | { readonly op: (typeof SEARCHES)[number]; readonly value: string }

export type ResolvedCondition =
  | { readonly kind: 'and' | 'or'; readonly of: readonly ResolvedCondition[] }
  | { readonly kind: 'not'; readonly of: ResolvedCondition }
  | { readonly kind: 'test'; readonly operand: ResolvedOperand; readonly test: ResolvedTest }
  /** In these of the columns that can be searched: the others are hidden from the asker. */
  | { readonly kind: 'search'; readonly text: string; readonly columns: readonly string[] }
  | { readonly kind: 'modified_after'; readonly at: number }
  | { readonly kind: 'formula'; readonly of: Expression }

export interface ResolvedQuery extends Omit<Query, 'outputs' | 'where' | 'order' | 'isNameless'> {
  readonly table: string
  readonly outputs: readonly { readonly operand: ResolvedOperand; readonly name: string; readonly cast: Cast | null }[]
  /** What the asker may see included. */
  readonly where: ResolvedCondition | null
  /** The columns that hold upstream's times of a row, as far as the asker may see them. */
  readonly times: { readonly created: string | null; readonly modified: string | null }
  readonly order: readonly (Omit<Order, 'operand'> & { readonly operand: ResolvedOperand })[]
}

/** Which row it is and since when, whatever was asked of it. Epoch milliseconds. */
export interface RowFacts {
  /** Its key as text: see `row-key.ts`. */
  readonly id: string
  readonly createdAt: number
  readonly modifiedAt: number
}

export interface Answer {
  /** The outputs, with the types of what they hold. */
  readonly columns: readonly Column[]
  /** How many rows these are. */
  readonly length: number
  /** The rows as they were asked for in `Query.text`, UTF-8; null where that was not done. */
  readonly text: Uint8Array | null
  /** Cells in the order of `columns`, as stored; integers beyond 2^53 as text. None where there is `text`. */
  readonly rows: readonly (readonly unknown[])[]
  /** One for each of `rows`. */
  readonly facts: readonly RowFacts[]
  /** What `Query.after` takes to go on behind the last row; null when there is none, or nothing behind it. */
  readonly last: readonly Cell[] | null
  /** Whether there are rows behind these. */
  readonly hasMore: boolean
  /** How many rows there are in all, as far as it was asked for. */
  readonly total: number | null
  readonly isEstimate: boolean
}

export interface QueryOptions {
  /** Who asks: those who ask much wait behind those who ask little. */
  readonly principal: string
  readonly signal: AbortSignal
}
