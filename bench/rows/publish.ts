import type { Context } from '../lib/context.ts'
import type { RunReport } from '../lib/holdfast.ts'
import { below, ratioAtMost, type Measurement, type Row } from '../lib/row.ts'
import { median, percentile, summarize } from '../lib/statistics.ts'
import { formatFigure } from '../lib/table.ts'

export const rows: Row[] = [
  {
    name: 'publish with 1 % changed rows: comparison and flip, against the pull',
    target: ratioAtMost(0.15),
    run: againstPull,
  },
  { name: 'from the pointer moved to a reader of another process', target: below(150, 'ms'), run: visibility },
]

interface Publish {
  readonly run: RunReport
  readonly delayMs: number
}

/** Both rows look at the same publishes. */
const publishes = new WeakMap<Context, Promise<readonly Publish[]>>()

function publishesOf(context: Context): Promise<readonly Publish[]> {
  const made = publishes.get(context) ?? publish(context)
  publishes.set(context, made)
  return made
}

/** The server does not sync: `sync-worker.ts --once` does, as a cron job on the same disk would. */
async function publish(context: Context): Promise<Publish[]> {
  const mirror = await context.orders()
  await using server = await mirror.startServer({ SYNC_IN_SERVER: 'false' })
  const done: Publish[] = []
  for (let round = 0; round < context.amount(5, 1); round++) {
    const watching = context.load.start('watchPointer', {
      pointerFile: mirror.pointerFile('orders'),
      target: server.target('/fetch-data', { 'accept-encoding': 'identity' }),
      timeoutMs: 60_000,
    })
    mirror.change()
    try {
      await mirror.syncOnce('orders')
    } catch (error) {
      watching.stop()
      throw error
    }
    const run = await server.newestRun('orders')
    if (run?.result !== 'published') throw new Error(`the file changed, but the newest run is ${run?.result}`)
    done.push({ run, delayMs: (await watching.result).delayMs })
  }
  return done
}

async function againstPull(context: Context): Promise<Measurement> {
  const timings = (await publishesOf(context)).map(({ run }) => run.timings)
  const pairs = timings.map(({ comparing, publishing, pulling }) => ({
    ours: comparing + publishing,
    reference: pulling,
  }))
  const { ours, reference, ratio } = summarize(pairs)
  const part = (phase: 'comparing' | 'publishing' | 'rendering' | 'verifying') =>
    `${phase} ${formatFigure(median(timings.map((timing) => timing[phase])), 'ms')}`
  return {
    ours,
    unit: 'ms',
    reference: { what: 'its own pull', value: reference },
    ratio,
    note: `${part('comparing')}, ${part('publishing')}; not in it: ${part('rendering')}, ${part('verifying')}`,
  }
}

async function visibility(context: Context): Promise<Measurement> {
  const delays = (await publishesOf(context)).map(({ delayMs }) => delayMs)
  return {
    ours: median(delays),
    unit: 'ms',
    note: `slowest of ${delays.length}: ${formatFigure(percentile(delays, 1), 'ms')}`,
  }
}
