import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Clock } from '../base/clock.ts'
import type { Engine } from '../engine.ts'
import { Failure } from '../errors.ts'
import type { Snapshots } from '../snapshot.ts'
import { createApp } from './app.ts'
import { ownerOf } from './body.ts'
import { BodyCache } from './body-cache.ts'
import { Connections } from './connections.ts'
import type { Context, HttpSettings } from './context.ts'
import { Exchange } from './exchange.ts'
import { FetchData } from './fetch-data.ts'
import type { KeyCheck } from './keys.ts'
import type { HttpLog } from './log.ts'
import { Metrics } from './metrics.ts'
import { answerRawSocket, failureOfParser } from './raw-socket.ts'
import { newRequestId, nextRequestId } from './request-id.ts'
import type { Route } from './route.ts'
import { fetchDataRoutes } from './routes/fetch-data.ts'
import { createHealth, healthRoutes } from './routes/health.ts'
import { landingRoutes } from './routes/landing.ts'
import { metricsRoutes } from './routes/metrics.ts'
import { refreshRoutes } from './routes/refresh.ts'
import { runRoutes } from './routes/runs.ts'
import { sourceRoutes } from './routes/sources.ts'
import { statusRoutes } from './routes/status.ts'
import { securityHeaders } from './security-headers.ts'
import { SourceFeed } from './source-feed.ts'
import { Streams } from './streams.ts'

const MAX_URL_BYTES = 8 * 1024
/** Above the limit of the URL, so that a URL can be told from headers as the one that is too long. */
const MAX_HEADER_BYTES = 24 * 1024
/** A client that takes or sends nothing for so long is let go; event streams have a heartbeat. */
const SOCKET_IDLE_MS = 60_000
const DRAIN_MS = 8000
const DRAIN_LOOK_MS = 50

export interface HttpParts {
  readonly settings: HttpSettings
  readonly snapshots: Snapshots
  readonly engine: Engine
  readonly keys: KeyCheck
  readonly log: HttpLog
  readonly clock: Clock
  readonly version: string
  /** In the order of the configuration; the first is the default. */
  readonly sources: readonly string[]
  /** For jitter. */
  readonly random?: () => number
}

export interface Http {
  /** Not listening yet. */
  readonly server: Server
  /** Every route there is. */
  readonly routes: readonly Route[]
  /** Takes no new work, says `bye` to streams, lets requests finish for a while, and closes the server. */
  drain(): Promise<void>
}

export function createHttp(parts: HttpParts): Http {
  const { settings, snapshots, log, clock, sources, random = Math.random } = parts
  let isDraining = false
  const constantHeaders = securityHeaders()
  const context: Context = {
    ...parts,
    feed: new SourceFeed(parts),
    bodies: new BodyCache(settings.bodyCacheBytes),
    streams: new Streams({ max: settings.maxStreams, random, log }),
    constantHeaders,
    startedAt: clock.now(),
    isDraining: () => isDraining,
  }
  const metrics = new Metrics(context)
  const fetchData = new FetchData(context)
  const health = createHealth(context)
  const routes: Route[] = [
    ...healthRoutes(context, health),
    ...statusRoutes(context),
    ...fetchDataRoutes(fetchData),
    ...refreshRoutes(context),
    ...sourceRoutes(context),
    ...runRoutes(context),
    ...metricsRoutes(metrics),
  ]
  routes.unshift(...landingRoutes(context, routes))
  const app = createApp(context, routes, exchangeOf)

  function exchangeOf(request: IncomingMessage, response: ServerResponse): Exchange {
    const { path, query } = splitUrl(request.url!)
    return new Exchange({ request, response, id: nextRequestId(request), path, query, constantHeaders, log })
  }

  function handle(request: IncomingMessage, response: ServerResponse): void {
    metrics.requests++
    connections.track(request, response)
    if (isDraining) response.shouldKeepAlive = false
    request.url = originForm(request.url!)
    const { url, method } = request
    const problem = refuse(request, url)
    if (problem) return exchangeOf(request, response).fail(problem)
    if (method === 'GET' || method === 'HEAD') {
      const { path, query } = splitUrl(url)
      if (path === '/health') return health(request, response)
      if (path === '/fetch-data' && fetchData.answerHot(request, response, query)) return
    } else if (method === 'OPTIONS' && url === '*') {
      return exchangeOf(request, response).empty(204, ['Allow', 'GET, HEAD, POST, OPTIONS'])
    }
    app(request, response)
  }

  // A missing Host is answered by us, as a problem.
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, requireHostHeader: false }, handle)
  const connections = new Connections(server)
  server.timeout = SOCKET_IDLE_MS
  // An expectation that is not known may be ignored (RFC 9110, 10.1.1).
  server.on('checkExpectation', handle)
  server.on('clientError', (error: NodeJS.ErrnoException, socket) =>
    answerRawSocket(socket, failureOfParser(error, MAX_URL_BYTES), newRequestId(), constantHeaders),
  )
  server.on('connect', (_request, socket) => {
    const failure = new Failure('method_not_allowed', 'This is not a proxy: CONNECT is not taken.')
    answerRawSocket(socket, failure, newRequestId(), [...constantHeaders, 'Allow', 'GET, HEAD, POST, OPTIONS'])
  })

  const whileOpen = new AbortController()
  const active = new Map<string, string>()
  const publishes = snapshots.onPublish((source, pointer) => {
    const mounted = snapshots.active(source)
    const before = active.get(source)
    if (before !== undefined) context.bodies.drop(before)
    active.set(source, mounted ? ownerOf(mounted) : `${source}/${pointer.snapshot}`)
  })
  for (const source of sources) {
    const mounted = snapshots.active(source)
    if (mounted) active.set(source, ownerOf(mounted))
  }
  server.once('listening', () => {
    metrics.start()
    context.feed.start(sources, whileOpen.signal)
  })
  server.once('close', () => {
    whileOpen.abort()
    publishes[Symbol.dispose]()
  })

  let drained: Promise<void> | undefined
  async function drain(): Promise<void> {
    isDraining = true
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    context.streams.leave()
    const done = new AbortController()
    void closed.then(() => done.abort())
    for (let waited = 0; waited < DRAIN_MS && !done.signal.aborted; waited += DRAIN_LOOK_MS) {
      server.closeIdleConnections() // those whose last answer has just gone out
      await clock.sleep(DRAIN_LOOK_MS, done.signal)
    }
    server.closeAllConnections()
    await closed
  }

  return { server, routes, drain: () => (drained ??= drain()) }
}

/** What no route needs to look at. */
function refuse(request: IncomingMessage, url: string): Failure | undefined {
  if (url.length > MAX_URL_BYTES) {
    return new Failure('uri_too_long', `The request target is longer than ${MAX_URL_BYTES} bytes.`, {
      facts: { max_bytes: MAX_URL_BYTES },
    })
  }
  if (url[0] !== '/' && url !== '*') return new Failure('bad_request', 'The request target must be a path.')
  if (request.httpVersionMinor === 1 && request.httpVersionMajor === 1 && !request.headers.host) {
    return new Failure('bad_request', 'An HTTP/1.1 request must have a Host header.')
  }
  return undefined
}

/** The path and query of a target that a proxy's client wrote out in full. */
function originForm(url: string): string {
  const match = url[0] === '/' ? null : /^https?:\/\/[^/?#]*([^#]*)/i.exec(url)
  if (!match) return url
  return match[1]!.startsWith('/') ? match[1]! : `/${match[1]}`
}

function splitUrl(url: string): { path: string; query: string } {
  const mark = url.indexOf('?')
  return mark === -1 ? { path: url, query: '' } : { path: url.slice(0, mark), query: url.slice(mark + 1) }
}
