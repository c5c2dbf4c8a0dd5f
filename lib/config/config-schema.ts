import * as z from 'zod'
import type { SourceDescriptor } from '../settings.ts'
import { airtableOptions } from './airtable-schema.ts'
import { fileOptions } from './file-schema.ts'

/** Part of URLs and file names, and what stands before the dot in `source.table`. */
const SOURCE_ID = /^[a-z][a-z0-9_-]{0,62}$/

const descriptor = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({ kind: z.literal('file'), options: fileOptions }),
    z.strictObject({ kind: z.literal('airtable'), options: airtableOptions }),
  ],
  { error: 'expected a source, such as file({ path: "./cities.json" }) or airtable({ … })' },
)

const config = z.strictObject({
  sources: z
    .record(
      z.string().regex(SOURCE_ID, 'expected lower-case letters, digits, "-" and "_", a letter first, at most 63'),
      descriptor,
    )
    .refine((sources) => Object.keys(sources).length > 0, 'expected at least one source'),
})

export interface CheckedConfig {
  readonly sources: Readonly<Record<string, SourceDescriptor>>
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
