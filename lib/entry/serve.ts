import { writeSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { join } from 'node:path'
import pino from 'pino'
import { ensureApiKey } from '../config/api-key.ts'
import { loadSettings, type LoadedSettings } from '../config/load-settings.ts'
import { openDataDirectory } from './parts.ts'
import { cannotStart, untilAskedToEnd } from './report.ts'
import { openSyncing } from './syncing.ts'
import { endTelemetry, startTelemetry } from './telemetry.ts'

const USAGE = `Usage: node server.ts

Serves what is mirrored, and syncs beside it. It takes no arguments: settings come from the environment, .env and
holdfast.config.ts; docs/settings.md lists them.
`
const EX_USAGE = 64
const FLUSH_MS = 2000

/** The server: answers HTTP from the active snapshots and, unless told otherwise, syncs in threads beside it. */
export async function serve(args: readonly string[]): Promise<void> {
  refuseArguments(args)
  const asked = untilAskedToEnd()
  const settings = await loadSettings({ env: process.env, cwd: process.cwd() }).catch(cannotStart)
  const log = pino({ level: settings.logLevel })
  for (const warning of settings.warnings) log.warn(warning)
  const keys = keysOf(settings)

  using directory = openDirectory(settings)
  const telemetry = await startTelemetry(settings, { role: 'server', log })
  const syncing = await openSyncing(directory, log, { telemetry })
  using serving =
    settings.webConcurrency === 1
      ? (await import('./serving.ts')).openServing({ directory, engine: syncing.engine, keys, log, telemetry })
      : (await import('./cluster.ts')).openServingProcesses({ settings, keys, log })
  const port = await serving.listen().catch(cannotStart)
  const { host } = settings
  log.info({ host, port, sources: [...settings.sources.keys()] }, `Holdfast serves ${urlOf(host, port)}`)

  if (settings.syncInServer) {
    syncing.startWork()
    syncing.startTriggers().catch((error: unknown) => log.error({ err: error }, 'schedules could not be followed'))
  }
  syncing.startAgeWatch()
  // The next start finds its modules compiled, however this one ends.
  setTimeout(flushCompileCache, FLUSH_MS).unref()

  const signal = await asked
  const askedAt = performance.now()
  log.info({ signal }, 'draining')
  await Promise.all([serving.drain(), syncing.drain()])
  await endTelemetry(telemetry, askedAt)
  log.info('ended')
}

function refuseArguments(args: readonly string[]): void {
  if (args.length === 0) return
  const isHelp = args.length === 1 && (args[0] === '--help' || args[0] === '-h')
  writeSync(isHelp ? 1 : 2, USAGE)
  process.exit(isHelp ? 0 : EX_USAGE)
}

function keysOf(settings: LoadedSettings): readonly string[] {
  if (settings.apiKeys.length > 0) return settings.apiKeys
  const { key, created } = ((): { key: string; created: boolean } => {
    try {
      return ensureApiKey(settings.dataDir)
    } catch (error) {
      return cannotStart(error)
    }
  })()
  if (created) {
    const where = join(settings.dataDir, 'api-key')
    process.stdout.write(`\n  Your API key (kept in ${where}, shown once):\n\n    ${key}\n\n`)
  }
  return [key]
}

function openDirectory(settings: LoadedSettings) {
  try {
    return openDataDirectory(settings)
  } catch (error) {
    return cannotStart(error)
  }
}

/** How a log names where it serves. */
function urlOf(host: string, port: number): string {
  const shown = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host
  return `http://${shown}:${port}`
}
