import cluster, { type Worker } from 'node:cluster'
import { flushCompileCache } from 'node:module'
import pino from 'pino'
import { loadSettings } from '../config/load-settings.ts'
import { openDataDirectory } from './parts.ts'
import { reasonNotToStart, untilAskedToEnd } from './report.ts'
import { openServing } from './serving.ts'
import type { Order, Report, Serve } from './serving-messages.ts'
import { openSyncing } from './syncing.ts'
import { endTelemetry, startTelemetry } from './telemetry.ts'

/** One of several processes that serve on one port: it serves, and leaves syncs to the process that started it. */

const FLUSH_MS = 2000

const { promise: ordered, resolve: serveAsOrdered } = Promise.withResolvers<Serve>()
const { promise: asked, resolve: end } = Promise.withResolvers<void>()
process.on('message', (order: Order) => (order.kind === 'serve' ? serveAsOrdered(order) : end()))
// Ctrl-C in a terminal reaches this process as well; it means the same.
void untilAskedToEnd().then(() => end())

const order = await ordered
try {
  const settings = order.settings ?? (await loadSettings({ env: process.env, cwd: process.cwd() }))
  const log = pino({ level: settings.logLevel })
  using directory = openDataDirectory(settings)
  const telemetry = await startTelemetry(settings, { role: 'server', log })
  const syncing = await openSyncing(directory, log)
  using serving = openServing({
    directory,
    engine: syncing.engine,
    keys: order.keys,
    log,
    telemetry,
    process: String(order.place),
  })
  const port = await serving.listen()
  endWithStarter(cluster.worker as Worker)
  void tell({ kind: 'serving', port })
  setTimeout(flushCompileCache, FLUSH_MS).unref()

  await asked
  const askedAt = performance.now()
  await Promise.all([serving.drain(), syncing.drain()])
  await endTelemetry(telemetry, askedAt)
} catch (error) {
  const reason = reasonNotToStart(error)
  if (reason === undefined) throw error
  process.exitCode = reason.exitCode
  await tell({ kind: 'cannot_start', ...reason })
}
if (process.connected) process.disconnect()

/** When the process that started this one is gone, what was begun is ended, and then this process. */
function endWithStarter(worker: Worker): void {
  worker.once('disconnect', () => {
    // Without this, node:cluster ends the process here and now.
    worker.exitedAfterDisconnect = true
    end()
  })
}

function tell(report: Report): Promise<void> {
  return new Promise((resolve) => process.send?.(report, undefined, undefined, () => resolve()))
}
