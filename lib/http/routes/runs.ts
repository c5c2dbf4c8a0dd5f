import { seesSource } from '../../access.ts'
import { Failure } from '../../errors.ts'
import type { Run } from '../../sync-run.ts'
import type { Context } from '../context.ts'
import { badParameter } from '../query.ts'
import { defineRoute, type Route } from '../route.ts'
import { sourceNotFound, visibleSources } from '../target.ts'
import { runToWire } from '../wire.ts'

const DEFAULT_LIMIT = 20
const MAX_LIMIT = 200
/** Ids sort by time, which only they do. */
const RUN_ID = /^r[0-9a-z]{1,40}$/

/** `GET /api/runs`: what syncing has done. */
export function runRoutes({ engine, sources }: Context): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/runs',
      scope: 'read',
      reach: 'tables',
      summary: 'Runs, newest first; `next` is the value of `before` for the page after',
      parameters: {
        source: { kind: 'text' },
        limit: { kind: 'integer', from: 1, to: MAX_LIMIT },
        before: { kind: 'text' },
      },
      handle({ exchange, principal, query: { source, limit = DEFAULT_LIMIT, before } }) {
        if (before !== undefined && !RUN_ID.test(before)) throw badParameter('before', 'as the id of a run')
        const visible = visibleSources(sources, principal)
        if (source !== undefined && !visible.includes(source)) throw sourceNotFound(source, visible)
        const wanted = { limit, ...(before !== undefined && { before }) }
        const runs =
          source !== undefined
            ? engine.runs({ ...wanted, source })
            : principal.limits === null
              ? engine.runs(wanted)
              : newestOf(visible.flatMap((each) => engine.runs({ ...wanted, source: each }))).slice(0, limit)
        const next = runs.length === limit ? (runs.at(-1)?.id ?? null) : null
        const again = new URLSearchParams({
          ...(source !== undefined && { source }),
          limit: String(limit),
          before: next ?? '',
        })
        exchange.json(
          200,
          { runs: runs.map((run) => runToWire(run, principal)), next },
          next === null ? [] : ['Link', `</api/runs?${again.toString()}>; rel="next"`],
        )
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/runs/:id',
      scope: 'read',
      reach: 'tables',
      summary: 'One run',
      handle({ exchange, principal, params }) {
        const run = engine.run(params.id!)
        if (!run || !seesSource(principal, run.source))
          throw new Failure(
            'run_not_found',
            `There is no run ${JSON.stringify(params.id!.slice(0, 100))}; old ones are forgotten.`,
          )
        exchange.json(200, runToWire(run, principal))
      },
    }),
  ]
}

/** Ids sort by when the run was asked for. */
function newestOf(runs: readonly Run[]): Run[] {
  return runs.toSorted((a, b) => (a.id < b.id ? 1 : -1))
}
