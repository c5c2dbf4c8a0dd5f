import type { IncomingMessage, ServerResponse } from 'node:http'
import helmet from 'helmet'

/**
 * The headers helmet sets, as a flat list for `writeHead`. They are the same for every answer, so helmet runs once,
 * against a response that only remembers.
 */
export function securityHeaders(): readonly string[] {
  const headers: string[] = []
  const response = {
    setHeader: (name: string, value: string) => headers.push(name, value),
    removeHeader: () => undefined,
  }
  const directives = {
    'default-src': ["'self'"],
    'frame-ancestors': ["'none'"],
    // Holdfast is often reached by plain HTTP inside a network; rewriting links to https would break its pages there.
    'upgrade-insecure-requests': null,
  }
  const protect = helmet({ contentSecurityPolicy: { directives } })
  protect({} as IncomingMessage, response as unknown as ServerResponse, (problem) => {
    if (problem !== undefined) throw new Error('helmet could not make its headers', { cause: problem })
  })
  return headers
}
