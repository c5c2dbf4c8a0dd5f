import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

const PROCESS = randomBytes(6).toString('base64url')
let counter = 0

/** The caller's `X-Request-Id`, if it can be repeated safely, or one of our own. */
export function nextRequestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  if (typeof given === 'string' && /^[\w.:+/=-]{1,128}$/.test(given)) return given
  return newRequestId()
}

export function newRequestId(): string {
  return `${PROCESS}-${(counter++).toString(36)}`
}
