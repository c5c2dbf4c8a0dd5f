import type { z } from 'zod'
import type { Scope } from '../../access.ts'
import type { FailureCode } from '../../errors.ts'
import type { HeaderName } from './headers.ts'

/** Groups of routes, in the order in which they are told of. */
export const TAGS = {
  Tables: 'Rows of the mirrored tables: as records, in PostgREST’s grammar, or all at once.',
  Airtable: 'Any source as a base, the way Airtable’s own clients read.',
  Changes: 'What changed, in order: to keep a copy current without fetching tables again.',
  Attachments: 'The files that rows speak of: mirrored, under URLs that stay.',
  Exports: 'Whole tables and snapshots as files that never change.',
  Schema: 'Which tables and columns there are, and how much of them.',
  Sync: 'Sources and their runs: how data gets here, and how to start, stop and undo it.',
  Keys: 'Who may see what.',
  Operation: 'For monitors, orchestrators and people.',
} as const
export type Tag = keyof typeof TAGS

/** `text` and `bytes` have no schema that would say more. */
export type Content = z.ZodType | 'text' | 'bytes'

export interface AnswerDoc {
  readonly status: number
  readonly description: string
  /** By media type. */
  readonly content?: Readonly<Record<string, Content>>
  readonly headers?: readonly HeaderName[]
  /** What each frame of an event stream holds. */
  readonly frames?: z.ZodType
}

/**
 * A request that can be sent as it stands. Names in braces are filled in: with what is there in the document of a running
 * server, with the embedded sample on the page.
 */
export interface ExampleDoc {
  readonly summary: string
  /** Path and query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Readonly<Record<string, unknown>>
  /** The scope that it needs beyond that of the route. */
  readonly needs?: Scope
  /** 200 unless it says otherwise. */
  readonly status?: number
  /** The failure that it shows: then that decides on the status. */
  readonly failure?: FailureCode
  /** JSON by default; of another type, text. */
  readonly type?: string
  readonly answer?: unknown
}

/** What there is to say about a route beside what the route says itself. */
export interface RouteDoc {
  readonly tag: Tag
  /** What programs call it. */
  readonly id: string
  /** Paragraphs; code in backticks. */
  readonly description: string
  /** Of the parameters in its path and query. */
  readonly parameters?: Readonly<Record<string, string>>
  readonly requestHeaders?: Readonly<Record<string, string>>
  readonly body?: z.ZodType
  readonly answers: readonly AnswerDoc[]
  /** Beside those that every route of its kind can have. */
  readonly failures?: readonly FailureCode[]
  readonly examples: readonly ExampleDoc[]
}

/** By method and path, as Express writes it: `GET /api/runs/:id`. */
export type RouteDocs = Readonly<Record<string, RouteDoc>>
