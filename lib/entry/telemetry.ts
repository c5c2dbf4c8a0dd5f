import type { Logger } from 'pino'
import type { Settings } from '../settings.ts'
import type { Telemetry } from '../telemetry.ts'
import { versionOfPackage } from './version.ts'

const FLUSH_MS = 2000
/** A process has ten seconds to end, and has to use a part of them for other things. */
const END_MS = 8800
const LEAST_MS = 100

/** Loads and starts what tells a collector, if there is one to tell. Serving does not depend on it. */
export async function startTelemetry(
  { otlpEndpoint }: Pick<Settings, 'otlpEndpoint'>,
  { role, log }: { role: 'server' | 'worker'; log: Logger },
): Promise<Telemetry | undefined> {
  if (otlpEndpoint === null) return undefined
  try {
    const { openTelemetry } = await import('../telemetry/open-telemetry.ts')
    return openTelemetry({
      env: process.env,
      version: versionOfPackage(),
      role,
      onTrouble: (reason, before) =>
        log.warn({ reason, ...(before > 0 && { before }) }, 'traces and metrics could not be sent as they should'),
    })
  } catch (error) {
    log.error({ err: error }, 'traces and metrics cannot be sent: this process goes on without')
    return undefined
  }
}

/** Sends what is left, as far as the time goes that a process has since it was asked to end. */
export async function endTelemetry(telemetry: Telemetry | undefined, askedAt: number): Promise<void> {
  if (telemetry === undefined) return
  const left = END_MS - (performance.now() - askedAt)
  await telemetry.shutdown(Math.min(FLUSH_MS, Math.max(LEAST_MS, left)))
  // What the exporters still try must not hold the process, which has nothing left to do.
  setTimeout(() => process.exit(), LEAST_MS).unref()
}
