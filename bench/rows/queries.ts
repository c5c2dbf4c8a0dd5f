import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Target } from '../lib/connection.ts'
import type { Context } from '../lib/context.ts'
import { API_KEY, Mirror, place, type Server } from '../lib/holdfast.ts'
import { ratioAtLeast, type Measurement, type Row } from '../lib/row.ts'
import { interleave, summarize } from '../lib/statistics.ts'

const CONNECTIONS = 16
const ROWS = 102_052
const DISTINCT = 1000
const CITIES = ['Köln', 'Reykjavík', 'Bern', 'Oslo', 'Dublin', 'Málaga', 'Kraków', 'Αθήνα']
/** `created_at` of the first order, and the time between two; see `orders.ts`. */
const FIRST_MS = 1_577_836_800_000
const STEP_MS = 61_000

export const rows: Row[] = [
  {
    name: 'one record by id, against hello with helmet and key check',
    target: ratioAtLeast(1),
    run: (context) => record(context, 'hello-guarded.cjs'),
  },
  {
    name: 'one record by id, against bare hello',
    target: ratioAtLeast(0.8),
    run: (context) => record(context, 'hello.cjs'),
  },
  {
    name: 'list of 50 rows, filtered and sorted by an index, the same query again',
    target: ratioAtLeast(0.6),
    run: repeated,
  },
  {
    name: `list of 50 rows, filtered and sorted by an index, ${DISTINCT} distinct queries`,
    target: ratioAtLeast(0.08),
    run: distinct,
  },
  { name: 'the same list, distinct queries, against json-server', target: ratioAtLeast(150), run: againstJsonServer },
]

/** The orders file, indexed for what is asked here. */
class IndexedOrders extends Mirror {
  static async create(context: Context): Promise<IndexedOrders> {
    const folder = context.scratch()
    const path = join(folder, 'upstream/orders.json')
    place(context.ordersFile('a'), path)
    const mirror = new IndexedOrders(folder, [
      { source: 'orders', path, key: ['id'], tables: { orders: { indexes: [['city', 'created_at']] } } },
    ])
    context.log('mirroring the orders file with an index')
    await using server = await mirror.startServer()
    await server.firstRun('orders')
    return mirror
  }
}

let made: { context: Context; mirror: Promise<IndexedOrders> } | undefined

function indexed(context: Context): Promise<IndexedOrders> {
  if (made?.context !== context) made = { context, mirror: IndexedOrders.create(context) }
  return made.mirror
}

/** Orders of a city from some day on, the oldest first: each path another question. */
function ourPath(index: number): string {
  const from = new Date(FIRST_MS + ((index * 97) % (ROWS - 5000)) * STEP_MS).toISOString()
  const city = encodeURIComponent(CITIES[index % CITIES.length] as string)
  return `/api/tables/orders?city=eq.${city}&created_at=gte.${from}&sort=created_at&limit=50`
}

function theirPath(index: number): string {
  const from = new Date(FIRST_MS + ((index * 97) % (ROWS - 5000)) * STEP_MS).toISOString()
  const city = encodeURIComponent(CITIES[index % CITIES.length] as string)
  return `/orders?city=${city}&created_at_gte=${from}&_sort=created_at&_limit=50`
}

const distinctPaths = Array.from({ length: DISTINCT }, (_, index) => ourPath(index))

async function record(context: Context, file: string): Promise<Measurement> {
  const mirror = await indexed(context)
  await using server = await mirror.startServer()
  const paths = Array.from({ length: DISTINCT }, (_, index) => `/api/tables/orders/${((index * 7919) % ROWS) + 1}`)
  return await compared(context, server, file, { paths, note: `${DISTINCT} ids in turn, about 900 bytes each` })
}

async function repeated(context: Context): Promise<Measurement> {
  const mirror = await indexed(context)
  await using server = await mirror.startServer()
  return await compared(context, server, 'hello.cjs', { paths: [ourPath(3)], note: '50 rows, 40 kB, from memory' })
}

async function distinct(context: Context): Promise<Measurement> {
  const mirror = await indexed(context)
  // Every query is asked of SQLite: what was answered before is not kept.
  await using server = await mirror.startServer({ ANSWER_CACHE_BYTES: '0' })
  return await compared(context, server, 'hello.cjs', {
    paths: distinctPaths,
    note: 'ANSWER_CACHE_BYTES=0: each one is asked of SQLite',
  })
}

async function compared(
  context: Context,
  server: Server,
  file: string,
  { paths, note }: { paths: readonly string[]; note: string },
): Promise<Measurement> {
  await using hello = await context.startReference(file, '/', { API_KEY })
  const theirs: Target = { port: hello.port, path: '/', headers: { 'x-api-key': API_KEY } }
  const pairs = await interleave(context.amount(5, 1), {
    ours: () => throughput(context, server.target(paths[0] as string), paths),
    reference: () => throughput(context, theirs),
  })
  const { ratio, spread, ...figures } = summarize(pairs)
  return {
    ours: figures.ours,
    unit: 'req/s',
    reference: { what: 'Express', value: figures.reference },
    ratio,
    note: `${CONNECTIONS} connections, ${note}, ratios ${spread.map((value) => value.toFixed(2)).join(' to ')}`,
  }
}

async function againstJsonServer(context: Context): Promise<Measurement> {
  const mirror = await indexed(context)
  const file = join(context.scratch(), 'db.json')
  writeFileSync(file, `{"orders":${readFileSync(context.ordersFile('a'), 'utf8')}}`)
  await using reference = await context.spawnReference('json-server.cjs', { DB_FILE: file })
  await reference.running.untilAnswer({ port: reference.port, path: '/orders/1' }, 60_000)
  await using server = await mirror.startServer({ ANSWER_CACHE_BYTES: '0' })
  await assertSameRows(server, reference.port)

  const theirPaths = Array.from({ length: DISTINCT }, (_, index) => theirPath(index))
  const pairs = await interleave(context.amount(3, 1), {
    ours: () => throughput(context, server.target(distinctPaths[0] as string), distinctPaths),
    reference: () => throughput(context, { port: reference.port, path: theirPaths[0] as string }, theirPaths, 6000),
  })
  const { ratio, spread, ...figures } = summarize(pairs)
  return {
    ours: figures.ours,
    unit: 'req/s',
    reference: { what: 'json-server', value: figures.reference },
    ratio,
    note: `ANSWER_CACHE_BYTES=0, the same rows by both; ratios ${spread.map((value) => value.toFixed(0)).join(' to ')}`,
  }
}

/** Both are asked the same thing, or the comparison means nothing. */
async function assertSameRows(server: Server, port: number): Promise<void> {
  const { path, headers = {} } = server.target(ourPath(3))
  const ours = (await (await fetch(`http://127.0.0.1:${server.port}${path}`, { headers })).json()) as {
    records: { id: number }[]
  }
  const theirs = (await (await fetch(`http://127.0.0.1:${port}${theirPath(3)}`)).json()) as { id: number }[]
  const ids = (list: readonly { id: number }[]) => list.map(({ id }) => id).join()
  if (ours.records.length !== 50 || ids(ours.records) !== ids(theirs)) {
    throw new Error(`not the same rows: ${ids(ours.records)} and ${ids(theirs)}`)
  }
}

async function throughput(
  context: Context,
  target: Target,
  paths?: readonly string[],
  durationMs = context.amount(2000, 800),
): Promise<number> {
  const result = await context.load.run('closedLoop', {
    target,
    ...(paths && { paths }),
    connections: CONNECTIONS,
    durationMs,
    expect: { status: 200 },
  })
  if (result.failures > 0)
    throw new Error(`${result.failures} of ${result.answers} answers were wrong: ${result.firstFailure}`)
  return result.perSecond
}
