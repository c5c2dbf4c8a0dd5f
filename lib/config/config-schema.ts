import * as z from 'zod'
import { COLUMN_TYPES } from '../column.ts'
import type { FileSourceOptions } from '../settings.ts'
import { Unreadable } from './quantity.ts'
import { readEvery } from './schedule.ts'

/** Part of URLs and file names, and what stands before the dot in `source.table`. */
const SOURCE_ID = /^[a-z][a-z0-9_-]{0,62}$/
const FILE_FORMATS = ['json', 'ndjson', 'csv', 'tsv'] as const
const KNOWN_ENDING = /\.(?:json|ndjson|jsonl|csv|tsv)(?:\.gz)?$/i

const name = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}]*$/u, 'must not contain control characters')

const guard = z.strictObject({
  maxLostShare: z.number().min(0).max(1).optional(),
  freezeColumns: z.boolean().optional(),
})

const columnList = z
  .array(name)
  .min(1, 'expected at least one column')
  .max(8, 'expected at most 8 columns')
  .refine((list) => new Set(list).size === list.length, 'names a column twice')

const tableOptions = z.strictObject({
  indexes: z
    .array(z.union([name, columnList]))
    .max(20, 'expected at most 20 indexes')
    .optional(),
  search: columnList.optional(),
  times: z.strictObject({ created: name.optional(), modified: name.optional() }).optional(),
})

const EVERY =
  'expected a cron expression in UTC, such as "*/15 * * * *", an interval, such as 5m or 300 (seconds), or off'
const every = z.union([z.string(), z.number()], EVERY)

const sourceOptions = {
  every: every.refine(async (value) => !((await readEvery(value)) instanceof Unreadable), EVERY).optional(),
  guard: guard.optional(),
  tables: z.record(name, tableOptions).optional(),
}

const fileOptions = z
  .strictObject({
    ...sourceOptions,
    path: z
      .string()
      .min(1)
      .regex(/^[^\0]*$/, 'must not contain NUL'),
    table: name.regex(/^[^./]*$/, 'must not contain "." or "/"').optional(),
    format: z.enum(FILE_FORMATS).optional(),
    key: z
      .array(name)
      .min(1, 'expected at least one column; leave `key` out where there is none')
      .refine((columns) => new Set(columns).size === columns.length, 'names a column twice')
      .optional(),
    types: z.record(name, z.enum(COLUMN_TYPES)).optional(),
    nulls: z.array(z.string().max(1000)).max(100).optional(),
  })
  .superRefine((options, context) => {
    const ending = KNOWN_ENDING.exec(options.path)?.[0].toLowerCase()
    if (options.format === undefined && ending === undefined) {
      const message = `is needed: the name of the file does not tell (${FILE_FORMATS.join(', ')})`
      context.addIssue({ code: 'custom', path: ['format'], message })
    }
    const isJson =
      options.format === undefined ? /^\.(?:json|ndjson|jsonl)/.test(ending ?? '') : /json/.test(options.format)
    if (options.nulls !== undefined && isJson) {
      context.addIssue({ code: 'custom', path: ['nulls'], message: 'is for csv and tsv: JSON has its own null' })
    }
  })

const descriptor = z.discriminatedUnion('kind', [z.strictObject({ kind: z.literal('file'), options: fileOptions })], {
  error: 'expected a source, such as file({ path: "./cities.json" })',
})

const config = z.strictObject({
  sources: z
    .record(
      z.string().regex(SOURCE_ID, 'expected lower-case letters, digits, "-" and "_", a letter first, at most 63'),
      descriptor,
    )
    .refine((sources) => Object.keys(sources).length > 0, 'expected at least one source'),
})

export interface CheckedConfig {
  readonly sources: Readonly<Record<string, { readonly kind: 'file'; readonly options: FileSourceOptions }>>
}

/** Checks what a configuration file exports; tells `report` every place that cannot be used, and what was expected. */
export async function checkConfig(
  value: unknown,
  report: (place: string, message: string) => void,
): Promise<CheckedConfig | undefined> {
  const result = await config.safeParseAsync(value)
  if (result.success) {
    // Checking is asynchronous and gives sources in the order in which they were done.
    const order = Object.keys((value as CheckedConfig).sources)
    const sources = Object.fromEntries(order.map((id) => [id, result.data.sources[id]]))
    return withoutUndefined({ sources }) as CheckedConfig
  }
  for (const issue of result.error.issues) {
    const place = issue.path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')
    const nested = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message
    report(place.replace(/^\./, '') || 'default export', nested)
  }
  return undefined
}

/** Zod keeps a key that was given as `undefined`; the contracts in `settings.ts` have no such keys. */
function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, field]) => field !== undefined)
  return Object.fromEntries(entries.map(([key, field]) => [key, withoutUndefined(field)]))
}
