interface HeaderDoc {
  readonly description: string
  readonly type: 'string' | 'integer'
  /** Whether it is on every answer that has it in its list. */
  readonly isAlways: boolean
}

export const HEADERS = {
  'X-Request-Id': {
    description: 'Yours if it is plain, else ours; also in problems and in the log',
    type: 'string',
    isAlways: true,
  },
  ETag: { description: 'Strong: one for each snapshot, view and coding', type: 'string', isAlways: true },
  'Cache-Control': {
    description: '`private, no-cache` for data, `no-store` for state, `immutable` for exports',
    type: 'string',
    isAlways: true,
  },
  Vary: { description: 'The request headers that an answer depends on', type: 'string', isAlways: true },
  Age: {
    description: 'Seconds since the upstream was last known to be what is served',
    type: 'integer',
    isAlways: true,
  },
  'Cache-Status': {
    description: '`holdfast; hit`, with `detail=stale` when the last run failed (RFC 9211)',
    type: 'string',
    isAlways: true,
  },
  'Last-Modified': { description: 'When the snapshot was published', type: 'string', isAlways: true },
  'Snapshot-Id': { description: 'Which snapshot this comes from', type: 'string', isAlways: true },
  'Snapshot-Digest': {
    description: 'Equal digests mean equal tables, columns and rows; only for keys that see everything',
    type: 'string',
    isAlways: false,
  },
  'Content-Encoding': {
    description: '`zstd`, `br` or `gzip`, as `Accept-Encoding` says',
    type: 'string',
    isAlways: false,
  },
  Link: { description: 'The pages next to this one (RFC 8288), where there are such', type: 'string', isAlways: false },
  'Total-Count': {
    description: 'Rows in all, in formats that have no place for it, as far as it is known',
    type: 'integer',
    isAlways: false,
  },
  'Content-Range': {
    description: 'Which of the rows, or bytes, these are: `0-24/171075`',
    type: 'string',
    isAlways: true,
  },
  'Preference-Applied': {
    description: 'The preferences that were kept to (RFC 7240)',
    type: 'string',
    isAlways: false,
  },
  'View-Applied': {
    description: '`false` where a view was named whose filter and order are not known here',
    type: 'string',
    isAlways: false,
  },
  Location: { description: 'Where to go on', type: 'string', isAlways: true },
  'Retry-After': { description: 'Seconds to wait before asking again', type: 'integer', isAlways: true },
  'Repr-Digest': { description: 'SHA-256 of the whole file (RFC 9530)', type: 'string', isAlways: true },
  'Row-Count': { description: 'Rows in the file', type: 'integer', isAlways: true },
  'Accept-Ranges': { description: '`bytes`', type: 'string', isAlways: true },
  'Content-Disposition': { description: 'The name to save it under', type: 'string', isAlways: true },
  'WWW-Authenticate': { description: 'Which key or scope is missing', type: 'string', isAlways: true },
  'RateLimit-Policy': { description: 'What a key with a rate may do', type: 'string', isAlways: false },
  RateLimit: { description: 'How much of it is left', type: 'string', isAlways: false },
} as const satisfies Record<string, HeaderDoc>

export type HeaderName = keyof typeof HEADERS

const FRESHNESS = [
  'ETag',
  'Cache-Control',
  'Vary',
  'Age',
  'Cache-Status',
  'Last-Modified',
  'Snapshot-Id',
  'Snapshot-Digest',
] as const
/** On rows, and on the 304 that says one has them already. */
export const DATA_HEADERS: readonly HeaderName[] = FRESHNESS
export const CODED_HEADERS: readonly HeaderName[] = [...FRESHNESS, 'Content-Encoding']
export const STATE_HEADERS: readonly HeaderName[] = ['Cache-Control']

/** On every answer. */
export const COMMON_HEADERS: readonly HeaderName[] = ['X-Request-Id']
/** On every answer to a key that has a rate. */
export const RATE_HEADERS: readonly HeaderName[] = ['RateLimit-Policy', 'RateLimit']

export function headerComponents(): Record<string, object> {
  return Object.fromEntries(
    Object.entries<HeaderDoc>(HEADERS).map(([name, { description, type, isAlways }]) => [
      name,
      { description, ...(isAlways && { required: true }), schema: { type } },
    ]),
  )
}

export function headerRefs(names: readonly HeaderName[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
}
