import type { Pointer } from '../snapshot.ts'
import type { SourceRecord } from '../sync-run.ts'

/** When the data was last known to be what the upstream has. */
export function checkedAt(pointer: Pointer, record: SourceRecord | undefined): number {
  const checked = record?.checkedAt ?? 0
  // A snapshot that came back is as old as when it was read: what was checked before it did was another.
  const since = pointer.isRolledBack ? pointer.checkedAt : pointer.publishedAt
  return checked > pointer.publishedAt ? checked : since
}

/** Whether the newest run ended without data, so that what is served is older than it should be. */
function lastRunFailed(record: SourceRecord | undefined): boolean {
  return record?.run?.status === 'failed' || record?.run?.status === 'rejected'
}

/**
 * Until when what is served is as fresh as was intended (epoch ms): the next scheduled look at the upstream, or the
 * end of the run that failed to bring something newer. Infinity where nothing is scheduled.
 */
export function freshUntil(record: SourceRecord | undefined): number {
  if (lastRunFailed(record)) return record?.run?.finishedAt ?? 0
  return record?.nextRunAt ?? Infinity
}

/** `Age` and `Cache-Status` (RFC 9111, RFC 9211): how old the answer is, and whether that is as it should be. */
export function freshnessHeaders(pointer: Pointer, record: SourceRecord | undefined, now: number): string[] {
  const age = Math.max(0, Math.floor((now - checkedAt(pointer, record)) / 1000))
  return ['Age', String(age), 'Cache-Status', lastRunFailed(record) ? 'holdfast; hit; detail=stale' : 'holdfast; hit']
}
