import type { Run } from '../../sync-run.ts'
import type { Context } from '../context.ts'
import type { Exchange } from '../exchange.ts'
import { badParameter } from '../query.ts'
import { defineRoute, readBody, type Call, type Route } from '../route.ts'
import { sourceOf } from '../target.ts'

const RETRY_AFTER_S = 2

/** `POST /refresh`: asks for a run, or joins the one that is going. */
export function refreshRoutes(context: Context): Route[] {
  const handle = async ({
    exchange,
    principal,
    body,
    query: { source: query },
  }: Call & { query: { source?: string } }) => {
    const member = readBody(body, ['source']).source
    if (query !== undefined && member !== undefined && query !== member) {
      throw badParameter('source', 'once: the query and the body name different ones')
    }
    const source = sourceOf(
      { source: query ?? member, table: undefined },
      context.sources,
      context.snapshots,
      principal,
    )
    const { run, joined } = await context.engine.request(source, 'refresh')
    answerWithRun(exchange, run, joined)
  }
  const summary = 'Starts a run of a source, or joins the one that is going'
  const parameters = { source: { kind: 'text' } } as const
  return ['/refresh', '/api/refresh'].map((path) =>
    defineRoute({ method: 'POST', path, scope: 'sync', reach: 'tables', summary, parameters, handle }),
  )
}

/** 202 with the run to look at. */
export function answerWithRun(exchange: Exchange, { id, source }: Run, joined: boolean): void {
  const message = joined ? 'A run is already going; this request has joined it.' : 'A run was started.'
  exchange.json(202, { status: joined ? 'in_progress' : 'triggered', run: id, source, message }, [
    'Location', `/api/runs/${encodeURIComponent(id)}`,
    'Retry-After', String(RETRY_AFTER_S),
  ]) // prettier-ignore
}
