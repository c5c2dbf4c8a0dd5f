import type { Facts, Failure, FailureCode } from '../../errors.ts'
import { JSON_TYPE } from '../exchange.ts'
import { problemOf, type Problem } from '../problem.ts'

type Meaning = readonly [status: number, type: string]

const UNKNOWN = 'INVALID_REQUEST_UNKNOWN'
const FAULT = 'SERVER_ERROR'
const UNREADABLE: Meaning = [422, UNKNOWN]
const NOT_THERE: Meaning = [403, 'INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND']
const NO_FORMULA: Meaning = [422, 'INVALID_FILTER_BY_FORMULA']
const LATER: Meaning = [503, 'RETRIABLE_ERROR']
const ENDED: Meaning = [422, 'LIST_RECORDS_ITERATOR_NOT_AVAILABLE']

/** What Airtable answers to the same. Bases and tables that are not there are not told from those that may not be seen. */
const MEANINGS: Partial<Readonly<Record<FailureCode, Meaning>>> = {
  bad_parameter: UNREADABLE,
  unknown_parameter: UNREADABLE,
  answer_too_large: UNREADABLE,
  not_acceptable: UNREADABLE,
  column_not_found: [422, 'UNKNOWN_FIELD_NAME'],
  bad_filter: NO_FORMULA,
  bad_value: NO_FORMULA,
  not_supported: NO_FORMULA,
  cursor_expired: ENDED,
  snapshot_not_found: ENDED,
  unauthorized: [401, 'AUTHENTICATION_REQUIRED'],
  forbidden: [403, 'INVALID_PERMISSIONS'],
  source_not_found: NOT_THERE,
  table_not_found: NOT_THERE,
  record_not_found: [404, 'NOT_FOUND'],
  route_not_found: [404, 'NOT_FOUND'],
  method_not_allowed: [405, 'METHOD_NOT_ALLOWED'],
  payload_too_large: [413, 'REQUEST_TOO_LARGE'],
  rate_limited: [429, 'RATE_LIMIT_REACHED'],
  internal: [500, FAULT],
  no_snapshot: LATER,
  snapshot_stale: LATER,
  readers_busy: LATER,
  draining: LATER,
  control_busy: LATER,
}
/** Parameters whose values have a type of their own for being wrong. */
const OF_PARAMETERS: Readonly<Record<string, string>> = {
  offset: 'INVALID_OFFSET_VALUE',
  // Of the place that an offset holds.
  cursor: 'INVALID_OFFSET_VALUE',
  view: 'VIEW_NAME_NOT_FOUND',
  viewId: 'VIEW_ID_NOT_FOUND',
}

/** All types that there are. */
export const AIRTABLE_TYPES: ReadonlySet<string> = new Set([
  ...Object.values(MEANINGS).map(([, type]) => type),
  ...Object.values(OF_PARAMETERS),
  UNKNOWN,
  FAULT,
])

/** A failure as Airtable's clients read it: `{"error":{"type","message"}}`. */
export function airtableProblemOf(failure: Failure, requestId: string): Problem {
  const problem = problemOf(failure, requestId)
  const { detail } = JSON.parse(problem.body) as { detail: string }
  const [status, type] = meaningOf(failure, problem.status)
  return {
    status,
    type: JSON_TYPE,
    headers: problem.headers,
    body: JSON.stringify({ error: { type, message: detail } }),
  }
}

function meaningOf({ code, facts }: Failure, status: number): Meaning {
  const known = MEANINGS[code]
  if (known === undefined) return [status, status < 500 ? UNKNOWN : FAULT]
  return code === 'bad_parameter' ? [known[0], typeOfParameter(facts) ?? known[1]] : known
}

function typeOfParameter({ parameter }: Facts): string | undefined {
  return typeof parameter === 'string' && Object.hasOwn(OF_PARAMETERS, parameter) ? OF_PARAMETERS[parameter] : undefined
}
