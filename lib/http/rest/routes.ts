import { Failure } from '../../errors.ts'
import type { AnswerSender } from '../answer-spec.ts'
import type { Context } from '../context.ts'
import { defineRoute, type Route } from '../route.ts'
import { resolveTable } from '../target.ts'
import { resolveVisible } from '../visible-query.ts'
import { restProblemOf } from './problem.ts'
import { readRestRequest } from './request.ts'
import { textShapeOf, writeRest } from './write.ts'

/** For the description of the interface: the route reads its query by itself. */
const PARAMETERS = {
  select: { kind: 'text' },
  order: { kind: 'text' },
  limit: { kind: 'integer', from: 0 },
  offset: { kind: 'integer', from: 0 },
  and: { kind: 'text' },
  or: { kind: 'text' },
  'not.and': { kind: 'text' },
  'not.or': { kind: 'text' },
} as const

/** PostgREST's way to read tables. */
export function restRoutes(context: Context, answers: AnswerSender): Route[] {
  const rpc = (method: Route['method']) =>
    defineRoute({
      method,
      path: '/rest/v1/rpc/:function',
      scope: 'read',
      reach: 'rows',
      others: 'filters',
      problemOf: restProblemOf,
      summary: 'Functions, as PostgREST has them: there are none, and that is what it answers',
      handle: ({ params }) => {
        const name = params.function!.slice(0, 100)
        throw new Failure(
          'route_not_found',
          `There is no function ${JSON.stringify(name)}, nor any other: tables are all there is.`,
        )
      },
    })
  return [
    defineRoute({
      method: 'GET',
      path: '/rest/v1/:table',
      scope: 'read',
      reach: 'rows',
      others: 'filters',
      parameters: PARAMETERS,
      problemOf: restProblemOf,
      summary: "The rows of a table, in PostgREST's read grammar",
      handle: async ({ exchange, principal, params }) => {
        const request = readRestRequest(exchange.query, exchange.request.headers, context.settings)
        const target = resolveTable(context, principal, params.table!)
        const asked = { ...request.query, ...textShapeOf(request.representation) }
        const query = resolveVisible(asked, target, principal)
        const write = (answer: Parameters<typeof writeRest>[0]) => writeRest(answer, request)
        await answers.send(exchange, { target, principal, query, variant: '', write })
      },
    }),
    rpc('GET'),
    rpc('POST'),
  ]
}
