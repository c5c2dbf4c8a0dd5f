import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { GuardSettings, Settings } from '../settings.ts'
import { addDotEnv, type Env, Environment } from './environment.ts'
import { readLogLevel } from './log-level.ts'
import { Problems } from './problems.ts'
import { readPublicUrl } from './public-url.ts'
import { readCount, readDuration, readFlag, readRate, readShare, readSize, Unreadable } from './quantity.ts'
import { readSources } from './read-sources.ts'
import { readCron, readInterval } from './schedule.ts'
import { isHost, isUsableKey, isWebUrl, secretsOf, VARIABLES } from './variables.ts'
import { warningsOf } from './without-effect.ts'

const DAY_MS = 86_400_000
const YEARS_MS = 3650 * DAY_MS
const MAX_BYTES = 2 ** 40

export interface LoadedSettings extends Settings {
  /** What was set without effect; one sentence each. */
  readonly warnings: readonly string[]
}

/**
 * Reads the environment, `<cwd>/.env` and the configuration file. Values of `.env` that `env` lacks are added to
 * `env`, as `process.loadEnvFile` does, before the configuration file runs.
 *
 * @throws Failure `config_invalid` that lists every problem and shows no secret
 */
export async function loadSettings({ env, cwd }: { env: Env; cwd: string }): Promise<LoadedSettings> {
  const unreadable = addDotEnv(env, cwd)
  const problems = new Problems(secretsOf(env))
  if (unreadable !== undefined) problems.add('.env', unreadable)
  const environment = new Environment(env, problems)

  const schedule = await readSchedule(environment, problems)
  const guard: GuardSettings = {
    maxLostShare: environment.read('GUARD_MAX_LOST_SHARE', readShare),
    freezeColumns: environment.read('GUARD_FREEZE_COLUMNS', readFlag),
  }
  const settings = {
    host: environment.read('HOST', (text) => (isHost(text) ? text : new Unreadable('a host name or an IP address'))),
    port: environment.read('PORT', (text) => readCount(text, { min: 0, max: 65_535 })),
    dataDir: readDataDir(environment, problems, cwd),
    apiKeys: readKeys(environment),
    schedule,
    syncInServer: environment.read('SYNC_IN_SERVER', readFlag),
    logLevel: readLogLevel(environment, problems),
    readyMaxAgeMs:
      environment.readOptional('READY_MAX_AGE', (text) => readDuration(text, 's', { min: 1000, max: YEARS_MS })) ??
      null,
    bodyCacheBytes: environment.read('BODY_CACHE_BYTES', (text) => readSize(text, { min: 0, max: MAX_BYTES })),
    bodyFileBytes: environment.read('BODY_FILE_BYTES', (text) => readSize(text, { min: 0, max: MAX_BYTES })),
    sseMaxBytes: environment.read('SSE_MAX_BYTES', (text) => readSize(text, { min: 0, max: MAX_BYTES })),
    maxStreams: environment.read('MAX_STREAMS', (text) => readCount(text, { min: 1, max: 1_000_000 })),
    webConcurrency: environment.read('WEB_CONCURRENCY', (text) => readCount(text, { min: 1, max: 64 })),
    maxRows: environment.read('MAX_ROWS', (text) => readCount(text, { min: 1, max: 10_000 })),
    answerMaxBytes: environment.read('ANSWER_MAX_BYTES', (text) => readSize(text, { min: 1024, max: 2 ** 28 })),
    answerCacheBytes: environment.read('ANSWER_CACHE_BYTES', (text) => readSize(text, { min: 0, max: MAX_BYTES })),
    exportFileBytes: environment.read('EXPORT_FILE_BYTES', (text) => readSize(text, { min: 0, max: MAX_BYTES })),
    queryDeadlineMs: environment.read('QUERY_DEADLINE', (text) => readDuration(text, 'ms', { min: 50, max: 300_000 })),
    queryReaders: environment.read('QUERY_READERS', (text) => readCount(text, { min: 1, max: 64 })),
    rateLimit: environment.readOptional('RATE_LIMIT', readRate) ?? null,
    corsOrigins: environment.readOptional('CORS_ORIGINS', readOrigins) ?? [],
    otlpEndpoint: environment.readOptional('OTEL_EXPORTER_OTLP_ENDPOINT', readWebUrl) ?? null,
    leaseTtlMs: environment.read('LEASE_TTL', (text) => readDuration(text, 'ms', { min: 100, max: 600_000 })),
    alertWebhookUrl: environment.readOptional('ALERT_WEBHOOK_URL', readWebUrl) ?? null,
    publicUrl: readPublicUrl(environment, problems),
    storagePath: readStoragePath(environment, problems, cwd),
    guard,
    changeLog: readChangeLog(environment),
  }
  const { sources, file } = await readSources({ environment, problems, cwd, defaults: settings })
  problems.throwIfAny()
  return { ...settings, sources, warnings: warningsOf(env, { file, sources, publicUrl: settings.publicUrl }) }
}

async function readSchedule(environment: Environment, problems: Problems): Promise<string> {
  const cron = environment.text('REFRESH_CRON')
  if (cron !== undefined && environment.text('REFRESH_INTERVAL') !== undefined) {
    problems.add('REFRESH_CRON, REFRESH_INTERVAL', 'both are set; keep one of them.')
  }
  const every = environment.readOptional('REFRESH_INTERVAL', readInterval)
  const schedule = await readCron(cron ?? VARIABLES.REFRESH_CRON.fallback)
  if (schedule instanceof Unreadable) environment.refuse('REFRESH_CRON', schedule)
  return every ?? (schedule instanceof Unreadable ? 'off' : schedule)
}

function readDataDir(environment: Environment, problems: Problems, cwd: string): string {
  const [named, alias] = [environment.text('DATA_DIR'), environment.text('SQLITE_PATH')]
  const dataDir = resolve(cwd, named ?? alias ?? VARIABLES.DATA_DIR.fallback)
  if (named !== undefined && alias !== undefined && resolve(cwd, alias) !== dataDir) {
    problems.add('DATA_DIR, SQLITE_PATH', 'both are set and differ; keep DATA_DIR.')
  }
  if (statSync(dataDir, { throwIfNoEntry: false })?.isDirectory() === false) {
    problems.add(named === undefined ? 'SQLITE_PATH' : 'DATA_DIR', 'expected a folder; found a file.')
  }
  return dataDir
}

function readStoragePath(environment: Environment, problems: Problems, cwd: string): string | null {
  const named = environment.text('STORAGE_PATH')
  if (named === undefined) return null
  const path = resolve(cwd, named)
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === false) {
    problems.add('STORAGE_PATH', 'expected a folder; found a file.')
  }
  return path
}

function readKeys(environment: Environment): string[] {
  const expected = new Unreadable('8 to 512 visible ASCII characters without comma or space')
  const single = (text: string) => (isUsableKey(text) ? [text] : expected)
  const list = (text: string) => {
    const keys = text
      .split(',')
      .map((key) => key.trim())
      .filter((key) => key !== '')
    return keys.every(isUsableKey) ? keys : new Unreadable(`keys separated by commas, each of ${expected.expected}`)
  }
  return [
    ...new Set([
      ...(environment.readOptional('API_KEY', single) ?? []),
      ...(environment.readOptional('API_KEYS', list) ?? []),
      ...(environment.readOptional('BEARER_TOKEN', single) ?? []),
    ]),
  ]
}

function readWebUrl(text: string): string | Unreadable {
  return isWebUrl(text) ? text : new Unreadable('an http or https URL without user name and password')
}

function readOrigins(text: string): string[] | Unreadable {
  const origins = text.split(',').map((origin) => origin.trim())
  const isOrigin = (origin: string) => /^https?:/.test(origin) && URL.parse(origin)?.origin === origin
  if (text.trim() === '*' || origins.every(isOrigin)) return origins
  return new Unreadable('web origins separated by commas, such as https://app.example.com, or *')
}

function readChangeLog(environment: Environment): Settings['changeLog'] {
  const maxEntries = environment.read('CHANGE_LOG_MAX_ENTRIES', (text) => readCount(text, { min: 1, max: 1e9 }))
  // The default follows a smaller log; a batch that could never fit is refused only when someone asks for it.
  const maxBatch = environment.readOptional('CHANGE_LOG_MAX_BATCH', (text) =>
    readCount(text, { min: 1, max: maxEntries }),
  )
  return {
    maxAgeMs: environment.read('CHANGE_LOG_MAX_AGE', (text) => readDuration(text, 's', { min: 1000, max: YEARS_MS })),
    maxEntries,
    maxBytes: environment.read('CHANGE_LOG_MAX_BYTES', (text) => readSize(text, { min: 1024, max: MAX_BYTES })),
    maxBatch: maxBatch ?? Math.min(Number(VARIABLES.CHANGE_LOG_MAX_BATCH.fallback), maxEntries),
  }
}
