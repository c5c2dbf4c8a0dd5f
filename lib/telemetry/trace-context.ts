import { createTraceState, isSpanContextValid, type SpanContext } from '@opentelemetry/api'

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** The span a request comes from (W3C Trace Context), or undefined where it names none that can be used. */
export function remoteParent(traceparent: string | undefined, tracestate: string | undefined): SpanContext | undefined {
  const match = traceparent === undefined ? null : TRACEPARENT.exec(traceparent)
  if (!match) return undefined
  const [, version, traceId = '', spanId = '', flags = '', rest] = match
  // Later versions may add to the end, the first one may not.
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined
  const context: SpanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true }
  if (!isSpanContextValid(context)) return undefined
  return tracestate === undefined ? context : { ...context, traceState: createTraceState(tracestate) }
}
