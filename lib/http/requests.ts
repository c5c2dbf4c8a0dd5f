import type { IncomingMessage, ServerResponse } from 'node:http'
import type { EndedRequest, RequestSpan, Telemetry } from '../telemetry.ts'
import type { RequestDurations } from './request-durations.ts'
import { RouteNames } from './route-names.ts'

/** Follows each request to its end: how long it took, and a span of it where somebody wants to know. */
export class Requests {
  readonly #durations: RequestDurations
  readonly #telemetry: Telemetry | undefined
  readonly #names: RouteNames

  constructor(parts: {
    routes: readonly { readonly path: string }[]
    durations: RequestDurations
    telemetry: Telemetry | undefined
  }) {
    this.#durations = parts.durations
    this.#telemetry = parts.telemetry
    this.#names = new RouteNames(parts.routes.map(({ path }) => path))
  }

  begin(request: IncomingMessage, response: ServerResponse): RequestSpan | undefined {
    const from = performance.now()
    const url = request.url!
    const mark = url.indexOf('?')
    const path = mark === -1 ? url : url.slice(0, mark)
    const span = this.#telemetry && beginSpan(this.#telemetry, request, path)
    const facts = span?.isRecorded ? factsOf(response) : undefined
    response.on('close', () => {
      const named = this.#names.find(path)
      const route = named?.route
      const status = response.headersSent ? response.statusCode : undefined
      this.#durations.observe(route, request.method!, status, (performance.now() - from) / 1000)
      if (!span) return
      // Names of sources and tables only: other names in a path stand for values of rows.
      const { source = named?.route.startsWith('/api/sources/:id') ? named.params.id : undefined, table } =
        named?.params ?? {}
      span.end({ route, status, isComplete: response.writableFinished, source, table, ...facts?.() })
    })
    return span
  }
}

function beginSpan(telemetry: Telemetry, request: IncomingMessage, path: string): RequestSpan {
  const { headers } = request
  const tracestate = headers.tracestate
  return telemetry.request({
    method: request.method!,
    path,
    host: headers.host,
    httpVersion: request.httpVersion,
    traceparent: typeof headers.traceparent === 'string' ? headers.traceparent : undefined,
    tracestate: Array.isArray(tracestate) ? tracestate.join(',') : tracestate,
  })
}

/** Notes what the headers of an answer say of it: they go out as a list that the response does not keep. */
function factsOf(response: ServerResponse): () => Partial<EndedRequest> {
  let sent: readonly unknown[] = []
  const writeHead = response.writeHead.bind(response) as (...args: readonly unknown[]) => ServerResponse
  response.writeHead = (...args: readonly unknown[]) => {
    const headers = args.at(-1)
    if (Array.isArray(headers)) sent = headers
    return writeHead(...args)
  }
  const valueOf = (name: string): string | undefined => {
    const place = sent.indexOf(name)
    return place === -1 ? undefined : String(sent[place + 1])
  }
  return () => ({
    requestId: valueOf('X-Request-Id'),
    snapshot: valueOf('Snapshot-Id'),
    cache: response.statusCode === 304 ? '304' : cacheOf(valueOf('Cache-Status')),
  })
}

/** RFC 9211, as we write it. */
function cacheOf(status: string | undefined): EndedRequest['cache'] {
  if (status === undefined) return undefined
  return /;\s*hit\b/.test(status) ? 'hit' : 'miss'
}
