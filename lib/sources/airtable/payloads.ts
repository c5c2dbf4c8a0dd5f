import { Failure } from '../../errors.ts'

type Members = Readonly<Record<string, unknown>>

/** What was done to the records of one table. A record is in one of both. */
export interface Touched {
  readonly changed: Set<string>
  readonly deleted: Set<string>
}

/** What some payloads of a webhook come to, in their order. */
export interface Batch {
  /** The number of the first of them. */
  readonly from: number
  /** That of the one after the last. */
  readonly next: number
  readonly hasMore: boolean
  /** Why what follows from them is not all; null: it is. */
  readonly gap: string | null
  /** By ids of tables. */
  readonly touched: ReadonlyMap<string, Touched>
  /** Whether tables or fields came, went or changed. */
  readonly changesSchema: boolean
}

/**
 * Reads a page of payloads. Only ids are taken from them: their cells have other shapes than those of lists, and lack what
 * is computed, so records are read again. Payloads are numbered without a gap: where the next number is not the one that
 * follows, some are gone.
 *
 * @throws Failure `upstream_malformed`
 */
export function batchIn(answer: Members, from: number): Batch {
  const { payloads, cursor, mightHaveMore } = answer
  if (!Array.isArray(payloads) || !Number.isSafeInteger(cursor)) {
    throw new Failure('upstream_malformed', 'Airtable listed payloads of a webhook in a way that is not known here.')
  }
  const next = cursor as number
  const touched = new Map<string, Touched>()
  let changesSchema = false
  let gap = next - from === payloads.length ? null : `payloads from ${from} on are no longer kept`
  for (const payload of (payloads as readonly unknown[]).map(membersOf)) {
    if (payload['error'] === true) gap = `the webhook ended (${String(payload['code']).slice(0, 60)})`
    changesSchema = readPayload(payload, touched) || changesSchema
  }
  return { from, next, hasMore: mightHaveMore === true && payloads.length > 0, gap, touched, changesSchema }
}

/** What two pages of payloads come to, one after the other. */
export function joined(first: Batch, second: Batch): Batch {
  const touched = new Map<string, Touched>()
  for (const batch of [first, second]) {
    for (const [table, { changed, deleted }] of batch.touched) touch(touched, table, changed, deleted)
  }
  const changesSchema = first.changesSchema || second.changesSchema
  return { ...second, from: first.from, gap: first.gap ?? second.gap, touched, changesSchema }
}

/** Adds what a payload says; true if it is about tables or fields. */
function readPayload(payload: Members, touched: Map<string, Touched>): boolean {
  const created = membersOf(payload['createdTablesById'])
  let changesSchema = Object.keys(created).length > 0 || listOf(payload['destroyedTableIds']).length > 0
  for (const [id, table] of Object.entries(created)) {
    touch(touched, id, Object.keys(membersOf(membersOf(table)['recordsById'])), [])
  }
  for (const [id, table] of Object.entries(membersOf(payload['changedTablesById']))) {
    const said = membersOf(table)
    const changed = [said['createdRecordsById'], said['changedRecordsById']].flatMap((one) =>
      Object.keys(membersOf(one)),
    )
    touch(touched, id, changed, listOf(said['destroyedRecordIds']))
    changesSchema ||= SCHEMA_PARTS.some((part) => said[part] !== undefined)
  }
  return changesSchema
}

const SCHEMA_PARTS = [
  'createdFieldsById',
  'changedFieldsById',
  'destroyedFieldIds',
  'changedMetadata',
  'createdViewsById',
  'changedViewsById',
  'destroyedViewIds',
]

function touch(
  touched: Map<string, Touched>,
  table: string,
  changed: Iterable<string>,
  deleted: Iterable<string>,
): void {
  const known = touched.get(table) ?? { changed: new Set(), deleted: new Set() }
  touched.set(table, known)
  for (const id of changed) {
    known.changed.add(id)
    // It was brought back.
    known.deleted.delete(id)
  }
  for (const id of deleted) {
    known.deleted.add(id)
    known.changed.delete(id)
  }
}

function membersOf(value: unknown): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : {}
}

function listOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}
