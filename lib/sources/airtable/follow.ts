import type { Value } from '../../column.ts'
import type { Page } from '../../source.ts'
import { IDS_OF_A_CALL } from './formula.ts'
import { joined, type Batch, type Touched } from './payloads.ts'
import type { Pull } from './pull.ts'
import { recordsById } from './records-by-id.ts'
import type { RecordReader } from './records.ts'
import { Refusal } from './refusal.ts'
import type { TableRows } from './rows.ts'
import type { Webhooks } from './webhooks.ts'

/** Pages of payloads in one pull; what is left is for the next. */
const MAX_LISTED = 400
/** Pages of payloads that are done together: a record that was changed in several is read once. */
const MAX_JOINED = 20
const ENOUGH_TOUCHED = 1000

export interface FollowOptions {
  readonly webhooks: Webhooks
  /** A page of payloads that was read already. */
  readonly peeked: Batch | undefined
  /** A moment that Airtable's clock has reached. */
  readonly now: () => number
}

/**
 * Reads what a webhook heard, from where the state stands until there is no more, and does it: records that were touched
 * are read again, and those that are gone are deleted. Gives true when it has caught up, false where payloads are missing:
 * what happened meanwhile is then not known.
 */
export async function* follow(pull: Pull, reader: RecordReader, options: FollowOptions): AsyncGenerator<Page, boolean> {
  let { peeked } = options
  for (let calls = 0; calls < MAX_LISTED;) {
    const { payloads, since } = pull.state
    if (payloads === null) return false
    const gathered = await gather(pull, options, payloads, peeked)
    if (gathered === undefined || gathered.batch.gap !== null) return false
    const { batch, isNews } = gathered
    for (const table of pull.given) {
      const touched = batch.touched.get(table.id)
      if (touched !== undefined) yield* renew(pull, reader, table, touched)
    }
    if (batch.next !== payloads.next) {
      pull.advance({ payloads: { ...payloads, next: batch.next }, isStale: pull.state.isStale || isNews })
    }
    if (!batch.hasMore) {
      if (pull.isUnsaid && gathered.at !== undefined) pull.advance({ since: Math.max(since, gathered.at) })
      return true
    }
    peeked = undefined
    calls += gathered.calls
  }
  return true
}

interface Gathered {
  readonly batch: Batch
  /** Listed now; what was peeked at cost its call before. */
  readonly calls: number
  /** A moment before the last page was asked for. */
  readonly at: number | undefined
  /** Whether there is another schema than the plan knows, which was made after what was peeked at. */
  readonly isNews: boolean
}

/** Pages of payloads until there is no more, or enough to do; undefined where the webhook is gone. */
async function gather(
  pull: Pull,
  { webhooks, now }: FollowOptions,
  { hook, next }: { hook: string; next: number },
  peeked: Batch | undefined,
): Promise<Gathered | undefined> {
  let batch = peeked?.from === next ? peeked : undefined
  let at: number | undefined
  let calls = 0
  let isNews = false
  while (batch === undefined || (wantsMore(batch) && calls < MAX_JOINED)) {
    at = now()
    calls++
    const more = await listed(webhooks, hook, batch?.next ?? next, pull.signal)
    if (more === undefined) return undefined
    isNews ||= more.changesSchema
    batch = batch === undefined ? more : joined(batch, more)
  }
  return { batch, calls, at, isNews }
}

function wantsMore({ hasMore, gap, touched }: Batch): boolean {
  const count = touched.values().reduce((sum, { changed, deleted }) => sum + changed.size + deleted.size, 0)
  return hasMore && gap === null && count < ENOUGH_TOUCHED
}

async function listed(webhooks: Webhooks, hook: string, next: number, signal: AbortSignal): Promise<Batch | undefined> {
  try {
    return await webhooks.payloads(hook, next, { signal })
  } catch (error) {
    if (error instanceof Refusal && error.isOfOneThing) return undefined
    throw error
  }
}

/** Reads the records again that were changed; who is not there any more was deleted since. */
async function* renew(
  pull: Pull,
  reader: RecordReader,
  table: TableRows,
  { changed, deleted }: Touched,
): AsyncGenerator<Page, void> {
  try {
    if (deleted.size > 0) yield pull.page(table, { put: true, deleted: keysOf(deleted) })
    const ids = [...changed]
    for (let from = 0; from < ids.length; from += IDS_OF_A_CALL) {
      const asked = ids.slice(from, from + IDS_OF_A_CALL)
      const page = await recordsById(reader, table, asked, pull.signal)
      const found = new Set(page.records.map(({ id }) => id))
      const gone = asked.filter((id) => !found.has(id))
      yield pull.page(table, {
        ...pull.rows(table, page),
        put: true,
        ...(gone.length > 0 && { deleted: keysOf(gone) }),
      })
    }
  } catch (error) {
    yield pull.keep(table, error)
  }
}

function keysOf(ids: Iterable<string>): Value[][] {
  return Array.from(ids, (id) => [id])
}
