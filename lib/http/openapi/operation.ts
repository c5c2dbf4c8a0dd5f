import type { z } from 'zod'
import type { Principal } from '../../access.ts'
import type { Route } from '../route.ts'
import { refTo } from './components.ts'
import type { MediaType, Operation, Response } from './document-types.ts'
import { answerExamples, bodyExamples, requestExamples, type Values } from './examples.ts'
import type { FailureResponses } from './failure-responses.ts'
import { COMMON_HEADERS, headerRefs, RATE_HEADERS, type HeaderName } from './headers.ts'
import { ANY_FILTER, headerParameters, pathParameters, queryParameters } from './parameters.ts'
import type { AnswerDoc, Content, ExampleDoc, RouteDoc } from './route-doc.ts'

export interface Reader {
  readonly values: Values
  /** Null: nobody in particular. */
  readonly principal: Principal | null
}

/** A route as the document has it. */
export function operationOf(route: Route, doc: RouteDoc, failures: FailureResponses, reader: Reader): Operation {
  const parameters = [
    ...pathParameters(route, doc),
    ...queryParameters(route, doc),
    ...(route.others === 'filters' && Object.keys(route.parameters).length > 0 ? [ANY_FILTER] : []),
    ...headerParameters(doc),
  ]
  const examples = requestExamples(route, doc.examples, reader)
  return {
    tags: [doc.tag],
    operationId: doc.id,
    summary: route.summary,
    description: doc.description,
    ...(parameters.length > 0 && { parameters }),
    ...(doc.body && { requestBody: requestBody(doc.body, doc.examples, reader.values) }),
    responses: { ...answersOf(route, doc), ...failures.of(route, doc) },
    security: securityOf(route),
    ...(examples.length > 0 && { 'x-examples': examples }),
  }
}

/** Any of these lets in, with this scope. */
function securityOf({ scope, takesTicket }: Route): Operation['security'] {
  if (scope === null) return []
  const names = ['key', 'bearer', 'apikey', ...(takesTicket ? ['ticket'] : [])]
  return names.map((name) => ({ [name]: [scope] }))
}

function requestBody(
  body: z.ZodType,
  examples: readonly ExampleDoc[],
  values: Values,
): NonNullable<Operation['requestBody']> {
  const shown = bodyExamples(examples, values)
  const media: MediaType = { schema: refTo(body), ...(Object.keys(shown).length > 0 && { examples: shown }) }
  return { required: false, content: { 'application/json': media } }
}

function answersOf({ scope }: Route, { answers, examples }: RouteDoc): Record<string, Response> {
  const common = scope === null ? COMMON_HEADERS : [...COMMON_HEADERS, ...RATE_HEADERS]
  return Object.fromEntries(answers.map((answer) => [String(answer.status), responseOf(answer, examples, common)]))
}

function responseOf(answer: AnswerDoc, examples: readonly ExampleDoc[], common: readonly HeaderName[]): Response {
  const { status, description, headers = [], content, frames } = answer
  const types = Object.entries(content ?? {}).map(([type, of]) => {
    const shown = answerExamples(examples, { status, type })
    const media: MediaType = {
      ...mediaTypeOf(of),
      ...(Object.keys(shown).length > 0 && { examples: shown }),
      ...(frames && type === 'text/event-stream' && { 'x-frames': refTo(frames) }),
    }
    return [type, media] as const
  })
  return {
    description,
    headers: headerRefs([...common, ...headers]),
    ...(types.length > 0 && { content: Object.fromEntries(types) }),
  }
}

function mediaTypeOf(content: Content): MediaType {
  if (content === 'bytes') return {}
  return { schema: content === 'text' ? { type: 'string' } : refTo(content) }
}
