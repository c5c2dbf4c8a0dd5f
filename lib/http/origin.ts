import type { IncomingMessage } from 'node:http'

/** Where nothing better is known. */
export const NO_ORIGIN = 'http://this-host'
const HOST = /^[A-Za-z0-9.:\-[\]]{1,255}$/

/** Under which address a client has reached us, for examples to copy: what it says, so never a thing to rely on. */
export function originOf({ headers }: IncomingMessage): string {
  const { host = '' } = headers
  const scheme = headers['x-forwarded-proto'] === 'https' ? 'https' : 'http'
  return HOST.test(host) ? `${scheme}://${host}` : NO_ORIGIN
}
