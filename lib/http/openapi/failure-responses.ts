import { Failure, FAILURES, type FailureCode } from '../../errors.ts'
import { problemOf } from '../problem.ts'
import type { Route } from '../route.ts'
import { airtableProblemOf } from '../v0/problem.ts'
import { refTo } from './components.ts'
import type { MediaType, Reference, Response } from './document-types.ts'
import { headerRefs, type HeaderName } from './headers.ts'
import type { RouteDoc } from './route-doc.ts'
import { AirtableProblem } from './schemas/airtable.ts'
import { Problem, RestProblem } from './schemas/problem.ts'

const REQUEST = 'bq3jbuQn-0'

/** The answers to requests that fail: many routes share them, so each is there once. */
export class FailureResponses {
  readonly components: Record<string, Response> = {}

  /** All failures that a route can answer with, by status. */
  of(route: Route, doc: RouteDoc): Record<string, Reference> {
    const byStatus = Map.groupBy(codesOf(route, doc), (code) => failureStatus(route, code))
    return Object.fromEntries([...byStatus].map(([status, codes]) => [String(status), this.#refTo(codes, route)]))
  }

  #refTo(codes: readonly FailureCode[], { problemOf: write }: Route): Reference {
    const name = `${write ? `${write === airtableProblemOf ? 'v0' : 'rest'}.` : ''}${codes.join('.')}`
    this.components[name] ??= responseOf(codes, write)
    return { $ref: `#/components/responses/${name}` }
  }
}

/** What a route answers a failure with. */
export function failureStatus({ problemOf: write = problemOf }: Pick<Route, 'problemOf'>, code: FailureCode): number {
  return write(new Failure(code, ''), REQUEST).status
}

/** How a route writes its failures down. */
export function problemType({ problemOf: write }: Pick<Route, 'problemOf'>): string {
  return write ? 'application/json' : 'application/problem+json'
}

function codesOf(route: Route, { failures = [] }: RouteDoc): FailureCode[] {
  const codes = new Set<FailureCode>(failures)
  if (route.scope !== null) {
    codes.add('bad_request')
    for (const code of ['unauthorized', 'forbidden', 'rate_limited', 'internal'] as const) codes.add(code)
    if (route.others === 'refused') codes.add('unknown_parameter')
  }
  if (Object.keys(route.parameters).length > 0) codes.add('bad_parameter')
  if (route.method === 'POST') {
    for (const code of ['bad_parameter', 'payload_too_large', 'unsupported_media_type'] as const) codes.add(code)
  }
  // In the order of the list of failures, so that equal sets are equal.
  return (Object.keys(FAILURES) as FailureCode[]).filter((code) => codes.has(code))
}

function responseOf(codes: readonly FailureCode[], write: Route['problemOf']): Response {
  const examples = codes.map((code) => {
    const { title } = FAILURES[code]
    const { body } = (write ?? problemOf)(new Failure(code, `${title}.`), REQUEST)
    return [code, { summary: title, value: JSON.parse(body) as unknown }] as const
  })
  const schema = write === airtableProblemOf ? AirtableProblem : write ? RestProblem : Problem
  const media: MediaType = { schema: refTo(schema), examples: Object.fromEntries(examples) }
  const headers: HeaderName[] = ['X-Request-Id']
  if (codes.some((code) => FAILURES[code].status === 401)) headers.push('WWW-Authenticate')
  if (codes.every((code) => FAILURES[code].retry && [409, 429, 503].includes(FAILURES[code].status)))
    headers.push('Retry-After')
  return {
    description: codes.map((code) => `\`${code}\`: ${FAILURES[code].title}.`).join('\n\n'),
    headers: headerRefs(headers),
    content: { [problemType(write ? { problemOf: write } : {})]: media },
  }
}
