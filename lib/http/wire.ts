import { isRestricted, seesTable, seesWhole, type Principal } from '../access.ts'
import { FAILURES } from '../errors.ts'
import type { FileCounts } from '../files.ts'
import type { Pointer } from '../snapshot.ts'
import { isActive, type Progress, type Run, type SourceRecord } from '../sync-run.ts'
import { checkedAt } from './freshness.ts'

/** Below this share of successful items a run is worth a warning. */
const LOW_SUCCESS_RATE = 0.8
const ENOUGH_ITEMS = 10

/**
 * A run as clients see it: names with underscores, times in ISO 8601. Who sees only some of a source's tables is told
 * nothing of the others: neither their names nor how many rows they have.
 */
export function runToWire(run: Run, principal: Principal) {
  return {
    id: run.id,
    source: run.source,
    trigger: run.trigger,
    status: run.status,
    result: run.result,
    snapshot: run.snapshot,
    requested_at: time(run.requestedAt),
    started_at: time(run.startedAt),
    finished_at: time(run.finishedAt),
    resumes: run.resumes,
    republish: run.republish,
    timings_ms: seesAll(principal, run.source) ? run.timings : null,
    error: errorToWire(run, principal),
    progress: run.progress && progressToWire(run, principal),
  }
}

export function errorToWire({ error, source }: Run, principal: Principal) {
  if (!error) return null
  // The message may tell of any table.
  if (!seesAll(principal, source)) return { code: error.code, message: FAILURES[error.code].title }
  return { code: error.code, message: error.message, ...factsToWire(error.facts) }
}

export function progressToWire({ progress, source }: Run, principal: Principal) {
  if (!progress) return null
  const tables = progress.tables.filter(({ table }) => seesTable(principal, source, table))
  // What is told of all tables together tells how large the others are.
  const whole = seesAll(principal, source) ? progress : null
  return {
    phase: progress.phase,
    done: whole ? whole.done : shareDone(tables),
    rate: whole?.rate ?? null,
    eta_ms: whole?.etaMs ?? null,
    success_rate: successRate(tables),
    tables,
    at: time(progress.at),
  }
}

/** Of all rows that are expected; null where that is not known. */
function shareDone(tables: Progress['tables']): number | null {
  let done = 0
  let expected = 0
  for (const { completed, failed, total } of tables) {
    if (total === null) return null
    done += completed + failed
    expected += total
  }
  return expected === 0 ? null : Math.min(1, done / expected)
}

/** All there is to say about a source: what it serves and how syncing goes. */
export function sourceToWire(
  source: string,
  record: SourceRecord | undefined,
  pointer: Pointer | undefined,
  {
    now,
    principal,
    files,
  }: { readonly now: number; readonly principal: Principal; readonly files?: FileCounts | undefined },
) {
  const run = record?.run ?? null
  const tables = pointer?.tables.filter(({ name }) => seesTable(principal, source, name)) ?? []
  const error = run && errorToWire(run, principal)
  const progress = run && isActive(run) ? progressToWire(run, principal) : null
  const checked = pointer && checkedAt(pointer, record)
  return {
    source,
    state: record?.state.state ?? 'IDLE',
    reason: record?.state.state === 'PAUSED' ? record.state.reason : null,
    snapshot: pointer?.snapshot ?? null,
    watermark: pointer?.watermark ?? null,
    // Of all tables: it would tell of those that are not seen.
    digest: (seesWhole(principal, source) && pointer?.digest) || null,
    published_at: time(pointer?.publishedAt),
    age_seconds: pointer ? seconds(now - pointer.publishedAt) : null,
    checked_at: time(checked),
    checked_age_seconds: checked === undefined ? null : seconds(now - checked),
    rows: Object.fromEntries(tables.map((table) => [table.name, table.rows])),
    kept: tables.flatMap(({ name, kept }) =>
      kept ? [{ table: name, code: kept.code, message: kept.message, since: time(kept.since) }] : [],
    ),
    // Of all tables, too.
    attachments: (seesWhole(principal, source) && files && filesToWire(files)) || null,
    update_in_progress: run !== null && isActive(run),
    progress,
    eta_ms: progress?.eta_ms ?? null,
    last_error: error && { code: error.code, message: error.message },
    last_run: run && runToWire(run, principal),
    next_run_at: time(record?.nextRunAt),
    upstream: usageToWire(record),
    warnings: [
      ...(isRestricted(principal) ? [] : (record?.told.warnings ?? [])),
      ...warningsOf(record, pointer, principal, error?.message),
      ...tables.flatMap(({ name, kept }) =>
        kept
          ? [`The table ${name} could not be read since ${time(kept.since)}, and stays as it was: ${kept.message}`]
          : [],
      ),
      ...(seesWhole(principal, source) && files ? fileWarnings(files) : []),
      // They name tables and columns.
      ...(isRestricted(principal) ? [] : (pointer?.warnings ?? [])),
    ],
  }
}

function filesToWire({ mirrored, waiting, failed, at, trouble, nextAt }: FileCounts) {
  return { mirrored, waiting, failed, counted_at: time(at), next_at: time(nextAt), trouble }
}

function fileWarnings({ failed, trouble }: FileCounts): string[] {
  return [
    ...(trouble ? [`Attachments cannot be fetched at the moment: ${trouble.message}`] : []),
    ...(failed > 0
      ? [`Attachments that could not be fetched: ${failed}. They are tried again, less and less often.`]
      : []),
  ]
}

/** What the upstream allows, where it counts. */
function usageToWire(record: SourceRecord | undefined) {
  const usage = record?.told.usage
  if (!usage) return null
  const { month, calls, budget, pausedUntil } = usage
  return { month, calls, budget, paused_until: time(pausedUntil) }
}

/** What a person should look at. */
function warningsOf(
  record: SourceRecord | undefined,
  pointer: Pointer | undefined,
  principal: Principal,
  reason = 'no reason is known',
): string[] {
  const warnings: string[] = []
  const run = record?.run
  if (!record) warnings.push('The state of the source cannot be read at the moment.')
  if (!pointer) warnings.push('There is no snapshot yet.')
  if (run?.status === 'failed') warnings.push(`The last run failed: ${reason}`)
  if (run?.status === 'rejected') warnings.push(`What the last run pulled was refused: ${reason}`)
  if (record?.state.state === 'PAUSED' && record.state.reason !== 'interrupted') {
    warnings.push(`The source is paused (${record.state.reason}): nothing is refreshed until it is started.`)
  }
  const rate = run ? (progressToWire(run, principal)?.success_rate ?? null) : null
  if (rate !== null && rate < LOW_SUCCESS_RATE)
    warnings.push(`Only ${Math.round(rate * 100)} % of the items of the last run succeeded.`)
  return warnings
}

function seesAll({ limits }: Principal, source: string): boolean {
  return limits === null || limits.has(source)
}

/** The share of items that succeeded, once there are enough to tell. */
function successRate(tables: Progress['tables']): number | null {
  let completed = 0
  let failed = 0
  for (const table of tables) {
    completed += table.completed
    failed += table.failed
  }
  return completed + failed < ENOUGH_ITEMS ? null : completed / (completed + failed)
}

function factsToWire(facts: Record<string, unknown>): object {
  return Object.keys(facts).length === 0 ? {} : { facts }
}

function time(at: number | null | undefined): string | null {
  return at === null || at === undefined ? null : new Date(at).toISOString()
}

function seconds(ms: number): number {
  return Math.max(0, Math.floor(ms / 1000))
}
