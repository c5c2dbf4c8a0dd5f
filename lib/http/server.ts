import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Clock } from '../base/clock.ts'
import type { Engine } from '../engine.ts'
import { Failure } from '../errors.ts'
import type { ChangeLog } from '../change-feed.ts'
import type { MirroredFiles } from '../files.ts'
import type { Snapshots } from '../snapshot.ts'
import type { Telemetry } from '../telemetry.ts'
import type { KnownWebhook } from '../webhook.ts'
import { Answers } from './answers.ts'
import { createApp } from './app.ts'
import { ownerOf } from './body.ts'
import { BodyCache } from './body-cache.ts'
import { ChangeHub } from './change-hub.ts'
import { Changes } from './changes.ts'
import { Connections } from './connections.ts'
import type { Context, HttpSettings } from './context.ts'
import { Exchange } from './exchange.ts'
import { FetchData } from './fetch-data.ts'
import type { KeyCheck, Principal } from '../access.ts'
import type { KeyStore, TicketStore } from '../keys.ts'
import { createCors } from './cors.ts'
import { Gate } from './gate.ts'
import { HeldBytes } from './held-bytes.ts'
import { withRate } from './keys.ts'
import type { HttpLog } from './log.ts'
import { Metrics } from './metrics.ts'
import { PresentedKeys } from './presented-keys.ts'
import { RateLimits } from './rate-limit.ts'
import { answerRawSocket, failureOfParser } from './raw-socket.ts'
import { newRequestId, nextRequestId } from './request-id.ts'
import { RequestDurations } from './request-durations.ts'
import { restRoutes } from './rest/routes.ts'
import { Requests } from './requests.ts'
import type { Route } from './route.ts'
import { attachmentRoutes } from './routes/attachments.ts'
import { changesRoutes } from './routes/changes.ts'
import { exportRoutes } from './routes/exports.ts'
import { fetchDataRoutes } from './routes/fetch-data.ts'
import { createHealth, healthRoutes } from './routes/health.ts'
import { keyRoutes } from './routes/keys.ts'
import { landingRoutes } from './routes/landing.ts'
import { metricsRoutes } from './routes/metrics.ts'
import { openApiRoutes } from './routes/openapi.ts'
import { refreshRoutes } from './routes/refresh.ts'
import { runRoutes } from './routes/runs.ts'
import { tableRoutes } from './routes/tables.ts'
import { Tables } from './tables/tables.ts'
import { schemaRoutes } from './routes/schema.ts'
import { sourceRoutes } from './routes/sources.ts'
import { statsRoutes } from './routes/stats.ts'
import { statusRoutes } from './routes/status.ts'
import { ticketRoutes } from './routes/tickets.ts'
import { webhookRoutes } from './routes/webhooks.ts'
import { securityHeaders } from './security-headers.ts'
import { SlowQueries } from './slow-queries.ts'
import { SourceFeed } from './source-feed.ts'
import { Streams } from './streams.ts'
import { Iterations } from './v0/iterations.ts'
import { airtableProblemOf } from './v0/problem.ts'
import { airtableRoutes } from './v0/routes.ts'

const MAX_URL_BYTES = 8 * 1024
/** Airtable's clients put formulas into URLs as long as this before they send them another way. */
const MAX_AIRTABLE_URL_BYTES = 16_000
/** Above the limit of the URL, so that a URL can be told from headers as the one that is too long. */
const MAX_HEADER_BYTES = 24 * 1024
/** A client that takes or sends nothing for so long is let go; event streams have a heartbeat. */
const SOCKET_IDLE_MS = 60_000
/** Of answers that are in memory as a whole: so many of the largest there may be, but not less than this. */
const MAX_HELD_ANSWERS = 8
const MIN_HELD_BYTES = 64 * 1024 * 1024
const DRAIN_MS = 8000
const DRAIN_LOOK_MS = 50

export interface HttpParts {
  readonly settings: HttpSettings
  readonly snapshots: Snapshots
  readonly changes: ChangeLog
  readonly files: MirroredFiles
  readonly engine: Engine
  readonly keys: KeyCheck
  readonly keyStore: KeyStore
  readonly tickets: TicketStore
  readonly log: HttpLog
  readonly clock: Clock
  readonly version: string
  /** In the order of the configuration; the first is the default. */
  readonly sources: readonly string[]
  /** For jitter. */
  readonly random?: () => number
  readonly telemetry?: Telemetry | undefined
  /** Names this process among those that serve on one port: a label of its metrics. */
  readonly process?: string | undefined
  /** Answers at once; without it no source has a webhook. */
  readonly webhookOf?: (source: string) => KnownWebhook | undefined
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
  const { settings, snapshots, tickets, log, clock, sources, random = Math.random } = parts
  let isDraining = false
  const cors = createCors(settings.corsOrigins)
  const constantHeaders = [...securityHeaders(), ...cors.constantHeaders]
  const keys = withRate(parts.keys, settings.rateLimit)
  const presented = new PresentedKeys(keys, clock)
  const rates = new RateLimits(clock, settings.webConcurrency)
  const context: Context = {
    ...parts,
    keys,
    presented,
    gate: new Gate({ keys, presented, tickets, rates, clock }),
    rates,
    cors,
    feed: new SourceFeed(parts),
    changeHub: new ChangeHub({ ...parts, log: parts.changes, logger: log }),
    bodies: new BodyCache(settings.bodyCacheBytes),
    slowQueries: new SlowQueries(clock),
    streams: new Streams({ max: settings.maxStreams, random, log, keys, tickets, clock }),
    held: new HeldBytes(Math.max(MIN_HELD_BYTES, MAX_HELD_ANSWERS * settings.answerMaxBytes)),
    constantHeaders,
    startedAt: clock.now(),
    webhookOf: parts.webhookOf ?? (() => undefined),
    isDraining: () => isDraining,
  }
  const durations = new RequestDurations()
  const metrics = new Metrics(context, durations)
  const fetchData = new FetchData(context)
  const answers = new Answers(context)
  const tables = new Tables(context, answers)
  const iterations = new Iterations(snapshots)
  const airtable = airtableRoutes(context, answers, iterations)
  const health = createHealth(context)
  const routes: Route[] = [
    ...healthRoutes(context, health),
    ...statusRoutes(context),
    ...fetchDataRoutes(fetchData),
    // Before the records of a table: one of them may be called `export`.
    ...exportRoutes(context),
    ...attachmentRoutes(context),
    ...tableRoutes(context, tables),
    ...restRoutes(context, answers),
    ...airtable.routes,
    ...schemaRoutes(context),
    ...statsRoutes(context, { connections: () => connections.size, answers: answers.cache }),
    ...changesRoutes(new Changes(context, context.changeHub)),
    ...refreshRoutes(context),
    ...sourceRoutes(context),
    ...runRoutes(context),
    ...webhookRoutes(context),
    ...metricsRoutes(metrics),
    ...keyRoutes(context),
  ]
  routes.push(...ticketRoutes(context, routes), ...openApiRoutes(context, routes))
  routes.unshift(...landingRoutes(context, routes))
  const requests = new Requests({ routes, durations, telemetry: parts.telemetry })
  const app = createApp(context, routes, exchangeOf)

  function exchangeOf(request: IncomingMessage, response: ServerResponse): Exchange {
    const { path, query } = splitUrl(request.url!)
    const facts = { request, response, id: nextRequestId(request), path, query, log, held: context.held }
    const exchange = new Exchange({ ...facts, constantHeaders: [...constantHeaders, ...cors.of(request)] })
    // Also where there is no such route.
    if (path.startsWith('/v0/')) exchange.problemOf = airtableProblemOf
    return exchange
  }

  function handle(request: IncomingMessage, response: ServerResponse): void {
    metrics.requests++
    connections.track(request, response)
    if (isDraining) response.shouldKeepAlive = false
    request.url = originForm(request.url!)
    const span = requests.begin(request, response)
    const { url, method } = request
    const problem = refuse(request, url)
    if (problem) return exchangeOf(request, response).fail(problem)
    if (method === 'GET' || method === 'HEAD') {
      const { path, query } = splitUrl(url)
      if (path === '/health') return health(request, response)
      if (path === '/fetch-data' && fetchData.answerHot(request, response, query)) return
      if (path.startsWith('/api/tables/')) {
        if (answers.answerHot(request, response, (principal) => tables.hotRecord(principal, path, query))) return
      }
      if (path.startsWith('/rest/v1/') && answers.answerHot(request, response)) return
      if (path.startsWith('/v0/')) {
        const make = (principal: Principal) => airtable.records.hotRecord(principal, path, query)
        const hot = answers.answerHot(request, response, make)
        const mounted = hot && !hot.isPlain ? snapshots.active(hot.source) : undefined
        // The first page of a list, most likely.
        if (mounted) iterations.readOn(mounted)
        if (hot) return
      }
    } else if (method === 'OPTIONS' && url === '*') {
      return exchangeOf(request, response).empty(204, ['Allow', 'GET, HEAD, POST, OPTIONS'])
    }
    if (span) span.within(() => app(request, response))
    else app(request, response)
  }

  // A missing Host is answered by us, as a problem. Of two Authorization headers Node would drop one without a word.
  const parsing = { maxHeaderSize: MAX_HEADER_BYTES, requireHostHeader: false, joinDuplicateHeaders: true }
  const server = createServer(parsing, handle)
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
    answers.cache.drop(source)
    active.set(source, mounted ? ownerOf(mounted) : `${source}/${pointer.snapshot}`)
  })
  for (const source of sources) {
    const mounted = snapshots.active(source)
    if (mounted) active.set(source, ownerOf(mounted))
  }
  server.once('listening', () => {
    metrics.start()
    parts.telemetry?.follow(() => metrics.figures())
    context.feed.start(sources, whileOpen.signal)
    context.changeHub.start()
  })
  server.once('close', () => {
    whileOpen.abort()
    publishes[Symbol.dispose]()
    context.changeHub.stop()
    iterations[Symbol.dispose]()
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
  const maxBytes = url.startsWith('/v0/') ? MAX_AIRTABLE_URL_BYTES : MAX_URL_BYTES
  if (url.length > maxBytes) {
    return new Failure('uri_too_long', `The request target is longer than ${maxBytes} bytes.`, {
      facts: { max_bytes: maxBytes },
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
