import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../lib/context.ts'
import { Mirror, place, type Server } from '../lib/holdfast.ts'
import { below, Skipped, type Measurement, type Row } from '../lib/row.ts'

const SUBSCRIBERS = 5000
const PROCESSES = 2
const WARES = 20_000
/** One row in so many is special in a version, and ordinary again in the next. */
const CHANGED_EVERY = 750
const MAX_BATCH_BYTES = 10_000
const READY_MS = 60_000

let shared: { context: Context; run: Promise<{ lastMs: number; perSubscriberKb: number; note: string }> } | undefined

export const rows: Row[] = [
  {
    name: `${SUBSCRIBERS} subscribers of /api/changes: from the publish to the last one, during a sync`,
    target: below(500, 'ms'),
    run: lastOne,
  },
  { name: `${SUBSCRIBERS} subscribers of /api/changes: memory of each`, target: below(0.032, 'MB'), run: memoryOfEach },
]

async function lastOne(context: Context): Promise<Measurement> {
  const { lastMs, note } = await measured(context)
  return { ours: lastMs, unit: 'ms', note }
}

async function memoryOfEach(context: Context): Promise<Measurement> {
  const { perSubscriberKb, note } = await measured(context)
  return { ours: perSubscriberKb / 1000, unit: 'MB', note: `${perSubscriberKb.toFixed(1)} kB; ${note}` }
}

function measured(context: Context) {
  if (shared?.context !== context) shared = { context, run: measure(context) }
  return shared.run
}

/** Wares of which each version differs from the one before in a few rows. */
function waresOf(version: number): string {
  const wares = Array.from({ length: WARES }, (_, index) => ({
    sku: `w-${index}`,
    name: `Ware ${index}`,
    stock: index % CHANGED_EVERY === version % CHANGED_EVERY ? version : index,
    text: 'the same for ever '.repeat(3),
  }))
  return JSON.stringify(wares)
}

async function measure(context: Context) {
  assertFilesEnough()
  const folder = context.scratch()
  const path = join(folder, 'upstream/wares.json')
  const orders = join(folder, 'upstream/orders.json')
  const mirror = new Mirror(folder, [
    { source: 'wares', path, key: ['sku'] },
    { source: 'orders', path: orders, key: ['id'] },
  ])
  const put = (version: number) => {
    const file = join(folder, `wares-${version}.json`)
    writeFileSync(file, waresOf(version))
    place(file, path)
  }
  put(0)
  place(context.ordersFile('a'), orders)
  await using server = await mirror.startServer({
    WEB_CONCURRENCY: String(PROCESSES),
    MAX_STREAMS: String(SUBSCRIBERS),
  })
  await server.firstRun('wares')
  await server.firstRun('orders')
  await sleep(1500)
  const pids = servingPids(server)
  const atStart = ownMb(pids)
  const publishes = context.amount(5, 2)
  let version = 0
  /** Publishes the next version while a large sync goes on; when that was, and whether the sync outlasted it. */
  const publishNext = async () => {
    version++
    place(context.ordersFile(version % 2 === 0 ? 'a' : 'b'), orders)
    const large = await server.refresh('orders')
    await sleep(300)
    put(version)
    const run = await server.publish('wares')
    const at = pointerTime(mirror, run.id)
    await sleep(700)
    const isDuringSync = (await server.newestRun('orders')) === undefined
    await server.finished(large)
    return { at, isDuringSync }
  }
  // What publishes cost the processes without a subscriber is not theirs.
  for (let count = 0; count < publishes; count++) await publishNext()
  const before = ownMb(pids)
  const readyFile = join(folder, 'ready')
  const job = context.load.start('subscribe', {
    target: server.target('/api/changes?source=wares'),
    subscribers: SUBSCRIBERS,
    readyFile,
  })
  for (const giveUpAt = Date.now() + READY_MS; !existsSync(readyFile); await sleep(50))
    if (Date.now() > giveUpAt) throw new Error(`not all of them were subscribed within ${READY_MS} ms`)
  await sleep(1000)
  const held = ownMb(pids)

  const publishedAt: number[] = []
  let duringSync = 0
  for (let count = 0; count < publishes; count++) {
    const { at, isDuringSync } = await publishNext()
    publishedAt.push(at)
    if (isDuringSync) duringSync++
  }
  const after = ownMb(pids)
  job.stop()
  const result = await job.result
  const { batches } = result
  if (result.subscribers !== SUBSCRIBERS || result.lost > 0)
    throw new Error(`${result.subscribers} subscribers were left, ${result.lost} were lost`)
  if (result.outOfOrder > 0) throw new Error(`${result.outOfOrder} batches came twice or out of order`)
  if (batches.length !== publishedAt.length)
    throw new Error(`${batches.length} batches for ${publishedAt.length} publishes`)
  for (const { had, bytes } of batches) {
    if (had !== SUBSCRIBERS) throw new Error(`only ${had} subscribers had a batch`)
    if (bytes > MAX_BATCH_BYTES) throw new Error(`a batch had ${bytes} bytes`)
  }
  if (duringSync === 0) throw new Error('every sync was over before the last subscriber had the batch')
  const lasts = batches.map((batch, index) => batch.last - (publishedAt[index] as number))
  const perSubscriberKb = ((Math.max(held, after) - before) * 1000) / SUBSCRIBERS
  const note =
    `${PROCESSES} processes, ${publishedAt.length} publishes of ${batches[0]?.bytes} bytes, ${duringSync} while a sync of 80 MB went on; ` +
    `last one after ${lasts.map((ms) => ms.toFixed(0)).join(', ')} ms; memory ${atStart.toFixed(0)} MB at the start, ${before.toFixed(0)} after as many publishes without subscribers → ${held.toFixed(0)} → ${after.toFixed(0)} MB`
  return { lastMs: Math.max(...lasts), perSubscriberKb, note }
}

/** When the pointer that a run published was put in place. */
function pointerTime(mirror: Mirror, run: string): number {
  const file = mirror.pointerFile('wares')
  const pointer = JSON.parse(readFileSync(file, 'utf8')) as { run: string }
  if (pointer.run !== run) throw new Error('another run has published meanwhile')
  return statSync(file).mtimeMs
}

/** The processes that serve are the children of the one that was started. */
function servingPids({ running: { pid } }: Server): number[] {
  const pids = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  )
  if (pids.length !== PROCESSES) throw new Error(`${pids.length} processes serve`)
  return pids
}

/** What they have in memory of their own: the snapshots that they map are in it whoever subscribes. */
function ownMb(pids: readonly number[]): number {
  return pids
    .map((pid) => Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]))
    .reduce((sum, kB) => sum + (kB * 1024) / 1e6, 0)
}

/** The load generator has a file open for each of them, and so may the process that hands connections over. */
function assertFilesEnough(): void {
  const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
  if (Number(limit) < SUBSCRIBERS + 500) throw new Skipped(`no more than ${limit} files may be open (ulimit -n)`)
}
