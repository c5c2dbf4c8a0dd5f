import { Failure } from '../errors.ts'
import { isActive, type SourceRecord } from '../sync-run.ts'
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

/** Which source a request means: the named one, the one in `source.table`, or the first. */
export function sourceOf({ source, table }: Wanted, sources: readonly string[], snapshots: Snapshots): string {
  if (source !== undefined) {
    if (sources.includes(source)) return source
    throw sourceNotFound(source, sources)
  }
  const [first] = sources
  if (first === undefined) throw new Failure('source_not_found', 'No source is configured.')
  if (table === undefined || snapshots.active(first)?.table(table)) return first
  const prefix = sources.find((candidate) => table.startsWith(`${candidate}.`))
  if (prefix !== undefined) return prefix
  const holders = sources.filter((candidate) => snapshots.active(candidate)?.table(table))
  if (holders.length > 1) {
    const names = holders.map((holder) => `${holder}.${table}`)
    throw new Failure('bad_parameter', `Several sources have a table ${table}. Say which: ${names.join(', ')}.`, {
      facts: { parameter: 'table', known: names },
    })
  }
  return holders[0] ?? first
}

/** The table a request means; undefined before the source's first snapshot. */
export function findTarget(wanted: Wanted, source: string, snapshots: Snapshots): Target | undefined {
  const mounted = snapshots.active(source)
  if (!mounted) return undefined
  const [first] = mounted.pointer.tables
  const table =
    wanted.table === undefined
      ? first
      : (mounted.table(wanted.table) ?? mounted.table(unprefixed(wanted.table, source)))
  if (table) return { source, mounted, table }
  const known = mounted.pointer.tables.map(({ name }) => name)
  throw new Failure(
    'table_not_found',
    `The source ${source} has no table ${JSON.stringify(wanted.table?.slice(0, 100))}.`,
    {
      facts: { source, known },
    },
  )
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
export function noSnapshot(source: string, record: SourceRecord | undefined): Failure {
  const run = record?.run ?? null
  const state = record?.state.state ?? 'IDLE'
  const eta = run?.progress?.etaMs ?? null
  const doing =
    run && isActive(run)
      ? `The run ${run.id} is ${run.progress?.phase ?? run.status}; try again when it is done.`
      : run?.error
        ? `The last run failed: ${run.error.message}`
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
      done: run?.progress?.done ?? null,
      eta_ms: eta,
      retry_after_seconds: eta === null ? 5 : Math.min(60, Math.max(1, Math.ceil(eta / 1000))),
    },
  })
}

function unprefixed(table: string, source: string): string {
  return table.startsWith(`${source}.`) ? table.slice(source.length + 1) : table
}
