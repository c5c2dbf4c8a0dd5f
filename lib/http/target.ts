import { seesSource, seesTable, type Principal } from '../access.ts'
import { Failure } from '../errors.ts'
import type { Context } from './context.ts'
import { isActive, type SourceRecord } from '../sync-run.ts'
import { errorToWire, progressToWire } from './wire.ts'
import type { MountedSnapshot, Snapshots, TableInfo } from '../snapshot.ts'

/** A table of an active snapshot. */
export interface Target {
  readonly source: string
  readonly mounted: MountedSnapshot
  readonly table: TableInfo
}

export interface Wanted {
  readonly source: string | undefined
  readonly table: string | undefined
}

/** Which source a request means, of those its principal sees: the named one, the one in `source.table`, or the first. */
export function sourceOf(
  { source, table }: Wanted,
  all: readonly string[],
  snapshots: Snapshots,
  principal: Principal,
): string {
  const sources = visibleSources(all, principal)
  if (source !== undefined) {
    if (sources.includes(source)) return source
    throw sourceNotFound(source, sources)
  }
  const [first] = sources
  if (first === undefined) throw new Failure('source_not_found', 'There is no source.')
  const has = (candidate: string, name: string) =>
    snapshots.active(candidate)?.table(name) !== undefined && seesTable(principal, candidate, name)
  if (table === undefined || has(first, table)) return first
  const prefix = sources.find((candidate) => table.startsWith(`${candidate}.`))
  if (prefix !== undefined) return prefix
  const holders = sources.filter((candidate) => has(candidate, table))
  if (holders.length > 1) {
    const names = holders.map((holder) => `${holder}.${table}`)
    throw new Failure('bad_parameter', `Several sources have a table ${table}. Say which: ${names.join(', ')}.`, {
      facts: { parameter: 'table', known: names },
    })
  }
  // One that has no data yet may be the one that will have it.
  return holders[0] ?? sources.find((candidate) => !snapshots.active(candidate)) ?? first
}

/** The sources that a principal sees, be it only some of their tables, in order. */
export function visibleSources(sources: readonly string[], principal: Principal): readonly string[] {
  return principal.limits === null ? sources : sources.filter((source) => seesSource(principal, source))
}

/**
 * The table that a path names: `source.table`, or a plain name that only one visible table has. A name that fits no
 * table may be what the upstream calls one, by id or by name, or either as the original wrote it: in lower case, without
 * anything but letters and digits.
 *
 * @throws Failure `table_not_found`, `no_snapshot` where a source that may have it has no data yet
 */
export function resolveTable(context: TableContext, principal: Principal, name: string): Target {
  const { sources, snapshots, feed } = context
  const visible = sources.filter((source) => seesSource(principal, source))
  const all = visible.flatMap((source) => targetsOf(snapshots.active(source), principal))
  for (const called of CALLED) {
    const found = matching(all, name, called)
    if (found) return found
  }
  const empty = visible.filter((source) => !snapshots.active(source))
  const owner = empty.find((source) => name === source || name.startsWith(`${source}.`))
  const waiting = owner ?? (name.includes('.') ? undefined : empty[0])
  if (waiting !== undefined) throw noSnapshot(waiting, feed.fresh(waiting), principal)
  throw tableNotFound(
    name,
    all.map((target) => ({ name: shortName(target, all) })),
  )
}

export function tableNotFound(name: string, all: readonly { readonly name: string }[]): Failure {
  const table = name.slice(0, 100)
  return new Failure('table_not_found', `There is no table ${JSON.stringify(table)}.`, {
    facts: { table, known: all.map((one) => one.name) },
  })
}

/** All tables that a principal sees, in order, each with the shortest name that means it alone. */
export function visibleTables(context: TableContext, principal: Principal): (Target & { readonly name: string })[] {
  const { sources, snapshots } = context
  const all = sources.flatMap((source) => targetsOf(snapshots.active(source), principal))
  return all.map(({ source, mounted, table }, index) => ({
    source,
    mounted,
    table,
    name: shortName(all[index]!, all),
  }))
}

type TableContext = Pick<Context, 'sources' | 'snapshots' | 'feed'>

function targetsOf(mounted: MountedSnapshot | undefined, principal: Principal): Target[] {
  if (!mounted) return []
  const { source, tables } = mounted.pointer
  return tables.filter(({ name }) => seesTable(principal, source, name)).map((table) => ({ source, mounted, table }))
}

/** What a table is called by, and how such names are compared. */
interface Called {
  of(target: Target): string | undefined
  form(text: string): string
}

const exactly = (text: string) => text
const ownName = ({ table }: Target) => table.name
const upstreamName = ({ mounted, table }: Target) => mounted.origin(table.name)?.name

/** The surest first. */
const CALLED: readonly Called[] = [
  { of: ownName, form: exactly },
  { of: ({ mounted, table }) => mounted.origin(table.name)?.id, form: exactly },
  { of: upstreamName, form: exactly },
  { of: ownName, form: normalizedName },
  { of: upstreamName, form: normalizedName },
]

/** The one table that is called so; several of the same plain name must be told apart. */
function matching(all: readonly Target[], name: string, { of, form }: Called): Target | undefined {
  const isCalled = (target: Target, text: string) => {
    const wanted = form(text)
    // Of a name in another script nothing is left to compare.
    return wanted !== '' && form(of(target) ?? '') === wanted
  }
  const qualified = all.find(
    (target) => name.startsWith(`${target.source}.`) && isCalled(target, name.slice(target.source.length + 1)),
  )
  if (qualified) return qualified
  const plain = all.filter((target) => isCalled(target, name))
  if (plain.length < 2) return plain[0]
  const names = plain.map(({ source, table }) => `${source}.${table.name}`)
  throw new Failure(
    'bad_parameter',
    `Several tables are called ${JSON.stringify(name.slice(0, 100))}. Say which: ${names.join(', ')}.`,
    {
      facts: { parameter: 'table', known: names },
    },
  )
}

function shortName({ source, table }: Target, all: readonly Target[]): string {
  // A name with a dot may be that of another source's table as well.
  const others = all.filter((other) => [other.table.name, `${other.source}.${other.table.name}`].includes(table.name))
  return others.length === 1 ? table.name : `${source}.${table.name}`
}

/** A name as the original system wrote it. */
export function normalizedName(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
}

/** The table a request means, of those its principal sees; undefined before the source's first snapshot. */
export function findTarget(
  wanted: Wanted,
  source: string,
  snapshots: Snapshots,
  principal: Principal,
): Target | undefined {
  const mounted = snapshots.active(source)
  if (!mounted) return undefined
  const isVisible = (table: TableInfo | undefined) => table !== undefined && seesTable(principal, source, table.name)
  const named = (name: string) => [mounted.table(name), mounted.table(unprefixed(name, source))].find(isVisible)
  const table = wanted.table === undefined ? mounted.pointer.tables.find(isVisible) : named(wanted.table)
  if (table) return { source, mounted, table }
  const known = mounted.pointer.tables.filter(isVisible).map(({ name }) => name)
  const what = wanted.table === undefined ? '' : ` ${JSON.stringify(wanted.table.slice(0, 100))}`
  throw new Failure('table_not_found', `The source ${source} has no table${what}.`, { facts: { source, known } })
}

export function sourceNotFound(source: string, known: readonly string[]): Failure {
  return new Failure(
    'source_not_found',
    `There is no source ${JSON.stringify(source.slice(0, 100))}. There is: ${known.join(', ')}.`,
    {
      facts: { known },
    },
  )
}

/** What a reader is told before the first snapshot: how the run that makes it is doing. */
export function noSnapshot(source: string, record: SourceRecord | undefined, principal: Principal): Failure {
  const run = record?.run ?? null
  const error = run && errorToWire(run, principal)
  const state = record?.state.state ?? 'IDLE'
  const progress = run && progressToWire(run, principal)
  const eta = progress?.eta_ms ?? null
  const doing =
    run && isActive(run)
      ? `The run ${run.id} is ${run.progress?.phase ?? run.status}; try again when it is done.`
      : error
        ? `The last run failed: ${error.message}`
        : record?.state.state === 'PAUSED'
          ? `It is paused; POST /api/sources/${source}/start lets it sync.`
          : 'Start a run with POST /refresh.'
  return new Failure('no_snapshot', `The source ${source} has no data yet. ${doing}`, {
    facts: {
      source,
      state,
      run: run?.id ?? null,
      run_status: run?.status ?? null,
      run_error: run?.error?.code ?? null,
      done: progress?.done ?? null,
      eta_ms: eta,
      retry_after_seconds: eta === null ? 5 : Math.min(60, Math.max(1, Math.ceil(eta / 1000))),
    },
  })
}

function unprefixed(table: string, source: string): string {
  return table.startsWith(`${source}.`) ? table.slice(source.length + 1) : table
}
