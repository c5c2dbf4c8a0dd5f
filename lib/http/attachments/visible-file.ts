import { setImmediate as nextTurn } from 'node:timers/promises'
import { ruleOf, seesSource, seesTable, type Principal } from '../../access.ts'
import { Failure } from '../../errors.ts'
import type { FileState } from '../../files.ts'
import type { Condition, Query } from '../../query.ts'
import { parseKeyText } from '../../row-key.ts'
import type { FileReference, MountedSnapshot } from '../../snapshot.ts'
import type { Context } from '../context.ts'
import type { Target } from '../target.ts'
import { askVisible } from '../visible-query.ts'

/** Rows that are looked for in one query: their conditions are bounded. */
const ROWS = 50
/** Pages of references that are looked through for one that is seen. */
const PAGES = 20

/** A file, by a row that speaks of it and that somebody sees. */
export interface VisibleFile {
  readonly source: string
  readonly reference: FileReference
  readonly state: FileState
}

type Lookup = Pick<Context, 'sources' | 'snapshots' | 'files'>

/**
 * The file of an id, for whom there is at least one row with a column that speaks of it. Of several sources that have
 * it, one whose file is here.
 */
export async function visibleFile(
  { sources, snapshots, files }: Lookup,
  principal: Principal,
  id: string,
  signal: AbortSignal,
): Promise<VisibleFile | undefined> {
  let waiting: VisibleFile | undefined
  for (const source of sources) {
    const mounted = seesSource(principal, source) ? snapshots.active(source) : undefined
    if (mounted === undefined) continue
    using _pin = mounted.pin()
    const reference = await visibleReference(mounted, principal, id, signal)
    if (reference === undefined) continue
    const found = { source, reference, state: files.find(source, id) }
    if (found.state.kind === 'mirrored') return found
    waiting ??= found
  }
  return waiting
}

async function visibleReference(
  mounted: MountedSnapshot,
  principal: Principal,
  id: string,
  signal: AbortSignal,
): Promise<FileReference | undefined> {
  let after: FileReference | undefined
  for (let page = 0; page < PAGES; page++) {
    const references = mounted.fileReferences(id, after)
    if (references.length === 0) return undefined
    const shown = references.filter((reference) => showsColumn(mounted, principal, reference))
    const open = shown.find(({ table }) => !ruleOf(principal, mounted.pointer.source, table)?.filter)
    if (open !== undefined) return open
    for (const [table, ofTable] of Map.groupBy(shown, (reference) => reference.table)) {
      const target = targetOf(mounted, table)
      if (target === undefined) continue
      const seen = await seenOf(ofTable, target, principal, signal)
      if (seen !== undefined) return seen
    }
    after = references.at(-1)
  }
  return undefined
}

/** Whether the table is seen with this column and with what its rows are called. */
function showsColumn(mounted: MountedSnapshot, principal: Principal, { table, column }: FileReference): boolean {
  const { source } = mounted.pointer
  const key = mounted.table(table)?.key
  if (key === undefined || !seesTable(principal, source, table)) return false
  const hidden = ruleOf(principal, source, table)?.hidden ?? []
  return ![column, ...key].some((name) => hidden.includes(name))
}

function targetOf(mounted: MountedSnapshot, name: string): Target | undefined {
  const table = mounted.table(name)
  return table && { source: mounted.pointer.source, mounted, table }
}

/** The first of these whose row is seen. */
async function seenOf(
  references: readonly FileReference[],
  target: Target,
  principal: Principal,
  signal: AbortSignal,
): Promise<FileReference | undefined> {
  for (let from = 0; from < references.length; from += ROWS) {
    const some = references.slice(from, from + ROWS)
    const where = isAnyRow(
      some.map(({ key }) => key),
      target,
    )
    const query: Query = {
      outputs: [], where, order: [], byKey: true, offset: 0, limit: ROWS, after: null, count: 'none',
    } // prettier-ignore
    try {
      const answer = await askVisible(query, target, principal, signal)
      const seen = new Set(answer.facts.map((facts) => facts.id))
      const found = some.find(({ key }) => seen.has(key))
      if (found !== undefined) return found
      // However many rows are hidden, others have their turn in between.
      await nextTurn()
      signal.throwIfAborted()
    } catch (error) {
      // What does not fit the table (any more) shows nothing of it.
      if (!(error instanceof Failure) || error.code !== 'forbidden') throw error
      return undefined
    }
  }
  return undefined
}

/** The condition that the rows of these keys meet, and no others. */
export function isAnyRow(keys: readonly string[], { table }: Pick<Target, 'table'>): Condition {
  const operands = table.key.map((column) => ({ column, path: [], asText: false }))
  const [only] = operands
  if (only !== undefined && operands.length === 1) {
    return { kind: 'test', operand: only, test: { op: 'in', values: keys } }
  }
  return {
    kind: 'or',
    of: keys.flatMap((key): Condition[] => {
      const values = parseKeyText(key, operands.length)
      const isColumn = (value: string, index: number): Condition => ({
        kind: 'test',
        operand: operands[index]!,
        test: { op: 'eq', value },
      })
      return values === undefined ? [] : [{ kind: 'and', of: values.map(isColumn) }]
    }),
  }
}
