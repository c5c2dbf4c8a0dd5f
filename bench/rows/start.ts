import type { Context } from '../lib/context.ts'
import { ratioAtMost, type Measurement, type Row } from '../lib/row.ts'
import { interleave, summarize } from '../lib/statistics.ts'

const START_MS = 15_000

export const rows: Row[] = [
  {
    name: 'start with a snapshot: first rows (/fetch-data?limit=1)',
    target: ratioAtMost(4),
    run: (context) => startTime(context, '/fetch-data?limit=1'),
  },
  {
    name: 'start with a snapshot: first /health',
    target: ratioAtMost(4),
    run: (context) => startTime(context, '/health'),
  },
]

async function startTime(context: Context, path: string): Promise<Measurement> {
  const mirror = await context.orders()
  const pairs = await interleave(context.amount(11, 2), {
    ours: async () => {
      await using server = await mirror.spawnServer()
      return await server.running.untilAnswer(server.target(path), START_MS)
    },
    reference: async () => {
      await using hello = await context.spawnReference('hello.cjs')
      return await hello.running.untilAnswer({ port: hello.port, path: '/' }, START_MS)
    },
  })
  const { ratio, spread, ...figures } = summarize(pairs)
  return {
    ours: figures.ours,
    unit: 'ms',
    reference: { what: 'bare hello', value: figures.reference },
    ratio,
    note: `from spawn to an answer that is read, ratios ${spread.map((value) => value.toFixed(2)).join(' to ')}`,
  }
}
