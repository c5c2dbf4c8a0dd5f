import type { SourceDescriptor } from '../settings.ts'
import { sweepEveryMs } from './airtable-rules.ts'
import type { Unreadable } from './quantity.ts'
import { readEvery } from './schedule.ts'

/** A webhook ends after seven days unless its payloads are looked at. */
const WEBHOOK_LOOK_MS = 3 * 86_400_000

export interface ScheduleOptions {
  /** That of sources which have none of their own. */
  readonly schedule: string
  readonly publicUrl: string | null
}

/**
 * When a source runs by itself. One that is told of changes by a webhook needs no more than the full sweep, until there
 * is no address at which it could be told: then its schedule is what looks for them.
 */
export async function scheduleOf(
  { kind, options }: SourceDescriptor,
  { schedule, publicUrl }: ScheduleOptions,
): Promise<string | Unreadable> {
  if (kind === 'airtable' && options.mode === 'manual') return 'off'
  if (options.every !== undefined) return await readEvery(options.every)
  if (kind !== 'airtable' || options.mode !== 'webhook' || publicUrl === null) return schedule
  return `every ${Math.ceil(Math.min(WEBHOOK_LOOK_MS, sweepEveryMs(options)) / 1000)}s`
}
