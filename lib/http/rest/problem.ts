import { closest } from '../../base/closest.ts'
import type { Failure, FailureCode } from '../../errors.ts'
import { JSON_TYPE } from '../exchange.ts'
import { problemOf, type Problem } from '../problem.ts'

/** PostgREST's codes, and PostgreSQL's where it hands those on. */
const CODES: Partial<Readonly<Record<FailureCode, string>>> = {
  bad_request: 'PGRST100',
  bad_parameter: 'PGRST100',
  unknown_parameter: 'PGRST100',
  bad_filter: 'PGRST100',
  range_not_satisfiable: 'PGRST103',
  not_acceptable: 'PGRST107',
  not_singular: 'PGRST116',
  method_not_allowed: 'PGRST117',
  not_supported: 'PGRST127',
  route_not_found: 'PGRST202',
  source_not_found: 'PGRST205',
  table_not_found: 'PGRST205',
  unauthorized: 'PGRST301',
  no_snapshot: 'PGRST002',
  readers_busy: 'PGRST003',
  internal: 'PGRSTX00',
  column_not_found: '42703',
  bad_value: '22P02',
  forbidden: '42501',
  query_deadline: '57014',
}

/** A failure as PostgREST's clients read it. Status and headers are those that it has everywhere. */
export function restProblemOf(failure: Failure, requestId: string): Problem {
  const { status, headers, body } = problemOf(failure, requestId)
  const { detail } = JSON.parse(body) as { detail: string }
  return {
    status,
    type: JSON_TYPE,
    headers: [...headers, ...rangeHeader(failure)],
    body: JSON.stringify({
      code: codeOf(failure),
      details: detailsOf(failure, requestId),
      hint: hintOf(failure),
      message: detail,
    }),
  }
}

/** Ours has a prefix where there is no counterpart. */
function codeOf({ code, facts }: Failure): string {
  if (code === 'not_acceptable' && facts.schema !== undefined) return 'PGRST106'
  if (code === 'bad_parameter' && facts.parameter === 'Prefer') return 'PGRST122'
  return CODES[code] ?? `holdfast_${code}`
}

function detailsOf({ code, facts }: Failure, requestId: string): string | null {
  // Clients look for "0 rows" to tell none from many.
  if (code === 'not_singular') return `The result contains ${String(facts.rows)} rows`
  if (code === 'internal') return `Request ${requestId}`
  if (facts.position !== undefined) return `${String(facts.parameter)}, position ${String(facts.position)}`
  return null
}

function hintOf({ code, facts }: Failure): string | null {
  const { known } = facts
  if (code === 'query_deadline') return typeof facts.hint === 'string' ? facts.hint : null
  if (code === 'internal' || !Array.isArray(known) || known.length === 0) return null
  const names = known as readonly string[]
  const asked = [facts.column, facts.table, facts.name].find((name) => typeof name === 'string')
  const near = code === 'bad_parameter' || asked === undefined ? undefined : closest(asked, names)
  return near === undefined ? `There is: ${names.slice(0, 20).join(', ')}` : `Perhaps you meant ${near}`
}

function rangeHeader({ code, facts }: Failure): string[] {
  return code === 'range_not_satisfiable' ? ['Content-Range', `*/${String(facts.total ?? '*')}`] : []
}
