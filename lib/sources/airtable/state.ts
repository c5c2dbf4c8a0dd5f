import { Failure } from '../../errors.ts'
import type { Cursor } from '../../source.ts'

const FORMAT = 1

/** How far a table is read in full. */
export interface Reading {
  /** Where the list goes on; null: at its beginning. */
  readonly offset: string | null
  /** Records so far. */
  readonly records: number
}

/** A look at what was modified, table by table. */
export interface Look {
  /** A moment before its first call, by Airtable's clock: where the next look begins. */
  readonly from: number
  /** Ids of the tables that were looked at. */
  readonly done: readonly string[]
  /** Where the list goes on of the table that is looked at. */
  readonly at: { readonly table: string; readonly offset: string } | null
}

/**
 * All that is known of a base beside its rows and its schema, and how far a pull has come: what a cursor holds. Tables go
 * by their ids, times are those of Airtable's clock in epoch milliseconds.
 */
export interface State {
  /** Of the plan that the pull follows. */
  readonly identity: string
  /** When all tables were last begun to be read in full. */
  readonly sweptAt: number
  /** What was modified before is in the rows. */
  readonly since: number
  /** The webhook whose payloads are followed and the number of the next one; null: none is. */
  readonly payloads: { readonly hook: string; readonly next: number } | null
  /** What happened before the next payload was not told: it has to be looked for. */
  readonly isBlind: boolean
  /** How many times in a row payloads were missing. */
  readonly gaps: number
  /** Something told of a schema that is not the one of the plan. */
  readonly isStale: boolean
  /** Records of each table when it was last read in full. */
  readonly records: Readonly<Record<string, number>>
  /** Fingerprints of the records that the last look at a table found: they come again, and are passed over. */
  readonly seen: Readonly<Record<string, readonly string[]>>
  /** Tables that Airtable does not give. */
  readonly kept: readonly string[]
  /** Tables that this pull still has to read in full. */
  readonly toRead: Readonly<Record<string, Reading>>
  readonly look: Look | null
}

export function encodeState(state: State): Cursor {
  return JSON.stringify({ format: FORMAT, ...state })
}

/** Undefined for what is no cursor of this kind of source, or that of another format. */
export function decodeState(cursor: Cursor | undefined): State | undefined {
  if (cursor === undefined) return undefined
  try {
    const { format, ...state } = JSON.parse(cursor) as State & { format: unknown }
    return format === FORMAT ? state : undefined
  } catch {
    return undefined
  }
}

/** Where a pull of this plan goes on. @throws Failure `upstream_changed` */
export function stateAt(cursor: Cursor, identity: string): State {
  const state = decodeState(cursor)
  if (state?.identity === identity) return state
  throw new Failure('upstream_changed', 'The cursor belongs to another pull. Pull from the start again.')
}
