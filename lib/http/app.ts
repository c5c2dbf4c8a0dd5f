import express, { type ErrorRequestHandler, type Express, type Request, type RequestHandler } from 'express'
import { Failure } from '../errors.ts'
import type { Context } from './context.ts'
import type { Exchange } from './exchange.ts'
import { NOBODY } from './keys.ts'
import type { Route } from './route.ts'
import { Misfit, Misfits } from './visible-query.ts'

const MAX_BODY_BYTES = 64 * 1024
const NO_BYTES = Buffer.alloc(0)

/** The Express app: everything that is not on the hot path. `exchangeOf` wraps a request that comes in. */
export function createApp(
  context: Context,
  routes: readonly Route[],
  exchangeOf: (request: Request, response: Express['response']) => Exchange,
): Express {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.enable('strict routing')
  app.enable('case sensitive routing')
  app.set('query parser', false)
  app.use((request, response, next) => {
    response.locals.exchange = exchangeOf(request, response)
    next()
  })
  for (const [path, family] of Map.groupBy(routes, (route) => route.path)) app.all(path, ...dispatch(context, family))
  app.use((request) => {
    throw new Failure(
      'route_not_found',
      `There is no route ${request.path.slice(0, 200)}. GET / lists those there are.`,
    )
  })
  app.use(answerFailure(new Misfits(context.log)))
  return app
}

/** Finds the method among the routes of one path, checks the key, reads the body, and only then runs the route. */
function dispatch(context: Context, family: readonly Route[]): RequestHandler[] {
  const allow = allowOf(family)
  const find = (method: string) => family.find((route) => route.method === (method === 'HEAD' ? 'GET' : method))
  const readJson = express.json({ limit: MAX_BODY_BYTES })
  const readBytes = express.raw({ limit: MAX_BODY_BYTES, type: () => true, inflate: false })
  return [
    (request, response, next) => {
      const exchange = response.locals.exchange as Exchange
      if (request.method === 'OPTIONS') {
        return exchange.empty(204, ['Allow', allow, ...context.cors.preflight(request, allow)])
      }
      exchange.problemOf = family[0]?.problemOf ?? exchange.problemOf
      const route = find(request.method)
      if (!route) {
        const failure = new Failure(
          'method_not_allowed',
          `${request.path.slice(0, 200)} takes ${allow}, not ${request.method}.`,
          {
            facts: { allow: allow.split(', ') },
          },
        )
        return exchange.fail(failure, ['Allow', allow])
      }
      if (route.scope) context.gate.admit(exchange, route, route.scope)
      if (route.method === 'GET' || !hasBody(request)) return next()
      if (route.takesBytes) return readBytes(request, response, next)
      if (!request.is('json')) {
        throw new Failure(
          'unsupported_media_type',
          'A body must be JSON, with Content-Type: application/json; or leave it out.',
        )
      }
      readJson(request, response, next)
    },
    async (request, response) => {
      const bytes = Buffer.isBuffer(request.body) ? request.body : NO_BYTES
      const body: unknown = bytes === NO_BYTES ? (request.body ?? {}) : {}
      if (Array.isArray(body)) throw new Failure('bad_request', 'The body must be a JSON object.')
      const route = find(request.method)!
      const exchange = response.locals.exchange as Exchange
      const isRead = route.scope !== null && route.others === 'refused'
      await route.handle({
        exchange,
        principal: exchange.principal ?? NOBODY,
        params: request.params as Record<string, string>,
        body: body as Record<string, unknown>,
        bytes,
        query: isRead ? exchange.parameters(route.parameters) : {},
      })
    },
  ]
}

function allowOf(family: readonly Route[]): string {
  const methods = family.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
  return [...methods, 'OPTIONS'].join(', ')
}

function hasBody({ headers }: Request): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

function answerFailure(misfits: Misfits): ErrorRequestHandler {
  return (error, _request, response, _next) => {
    const exchange = response.locals.exchange as Exchange
    if (error instanceof Misfit) misfits.tell(exchange.principal?.id ?? '', error)
    exchange.fail(translate(error))
  }
}

/** What Express and its body parser throw, in our words. */
function translate(error: unknown): unknown {
  if (error instanceof Failure || !(error instanceof Error)) return error
  const { type, status } = error as { type?: string; status?: number }
  if (status === undefined || status >= 500) return error
  const cause = error
  if (status === 413) {
    return new Failure('payload_too_large', `The body is larger than ${MAX_BODY_BYTES} bytes.`, {
      facts: { max_bytes: MAX_BODY_BYTES },
      cause,
    })
  }
  if (status === 415)
    return new Failure('unsupported_media_type', 'The body has a charset or an encoding that is not read here.', {
      cause,
    })
  if (type === 'entity.parse.failed') return new Failure('bad_request', 'The body is not JSON.', { cause })
  return new Failure('bad_request', 'The request is not well formed: its path or body cannot be decoded.', { cause })
}
