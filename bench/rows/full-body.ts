import { join } from 'node:path'
import type { Context } from '../lib/context.ts'
import type { Target } from '../lib/connection.ts'
import type { Server } from '../lib/holdfast.ts'
import type { Nginx } from '../lib/nginx.ts'
import { residentMb, resetPeak } from '../lib/processes.ts'
import { headerOf } from '../lib/response-parser.ts'
import { below, noTarget, ratioAtMost, Skipped, type Measurement, type Row } from '../lib/row.ts'
import { interleave, median, summarize } from '../lib/statistics.ts'

const READERS = 16
/** So long nobody reads on, so that all answers are under way together. */
const HOLD_MS = 500

export const rows: Row[] = [
  {
    name: '/fetch-data, 102,052 rows, identity',
    target: ratioAtMost(1),
    run: (context) => againstNginx(context, { coding: 'identity', env: {}, rounds: context.amount(51, 11) }),
  },
  {
    name: '/fetch-data, 102,052 rows, zstd',
    target: ratioAtMost(1),
    run: (context) => againstNginx(context, { coding: 'zstd', env: {}, rounds: context.amount(101, 21) }),
  },
  {
    name: '/fetch-data, 102,052 rows, identity, BODY_CACHE_BYTES=1',
    target: ratioAtMost(2),
    run: (context) =>
      againstNginx(context, { coding: 'identity', env: { BODY_CACHE_BYTES: '1' }, rounds: context.amount(51, 11) }),
  },
  {
    name: '/fetch-data, 102,052 rows, zstd, BODY_CACHE_BYTES=1',
    target: ratioAtMost(2),
    run: (context) =>
      againstNginx(context, { coding: 'zstd', env: { BODY_CACHE_BYTES: '1' }, rounds: context.amount(51, 11) }),
  },
  {
    name: '/fetch-data, 102,052 rows, zstd, beside a bare Node server',
    target: noTarget,
    run: againstNode,
  },
  {
    name: `memory growth, ${READERS} readers of it at once`,
    target: below(160, 'MB'),
    run: (context) => memoryGrowth(context, {}),
  },
  {
    name: `memory growth, ${READERS} readers of it at once, BODY_CACHE_BYTES=1`,
    target: below(160, 'MB'),
    run: (context) => memoryGrowth(context, { BODY_CACHE_BYTES: '1' }),
  },
  {
    name: 'the way of the original: the file is parsed for each request',
    target: noTarget,
    run: againstParsing,
  },
]

function wholeTable(server: Server, coding: string): Target {
  return server.target('/fetch-data', { 'accept-encoding': coding })
}

/** Reads the answer once with a digest; every later reading must have its length. */
async function reference(
  context: Context,
  target: Target,
  options: { saveTo?: string; coding?: string },
): Promise<{ bytes: number; sha256: string | null }> {
  const saved = options.saveTo === undefined ? {} : { saveTo: options.saveTo }
  const [answer] = await context.load.run('download', { target, hash: true, ...saved })
  if (answer?.status !== 200) throw new Error(`${target.path}: status ${answer?.status}`)
  const coding = headerOf({ status: 200, text: answer.headers }, 'content-encoding') ?? 'identity'
  if (coding !== (options.coding ?? 'identity')) throw new Error(`${target.path} came as ${coding}`)
  return answer
}

async function totalTime(context: Context, target: Target, bytes: number): Promise<number> {
  const [answer] = await context.load.run('download', { target })
  if (answer?.status !== 200 || answer.bytes !== bytes)
    throw new Error(`${target.path}: status ${answer?.status}, ${answer?.bytes} bytes`)
  return answer.ms
}

async function againstNginx(
  context: Context,
  options: { coding: string; env: Record<string, string>; rounds: number },
): Promise<Measurement> {
  const mirror = await context.orders()
  await using server = await mirror.startServer(options.env)
  const root = context.scratch()
  const file = options.coding === 'identity' ? 'body.json' : 'body.json.zst'
  const ours = wholeTable(server, options.coding)
  const body = await reference(context, ours, { saveTo: join(root, file), coding: options.coding })
  const size = `${(body.bytes / 1e6).toFixed(1)} MB`

  let nginx: Nginx
  try {
    nginx = await context.nginx(root)
  } catch (error) {
    if (!(error instanceof Skipped)) throw error
    const times: number[] = []
    for (let round = 0; round < options.rounds; round++) times.push(await totalTime(context, ours, body.bytes))
    return {
      ours: median(times),
      unit: 'ms',
      reference: { what: `skipped: ${error.message}`, value: null },
      note: size,
    }
  }
  await using _nginx = nginx
  const theirs: Target = { port: nginx.port, path: `/${file}` }
  const theirBody = await reference(context, theirs, { coding: options.coding })
  if (theirBody.sha256 !== body.sha256) throw new Error('nginx serves other bytes')

  const pairs = await interleave(options.rounds, {
    ours: () => totalTime(context, ours, body.bytes),
    reference: () => totalTime(context, theirs, body.bytes),
  })
  const { ratio, spread, ...figures } = summarize(pairs)
  const note = `${size}, ratios ${spread.map((value) => value.toFixed(2)).join(' to ')}`
  return { ours: figures.ours, unit: 'ms', reference: { what: 'nginx', value: figures.reference }, ratio, note }
}

/** What the same bytes take where Node does nothing but send them. */
async function againstNode(context: Context): Promise<Measurement> {
  const coding = 'zstd'
  const mirror = await context.orders()
  await using server = await mirror.startServer()
  const file = join(context.scratch(), 'body')
  const ours = wholeTable(server, coding)
  const body = await reference(context, ours, { saveTo: file, coding })
  await using bare = await context.startReference('bytes.cjs', '/ready', { FILE: file, CODING: coding })
  const theirs: Target = { port: bare.port, path: '/' }
  const theirBody = await reference(context, theirs, { coding })
  if (theirBody.sha256 !== body.sha256) throw new Error('the bare server sends other bytes')
  const pairs = await interleave(context.amount(101, 21), {
    ours: () => totalTime(context, ours, body.bytes),
    reference: () => totalTime(context, theirs, body.bytes),
  })
  const { ratio, spread, ...figures } = summarize(pairs)
  const note = `ratios ${spread.map((value) => value.toFixed(2)).join(' to ')}`
  return { ours: figures.ours, unit: 'ms', reference: { what: 'bare Node', value: figures.reference }, ratio, note }
}

async function memoryGrowth(context: Context, env: Record<string, string>): Promise<Measurement> {
  const mirror = await context.orders()
  const growths: number[] = []
  let note = ''
  for (let round = 0; round < context.amount(3, 1); round++) {
    await using server = await mirror.startServer(env)
    const { pid } = server.running
    const [first] = await context.load.run('download', { target: server.target('/fetch-data?limit=50') })
    if (first?.status !== 200) throw new Error(`status ${first?.status}`)
    resetPeak(pid)
    const before = residentMb(pid, 'now')
    const answers = await context.load.run('download', {
      target: wholeTable(server, 'identity'),
      readers: READERS,
      holdMs: HOLD_MS,
    })
    const lengths = new Set(answers.map((answer) => (answer.status === 200 ? answer.bytes : Number.NaN)))
    if (lengths.size !== 1 || Number.isNaN([...lengths][0]))
      throw new Error(`${READERS} readers got ${[...lengths].join(', ')} bytes`)
    growths.push(residentMb(pid, 'peak') - before)
    note = `from ${before.toFixed(0)} MB before the first whole answer, which is in memory afterwards; peak resident memory of the process`
  }
  if (env['BODY_CACHE_BYTES'] !== undefined) note = note.replace(', which is in memory afterwards', '')
  return { ours: median(growths), unit: 'MB', note }
}

async function againstParsing(context: Context): Promise<Measurement> {
  const mirror = await context.orders()
  await using server = await mirror.startServer()
  await using parser = await context.startReference('parse-per-request.cjs', '/health', {
    CACHE_FILE: context.ordersFile('a'),
  })
  const ours = wholeTable(server, 'identity')
  const theirs: Target = { port: parser.port, path: '/fetch-data' }
  const [ourBytes, theirBytes] = [
    (await reference(context, ours, {})).bytes,
    (await reference(context, theirs, {})).bytes,
  ]
  const pairs = await interleave(context.amount(5, 1), {
    ours: () => totalTime(context, ours, ourBytes),
    reference: () => totalTime(context, theirs, theirBytes),
  }, { warmUp: false }) // prettier-ignore
  const { ratio, ...figures } = summarize(pairs)
  return {
    ours: figures.ours,
    unit: 'ms',
    reference: { what: 'JSON.parse per request', value: figures.reference },
    ratio,
  }
}
