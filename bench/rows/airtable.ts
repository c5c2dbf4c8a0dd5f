import { isDeepStrictEqual } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import Airtable from 'airtable'
import { generateBase } from '../../simulators/airtable/generate.ts'
import { startSimulator, type Simulator } from '../../simulators/airtable/simulator.ts'
import { VirtualClock } from '../../simulators/airtable/virtual-clock.ts'
import { Mirror as InProcess } from '../../test/airtable/mirror.ts'
import type { Context } from '../lib/context.ts'
import { API_KEY, Mirror, type Server } from '../lib/holdfast.ts'
import { freePort } from '../lib/processes.ts'
import { below, noTarget, ratioAtMost, type Measurement, type Row } from '../lib/row.ts'
import { interleave, median, summarize } from '../lib/statistics.ts'

/** As long as Airtable takes over the internet, as far as anybody measured. */
const LATENCY_MS = 250
const RECORDS = 1000
const SWEEP_RECORDS = 102_052
const CALLS_A_SECOND = 5
const GIVE_UP_MS = 20_000

type Read = (base: Airtable.Base) => Promise<readonly Airtable.Record<Airtable.FieldSet>[]>

export const rows: Row[] = [
  {
    name: 'Airtable’s own client, one record by id (speed-up)',
    target: noTarget,
    run: (context) => speedUp(context, 'find', async (base, id) => [await base('Orders').find(id)]),
  },
  {
    name: 'Airtable’s own client, 50 records (speed-up)',
    target: noTarget,
    run: (context) =>
      speedUp(context, 'select, pageSize 50, firstPage', async (base) =>
        base('Orders')
          .select({ pageSize: 50, sort: [{ field: 'Number' }] })
          .firstPage(),
      ),
  },
  {
    name: `Airtable’s own client, a whole table of ${RECORDS} records (speed-up)`,
    target: noTarget,
    run: (context) =>
      speedUp(context, 'select, all', async (base) =>
        base('Orders')
          .select({ sort: [{ field: 'Number' }] })
          .all(),
      ),
  },
  {
    name: '102,052 records from Airtable under five calls a second, in its time',
    target: ratioAtMost(1.06),
    run: sweepUnderLimit,
  },
  {
    name: 'a record changed at Airtable, until a reader has it, by webhook',
    target: below(2000, 'ms'),
    run: changeToReader,
  },
]

/** The same calls of the same client, to Holdfast and to the simulator; what comes back is compared. */
async function speedUp(
  context: Context,
  what: string,
  read: (base: Airtable.Base, id: string) => ReturnType<Read>,
): Promise<Measurement> {
  await using sim = await startSimulator({
    base: generateBase({ seed: 1, tables: 3, records: RECORDS }),
    latencyMs: LATENCY_MS,
  })
  await using server = await mirrorOf(context, sim).startServer()
  await server.firstRun('base')
  const id = sim.base.table('Orders').records[17]?.id ?? ''
  const baseAt = (endpointUrl: string, apiKey: string) => new Airtable({ endpointUrl, apiKey }).base(sim.base.id)
  const [own, theirs] = [baseAt(`http://127.0.0.1:${server.port}`, API_KEY), baseAt(sim.url, sim.token)]
  const timed = async (base: Airtable.Base) => {
    const began = performance.now()
    const records = await read(base, id)
    return { ms: performance.now() - began, records: records.map(comparable) }
  }
  const [a, b] = [await timed(own), await timed(theirs)]
  if (a.records.length === 0 || !isDeepStrictEqual(a.records, b.records)) throw new Error('the records differ')
  const rounds = context.amount(7, 2)
  const pairs = await interleave(rounds, {
    ours: async () => (await timed(own)).ms,
    reference: async () => {
      // Its limit is five calls a second: who has used them up waits, outside of what is timed.
      await sleep(1100)
      return (await timed(theirs)).ms
    },
  })
  const { ours, reference, ratio } = summarize(pairs)
  return {
    ours,
    unit: 'ms',
    reference: { what: `simulated Airtable`, value: reference },
    ratio: 1 / ratio,
    note: `${what}; ${a.records.length} records that are equal on both sides, cell for cell; each call upstream takes ${LATENCY_MS} ms and at most five a second are made; over loopback both (the original's 240 × compared loopback with the internet)`,
  }
}

/** Everything but the URLs of attachments, which are of whoever serves them. */
function comparable({ id, fields }: Airtable.Record<Airtable.FieldSet>): unknown {
  return JSON.parse(
    JSON.stringify({ id, fields }, (name, value: unknown) =>
      name === 'url' || name === 'thumbnails' ? undefined : value,
    ),
  )
}

async function sweepUnderLimit(): Promise<Measurement> {
  const clock = new VirtualClock()
  const base = generateBase({ seed: 1, tables: 1, records: SWEEP_RECORDS })
  await using sim = await startSimulator({ clock, base, arrivalJitterMs: 50, latencyMs: [60, 180] })
  using mirror = await InProcess.of(sim)
  const began = clock.monotonic()
  await mirror.syncWell('first')
  const tookMs = clock.monotonic() - began
  sim.assertLimitKept()
  const refused = sim.requests.filter(({ status }) => status !== 200).length
  if (refused > 0) throw new Error(`${refused} calls were refused`)
  const floorMs = (Math.ceil(SWEEP_RECORDS / 100) / CALLS_A_SECOND) * 1000
  return {
    ours: tookMs,
    unit: 'ms',
    reference: { what: 'the limit’s floor', value: floorMs },
    ratio: tookMs / floorMs,
    note: `virtual time, real sockets: ${sim.requests.length} calls, none refused, arrivals up to 50 ms late`,
  }
}

async function changeToReader(context: Context): Promise<Measurement> {
  await using sim = await startSimulator({ base: generateBase({ seed: 3, tables: 3, records: 2000 }), latencyMs: 150 })
  const port = await freePort()
  const mirror = mirrorOf(context, sim, { mode: 'webhook' })
  await using server = await mirror.startServer({ PORT: String(port), PUBLIC_URL: `http://127.0.0.1:${port}` })
  await server.firstRun('base')
  const orders = sim.base.table('Orders')
  const times: number[] = []
  const calls: number[] = []
  for (let round = 0; round < context.amount(7, 2); round++) {
    await sleep(1200)
    const before = sim.requests.length
    const record = orders.records[round * 3 + 1]
    if (record === undefined) throw new Error('no record')
    const note = `changed ${round}`
    const began = performance.now()
    orders.update(record.id, { Notes: note })
    await untilRead(server, record.id, note)
    times.push(performance.now() - began)
    await sleep(500)
    calls.push(sim.requests.slice(before).filter(({ kind }) => kind !== 'file').length)
  }
  return {
    ours: median(times),
    unit: 'ms',
    note: `slowest of ${times.length}: ${Math.round(Math.max(...times))} ms; ${Math.max(...calls)} calls at the most, each of which takes 150 ms; 2,000 records in the table`,
  }
}

async function untilRead(server: Server, id: string, note: string): Promise<void> {
  for (const giveUpAt = performance.now() + GIVE_UP_MS; performance.now() < giveUpAt;) {
    const answer = await fetch(`http://127.0.0.1:${server.port}/api/tables/Orders/${id}`, {
      headers: { 'X-API-Key': API_KEY },
    })
    const { record } = (await answer.json()) as { record?: { Notes?: string } }
    if (record?.Notes === note) return
    await sleep(5)
  }
  throw new Error('the change did not arrive')
}

function mirrorOf(context: Context, sim: Simulator, options: object = {}): Mirror {
  const source = { baseId: sim.base.id, token: sim.token, endpointUrl: sim.url, ...options }
  return new Mirror(context.scratch(), [], { base: `airtable(${JSON.stringify(source)})` })
}
