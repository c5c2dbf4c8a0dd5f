import type { Context } from '../lib/context.ts'
import { below, type Measurement, type Row } from '../lib/row.ts'
import { median, percentile } from '../lib/statistics.ts'
import { formatFigure } from '../lib/table.ts'

/** What the four systems promised of themselves: each on a new connection, as curl would. */
export const rows: Row[] = [
  { name: '/health', target: below(10, 'ms'), run: (context) => answerTime(context, '/health', 50) },
  { name: '/status', target: below(50, 'ms'), run: (context) => answerTime(context, '/status', 50) },
  {
    name: '/fetch-data, all rows, one reader',
    target: below(100, 'ms'),
    run: (context) => answerTime(context, '/fetch-data', 10),
  },
  {
    name: 'first SSE frame, payload=none',
    target: below(100, 'ms'),
    run: (context) => frameTime(context, '/fetch-data?stream=true&payload=none', 30),
  },
  {
    name: 'first SSE frame, all rows in it',
    target: below(100, 'ms'),
    run: (context) => frameTime(context, '/fetch-data?stream=true', 5),
  },
]

async function answerTime(context: Context, path: string, count: number): Promise<Measurement> {
  const mirror = await context.orders()
  await using server = await mirror.startServer()
  const times: number[] = []
  for (let index = 0; index <= count; index++) {
    const [answer] = await context.load.run('download', { target: server.target(path) })
    if (answer?.status !== 200) throw new Error(`${path}: status ${answer?.status}`)
    times.push(answer.ms)
  }
  return summary(times)
}

async function frameTime(context: Context, path: string, count: number): Promise<Measurement> {
  const mirror = await context.orders()
  await using server = await mirror.startServer()
  const times: number[] = []
  let bytes = 0
  for (let index = 0; index <= count; index++) {
    const frame = await context.load.run('firstFrame', { target: server.target(path, { accept: 'text/event-stream' }) })
    times.push(frame.ms)
    bytes = frame.bytes
  }
  const size = bytes > 1e6 ? `the whole frame, ${(bytes / 1e6).toFixed(1)} MB; ` : ''
  const { note, ...figures } = summary(times)
  return { ...figures, note: `${size}${note}` }
}

/** The first, with everything cold, is told apart. */
function summary([first = Number.NaN, ...times]: readonly number[]): Measurement & { note: string } {
  return {
    ours: median(times),
    unit: 'ms',
    note: `the first ${formatFigure(first, 'ms')}, p95 of the others ${formatFigure(percentile(times, 0.95), 'ms')}`,
  }
}
