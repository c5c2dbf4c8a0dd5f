import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { generateBase } from '../../simulators/airtable/generate.ts'
import type { RecordedRequest } from '../../simulators/airtable/request-log.ts'
import { startSimulator, type Simulator } from '../../simulators/airtable/simulator.ts'
import { VirtualClock } from '../../simulators/airtable/virtual-clock.ts'
import { assertMirrors, Mirror } from './mirror.ts'

async function start(t: TestContext, records = 700): Promise<{ sim: Simulator; mirror: Mirror; clock: VirtualClock }> {
  const clock = new VirtualClock()
  const sim = await startSimulator({ clock, base: generateBase({ seed: 6, records }) })
  const mirror = await Mirror.of(sim)
  t.after(async () => {
    mirror[Symbol.dispose]()
    await sim.close()
  })
  return { sim, mirror, clock }
}

/** Pages of the orders, however they are asked for; or only those behind the first. */
function pagesOf(sim: Simulator, { isLater = false } = {}) {
  const { id, name } = sim.base.table('Orders')
  return ({ kind, table, query }: RecordedRequest) =>
    kind === 'list' && (table === id || table === name) && (!isLater || query.includes('offset'))
}

/** That `/status` says nothing that a person would have to look at. */
function assertQuiet({ status }: Mirror): void {
  const { state, warnings, kept, last_error } = status
  assert.deepEqual(
    { state, warnings, kept, last_error },
    { state: 'COMPLETED', warnings: [], kept: [], last_error: null },
  )
}

describe('what can go wrong upstream', () => {
  test('401: nothing is pulled, what was published stays, and /status says that the token is refused', async (t) => {
    const { sim, mirror } = await start(t)
    await mirror.syncWell('first')
    const before = mirror.pointer
    sim.revokeToken(sim.token)
    const run = await mirror.sync('start')
    assert.deepEqual([run.status, run.error?.code], ['failed', 'upstream_refused'])
    assert.deepEqual(mirror.pointer, before)
    assert.equal(mirror.status.last_error?.code, 'upstream_refused')
    assert.match(mirror.status.warnings.join(), /token/i)
    assert.ok(!JSON.stringify(mirror.status).includes(sim.token))
  })

  test('403 on one table: it keeps its last good rows, the others are published, and /status names it', async (t) => {
    const { sim, mirror } = await start(t)
    await mirror.syncWell('first')
    const kept = mirror.records('Orders')
    const customer = sim.base.table('Customers').records[0]!
    sim.base.table('Customers').update(customer.id, { Name: 'changed meanwhile' })
    sim.base.table('Orders').update(sim.base.table('Orders').records[0]!.id, { Status: 'Shipped' })
    using fault = sim.fault({ match: pagesOf(sim), kind: 'forbidden', times: 1000 })
    await mirror.syncWell('start')
    assert.ok(fault.fired > 0)
    assert.deepEqual(mirror.records('Orders'), kept)
    assertMirrors(mirror, sim.base, ['Customers'])
    assert.deepEqual(
      mirror.status.kept.map(({ table, code }) => [table, code]),
      [['Orders', 'upstream_refused']],
    )
    assert.match(mirror.status.warnings.join(), /Orders/)

    fault[Symbol.dispose]()
    await mirror.syncWell()
    assertMirrors(mirror, sim.base)
    assert.deepEqual(mirror.status.kept, [])
  })

  test('404: the base is gone; the run fails and says so', async (t) => {
    const { sim, mirror } = await start(t)
    await mirror.syncWell('first')
    using _fault = sim.fault({ match: () => true, kind: 'not found', times: 1000 })
    const run = await mirror.sync('start')
    assert.equal(run.status, 'failed')
    assert.equal(mirror.status.last_error?.code, 'upstream_refused')
    assert.equal(mirror.pointer.tables.length, sim.base.tables.length)
  })

  test('422, the iterator is gone: the table begins anew, and every record is there once', async (t) => {
    const { sim, mirror } = await start(t)
    using fault = sim.fault({ match: pagesOf(sim), kind: 'iterator', skip: 2, times: 1 })
    await mirror.syncWell('first')
    assert.equal(fault.fired, 1)
    assertMirrors(mirror, sim.base)
    assertQuiet(mirror)
  })

  test('422, an iterator that never lasts: that table is kept as it was after a few tries', async (t) => {
    const { sim, mirror } = await start(t)
    await mirror.syncWell('first')
    using fault = sim.fault({
      match: pagesOf(sim, { isLater: true }),
      kind: 'iterator',
      times: 1000,
    })
    await mirror.syncWell('start')
    assert.ok(fault.fired > 0 && fault.fired <= 4, `${fault.fired} tries`)
    assert.deepEqual(
      mirror.status.kept.map(({ table }) => table),
      ['Orders'],
    )
  })

  test('429, too many calls: 30 s of silence, then it goes on', async (t) => {
    const { sim, mirror } = await start(t)
    using fault = sim.fault({ match: pagesOf(sim), kind: 'rate limit', skip: 1, times: 1 })
    await mirror.syncWell('first')
    assert.equal(fault.fired, 1)
    const refused = sim.requests.find(({ status }) => status === 429)!
    const next = sim.requests.find(({ arrivedAt }) => arrivedAt > refused.arrivedAt + 1000)!
    assert.ok(next.arrivedAt - refused.arrivedAt >= 30_000, `${next.arrivedAt - refused.arrivedAt} ms`)
    assertMirrors(mirror, sim.base)
    assertQuiet(mirror)
  })

  test('429, the month is used up: no retry, the old data stays, and /status says why', async (t) => {
    const { sim, mirror } = await start(t)
    await mirror.syncWell('first')
    using fault = sim.fault({ match: { kind: 'list' }, kind: 'quota', times: 1000 })
    const run = await mirror.sync('start')
    assert.deepEqual([run.status, run.error?.code], ['failed', 'upstream_budget_spent'])
    assert.ok(fault.fired <= 2, `${fault.fired} calls`)
    assert.equal(mirror.status.last_error?.code, 'upstream_budget_spent')
    assertMirrors(mirror, sim.base)
  })

  for (const kind of ['bad gateway', 'unavailable', 'server error', 'cut', 'reset', 'stall'] as const) {
    test(`${kind}: tried again, and every record is there once`, async (t) => {
      const { sim, mirror } = await start(t)
      using fault = sim.fault({ match: pagesOf(sim), kind, skip: 1, times: 2 })
      await mirror.syncWell('first')
      assert.equal(fault.fired, 2)
      assertMirrors(mirror, sim.base)
      assertQuiet(mirror)
    })
  }

  test('503 with Retry-After: it is waited for', async (t) => {
    const { sim, mirror } = await start(t)
    using _fault = sim.fault({ match: pagesOf(sim), kind: 'unavailable', retryAfterSeconds: 20, skip: 1, times: 1 })
    await mirror.syncWell('first')
    const refused = sim.requests.find(({ status }) => status === 503)!
    const again = sim.requests.find(({ n, table }) => n > refused.n && table === refused.table)!
    assert.ok(again.arrivedAt - refused.arrivedAt >= 20_000, `${again.arrivedAt - refused.arrivedAt} ms`)
    assertMirrors(mirror, sim.base)
    assertQuiet(mirror)
  })

  test('503 without an end: the run fails after a bounded number of tries, and the old data stays', async (t) => {
    const { sim, mirror } = await start(t)
    await mirror.syncWell('first')
    using fault = sim.fault({ match: () => true, kind: 'unavailable', times: 10_000 })
    const run = await mirror.sync('start')
    assert.deepEqual([run.status, run.error?.code], ['failed', 'upstream_unavailable'])
    assert.ok(fault.fired < 20, `${fault.fired} calls`)
    assertMirrors(mirror, sim.base)
  })

  test('a repeated page: every record is there once', async (t) => {
    const { sim, mirror } = await start(t)
    using fault = sim.fault({ match: pagesOf(sim), kind: 'repeat page', skip: 2, times: 1 })
    await mirror.syncWell('first')
    assert.equal(fault.fired, 1)
    assertMirrors(mirror, sim.base)
    assertQuiet(mirror)
  })

  test('a field renamed during a sync: what was planned is published, the next run has the new name', async (t) => {
    const { sim, mirror } = await start(t)
    const orders = sim.base.table('Orders')
    using _fault = sim.fault({
      match: pagesOf(sim),
      kind: 'call',
      skip: 2,
      times: 1,
      run: () => orders.renameField('Status', 'State'),
    })
    await mirror.syncWell('first')
    // Nobody has told of the new name yet.
    assertQuiet(mirror)
    const statuses = () => mirror.records('Orders').flatMap(({ fields }) => fields.Status ?? fields.State ?? [])
    const truth = orders.readAll().flatMap(({ fields }) => (fields.State as string | undefined) ?? [])
    assert.equal(statuses().length, truth.length)
    await mirror.syncWell('start')
    assertMirrors(mirror, sim.base)
    assert.ok(mirror.pointer.tables.find(({ name }) => name === 'Orders')?.columns.some(({ name }) => name === 'State'))
    assertQuiet(mirror)
  })

  test('a table deleted during a sync: the others are published, and the next run goes without it', async (t) => {
    const { sim, mirror } = await start(t)
    await mirror.syncWell('first')
    const orders = sim.base.table('Orders')
    using _fault = sim.fault({
      match: pagesOf(sim),
      kind: 'call',
      skip: 1,
      times: 1,
      run: () => sim.base.deleteTable(orders.id),
    })
    await mirror.syncWell('start')
    // What linked to it is changed by that as well, and comes with the next run.
    assertMirrors(mirror, sim.base, ['Products'])
    assert.deepEqual(
      mirror.status.kept.map(({ table, code }) => [table, code]),
      [['Orders', 'upstream_refused']],
    )
    assert.match(mirror.status.warnings.join(), /The table Orders could not be read since/)
    await mirror.syncWell('start')
    assert.deepEqual(
      mirror.pointer.tables.map(({ name }) => name).toSorted(),
      sim.base.tables.map(({ name }) => name).toSorted(),
    )
    assertMirrors(mirror, sim.base)
    assertQuiet(mirror)
  })

  test('a table that appears is mirrored by the next run, without a restart', async (t) => {
    const { sim, mirror } = await start(t)
    await mirror.syncWell('first')
    const table = sim.base.createTable({ name: 'New “things”', fields: [{ name: 'Name', type: 'singleLineText' }] })
    table.create({ Name: 'one' })
    await mirror.syncWell('start')
    assertMirrors(mirror, sim.base)
  })

  test('most records are gone: the guard refuses it once, and not each hour again at the price of a full read', async (t) => {
    const { sim, mirror, clock } = await start(t)
    await mirror.syncWell('first')
    const before = mirror.pointer
    const orders = sim.base.table('Orders')
    for (const { id } of orders.records.slice(100)) orders.delete(id)
    const refused = await mirror.sync('start')
    assert.deepEqual([refused.status, refused.error?.facts.reason], ['rejected', 'rows_lost'])
    assert.deepEqual(mirror.pointer, before)
    assert.match(mirror.status.warnings.join(), /refused/)

    await clock.advance(90_000_000)
    await mirror.sync('start')
    await clock.advance(3_600_000)
    const from = sim.requests.length
    const { id } = orders.records[0]!
    orders.update(id, { Status: 'Shipped' })
    await mirror.syncWell('schedule')
    assert.equal(mirror.cell('Orders', id, 'Status'), 'Shipped')
    assert.ok(sim.requests.length - from <= 12, `${sim.requests.length - from} calls`)
    assert.match(mirror.status.warnings.join(), /refused by the guard/)
  })
})
