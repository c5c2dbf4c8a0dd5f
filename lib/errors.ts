/**
 * Every failure that Holdfast itself reports. The code is stable and is what clients switch on; `status` is the
 * HTTP status it is answered with; `retry` says whether the same call can succeed later without being changed.
 */
export const FAILURES = {
  bad_request: { status: 400, retry: false, title: 'The request is not well formed' },
  bad_parameter: { status: 400, retry: false, title: 'A parameter has a value that cannot be used' },
  unknown_parameter: { status: 400, retry: false, title: 'A parameter is not known here' },
  bad_filter: { status: 400, retry: false, title: 'A filter, order or selection cannot be read' },
  bad_value: { status: 400, retry: false, title: 'A value does not fit the type of its column' },
  column_not_found: { status: 400, retry: false, title: 'No such column' },
  not_supported: { status: 400, retry: false, title: 'This is understood, but not supported here' },
  answer_too_large: { status: 400, retry: false, title: 'The answer would be too large' },
  unauthorized: { status: 401, retry: false, title: 'A valid API key is needed' },
  bad_signature: { status: 401, retry: false, title: 'The request is not signed as it must be' },
  forbidden: { status: 403, retry: false, title: 'The API key does not allow this' },
  route_not_found: { status: 404, retry: false, title: 'No such route' },
  source_not_found: { status: 404, retry: false, title: 'No such source' },
  table_not_found: { status: 404, retry: false, title: 'No such table' },
  record_not_found: { status: 404, retry: false, title: 'No such record' },
  snapshot_not_found: { status: 404, retry: false, title: 'No such snapshot' },
  attachment_not_found: { status: 404, retry: false, title: 'No such attachment' },
  run_not_found: { status: 404, retry: false, title: 'No such run' },
  key_not_found: { status: 404, retry: false, title: 'No such key' },
  method_not_allowed: { status: 405, retry: false, title: 'The route does not take this method' },
  not_acceptable: { status: 406, retry: false, title: 'No representation fits what is accepted' },
  not_singular: { status: 406, retry: false, title: 'There is not exactly one row' },
  request_timeout: { status: 408, retry: true, title: 'The request did not arrive in time' },
  run_active: { status: 409, retry: true, title: 'A run is already active' },
  no_previous_snapshot: { status: 409, retry: false, title: 'There is no previous snapshot to go back to' },
  nothing_to_publish: { status: 409, retry: false, title: 'There is no rejected run to publish' },
  source_paused: { status: 409, retry: false, title: 'The source is paused' },
  cursor_expired: { status: 410, retry: false, title: 'The cursor belongs to a snapshot that is gone' },
  watermark_too_old: { status: 410, retry: false, title: 'Changes are no longer kept that far back' },
  watermark_foreign: { status: 410, retry: false, title: 'The position belongs to another data directory' },
  payload_too_large: { status: 413, retry: false, title: 'The request body is too large' },
  uri_too_long: { status: 414, retry: false, title: 'The request target is too long' },
  unsupported_media_type: { status: 415, retry: false, title: 'The request body has a type that is not read here' },
  range_not_satisfiable: { status: 416, retry: false, title: 'The range lies outside of the data' },
  headers_too_large: { status: 431, retry: false, title: 'The request headers are too large' },
  rate_limited: { status: 429, retry: true, title: 'Too many requests' },
  too_many_streams: { status: 429, retry: true, title: 'Too many streams are open' },
  internal: { status: 500, retry: true, title: 'Something went wrong inside Holdfast' },
  no_snapshot: { status: 503, retry: true, title: 'There is no data yet' },
  snapshot_stale: { status: 503, retry: true, title: 'The data is older than is allowed' },
  draining: { status: 503, retry: true, title: 'This process is shutting down' },
  control_busy: { status: 503, retry: true, title: 'The control database is busy' },
  ping_not_recorded: { status: 503, retry: true, title: 'What was told could not be recorded' },
  readers_busy: { status: 503, retry: true, title: 'Too many queries are waiting' },
  export_building: { status: 503, retry: true, title: 'The export is still being made' },
  attachment_pending: { status: 503, retry: true, title: 'The attachment is still being fetched' },
  query_deadline: { status: 504, retry: true, title: 'The query took too long' },
  not_cached: { status: 504, retry: true, title: 'Nothing is cached that the request allows' },

  attachment_failed: { status: 502, retry: true, title: 'The attachment could not be fetched' },
  upstream_refused: { status: 502, retry: false, title: 'The upstream refuses access' },
  upstream_budget_spent: { status: 502, retry: true, title: 'The upstream allows no more calls this month' },
  upstream_unavailable: { status: 502, retry: true, title: 'The upstream cannot be read' },
  upstream_malformed: { status: 502, retry: false, title: 'The upstream answered with something that is not the data' },
  upstream_changed: { status: 502, retry: true, title: 'The upstream changed while it was being read' },
  snapshot_rejected: { status: 409, retry: false, title: 'The pulled data was refused by the publish guard' },
  lease_lost: { status: 409, retry: true, title: 'The lease went to another holder' },
  run_stopped: { status: 409, retry: true, title: 'The run was stopped' },
  run_crashed: { status: 500, retry: true, title: 'The run ended unexpectedly' },
  illegal_transition: { status: 409, retry: false, title: 'The run is in a state that does not allow this' },
  disk_failed: { status: 500, retry: true, title: 'The disk refused an operation' },
  format_unknown: { status: 500, retry: false, title: 'A file has a format that this Holdfast does not read' },
  config_invalid: { status: 500, retry: false, title: 'The configuration cannot be used' },
  node_too_old: { status: 500, retry: false, title: 'This Node.js is too old' },
} as const satisfies Record<string, { status: number; retry: boolean; title: string }>

export type FailureCode = keyof typeof FAILURES

/** Plain facts about a failure, safe to show to a client: never a secret, a path of the machine or a stack. */
export type Facts = Readonly<Record<string, string | number | boolean | null | readonly string[]>>

export class Failure extends Error {
  readonly code: FailureCode
  readonly facts: Facts

  constructor(code: FailureCode, message: string, options: { facts?: Facts; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.name = 'Failure'
    this.code = code
    this.facts = options.facts ?? {}
  }

  get status(): number {
    return FAILURES[this.code].status
  }

  get canRetry(): boolean {
    return FAILURES[this.code].retry
  }
}

const DISK_CODES = /^(?:SQLITE_(?:FULL|IOERR|READONLY|CANTOPEN|CORRUPT|NOTADB)|ENOSPC|EDQUOT|EIO|EROFS|EMFILE|ENFILE)/

/** Anything that was thrown, as a failure: what the disk refused as `disk_failed`, a bug as `internal`. */
export function toFailure(error: unknown): Failure {
  if (error instanceof Failure) return error
  const cause = error instanceof Error ? error : new Error(String(error))
  const code = (cause as { code?: unknown }).code
  if (typeof code === 'string' && DISK_CODES.test(code)) {
    const isDamaged = /CORRUPT|NOTADB/.test(code)
    const hint = isDamaged
      ? 'A database in the data directory is damaged: restore it, or remove it to begin anew.'
      : 'Is the volume full or read-only?'
    return new Failure('disk_failed', `The disk refused an operation (${code}). ${hint}`, {
      facts: { cause: code },
      cause,
    })
  }
  return new Failure('internal', cause.message, { cause })
}
