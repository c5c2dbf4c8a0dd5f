import { isRestricted, type Principal } from '../../access.ts'
import type { Route } from '../route.ts'
import type { NamedExample, RequestExample } from './document-types.ts'
import { failureStatus, problemType } from './failure-responses.ts'
import type { ExampleDoc } from './route-doc.ts'

/** What names in braces stand for; a name without a value is one that there is nothing for. */
export type Values = Readonly<Record<string, string | undefined>>

/** The examples of a route that whoever asks can send; null: everybody. */
export function requestExamples(
  route: Route,
  examples: readonly ExampleDoc[],
  { values, principal }: { readonly values: Values; readonly principal: Principal | null },
): RequestExample[] {
  if (principal && !mayUse(principal, route)) return []
  return examples.flatMap((example) => {
    if (principal && example.needs && !principal.scopes.has(example.needs)) return []
    const path = filled(example.path, values, encodeURIComponent)
    const body = filledBody(example.body, values)
    if (path === undefined || body === undefined) return []
    const { summary, headers, failure } = example
    const type = failure
      ? problemType(route)
      : statusOf(example, route) === 307
        ? undefined
        : (example.type ?? 'application/json')
    return [
      {
        summary,
        method: route.method,
        path,
        ...(headers && { headers }),
        ...(body !== NO_BODY && { body }),
        status: statusOf(example, route),
        ...(type !== undefined && { type }),
        ...(failure && { failure }),
      },
    ]
  })
}

/** What a route answers, for one status and media type. */
export function answerExamples(
  examples: readonly ExampleDoc[],
  wanted: { readonly status: number; readonly type: string },
): Record<string, NamedExample> {
  const fitting = examples.filter(
    (example) =>
      !example.failure &&
      example.answer !== undefined &&
      (example.status ?? OK) === wanted.status &&
      (example.type ?? 'application/json') === wanted.type,
  )
  return Object.fromEntries(fitting.map(({ summary, answer }) => [slug(summary), { summary, value: answer }]))
}

export function bodyExamples(examples: readonly ExampleDoc[], values: Values): Record<string, NamedExample> {
  return Object.fromEntries(
    examples.flatMap(({ summary, body, failure }) => {
      const value = filledBody(body, values)
      return failure || value === NO_BODY || value === undefined ? [] : [[slug(summary), { summary, value }]]
    }),
  )
}

/** An example that says nothing else shows what a route does when all is well. */
const OK = 200

function statusOf({ status = OK, failure }: ExampleDoc, route: Route): number {
  return failure ? failureStatus(route, failure) : status
}

/** Whether a key comes past the gate; what it finds behind it is another question. */
function mayUse(principal: Principal, { scope, reach }: Route): boolean {
  if (scope === null) return true
  if (!principal.scopes.has(scope)) return false
  return reach === 'whole' ? !isRestricted(principal) : reach === 'tables' ? principal.rules.size === 0 : true
}

const NO_BODY = Symbol('no body')

function filledBody(body: ExampleDoc['body'], values: Values): unknown {
  return body === undefined ? NO_BODY : filledValue(body, values)
}

function filledValue(value: unknown, values: Values): unknown {
  if (typeof value === 'string') return filled(value, values, value.startsWith('/') ? encodeURIComponent : String)
  if (Array.isArray(value)) {
    const all = value.map((one) => filledValue(one, values))
    return all.includes(undefined) ? undefined : all
  }
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([name, one]) => [name, filledValue(one, values)] as const)
  return entries.some(([, one]) => one === undefined) ? undefined : Object.fromEntries(entries)
}

/** Undefined where a name has no value. */
function filled(text: string, values: Values, encode: (value: string) => string): string | undefined {
  let isWhole = true
  const result = text.replaceAll(/\{(\w+)\}/g, (_all, name: string) => {
    const value = values[name]
    if (value === undefined) isWhole = false
    return value === undefined ? '' : encode(value)
  })
  return isWhole ? result : undefined
}

function slug(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
}
