import { z } from 'zod'
import { STATES } from '../../../sync-run.ts'
import { named } from '../components.ts'
import { count, runId, snapshotId, sourceId, time } from './common.ts'
import { FailureCodes } from './problem.ts'

const failed = { code: FailureCodes, message: z.string() }

const TableProgress = named(
  'TableProgress',
  z.object({
    table: z.string(),
    total: count.nullable().describe('Rows that are expected; null where nobody knows'),
    completed: count,
    failed: count,
  }),
)

export const RunProgress = named(
  'Progress',
  z.object({
    phase: z.enum(['planning', 'pulling', 'verifying', 'comparing', 'rendering', 'publishing']),
    done: z.number().nullable().describe('0 to 1 where it can be told'),
    rate: z.number().nullable().describe('Rows a second over the last seconds; null for who sees only some tables'),
    eta_ms: z.number().nullable(),
    success_rate: z.number().nullable().describe('0 to 1, once there are enough items to tell'),
    tables: z.array(TableProgress),
    at: time,
  }),
)

export const Run = named(
  'Run',
  z
    .object({
      id: runId,
      source: sourceId,
      trigger: z.enum(['start', 'refresh', 'schedule', 'first', 'change', 'webhook', 'once']),
      status: z.enum(['queued', 'running', 'paused', 'completed', 'failed', 'rejected', 'cancelled']),
      result: z.enum(['published', 'unchanged']).nullable(),
      snapshot: snapshotId.nullable().describe('What it published'),
      requested_at: time,
      started_at: time.nullable(),
      finished_at: time.nullable(),
      resumes: count.describe('How often it was taken up again after an interruption'),
      republish: runId.nullable().describe('The rejected run that this one publishes after all'),
      timings_ms: z.record(z.string(), z.number()).nullable().describe('By phase, once it has ended'),
      error: z.object({ ...failed, facts: z.record(z.string(), z.unknown()).optional() }).nullable(),
      progress: RunProgress.nullable(),
    })
    .describe('One attempt to bring a source up to date'),
)

const Attachments = named(
  'AttachmentCounts',
  z
    .object({
      mirrored: count,
      waiting: count.describe('They are still being fetched'),
      failed: count.describe('They could not be fetched, and are tried again less and less often'),
      counted_at: time,
      next_at: time.nullable().describe('When there is something to do again'),
      trouble: z.object(failed).nullable().describe('What keeps them all from being fetched'),
    })
    .describe('How many files the rows of a source speak of, and which of them are here'),
)

export const Source = named(
  'Source',
  z
    .object({
      source: sourceId,
      state: z.enum(STATES),
      reason: z.enum(['stopped', 'interrupted', 'rolled_back']).nullable().describe('Of PAUSED'),
      snapshot: snapshotId.nullable().describe('What is served; null before the first publish'),
      watermark: z.string().nullable(),
      digest: z.string().nullable().describe('Equal digests mean equal tables, columns and rows'),
      published_at: time.nullable(),
      age_seconds: count.nullable(),
      checked_at: time.nullable().describe('When the upstream was last known to be what is served'),
      checked_age_seconds: count.nullable(),
      rows: z.record(z.string(), count).describe('By table'),
      attachments: Attachments.nullable().describe(
        'Null where there are none, and for who does not see all of the source',
      ),
      update_in_progress: z.boolean(),
      progress: RunProgress.nullable().describe('Of the run that is going'),
      eta_ms: z.number().nullable(),
      last_error: z.object(failed).nullable(),
      last_run: Run.nullable(),
      next_run_at: time.nullable(),
      kept: z
        .array(z.object({ table: z.string(), code: z.string(), message: z.string(), since: time }))
        .describe('Tables that the upstream did not give, and that stay as they were'),
      upstream: z
        .object({
          month: z.string().describe('UTC'),
          calls: count,
          budget: count.nullable().describe('Calls a month that may be made'),
          paused_until: time
            .nullable()
            .describe('Nobody calls before, since the upstream said that there were too many'),
        })
        .nullable()
        .describe(
          'What the upstream allows and what was used of it, when the last run planned; null where it does not count',
        ),
      warnings: z.array(z.string()).describe('What a person should look at'),
    })
    .describe('What a source serves, and how syncing it goes'),
)

export const SourceList = named('SourceList', z.object({ sources: z.array(Source) }))

export const RunList = named(
  'RunList',
  z.object({
    runs: z.array(Run),
    next: runId.nullable().describe('The value of `before` for the page behind this one'),
  }),
)

export const RefreshAnswer = named(
  'RefreshAnswer',
  z.object({
    status: z.enum(['triggered', 'in_progress']).describe('Whether a run was started or joined'),
    run: runId,
    source: sourceId,
    message: z.string(),
  }),
)

export const RefreshRequest = named('RefreshRequest', z.strictObject({ source: sourceId.optional() }))
export const PublishRequest = named(
  'PublishRequest',
  z.strictObject({ run: runId.optional().describe('A rejected run; the newest one by default') }),
)
export const NoMembers = named('NoMembers', z.strictObject({}).describe('An object without members'))

export const Published = named(
  'Published',
  z.object({ status: z.literal('published'), source: sourceId, snapshot: snapshotId }),
)

export const SourceFrame = named(
  'SourceFrame',
  z.object({ type: z.literal('source'), ...Source.shape }).describe('A frame of `/api/sources/{id}/events`'),
)

export const Health = named(
  'Health',
  z.object({
    status: z.literal('healthy'),
    version: z.string(),
    uptime_seconds: count,
    draining: z.boolean(),
    cache_exists: z.boolean().describe('Whether the first source has a snapshot'),
    update_in_progress: z.boolean().describe('Whether a run of the first source is going'),
  }),
)

export const Ready = named('Ready', z.object({ status: z.literal('ready'), sources: z.array(sourceId) }))

export const Status = named(
  'Status',
  z.object({
    api_status: z.enum(['online', 'draining']),
    cache_exists: z.boolean().describe('Of the first source, as the three behind it'),
    cache_age_minutes: count.nullable(),
    update_in_progress: z.boolean(),
    timestamp: time,
    version: z.string(),
    uptime_seconds: count,
    streams: count.describe('Event streams that are open in the process that answers'),
    sources: z.array(Source),
    warnings: z.array(z.string()),
  }),
)
