import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../lib/context.ts'
import { aboveReferenceAtMost, type Measurement, type Row } from '../lib/row.ts'
import { interleave, median, percentile, type Pair } from '../lib/statistics.ts'
import { formatFigure } from '../lib/table.ts'
import type { LoadResult } from '../lib/load-jobs.ts'

const CONNECTIONS = 16
const SHARE_OF_CAPACITY = 0.05
const EXPECT = { status: 200, contains: '"count":50' } as const

export const rows: Row[] = [
  {
    name: 'p99 latency while a full sync and publish runs, 50 rows',
    target: aboveReferenceAtMost(15, 'ms'),
    run: latency,
  },
]

async function latency(context: Context): Promise<Measurement> {
  const mirror = await context.orders()
  await using server = await mirror.startServer()
  const target = server.target('/fetch-data?limit=50')
  const closed = { target, connections: CONNECTIONS, expect: { status: 200 } }
  await context.load.run('closedLoop', { ...closed, durationMs: context.amount(1500, 700) })
  const { perSecond: capacity } = await check(
    context.load.run('closedLoop', { ...closed, durationMs: context.amount(3000, 1000) }),
  )

  const open = { target, perSecond: capacity * SHARE_OF_CAPACITY, connections: CONNECTIONS, expect: EXPECT }
  const late: number[] = []
  const worst: number[] = []
  let answers = 0
  const syncMs: number[] = []
  const measured = (result: LoadResult): number => {
    answers += result.answers
    late.push(result.lateP99)
    return result.p99
  }
  const pairs: Pair[] = await interleave(
    context.amount(3, 1),
    {
      reference: async () =>
        measured(await check(context.load.run('openLoop', { ...open, durationMs: context.amount(8000, 4000) }))),
      ours: async () => {
        const job = context.load.start('openLoop', { ...open, durationMs: 120_000 })
        try {
          mirror.change()
          const run = await server.publish('orders')
          syncMs.push(run.elapsedMs)
          // What the publish leaves behind (mounting, new bodies, closing files) belongs to it.
          await sleep(500)
        } finally {
          job.stop()
        }
        const result = await check(job.result)
        worst.push(result.max)
        return measured(result)
      },
    },
    { warmUp: false },
  )
  const note = [
    `open loop, ${open.perSecond.toFixed(0)} req/s (5 % of ${capacity.toFixed(0)})`,
    `${answers} answers, no error`,
    `slowest during a sync ${formatFigure(percentile(worst, 1), 'ms')}`,
    `a sync took ${formatFigure(median(syncMs), 'ms')}`,
    `the generator itself was late by ${formatFigure(median(late), 'ms')} at p99`,
  ]
  return {
    ours: median(pairs.map((pair) => pair.ours)),
    unit: 'ms',
    reference: { what: 'idle', value: median(pairs.map((pair) => pair.reference)) },
    note: note.join(', '),
  }
}

async function check(pending: Promise<LoadResult>): Promise<LoadResult> {
  const result = await pending
  if (result.failures > 0)
    throw new Error(`${result.failures} of ${result.answers} answers were wrong: ${result.firstFailure}`)
  return result
}
