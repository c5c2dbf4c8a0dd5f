import { AsyncLocalStorage } from 'node:async_hooks'
import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
  type Tracer,
} from '@opentelemetry/api'
import type { BegunRequest, EndedRequest, EndedStep, RequestSpan } from '../telemetry.ts'
import { remoteParent } from './trace-context.ts'

/** What the conventions know; any other would be a name that a client made up. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'])
const MAX_TEXT = 500

/** Spans of requests, as the semantic conventions for HTTP servers want them, and of their steps. */
export class RequestSpans {
  readonly #tracer: Tracer
  /** The request at hand, for those whose work is run within one. */
  readonly #current = new AsyncLocalStorage<Context>()

  constructor(tracer: Tracer) {
    this.#tracer = tracer
  }

  begin(request: BegunRequest): RequestSpan {
    const parent = remoteParent(request.traceparent, request.tracestate)
    const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent)
    const method = METHODS.has(request.method) ? request.method : undefined
    const attributes = beginningOf(request, method)
    const span = this.#tracer.startSpan(method ?? 'HTTP', { kind: SpanKind.SERVER, attributes }, context)
    return {
      isRecorded: span.isRecording(),
      within: (work) => this.#current.run(trace.setSpan(ROOT_CONTEXT, span), work),
      end: (answer) => end(span, method ?? 'HTTP', answer),
    }
  }

  step({ name, from, to, attributes, failure }: EndedStep): void {
    const context = this.#current.getStore() ?? ROOT_CONTEXT
    const span = this.#tracer.startSpan(name, { startTime: from, attributes: { ...attributes } }, context)
    if (failure !== undefined) fail(span, failure)
    span.end(to)
  }
}

function beginningOf(request: BegunRequest, method: string | undefined): Attributes {
  const [, address, port] = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/i.exec(request.host ?? '') ?? []
  return {
    'http.request.method': method ?? '_OTHER',
    ...(method === undefined && { 'http.request.method_original': request.method.slice(0, 50) }),
    'url.scheme': 'http',
    'url.path': request.path.slice(0, MAX_TEXT),
    'network.protocol.version': request.httpVersion,
    ...(address !== undefined && { 'server.address': address.slice(0, MAX_TEXT) }),
    ...(port !== undefined && { 'server.port': Number(port) }),
  }
}

function end(span: Span, method: string, answer: EndedRequest): void {
  if (span.isRecording()) {
    if (answer.route !== undefined) span.updateName(`${method} ${answer.route}`)
    for (const [name, value] of Object.entries(endOf(answer))) if (value !== undefined) span.setAttribute(name, value)
    if (answer.status !== undefined && answer.status >= 500) fail(span, String(answer.status))
  }
  span.end()
}

function endOf(answer: EndedRequest) {
  return {
    'http.route': answer.route,
    'http.response.status_code': answer.status,
    'holdfast.source': answer.source,
    'holdfast.table': answer.table,
    'holdfast.snapshot': answer.snapshot,
    'holdfast.cache': answer.cache,
    'holdfast.request_id': answer.requestId,
    // A client may go whenever it likes: that is no error of ours.
    'holdfast.incomplete': answer.isComplete ? undefined : true,
  }
}

/** No message: those are for people who may see the data. */
function fail(span: Span, code: string): void {
  span.setAttribute('error.type', code)
  span.setStatus({ code: SpanStatusCode.ERROR })
}
