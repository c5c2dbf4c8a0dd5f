import type { Context } from '../lib/context.ts'
import type { Target } from '../lib/connection.ts'
import { API_KEY } from '../lib/holdfast.ts'
import type { Expectation } from '../lib/load-jobs.ts'
import { ratioAtLeast, type Measurement, type Row } from '../lib/row.ts'
import { interleave, summarize } from '../lib/statistics.ts'

const CONNECTIONS = 16

export const rows: Row[] = [
  {
    name: 'conditional GET → 304, against hello with helmet and key check',
    target: ratioAtLeast(1),
    run: (context) => againstHello(context, 'hello-guarded.cjs'),
  },
  {
    name: 'conditional GET → 304, against bare hello',
    target: ratioAtLeast(0.95),
    run: (context) => againstHello(context, 'hello.cjs'),
  },
]

async function againstHello(context: Context, file: string): Promise<Measurement> {
  const mirror = await context.orders()
  await using server = await mirror.startServer()
  await using hello = await context.startReference(file, '/', { API_KEY })
  const etag = (await server.head('/fetch-data')).get('etag')
  if (etag === null) throw new Error('no ETag')

  const ours = server.target('/fetch-data', { 'if-none-match': etag })
  const theirs: Target = { port: hello.port, path: '/', headers: { 'x-api-key': API_KEY } }
  const pairs = await interleave(context.amount(5, 1), {
    ours: () => throughput(context, ours, { status: 304, bytes: 0 }),
    reference: () => throughput(context, theirs, { status: 200, bytes: 5 }),
  })
  const { ratio, spread, ...figures } = summarize(pairs)
  return {
    ours: figures.ours,
    unit: 'req/s',
    reference: { what: 'Express', value: figures.reference },
    ratio,
    note: `${CONNECTIONS} connections, ratios ${spread.map((value) => value.toFixed(2)).join(' to ')}`,
  }
}

async function throughput(context: Context, target: Target, expect: Expectation): Promise<number> {
  const durationMs = context.amount(2000, 800)
  const result = await context.load.run('closedLoop', { target, connections: CONNECTIONS, durationMs, expect })
  if (result.failures > 0)
    throw new Error(`${result.failures} of ${result.answers} answers were wrong: ${result.firstFailure}`)
  return result.perSecond
}
