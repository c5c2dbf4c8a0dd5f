import { hiddenColumns, isRestricted, ruleOf, type Principal } from '../../access.ts'
import { Failure } from '../../errors.ts'
import type { Context } from '../context.ts'
import { visibleSources, visibleTables, type Target } from '../target.ts'
import { resolveVisible } from '../visible-query.ts'
import { filterName, type DescribedTable } from './table-paths.ts'
import type { Values } from './examples.ts'

type LiveContext = Pick<Context, 'sources' | 'snapshots' | 'feed' | 'engine' | 'keyStore'>

/** What is there for somebody: the tables, and what examples can name. */
export interface Live {
  readonly tables: readonly DescribedTable[]
  readonly values: Values
}

export async function readLive(context: LiveContext, principal: Principal): Promise<Live> {
  const targets = visibleTables(context, principal)
  const [first] = targets
  const id = first && (await firstId(first, principal))
  const tables = targets.map(({ name, source, table }): DescribedTable => {
    const hidden = new Set(hiddenColumns(ruleOf(principal, source, table.name), table))
    const columns = table.columns.filter((column) => !hidden.has(column.name))
    return { name, source, table, columns, id: table === first?.table ? id : undefined }
  })
  const [source] = visibleSources(context.sources, principal)
  const whole = targets.find((target) => !ruleOf(principal, target.source, target.table.name))
  const values: Values = {
    source,
    table: first?.name,
    whole: whole?.name,
    base: first?.source,
    id,
    column: columnOf(tables[0]),
    snapshot: whole?.mounted.pointer.snapshot,
    file: whole && `${whole.table.name.toWellFormed()}.csv`,
    run: source === undefined ? undefined : context.engine.runs({ source, limit: 1 })[0]?.id,
    key: endedKey(context, principal),
  }
  return { tables, values }
}

/** What a document depends on, as text: equal for two who would read the same. */
export function liveKey({ sources, snapshots }: LiveContext, principal: Principal): string {
  const seen = visibleSources(sources, principal).map((source) => {
    const pointer = snapshots.active(source)?.pointer
    return pointer ? [source, pointer.snapshot, pointer.batch] : [source]
  })
  return JSON.stringify([principal.view, [...principal.scopes].toSorted(), seen])
}

/** The id of the first record; undefined where there is none, or where it cannot be told now. */
async function firstId(target: Target, principal: Principal): Promise<string | undefined> {
  const { mounted } = target
  const query = {
    outputs: ['*'],
    where: null,
    order: [],
    byKey: true,
    offset: 0,
    limit: 1,
    after: null,
    count: 'none',
  } as const
  using _pin = mounted.pin()
  try {
    const resolved = resolveVisible(query, target, principal)
    const answer = await mounted.query(resolved, { principal: principal.id, signal: new AbortController().signal })
    return answer.facts[0]?.id
  } catch (error) {
    if (error instanceof Failure) return undefined
    throw error
  }
}

/** One whose name needs no explanation, where there is such. */
function columnOf(table: DescribedTable | undefined): string | undefined {
  const names = table?.columns.map(({ name }) => name) ?? []
  const name = names.find((candidate) => /^\w+$/.test(candidate)) ?? names[0]
  return name && filterName(name, new Set())
}

/** One that has ended already: nobody ends a key by trying an example. */
function endedKey({ keyStore }: LiveContext, principal: Principal): string | undefined {
  if (!principal.scopes.has('admin') || isRestricted(principal)) return undefined
  return keyStore.list().find(({ revokedAt }) => revokedAt !== null)?.id
}
