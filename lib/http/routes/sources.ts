import type { SourceRecord } from '../../sync-run.ts'
import type { Context } from '../context.ts'
import type { Principal, Scope } from '../../access.ts'
import { defineRoute, readBody, type Call, type Route } from '../route.ts'
import { sourceNotFound, visibleSources } from '../target.ts'
import { sourceToWire } from '../wire.ts'
import { answerWithRun } from './refresh.ts'

/** At most four frames a second. */
const EVENT_MS = 250

/** `/api/sources`: the sync engine, for any source. */
export function sourceRoutes(context: Context): Route[] {
  const { engine, sources, snapshots, files, feed, clock, streams } = context
  const show = (source: string, record: SourceRecord | undefined, principal: Principal) =>
    sourceToWire(source, record, snapshots.active(source)?.pointer, {
      now: clock.now(),
      principal,
      files: files.counts(source),
    })
  const known = (id: string, principal: Principal): string => {
    const visible = visibleSources(sources, principal)
    if (!visible.includes(id)) throw sourceNotFound(id, visible)
    return id
  }
  const action = (
    name: string,
    scope: Scope,
    summary: string,
    act: (source: string, call: Call) => Promise<void>,
  ): Route =>
    defineRoute({
      method: 'POST',
      path: `/api/sources/:id/${name}`,
      scope,
      // What an administrator does to a source is done to all of its tables.
      reach: scope === 'admin' ? 'whole' : 'tables',
      summary,
      async handle(call) {
        if (name !== 'publish') readBody(call.body, [])
        await act(known(call.params.id!, call.principal), call)
      },
    })

  return [
    defineRoute({
      method: 'GET',
      path: '/api/sources',
      scope: 'read',
      reach: 'tables',
      summary: 'All sources, as in /status',
      handle({ exchange, principal }) {
        const visible = visibleSources(sources, principal)
        exchange.json(200, { sources: visible.map((source) => show(source, feed.fresh(source), principal)) })
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/sources/:id',
      scope: 'read',
      reach: 'tables',
      summary: 'One source',
      handle({ exchange, principal, params }) {
        const source = known(params.id!, principal)
        exchange.json(200, show(source, feed.fresh(source), principal))
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/sources/:id/events',
      scope: 'read',
      reach: 'tables',
      takesTicket: true,
      summary: 'SSE: the source now and after each change, until the client leaves',
      async handle({ exchange, principal, params }) {
        const source = known(params.id!, principal)
        await streams.serve(exchange, async (stream) => {
          let isNews = Promise.withResolvers<void>()
          using _changes = feed.onChange(source, () => isNews.resolve())
          stream.signal.addEventListener('abort', () => isNews.resolve())
          for (let number = 0; !stream.signal.aborted; number++) {
            isNews = Promise.withResolvers()
            await stream.send(`source:${number}`, { type: 'source', ...show(source, feed.latest(source), principal) })
            await clock.sleep(EVENT_MS, stream.signal)
            if (!stream.signal.aborted) await isNews.promise
          }
        })
      },
    }),
    action('start', 'sync', 'Starts a run, also of a paused source', async (source, { exchange }) => {
      const { run, joined } = await engine.request(source, 'start')
      answerWithRun(exchange, run, joined)
    }),
    action('stop', 'sync', 'Pauses the active run; what was pulled is kept', async (source, { exchange, principal }) =>
      exchange.json(200, show(source, await engine.stop(source), principal)),
    ),
    action(
      'reset',
      'admin',
      'Back to IDLE, what was pulled is dropped; the snapshot stays',
      async (source, { exchange, principal }) =>
        exchange.json(200, show(source, await engine.reset(source), principal)),
    ),
    action(
      'rollback',
      'admin',
      'Publishes the previous snapshot again and pauses the source',
      async (source, { exchange }) =>
        exchange.json(200, { status: 'published', source, ...(await engine.rollback(source)) }),
    ),
    action(
      'publish',
      'admin',
      'Starts a run that publishes what the guard refused; body: {"run"} to name it',
      async (source, { exchange, body }) => {
        const { run } = await engine.publish(source, readBody(body, ['run']).run)
        answerWithRun(exchange, run, false)
      },
    ),
  ]
}
