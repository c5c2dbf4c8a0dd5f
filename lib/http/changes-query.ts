import { decodeCursor } from '../change-feed.ts'
import { Failure } from '../errors.ts'
import { decodeWatermark, type Watermark } from '../watermark.ts'
import type { Exchange } from './exchange.ts'
import { badParameter, type Parameters, type ParameterRule } from './query.ts'

export const CHANGES_PARAMETERS = {
  since: { kind: 'text' },
  source: { kind: 'text' },
  table: { kind: 'text' },
  key: { kind: 'text', many: true },
  wait: { kind: 'integer', from: 1, to: 60 },
  stream: { kind: 'flag' },
} as const satisfies Readonly<Record<string, ParameterRule>>

export type ChangesQuery = Parameters<typeof CHANGES_PARAMETERS>

/** Where a reader begins. */
export type Start =
  | { readonly kind: 'now' }
  /** As far back as the log goes. */
  | { readonly kind: 'beginning' }
  | { readonly kind: 'after'; readonly watermark: Watermark }
  /** A position that means nothing here. */
  | { readonly kind: 'foreign' }

/** Whether an event stream is asked for: by name, else by `Accept`. */
export function wantsStream({ stream }: ChangesQuery, accept = ''): boolean {
  return (
    stream ??
    accept.split(',').some((member) => /^\s*text\/event-stream\s*(?:;(?!.*\bq=0(?:\.0*)?\s*$)|$)/i.test(member))
  )
}

/** @throws Failure `bad_parameter` */
export function startOf(exchange: Exchange, query: ChangesQuery, log: { epoch: string; head(): Watermark }): Start {
  // What a stream has told last is newer than what its URL says, and an EventSource could not be told what is wrong.
  const last = wantsStream(query, exchange.header('accept')) ? exchange.header('last-event-id') : undefined
  if (last !== undefined && last !== '') return readPosition(last, log) ?? { kind: 'foreign' }
  if (query.since === undefined) return { kind: 'now' }
  if (query.since === '0' || query.since === 'beginning') return { kind: 'beginning' }
  const start = readPosition(query.since, log)
  if (start === undefined) throw badParameter('since', 'as a cursor that was read from here before, or as beginning')
  return start
}

export function foreignPosition(): Failure {
  return new Failure(
    'watermark_foreign',
    'The position is of another data directory, or of a time that this one has not seen. Fetch the tables again, and go on from a new position.',
  )
}

function readPosition(text: string, log: { epoch: string; head(): Watermark }): Start | undefined {
  const cursor = decodeCursor(text)
  if (cursor === undefined || decodeWatermark(cursor.watermark) === undefined) return undefined
  const { epoch, watermark } = cursor
  if (epoch !== log.epoch || watermark > log.head()) return { kind: 'foreign' }
  return { kind: 'after', watermark }
}
