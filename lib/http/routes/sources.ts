import type { SourceRecord } from '../../sync-run.ts'
import type { Context } from '../context.ts'
import type { Scope } from '../keys.ts'
import { readBody, type Call, type Route } from '../route.ts'
import { sourceNotFound } from '../target.ts'
import { sourceToWire } from '../wire.ts'
import { answerWithRun } from './refresh.ts'

/** At most four frames a second. */
const EVENT_MS = 250

/** `/api/sources`: the sync engine, for any source. */
export function sourceRoutes(context: Context): Route[] {
  const { engine, sources, snapshots, feed, clock, streams } = context
  const show = (source: string, record: SourceRecord | undefined) =>
    sourceToWire(source, record, snapshots.active(source)?.pointer, clock.now())
  const known = (id: string): string => {
    if (!sources.includes(id)) throw sourceNotFound(id, sources)
    return id
  }
  const action = (
    name: string,
    scope: Scope,
    summary: string,
    act: (source: string, call: Call) => Promise<void>,
  ): Route => ({
    method: 'POST',
    path: `/api/sources/:id/${name}`,
    scope,
    summary,
    async handle(call) {
      call.exchange.parameters({})
      if (name !== 'publish') readBody(call.body, [])
      await act(known(call.params.id!), call)
    },
  })

  return [
    {
      method: 'GET',
      path: '/api/sources',
      scope: 'read',
      summary: 'All sources, as in /status',
      handle({ exchange }) {
        exchange.parameters({})
        exchange.json(200, { sources: sources.map((source) => show(source, feed.fresh(source))) })
      },
    },
    {
      method: 'GET',
      path: '/api/sources/:id',
      scope: 'read',
      summary: 'One source',
      handle({ exchange, params }) {
        exchange.parameters({})
        const source = known(params.id!)
        exchange.json(200, show(source, feed.fresh(source)))
      },
    },
    {
      method: 'GET',
      path: '/api/sources/:id/events',
      scope: 'read',
      summary: 'SSE: the source now and after each change, until the client leaves',
      async handle({ exchange, params }) {
        exchange.parameters({})
        const source = known(params.id!)
        await streams.serve(exchange, async (stream) => {
          let isNews = Promise.withResolvers<void>()
          using _changes = feed.onChange(source, () => isNews.resolve())
          stream.signal.addEventListener('abort', () => isNews.resolve())
          for (let number = 0; !stream.signal.aborted; number++) {
            isNews = Promise.withResolvers()
            await stream.send(`source:${number}`, { type: 'source', ...show(source, feed.latest(source)) })
            await clock.sleep(EVENT_MS, stream.signal)
            if (!stream.signal.aborted) await isNews.promise
          }
        })
      },
    },
    action('start', 'sync', 'Starts a run, also of a paused source', async (source, { exchange }) => {
      const { run, joined } = await engine.request(source, 'start')
      answerWithRun(exchange, run, joined)
    }),
    action('stop', 'sync', 'Pauses the active run; what was pulled is kept', async (source, { exchange }) =>
      exchange.json(200, show(source, await engine.stop(source))),
    ),
    action(
      'reset',
      'admin',
      'Back to IDLE, what was pulled is dropped; the snapshot stays',
      async (source, { exchange }) => exchange.json(200, show(source, await engine.reset(source))),
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
