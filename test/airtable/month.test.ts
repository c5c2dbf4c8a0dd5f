import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateBase } from '../../simulators/airtable/generate.ts'
import { startSimulator } from '../../simulators/airtable/simulator.ts'
import { VirtualClock } from '../../simulators/airtable/virtual-clock.ts'
import { assertMirrors, Mirror } from './mirror.ts'

const RECORDS = 50_000
const BUDGET = 100_000
const HOUR_MS = 3_600_000
/** A whole month takes minutes; the days of it are alike. */
const DAYS = Number(process.env.HOLDFAST_DAYS ?? 1)

test(`hourly syncs of ${RECORDS} records stay inside ${BUDGET} calls a month (${DAYS} days of it)`, async (t) => {
  const clock = new VirtualClock()
  const base = generateBase({ seed: 4, tables: 1, records: RECORDS })
  await using sim = await startSimulator({ clock, base, limiter: { monthlyCalls: BUDGET } })
  using mirror = await Mirror.of(sim, { env: { AIRTABLE_CALLS_PER_MONTH: String(BUDGET), REFRESH_CRON: '0 * * * *' } })
  const orders = base.table('Orders')
  await mirror.syncWell('first')
  const began = clock.monotonic()
  // Whatever counts against the month at Airtable: here all calls do.
  const first = sim.requests.length
  for (let hour = 1; hour <= DAYS * 24; hour++) {
    await clock.advance(began + hour * HOUR_MS - clock.monotonic())
    const [one, other] = [orders.records[hour]!, orders.records[hour * 7]!]
    orders.update(one.id, { Status: hour % 2 === 0 ? 'Shipped' : 'Open' })
    orders.delete(other.id)
    await mirror.syncWell('schedule')
    assert.equal(mirror.cell('Orders', one.id, 'Status'), hour % 2 === 0 ? 'Shipped' : 'Open')
  }
  const perDay = (sim.requests.length - first) / DAYS
  const month = first + perDay * 31
  t.diagnostic(
    `${first} calls for the first sync, ${Math.round(perDay)} a day, ${Math.round(month)} in a month of 31 days`,
  )
  assert.ok(month < BUDGET, `${Math.round(month)} calls in a month of 31 days, ${Math.round(perDay)} a day`)
  assert.deepEqual([...new Set(sim.requests.map(({ status }) => status))], [200])
  await mirror.syncWell('start')
  assertMirrors(mirror, base)
})

test('a schedule that a month of calls does not allow is told beforehand', async () => {
  const clock = new VirtualClock()
  await using sim = await startSimulator({
    clock,
    base: generateBase({ seed: 5, tables: 1, records: 20_000 }),
  })
  using mirror = await Mirror.of(sim, { env: { AIRTABLE_CALLS_PER_MONTH: '1000', REFRESH_CRON: '*/5 * * * *' } })
  await mirror.syncWell('first')
  await mirror.syncWell('schedule')
  const warning = mirror.status.warnings.find((text) => text.includes('1000') || text.includes('1,000'))
  assert.ok(warning !== undefined && /calls/.test(warning), JSON.stringify(mirror.status.warnings))
})
