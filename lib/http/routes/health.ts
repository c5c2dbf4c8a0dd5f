import type { IncomingMessage, ServerResponse } from 'node:http'
import { Failure } from '../../errors.ts'
import { isActive } from '../../sync-run.ts'
import type { Context } from '../context.ts'
import { JSON_TYPE } from '../exchange.ts'
import { checkedAt } from '../freshness.ts'
import { nextRequestId } from '../request-id.ts'
import { defineRoute, type Route } from '../route.ts'

/** `GET /health`: this process answers. Depends on no data, reads nothing but memory. */
export function createHealth(context: Context): (request: IncomingMessage, response: ServerResponse) => void {
  const headers = [...context.constantHeaders, 'Content-Type', JSON_TYPE, 'Cache-Control', 'no-store']
  const version = JSON.stringify(context.version)
  const [first] = context.sources
  return (request, response) => {
    const run = first === undefined ? null : context.feed.latest(first)?.run
    const exists = first !== undefined && context.snapshots.active(first) !== undefined
    const now = context.clock.now()
    const body =
      `{"status":"healthy","version":${version},"uptime_seconds":${Math.floor((now - context.startedAt) / 1000)},` +
      `"draining":${context.isDraining()},"cache_exists":${exists},"update_in_progress":${run ? isActive(run) : false}}`
    response.writeHead(200, [
      ...headers,
      ...context.cors.of(request),
      'Content-Length', String(body.length),
      'X-Request-Id', nextRequestId(request),
    ]) // prettier-ignore
    response.end(body)
  }
}

export function healthRoutes(context: Context, health: ReturnType<typeof createHealth>): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/health',
      scope: null,
      summary: 'Always 200 while the process is up',
      handle: ({ exchange }) => health(exchange.request, exchange.response),
    }),
    defineRoute({
      method: 'GET',
      path: '/ready',
      scope: null,
      summary: '200 when every source has a snapshot mounted here and this process is not shutting down',
      handle({ exchange }) {
        requireReady(context)
        exchange.json(200, { status: 'ready', sources: context.sources })
      },
    }),
  ]
}

function requireReady({ sources, snapshots, feed, settings, clock, isDraining }: Context): void {
  if (isDraining()) throw new Failure('draining', 'This process is shutting down and takes no new work.')
  const missing = sources.filter((source) => !snapshots.active(source))
  if (missing.length > 0) {
    throw new Failure('no_snapshot', `Not ready: no snapshot yet of ${missing.join(', ')}.`, { facts: { missing } })
  }
  const { readyMaxAgeMs } = settings
  if (readyMaxAgeMs === null) return
  const isOld = (source: string) => {
    const pointer = snapshots.active(source)?.pointer
    return pointer !== undefined && clock.now() - checkedAt(pointer, feed.latest(source)) > readyMaxAgeMs
  }
  const stale = sources.filter(isOld)
  if (stale.length === 0) return
  throw new Failure('snapshot_stale', `Not ready: older than ${readyMaxAgeMs} ms: ${stale.join(', ')}.`, {
    facts: { stale },
  })
}
