import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Logger } from 'pino'
import type { Engine } from '../engine.ts'
import { bothKeys, environmentKeys } from '../http/keys.ts'
import { createHttp } from '../http/server.ts'
import { SqliteKeyStore } from '../sqlite/key-store.ts'
import { SqliteChangeLog } from '../sqlite/change-log.ts'
import { KnownWebhooks } from '../sqlite/known-webhooks.ts'
import { Mounts } from '../sqlite/mounts.ts'
import { SqliteMirroredFiles } from '../sqlite/mirrored-files.ts'
import { ReaderPool } from '../sqlite/reader-pool.ts'
import { StoredKeys } from '../sqlite/stored-keys.ts'
import { SqliteTicketStore } from '../sqlite/ticket-store.ts'
import type { Telemetry } from '../telemetry.ts'
import type { DataDirectory } from './parts.ts'
import { CannotStart } from './report.ts'
import { versionOfPackage } from './version.ts'

export interface ServingParts {
  readonly directory: DataDirectory
  readonly engine: Engine
  readonly keys: readonly string[]
  readonly log: Logger
  readonly telemetry: Telemetry | undefined
  /** Names this process, where there are several. */
  readonly process?: string
}

/** What answers HTTP in a process, from the active snapshots. */
export interface Serving extends Disposable {
  /** Resolves with the port when requests are taken. */
  listen(): Promise<number>
  /** Takes nothing new, and resolves when what was begun has ended or has had its time. */
  drain(): Promise<void>
}

export function openServing({ directory, engine, keys, log, telemetry, process }: ServingParts): Serving {
  const { settings, publisher, clock } = directory
  const sources = [...settings.sources.keys()]
  const readers = new ReaderPool(settings)
  const mounts = new Mounts(
    publisher.folders,
    (source, failure) =>
      log.error(
        { source, code: failure.code, reason: failure.message },
        'what was published cannot be opened; what was open is served on',
      ),
    { readers, answerMaxBytes: settings.answerMaxBytes },
  )
  const control = publisher.control
  const files = new SqliteMirroredFiles(publisher.folders, settings.storagePath)
  const webhooks = new KnownWebhooks(settings.sources, publisher.folders)
  const stored = new StoredKeys(control, (facts, message) => log.error(facts, message))
  const http = createHttp({
    settings,
    snapshots: mounts,
    changes: new SqliteChangeLog(control, mounts),
    files,
    engine,
    keys: bothKeys(stored, environmentKeys(keys)),
    keyStore: new SqliteKeyStore(control, () => stored.refresh()),
    tickets: new SqliteTicketStore(control),
    log,
    clock,
    version: versionOfPackage(),
    sources,
    telemetry,
    process,
    webhookOf: (source) => webhooks.find(source),
  })
  return {
    async listen() {
      await listen(http.server, settings)
      mounts.follow()
      stored.follow()
      return (http.server.address() as AddressInfo).port
    },
    drain: () => http.drain(),
    [Symbol.dispose]() {
      stored[Symbol.dispose]()
      readers[Symbol.dispose]()
      files[Symbol.dispose]()
      mounts[Symbol.dispose]()
    },
  }
}

function listen(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'EADDRINUSE' ? `port ${port} is taken: set PORT to another, or stop what uses it` : error.message
      reject(new CannotStart(`Cannot listen on ${host}: ${why}.`))
    })
    server.listen(port, host, () => resolve())
  })
}
