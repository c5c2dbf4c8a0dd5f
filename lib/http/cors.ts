import type { IncomingMessage } from 'node:http'

const ALLOWED =
  'X-API-Key, Authorization, Content-Type, If-None-Match, Prefer, Range, Range-Unit, If-Range, Accept, Accept-Profile, ' +
  'Content-Profile, X-Client-Info, X-Retry-Count, apikey, Last-Event-ID, Cache-Control, ' +
  'X-API-Version, X-Airtable-Application-Id, X-Airtable-User-Agent'
const EXPOSED =
  'ETag, Link, Age, Cache-Status, RateLimit, RateLimit-Policy, Retry-After, Snapshot-Id, Snapshot-Digest, Content-Range, ' +
  'Location, Repr-Digest, Row-Count, Total-Count, X-Request-Id, Preference-Applied, View-Applied'
const MAX_AGE_S = 600
const NONE: readonly string[] = []

/** What pages of other web origins may read. Never with credentials: keys are sent by those who know them. */
export interface Cors {
  /** The same on every answer. */
  readonly constantHeaders: readonly string[]
  /** What depends on who asks. */
  of(request: IncomingMessage): readonly string[]
  /** What a preflight is answered; nothing for any other OPTIONS. */
  preflight(request: IncomingMessage, methods: string): readonly string[]
}

/** `*` alone: all origins; none: no page of another origin, and no header. */
export function createCors(origins: readonly string[]): Cors {
  if (origins.length === 0) return { constantHeaders: NONE, of: () => NONE, preflight: () => NONE }
  const isOpen = origins.includes('*')
  const expose = ['Access-Control-Expose-Headers', EXPOSED]
  const allowed = new Map(origins.map((origin) => [origin, ['Access-Control-Allow-Origin', origin]]))
  const of = ({ headers }: IncomingMessage) => (isOpen ? NONE : (allowed.get(headers.origin ?? '') ?? NONE))
  return {
    constantHeaders: isOpen ? ['Access-Control-Allow-Origin', '*', ...expose] : ['Vary', 'Origin', ...expose],
    of,
    preflight(request, methods) {
      const isAsked = request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined
      if (!isAsked || !(isOpen || of(request).length > 0)) return NONE
      return [
        'Access-Control-Allow-Methods', methods,
        'Access-Control-Allow-Headers', ALLOWED,
        'Access-Control-Max-Age', String(MAX_AGE_S),
      ] // prettier-ignore
    },
  }
}
