import { isIP } from 'node:net'
import { DEFAULT_SCHEDULE } from './schedule.ts'

/** A variable of the environment, as `.env.example` and `docs/settings.md` must show it. */
export interface Variable {
  /** As one would write it; empty where there is none. */
  readonly fallback: string
  readonly isSecret?: true
}

export const VARIABLES = {
  PORT: { fallback: '3000' },
  HOST: { fallback: '127.0.0.1' },
  DATA_DIR: { fallback: './data' },
  SQLITE_PATH: { fallback: '' },
  API_KEY: { fallback: '', isSecret: true },
  API_KEYS: { fallback: '', isSecret: true },
  BEARER_TOKEN: { fallback: '', isSecret: true },
  REFRESH_CRON: { fallback: DEFAULT_SCHEDULE },
  REFRESH_INTERVAL: { fallback: '' },
  SYNC_IN_SERVER: { fallback: 'true' },
  HOLDFAST_CONFIG: { fallback: './holdfast.config.ts' },
  AIRTABLE_PERSONAL_TOKEN: { fallback: '', isSecret: true },
  // Names a base and no more, but it is where a token is pasted by mistake.
  AIRTABLE_BASE_ID: { fallback: '', isSecret: true },
  AIRTABLE_TABLES: { fallback: '' },
  AIRTABLE_ENDPOINT_URL: { fallback: '' },
  AIRTABLE_CALLS_PER_MONTH: { fallback: '' },
  SYNC_MODE: { fallback: 'polling' },
  FAILSAFE_REFRESH_INTERVAL: { fallback: '86400' },
  ENABLE_ATTACHMENT_DOWNLOAD: { fallback: 'true' },
  STORAGE_PATH: { fallback: '' },
  PUBLIC_URL: { fallback: '' },
  WEBHOOK_PUBLIC_URL: { fallback: '' },
  RENDER_EXTERNAL_URL: { fallback: '' },
  LOG_LEVEL: { fallback: 'info' },
  CONSOLA_LEVEL: { fallback: '' },
  WEB_CONCURRENCY: { fallback: '1' },
  READY_MAX_AGE: { fallback: '' },
  BODY_CACHE_BYTES: { fallback: '128MiB' },
  BODY_FILE_BYTES: { fallback: '1GiB' },
  SSE_MAX_BYTES: { fallback: '128MiB' },
  MAX_STREAMS: { fallback: '5000' },
  MAX_ROWS: { fallback: '1000' },
  ANSWER_MAX_BYTES: { fallback: '16MiB' },
  ANSWER_CACHE_BYTES: { fallback: '32MiB' },
  EXPORT_FILE_BYTES: { fallback: '4GiB' },
  QUERY_DEADLINE: { fallback: '5s' },
  QUERY_READERS: { fallback: '2' },
  RATE_LIMIT: { fallback: '' },
  CORS_ORIGINS: { fallback: '' },
  LEASE_TTL: { fallback: '10s' },
  ALERT_WEBHOOK_URL: { fallback: '', isSecret: true },
  OTEL_EXPORTER_OTLP_ENDPOINT: { fallback: '' },
  GUARD_MAX_LOST_SHARE: { fallback: '0.5' },
  GUARD_FREEZE_COLUMNS: { fallback: 'true' },
  CHANGE_LOG_MAX_AGE: { fallback: '7d' },
  CHANGE_LOG_MAX_ENTRIES: { fallback: '1000000' },
  CHANGE_LOG_MAX_BYTES: { fallback: '256MiB' },
  CHANGE_LOG_MAX_BATCH: { fallback: '100000' },
} as const satisfies Record<string, Variable>

export type VariableName = keyof typeof VARIABLES

/** Shorter values are words like `true`, which messages need. */
const SECRET_LENGTH = 8

/** The values that no message may show, longest first, with the names of their variables. */
export function secretsOf(env: Readonly<Record<string, string | undefined>>): Map<string, string> {
  const found: [secret: string, name: string][] = []
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !isSecretName(name)) continue
    const parts = name === 'API_KEYS' ? value.split(',') : [value]
    for (const part of [value, ...parts]) {
      if (part.trim().length >= SECRET_LENGTH) found.push([part.trim(), name])
    }
  }
  return new Map(found.toSorted(([a], [b]) => b.length - a.length))
}

/** Foreign variables count too: a configuration file may have put their values into its error. */
function isSecretName(name: string): boolean {
  const variable: Variable | undefined = Object.hasOwn(VARIABLES, name) ? VARIABLES[name as VariableName] : undefined
  if (variable !== undefined) return variable.isSecret === true
  return /KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH|UPSTREAM_DB|DATABASE_URL|DSN|WEBHOOK|HEADERS/i.test(name)
}

/** Sent in a header as it is, so visible ASCII; no comma, which separates keys. */
export function isUsableKey(text: string): boolean {
  return /^[\x21-\x2b\x2d-\x7e]{8,512}$/.test(text)
}

export function isHost(text: string): boolean {
  return isIP(text) !== 0 || (text.length <= 253 && /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/i.test(text))
}

export function isWebUrl(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
}
