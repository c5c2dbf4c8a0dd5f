import type { Value } from '../../column.ts'
import type { Page } from '../../source.ts'
import { IDS_OF_A_CALL } from './formula.ts'
import type { Batch, Touched } from './payloads.ts'
import type { Pull } from './pull.ts'
import type { RecordReader } from './records.ts'
import { Refusal } from './refusal.ts'
import type { TableRows } from './rows.ts'
import type { Webhooks } from './webhooks.ts'

/** Pages of payloads in one pull; what is left is for the next. */
const MAX_BATCHES = 2000

/**
 * Reads what a webhook heard, from where the state stands until there is no more, and does it: records that were touched
 * are read again, and those that are gone are deleted. `peeked` is a page of payloads that was read already. Gives true
 * when it has caught up, false where payloads are missing: what happened meanwhile is then not known.
 */
export async function* follow(
  pull: Pull,
  reader: RecordReader,
  { webhooks, peeked, now }: { webhooks: Webhooks; peeked: Batch | undefined; now: () => number },
): AsyncGenerator<Page, boolean> {
  let known = peeked
  for (let batches = 0; batches < MAX_BATCHES; batches++) {
    const { payloads } = pull.state
    if (payloads === null) return false
    const isKnown = known !== undefined && known.from === payloads.next
    const since = isKnown ? pull.state.since : Math.max(now(), pull.state.since)
    const batch = isKnown ? (known as Batch) : await listed(webhooks, payloads, pull.signal)
    known = undefined
    if (batch === undefined || batch.gap !== null) return false
    for (const table of pull.given) {
      const touched = batch.touched.get(table.id)
      if (touched !== undefined) yield* renew(pull, reader, table, touched)
    }
    // The plan knows what was peeked at, and nothing of what came later.
    const isStale = pull.state.isStale || (batch.changesSchema && !isKnown)
    if (batch.next !== payloads.next) pull.advance({ payloads: { ...payloads, next: batch.next }, isStale })
    if (batch.hasMore) continue
    if (pull.isUnsaid) pull.advance({ since })
    return true
  }
  return true
}

async function listed(
  webhooks: Webhooks,
  { hook, next }: { hook: string; next: number },
  signal: AbortSignal,
): Promise<Batch | undefined> {
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
      const page = await reader.byId(table, asked, { signal: pull.signal })
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
