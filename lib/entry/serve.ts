import { readFileSync, writeSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import pino from 'pino'
import { ensureApiKey } from '../config/api-key.ts'
import { loadSettings, type LoadedSettings } from '../config/load-settings.ts'
import { createHttp } from '../http/server.ts'
import { environmentKeys } from '../http/keys.ts'
import { Mounts } from '../sqlite/mounts.ts'
import { openDataDirectory } from './parts.ts'
import { cannotStart, untilAskedToEnd } from './report.ts'
import { openSyncing } from './syncing.ts'

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
  const keys = environmentKeys(keysOf(settings))

  using directory = openDirectory(settings)
  using mounts = new Mounts(directory.publisher.folders, (source, failure) =>
    log.error(
      { source, code: failure.code, reason: failure.message },
      'what was published cannot be opened; what was open is served on',
    ),
  )
  const syncing = await openSyncing(directory, log)
  const http = createHttp({
    settings,
    snapshots: mounts,
    engine: syncing.engine,
    keys,
    log,
    clock: directory.clock,
    version: versionOfPackage(),
    sources: [...settings.sources.keys()],
  })
  await listen(http.server, settings)
  const { port } = http.server.address() as AddressInfo
  log.info(
    { host: settings.host, port, sources: [...settings.sources.keys()] },
    `Holdfast serves http://${shownHost(settings.host)}:${port}`,
  )

  mounts.follow()
  if (settings.syncInServer) {
    syncing.startWork()
    syncing.startTriggers().catch((error: unknown) => log.error({ err: error }, 'schedules could not be followed'))
  }
  // The next start finds its modules compiled, however this one ends.
  setTimeout(flushCompileCache, FLUSH_MS).unref()

  const signal = await asked
  log.info({ signal }, 'draining')
  await Promise.all([http.drain(), syncing.drain()])
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

function listen(server: Server, { host, port }: LoadedSettings): Promise<void> {
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'EADDRINUSE' ? `port ${port} is taken: set PORT to another, or stop what uses it` : error.message
      writeSync(2, `Cannot listen on ${host}: ${why}.\n`)
      process.exit(1)
    })
    server.listen(port, host, () => resolve())
  })
}

function shownHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost'
  return host.includes(':') ? `[${host}]` : host
}

function versionOfPackage(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
