import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import type { FaultKind } from './faults.ts'
import type { Service } from './virtual-clock.ts'

/** An answer before it is on the wire. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export function jsonAnswer(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  const type = { 'content-type': 'application/json; charset=utf-8' }
  return { status, headers: { ...type, ...headers }, body: Buffer.from(JSON.stringify(body)) }
}

export function gzipped(answer: Answer): Answer {
  const headers = { ...answer.headers, 'content-encoding': 'gzip', vary: 'accept-encoding' }
  return { ...answer, headers, body: gzipSync(answer.body, { level: 1 }) }
}

/** Resolves when the last byte is on its way, or the client has gone; with a fault, when that has happened. */
export async function deliver(
  answer: Answer,
  response: ServerResponse,
  service: Service,
  fault: FaultKind | undefined,
): Promise<void> {
  if (response.destroyed) return
  if (fault === 'reset') {
    response.socket?.resetAndDestroy()
    return
  }
  const closed = new Promise<void>((resolve) => {
    response.once('close', resolve)
  })
  response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length })
  if (fault === 'cut' || fault === 'stall') {
    const half = answer.body.subarray(0, Math.floor(answer.body.length / 2))
    await new Promise<void>((resolve) => {
      response.write(half, () => resolve())
    })
    if (fault === 'cut') response.destroy()
    // The client waits for bytes that do not come: time passes until it gives up.
    using _idle = service.idle()
    await closed
    return
  }
  response.end(answer.body)
  await closed
}
