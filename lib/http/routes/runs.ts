import { Failure } from '../../errors.ts'
import type { Context } from '../context.ts'
import type { Route } from '../route.ts'
import { sourceNotFound } from '../target.ts'
import { runToWire } from '../wire.ts'

const DEFAULT_LIMIT = 20
const MAX_LIMIT = 200

/** `GET /api/runs`: what syncing has done. */
export function runRoutes({ engine, sources }: Context): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/runs',
      scope: 'read',
      summary: 'Runs, newest first; `next` is the value of `before` for the page after',
      handle({ exchange }) {
        const {
          source,
          limit = DEFAULT_LIMIT,
          before,
        } = exchange.parameters({
          source: { kind: 'text' },
          limit: { kind: 'integer', from: 1, to: MAX_LIMIT },
          before: { kind: 'text' },
        })
        if (source !== undefined && !sources.includes(source)) throw sourceNotFound(source, sources)
        const runs = engine.runs({
          limit,
          ...(source !== undefined && { source }),
          ...(before !== undefined && { before }),
        })
        const next = runs.length === limit ? (runs.at(-1)?.id ?? null) : null
        const query = new URLSearchParams({
          ...(source !== undefined && { source }),
          limit: String(limit),
          before: next ?? '',
        })
        exchange.json(
          200,
          { runs: runs.map(runToWire), next },
          next === null ? [] : ['Link', `</api/runs?${query.toString()}>; rel="next"`],
        )
      },
    },
    {
      method: 'GET',
      path: '/api/runs/:id',
      scope: 'read',
      summary: 'One run',
      handle({ exchange, params }) {
        exchange.parameters({})
        const run = engine.run(params.id!)
        if (!run)
          throw new Failure(
            'run_not_found',
            `There is no run ${JSON.stringify(params.id!.slice(0, 100))}; old ones are forgotten.`,
          )
        exchange.json(200, runToWire(run))
      },
    },
  ]
}
