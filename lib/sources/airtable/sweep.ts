import type { Page } from '../../source.ts'
import type { Pull } from './pull.ts'
import { RecordList, type ListPage } from './record-list.ts'
import type { RecordReader } from './records.ts'
import type { TableRows } from './rows.ts'

/** A page that came, or why it did not. */
interface Arrival {
  readonly table: TableRows
  readonly list: RecordList
  readonly outcome: { readonly page: ListPage } | { readonly error: unknown }
}

/**
 * Reads all records of the tables that are to be read in full, `cursors` tables at a time: one list can only be read page
 * after page, and several together use what the limit allows. While a page is being stored, the next ones are under way.
 * Cursors tell of the pages that were yielded, so a list goes on where it was; one that is gone by then begins again.
 */
export async function* sweep(
  pull: Pull,
  reader: RecordReader,
  { cursors }: { cursors: number },
): AsyncGenerator<Page, void> {
  const waiting = tablesToRead(pull)
  const share = shareDone(pull)
  const over = new AbortController()
  const signal = AbortSignal.any([pull.signal, over.signal])
  const underWay = new Map<TableRows, Promise<Arrival>>()
  const begin = () => {
    const table = waiting.shift()
    if (table === undefined) return
    const offset = pull.state.toRead[table.id]?.offset ?? null
    underWay.set(table, arrival(table, new RecordList(reader, table, { offset, signal })))
  }
  while (underWay.size < cursors && waiting.length > 0) begin()

  try {
    while (underWay.size > 0) {
      const { table, list, outcome } = await Promise.race(underWay.values())
      pull.signal.throwIfAborted()
      const isLast = !('page' in outcome) || outcome.page.offset === null
      underWay.delete(table)
      if (isLast) begin()
      else underWay.set(table, arrival(table, list))
      yield 'page' in outcome ? pageOf(pull, table, outcome.page, share) : pull.keep(table, outcome.error)
    }
  } finally {
    over.abort()
    await Promise.all(underWay.values())
  }
}

/** Those that were begun come first: their lists do not stay open for ever. */
function tablesToRead({ tables, state: { toRead } }: Pull): TableRows[] {
  const isBegun = ({ id }: TableRows) => (toRead[id]?.offset ?? null) !== null
  const left = tables.filter(({ id }) => Object.hasOwn(toRead, id))
  return [...left.filter((table) => isBegun(table)), ...left.filter((table) => !isBegun(table))]
}

async function arrival(table: TableRows, list: RecordList): Promise<Arrival> {
  try {
    return { table, list, outcome: { page: await list.next() } }
  } catch (error) {
    return { table, list, outcome: { error } }
  }
}

function pageOf(pull: Pull, table: TableRows, page: ListPage, share: () => number): Page {
  const { [table.id]: reading, ...others } = pull.state.toRead
  const records = (page.isRestart ? 0 : (reading?.records ?? 0)) + page.records.length
  const rows = pull.rows(table, page)
  if (page.offset === null) pull.advance({ toRead: others, records: { ...pull.state.records, [table.id]: records } })
  else pull.advance({ toRead: { ...others, [table.id]: { offset: page.offset, records } } })
  return pull.page(table, { ...rows, ...(page.isRestart && { restarts: true }), done: share() })
}

/** How much is read, by the sizes that tables had, or by their number where those are not known. Never goes back. */
function shareDone(pull: Pull): () => number {
  const { toRead, records } = pull.state
  const ids = pull.tables.map(({ id }) => id).filter((id) => Object.hasOwn(toRead, id))
  const isKnown = ids.every((id) => Object.hasOwn(records, id))
  const sizes = ids.map((id) => ({ id, size: isKnown ? Math.max(1, records[id] as number) : 1 }))
  const total = sizes.reduce((sum, { size }) => sum + size, 0)
  let most = 0
  return () => {
    const left = pull.state.toRead
    const done = sizes.reduce((sum, { id, size }) => {
      if (!Object.hasOwn(left, id)) return sum + size
      return sum + (isKnown ? Math.min(size, left[id]?.records ?? 0) : 0)
    }, 0)
    most = Math.max(most, done / total)
    return most
  }
}
