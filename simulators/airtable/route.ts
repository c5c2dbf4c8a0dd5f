export type RequestKind =
  | 'list'
  | 'record'
  | 'write'
  | 'schema'
  | 'bases'
  | 'whoami'
  | 'webhook'
  | 'payloads'
  | 'file'
  | 'other'

/** Where a request goes, as far as its method and path tell. */
export interface Route {
  readonly kind: RequestKind
  readonly baseId?: string
  /** Name or id, as the request has it. */
  readonly table?: string
  readonly recordId?: string
  readonly webhookId?: string
  /** What is to be done with a webhook; empty for itself. */
  readonly action?: string
}

const OTHER: Route = { kind: 'other' }
const WRITES = ['POST', 'PATCH', 'PUT', 'DELETE']

/** `path` still encoded, without the query. Slashes at the end do not matter. */
export function routeOf(method: string, path: string): Route {
  const segments = decodeSegments(path)
  if (segments?.[0] === 'files') return method === 'GET' ? { kind: 'file' } : OTHER
  if (segments?.[0] !== 'v0') return OTHER
  const [, first = '', ...rest] = segments
  if (first === 'meta') return metaRoute(method, rest)
  if (first === 'bases') return webhookRoute(method, rest)
  return first === '' ? OTHER : dataRoute(method, first, rest)
}

function decodeSegments(path: string): string[] | undefined {
  try {
    return path
      .split('/')
      .filter((segment) => segment !== '')
      .map(decodeURIComponent)
  } catch {
    return undefined
  }
}

function metaRoute(method: string, [what, baseId, tables, ...more]: readonly string[]): Route {
  if (method !== 'GET' || more.length > 0) return OTHER
  if (what === 'whoami' && baseId === undefined) return { kind: 'whoami' }
  if (what !== 'bases') return OTHER
  if (baseId === undefined) return { kind: 'bases' }
  return tables === 'tables' ? { kind: 'schema', baseId } : OTHER
}

function webhookRoute(method: string, [baseId, webhooks, webhookId, action = '', ...more]: readonly string[]): Route {
  if (baseId === undefined || webhooks !== 'webhooks' || more.length > 0) return OTHER
  if (webhookId === undefined) return method === 'GET' || method === 'POST' ? { kind: 'webhook', baseId } : OTHER
  const wanted = { '': 'DELETE', refresh: 'POST', enableNotifications: 'POST', payloads: 'GET' }[action]
  if (wanted !== method) return OTHER
  return { kind: action === 'payloads' ? 'payloads' : 'webhook', baseId, webhookId, action }
}

function dataRoute(method: string, baseId: string, [table, recordId, ...more]: readonly string[]): Route {
  if (table === undefined || more.length > 0) return OTHER
  if (recordId === 'listRecords') return method === 'POST' ? { kind: 'list', baseId, table } : OTHER
  if (recordId === undefined) {
    if (method === 'GET') return { kind: 'list', baseId, table }
    return WRITES.includes(method) ? { kind: 'write', baseId, table } : OTHER
  }
  if (method === 'GET') return { kind: 'record', baseId, table, recordId }
  return WRITES.includes(method) && method !== 'POST' ? { kind: 'write', baseId, table, recordId } : OTHER
}
