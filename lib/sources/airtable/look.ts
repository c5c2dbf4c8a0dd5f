import { hash } from 'node:crypto'
import type { Value } from '../../column.ts'
import type { Page } from '../../source.ts'
import { modifiedFormula } from './formula.ts'
import type { Pull } from './pull.ts'
import { RecordList } from './record-list.ts'
import type { RecordReader } from './records.ts'
import type { TableRows } from './rows.ts'

/** Records of which fingerprints are kept of a look at a table. More come again with the next one, which is only dear. */
const MAX_SEEN = 100
/** Times compare as if they had no fractions. */
const GRAIN_MS = 1000

export interface LookOptions {
  /** A moment that Airtable's clock has reached. */
  readonly now: () => number
  readonly overlapMs: number
}

/**
 * Looks at what was modified since the look before, table by table, and puts it. It reaches back by an overlap, since a
 * change can show up later than its time says: what the look before has found already is told by fingerprints and passed
 * over. Times are those that Airtable itself has told, so the clock of this machine does not matter. Deletions and cells
 * that were computed anew do not show: a full sweep finds those.
 */
export async function* look(
  pull: Pull,
  reader: RecordReader,
  { now, overlapMs }: LookOptions,
): AsyncGenerator<Page, void> {
  if (pull.state.look === null) pull.advance({ look: { from: now(), done: [], at: null } })
  const formula = modifiedFormula(pull.state.since - overlapMs - GRAIN_MS)
  for (const table of pull.given) {
    if (pull.state.look?.done.includes(table.id)) continue
    try {
      yield* lookAt(pull, reader, table, formula)
    } catch (error) {
      yield pull.keep(table, error)
    }
  }
  pull.advance({ since: pull.state.look?.from ?? pull.state.since, look: null })
}

async function* lookAt(
  pull: Pull,
  reader: RecordReader,
  table: TableRows,
  formula: string,
): AsyncGenerator<Page, void> {
  const { look: current, seen } = pull.state
  const before = new Set(seen[table.id])
  const found: string[] = []
  const offset = current?.at?.table === table.id ? current.at.offset : null
  const list = new RecordList(reader, table, { formula, offset, signal: pull.signal })
  for (let isLast = false; !isLast;) {
    const page = await list.next()
    const { rows = [], files } = pull.rows(table, page)
    const prints = rows.map(fingerprint)
    if (found.length <= MAX_SEEN) found.push(...prints)
    const fresh = rows.filter((_, index) => !before.has(prints[index] as string))
    isLast = page.offset === null
    moveOn(pull, table, page.offset, found)
    if (fresh.length > 0) yield pull.page(table, { rows: fresh, ...(files && { files }), put: true })
  }
}

function moveOn(pull: Pull, table: TableRows, offset: string | null, found: readonly string[]): void {
  const { look: current, seen } = pull.state
  if (current === null) return
  if (offset !== null) return pull.advance({ look: { ...current, at: { table: table.id, offset } } })
  const { [table.id]: _before, ...others } = seen
  const isKept = found.length > 0 && found.length <= MAX_SEEN
  pull.advance({
    look: { ...current, done: [...current.done, table.id], at: null },
    seen: isKept ? { ...others, [table.id]: found } : others,
  })
}

function fingerprint(row: readonly Value[]): string {
  return hash('sha256', JSON.stringify(row), 'base64url').slice(0, 12)
}
