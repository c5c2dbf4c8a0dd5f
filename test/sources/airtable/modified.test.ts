import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { AirtableSourceOptions } from '../../../lib/settings.ts'
import type { Base } from '../../../simulators/airtable/base.ts'
import { generateBase } from '../../../simulators/airtable/generate.ts'
import type { Table } from '../../../simulators/airtable/table.ts'
import { Replica } from './replica.ts'
import { upstreamOf, type Upstream, type UpstreamOptions } from './upstream.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

interface Scene {
  readonly upstream: Upstream
  readonly base: Base
  readonly orders: Table
  readonly replica: Replica
  sync(options?: Partial<AirtableSourceOptions>): ReturnType<Replica['sync']>
  /** Calls since the last time this was asked. */
  calls(): string[]
}

async function scene(t: TestContext, options: UpstreamOptions = {}): Promise<Scene> {
  const upstream = await upstreamOf(t, generateBase({ seed: 7, tables: 3, records: 450 }), options)
  const replica = new Replica()
  let counted = 0
  const calls = () => {
    const fresh = upstream.sim.requests.slice(counted)
    counted = upstream.sim.requests.length
    return fresh.map(({ kind, table }) => (kind === 'list' ? (upstream.base.findTable(table ?? '')?.name ?? '') : kind))
  }
  const { base } = upstream
  const sync: Scene['sync'] = (given = {}) => replica.sync(upstream.source(given))
  return { upstream, base, orders: base.table('Orders'), replica, sync, calls }
}

describe('what was modified since the last look', () => {
  test('is found with one call for the schema and one for each table, and put', async (t) => {
    const { upstream, base, orders, replica, sync, calls } = await scene(t)
    await sync()
    calls()
    await upstream.clock.advance(10 * MINUTE_MS)
    const [first, second] = orders.records
    orders.update(first!.id, { Notes: 'changed' })
    orders.create({ Number: 'new' })
    const { pages } = await sync()
    assert.deepEqual(calls(), ['schema', 'Orders', 'Customers', 'Products'])
    assert.deepEqual(
      pages.filter(({ rows }) => rows.length > 0).map(({ table, rows, put }) => [table, rows.length, put]),
      [['Orders', 2, true]],
    )
    assert.ok(second !== undefined)
    replica.assertMirrors(base)
  })

  test('is told once: what the look before has seen already is no change', async (t) => {
    const { upstream, orders, sync } = await scene(t)
    await sync()
    await upstream.clock.advance(10 * MINUTE_MS)
    const { id } = orders.records[0]!
    orders.update(id, { Notes: 'changed' })
    const found = async () => (await sync()).pages.reduce((sum, { rows }) => sum + rows.length, 0)
    assert.equal(await found(), 1)
    await upstream.clock.advance(MINUTE_MS / 2)
    assert.equal(await found(), 0, 'it is within the overlap, and known')
    orders.update(id, { Notes: 'changed again' })
    assert.equal(await found(), 1)
  })

  test('is found when it shows up later than its time says, within the overlap', async (t) => {
    const { upstream, base, orders, replica, sync } = await scene(t)
    await sync()
    await upstream.clock.advance(10 * MINUTE_MS)
    const createdTime = upstream.clock.now() - MINUTE_MS
    await sync()
    orders.create({ Number: 'late' }, { createdTime })
    await sync()
    replica.assertMirrors(base)
  })

  for (const skewMs of [-3 * DAY_MS, 3 * DAY_MS]) {
    test(`is found whatever the own clock says: ${skewMs / DAY_MS} days off`, async (t) => {
      const { upstream, base, orders, replica, sync, calls } = await scene(t, { skewMs })
      await sync()
      for (let turn = 0; turn < 3; turn++) {
        await upstream.clock.advance(10 * MINUTE_MS)
        orders.update(orders.records[turn]!.id, { Notes: `turn ${turn}` })
        calls()
        const { pages } = await sync()
        assert.equal(
          pages.reduce((sum, { rows }) => sum + rows.length, 0),
          1,
        )
        replica.assertMirrors(base)
      }
    })
  }

  test('is found on more pages than one, and after a kill behind any of them', async (t) => {
    const { upstream, base, orders, replica } = await scene(t)
    await replica.sync(upstream.source())
    await upstream.clock.advance(10 * MINUTE_MS)
    base.transaction(() => {
      for (const { id } of orders.records) orders.update(id, { Notes: 'all of them' })
    })
    for (let isKilled = true, runs = 0; isKilled; runs++) {
      ;({ isKilled } = await replica.sync(upstream.source(), { killAfter: 1 }))
      assert.ok(runs < 20)
    }
    replica.assertMirrors(base)
  })

  test('while everything is read is not lost: it is looked for when that is done', async (t) => {
    const { upstream, base, orders, replica, sync } = await scene(t)
    const changed = upstream.sim.fault({
      match: ({ kind, isPaged }) => kind === 'list' && isPaged,
      kind: 'call',
      skip: 2,
      run: () => {
        // On a page that was read already, on one to come, and on none.
        orders.update(orders.records[0]!.id, { Notes: 'early' })
        orders.update(orders.records.at(-1)!.id, { Notes: 'late' })
        orders.create({ Number: 'new' })
      },
    })
    await sync({ cursors: 1 })
    assert.equal(changed.fired, 1)
    replica.assertMirrors(base)
  })

  test('does not tell of deletions, which the next full sweep finds', async (t) => {
    const { upstream, base, orders, replica, sync } = await scene(t)
    await sync()
    await upstream.clock.advance(10 * MINUTE_MS)
    orders.delete(orders.records[0]!.id)
    await sync()
    assert.equal(replica.records('Orders').length, orders.size + 1)
    await upstream.clock.advance(DAY_MS)
    await sync()
    replica.assertMirrors(base)
  })

  test('of a table that cannot be looked at leaves it as it was, and it is read in full when it can', async (t) => {
    const { upstream, base, orders, replica, sync } = await scene(t)
    await sync()
    await upstream.clock.advance(10 * MINUTE_MS)
    orders.delete(orders.records[0]!.id)
    const fault = upstream.sim.fault({ match: { table: orders.id }, kind: 'forbidden' })
    const { pages } = await sync()
    assert.deepEqual(
      pages.filter(({ keeps }) => keeps).map(({ table }) => table),
      ['Orders'],
    )
    fault[Symbol.dispose]()
    await sync()
    replica.assertMirrors(base)
  })
})

describe('everything is read', () => {
  const isSweep = ({ plan }: { plan: { tables: readonly { from?: string }[] } }) =>
    plan.tables.every(({ from }) => from === 'nothing')

  test('at first, when somebody starts it, when it is wanted, and when the time has come', async (t) => {
    const { upstream, replica, sync } = await scene(t)
    assert.ok(isSweep(await sync()))
    assert.ok(!isSweep(await sync()))
    assert.ok(isSweep(await replica.sync(upstream.source(), { trigger: 'start' })))
    assert.ok(!isSweep(await sync()))
    assert.ok(isSweep(await replica.sync(upstream.source(), { wantsAll: true })))
    await upstream.clock.advance(DAY_MS - MINUTE_MS)
    assert.ok(!isSweep(await sync()))
    await upstream.clock.advance(MINUTE_MS)
    assert.ok(isSweep(await sync()))
    assert.ok(!isSweep(await sync()))
    await upstream.clock.advance(10 * MINUTE_MS)
    assert.ok(isSweep(await sync({ sweepEveryMs: 10 * MINUTE_MS })))
  })

  test('again where a cursor is of another format', async (t) => {
    const { replica, sync } = await scene(t)
    await sync()
    replica.published = { ...replica.published!, cursor: '{"format":0}' }
    assert.ok(isSweep(await sync()))
  })
})
