import type { SourceDescriptor } from '../settings.ts'
import type { Env } from './environment.ts'

/** What only a source of Airtable needs, whoever declares it. */
const AIRTABLE_ONLY = ['STORAGE_PATH']
/** What describes the source `airtable` where there is no configuration file. */
const AIRTABLE_SOURCE =
  /^(?:AIRTABLE_(?:PERSONAL_TOKEN|BASE_ID|ENDPOINT_URL|TABLES|CALLS_PER_MONTH)|SYNC_MODE|FAILSAFE_REFRESH_INTERVAL|ENABLE_ATTACHMENT_DOWNLOAD)$/

/** Variables of parts which are not here yet. */
const NOT_YET = [
  { name: /^PMA_\w+$/, part: 'the phpMyAdmin source' },
  { name: /^(?:UPSTREAM_DB|ZERO_\w+)$/, part: 'the postgres source' },
] as const

/** What the original read and nothing here can mean, with the value that asks for what happens anyway. */
const OF_THE_ORIGINAL: readonly { names: readonly string[]; why: string; isMet?: RegExp }[] = [
  {
    names: ['WEBHOOK_AUTO_SETUP'],
    why: 'in the mode webhook the webhook is always made, renewed and repaired without being asked; SYNC_MODE=polling makes none',
    isMet: /^(?:true|1)$/i,
  },
  {
    names: ['WEBHOOK_RATE_LIMIT'],
    why: 'pings of any number are one run, and one more where they came during it',
  },
  {
    names: ['WEBHOOK_TIMESTAMP_WINDOW', 'WEBHOOK_IDEMPOTENCY_TTL'],
    why: 'a ping only says that there is something to fetch, so one that is late or comes again does no harm',
  },
  {
    names: ['WEBHOOK_SECRET'],
    why: 'Airtable makes the secret of a webhook; it is kept in the data directory',
  },
  {
    names: ['SQLITE_V1_PATH', 'SQLITE_V2_PATH', 'SQLITE_METADATA_PATH'],
    why: 'each publish makes a file of its own in DATA_DIR',
  },
  { names: ['API_DEFAULT_LIMIT'], why: 'each request says how many records it wants, with pageSize' },
  { names: ['CACHE_TTL'], why: 'data is served until newer data is published; READY_MAX_AGE says when it is too old' },
  { names: ['CONSOLA_FANCY'], why: 'the log is one JSON object on each line', isMet: /^(?:false|0)$/i },
]

export interface Declared {
  /** The name of the configuration file, where there is one. */
  readonly file: string | undefined
  readonly sources: ReadonlyMap<string, { readonly descriptor: SourceDescriptor }>
  readonly publicUrl: string | null
}

/** What to tell about variables that are set but have no effect, one sentence for each reason. */
export function warningsOf(env: Env, { file, sources, publicUrl }: Declared): string[] {
  const set = (isMeant: (name: string) => boolean) =>
    Object.keys(env)
      .filter((name) => isMeant(name) && (env[name] ?? '').trim() !== '')
      .toSorted()
  const hasAirtable = [...sources.values()].some(({ descriptor }) => descriptor.kind === 'airtable')
  const warnings = NOT_YET.map(({ name, part }) =>
    sentence(
      set((known) => name.test(known)),
      `${part} is not available in this version`,
    ),
  )
  if (!hasAirtable) {
    const why =
      file === undefined
        ? 'there is no source for them without AIRTABLE_PERSONAL_TOKEN and AIRTABLE_BASE_ID'
        : `${file} declares the sources, and none of them is an airtable({ … })`
    const isMeant = (name: string) => AIRTABLE_SOURCE.test(name) || AIRTABLE_ONLY.includes(name)
    warnings.unshift(sentence(set(isMeant), why))
  } else if (file === undefined) {
    for (const { names, why, isMet } of OF_THE_ORIGINAL) {
      const isWanted = (name: string) => names.includes(name) && isMet?.test((env[name] ?? '').trim()) !== true
      warnings.push(sentence(set(isWanted), why))
    }
  }
  for (const [id, { descriptor }] of sources) {
    if (descriptor.kind !== 'airtable' || descriptor.options.mode !== 'webhook' || publicUrl !== null) continue
    warnings.push(`${id}: without PUBLIC_URL nobody can tell of changes; they are looked for by the schedule.`)
  }
  return warnings.filter((warning) => warning !== '')
}

function sentence(names: readonly string[], why: string): string {
  if (names.length === 0) return ''
  return `${names.join(', ')} ${names.length === 1 ? 'has' : 'have'} no effect: ${why}.`
}
