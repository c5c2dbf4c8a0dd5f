import type { Facts, FailureCode } from '../errors.ts'
import type { Answer, ResolvedQuery } from '../query.ts'
import type { TableInfo } from '../snapshot.ts'

/** A query for a reader process. */
export interface ReaderJob {
  /** The snapshot's file: never written to, and its name never used again. */
  readonly path: string
  readonly table: TableInfo
  readonly query: ResolvedQuery
}

export interface ReaderRequest {
  readonly id: number
  readonly job: ReaderJob
  readonly maxBytes: number
}

export type ReaderReply =
  | { readonly id: number; readonly answer: Answer }
  | { readonly id: number; readonly failure: { code: FailureCode; message: string; facts: Facts; stack?: string } }

/** What a reader process says: that it has started, once, and then an answer for each request. */
export type ReaderMessage = { readonly isReady: true } | ReaderReply
