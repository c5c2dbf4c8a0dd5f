import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { AirtableSourceOptions } from '../../../lib/settings.ts'
import type { Base } from '../../../simulators/airtable/base.ts'
import type { FaultSpec } from '../../../simulators/airtable/faults.ts'
import { generateBase } from '../../../simulators/airtable/generate.ts'
import type { RecordedRequest } from '../../../simulators/airtable/request-log.ts'
import type { SimulatorOptions } from '../../../simulators/airtable/simulator.ts'
import { Replica } from './replica.ts'
import { upstreamOf, type Upstream } from './upstream.ts'

interface Scene {
  readonly upstream: Upstream
  readonly base: Base
  readonly replica: Replica
  /** Calls that list orders. */
  readonly orders: (request: RecordedRequest) => boolean
  readonly lists: () => RecordedRequest[]
  sync(options?: Partial<AirtableSourceOptions>): ReturnType<Replica['sync']>
}

async function scene(t: TestContext, sim: Partial<SimulatorOptions> = {}): Promise<Scene> {
  const upstream = await upstreamOf(t, generateBase({ seed: 5, records: 520 }), { sim })
  const ordersId = upstream.base.table('Orders').id
  const orders = ({ kind, table }: RecordedRequest) => kind === 'list' && table === ordersId
  const replica = new Replica()
  return {
    upstream,
    base: upstream.base,
    replica,
    orders,
    lists: () => upstream.sim.requests.filter(({ kind }) => kind === 'list'),
    sync: (options = {}) => replica.sync(upstream.source(options)),
  }
}

/** That a fault of one call is got over, and everything is there in the end. */
function overcomes(name: string, fault: Omit<FaultSpec, 'match'>, sim: Partial<SimulatorOptions> = {}): void {
  test(name, async (t) => {
    const { upstream, base, replica, orders, sync } = await scene(t, sim)
    const hurt = upstream.sim.fault({ match: orders, skip: 2, ...fault })
    await sync()
    assert.equal(hurt.fired, fault.times ?? 1)
    replica.assertMirrors(base)
    assert.equal(new Set(replica.records('Orders').map(({ id }) => id)).size, base.table('Orders').size)
    upstream.sim.assertLimitKept()
  })
}

describe('what ends by itself is waited for, and nothing is missing or there twice', () => {
  overcomes('500', { kind: 'server error' })
  overcomes('502', { kind: 'bad gateway', times: 3 })
  overcomes('503', { kind: 'unavailable', times: 3 })
  overcomes('a body that is cut off', { kind: 'cut', times: 2 })
  overcomes('a body that stalls', { kind: 'stall', times: 2 })
  overcomes('a connection that is reset', { kind: 'reset', times: 2 })
  overcomes('an answer that takes long', { kind: 'slow', delayMs: 40_000 })
  overcomes('an answer that takes too long', { kind: 'slow', delayMs: 50_000 })
  overcomes('a page that comes again', { kind: 'repeat page', times: 2 })
  overcomes('a list that cannot be continued', { kind: 'iterator' })
  for (const body of ['errors', 'error', 'type', 'text'] as const) {
    overcomes(`429, told as "${body}"`, { kind: 'rate limit' }, { limiter: { body } })
  }

  test('503 with Retry-After is asked again no sooner', async (t) => {
    const { upstream, orders, lists, sync } = await scene(t)
    upstream.sim.fault({ match: orders, kind: 'unavailable', retryAfterSeconds: 20 })
    await sync({ cursors: 1 })
    const [refused, again] = lists().filter(orders)
    assert.ok(again!.arrivedAt - refused!.answeredAt! >= 20_000)
  })

  test('429 is followed by silence, for 30 s or as long as Airtable says', async (t) => {
    for (const [retryAfterSeconds, silenceMs] of [
      [undefined, 30_000],
      [45, 45_000],
    ] as const) {
      const { upstream, orders, lists, sync } = await scene(t)
      const fault = { kind: 'rate limit', ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) } as const
      upstream.sim.fault({ match: orders, skip: 1, ...fault })
      await sync()
      const refused = lists().find(({ status }) => status === 429) as RecordedRequest
      const later = lists().filter(({ arrivedAt }) => arrivedAt > refused.answeredAt!)
      assert.ok(later.length > 0)
      assert.ok(later.every(({ arrivedAt }) => arrivedAt - refused.answeredAt! >= silenceMs))
    }
  })

  test('a list that is gone after a long time out of work begins again, and says so', async (t) => {
    const { upstream, base, replica } = await scene(t)
    await replica.sync(upstream.source(), { killAfter: 4 })
    upstream.sim.dropIterators()
    const { pages } = await replica.sync(upstream.source())
    assert.ok(pages.some(({ table, restarts }) => table === 'Orders' && restarts))
    replica.assertMirrors(base)
  })
})

describe('what does not end by itself fails the run', () => {
  for (const [name, fault, code, most] of [
    ['401', 'unauthorized', 'upstream_refused', 1],
    ['503 without an end', 'unavailable', 'upstream_unavailable', 6],
    ['a body that always stalls', 'stall', 'upstream_unavailable', 6],
    ['a body that is always cut off', 'cut', 'upstream_unavailable', 6],
    ['429 without an end', 'rate limit', 'upstream_unavailable', 8],
    ['429, the calls of the month are used up', 'quota', 'upstream_budget_spent', 1],
  ] as const) {
    test(`${name}: ${code}, after ${most} ${most === 1 ? 'call' : 'calls'}`, async (t) => {
      const { upstream, orders, sync, lists } = await scene(t)
      upstream.sim.fault({ match: orders, kind: fault, times: Infinity })
      await assert.rejects(sync({ only: ['Orders'] }), (error: Error & { code: string }) => {
        assert.equal(error.code, code)
        assert.ok(!error.message.includes(upstream.sim.token))
        return true
      })
      assert.equal(lists().length, most)
    })
  }

  test('and what was pulled by then is not pulled again', async (t) => {
    const { upstream, base, replica, orders, sync, lists } = await scene(t)
    const fault = upstream.sim.fault({ match: orders, skip: 4, kind: 'unavailable', times: Infinity })
    await assert.rejects(sync({ only: ['Orders'] }))
    fault[Symbol.dispose]()
    const before = lists().length
    await sync({ only: ['Orders'] })
    replica.assertMirrors(base, ['Orders'])
    assert.equal(lists().length - before, 6 - 4 + 1, 'the pages that were missing, and a look at what changed since')
  })

  test('a base that is not there, or whose schema may not be read, is refused before anything is read', async (t) => {
    const { upstream, sync, lists } = await scene(t)
    const { text: token } = upstream.sim.addToken({ scopes: ['data.records:read'] })
    await assert.rejects(sync({ token }), { code: 'upstream_refused', message: /schema\.bases:read/ })
    await assert.rejects(sync({ baseId: 'appNotThereAtAll0' }), {
      code: 'upstream_refused',
      message: /appNotThereAtAll0/,
    })
    assert.equal(lists().length, 0)
  })
})

describe('a table that Airtable does not give', () => {
  for (const fault of ['forbidden', 'not found'] as const) {
    test(`(${fault}) stays as it was, the others are read, and the next run brings it`, async (t) => {
      const { upstream, base, replica, orders, sync } = await scene(t)
      await sync()
      const before = replica.records('Orders')
      const [order, customer] = [base.table('Orders').records[0]!, base.table('Customers').records[0]!]
      base.table('Orders').update(order.id, { Notes: 'changed' })
      base.table('Customers').update(customer.id, { Name: 'changed' })
      const hurt = upstream.sim.fault({ match: orders, kind: fault, times: Infinity })
      const { pages } = await replica.sync(upstream.source(), { trigger: 'start' })
      const keeps = pages.filter(({ keeps: kept }) => kept !== undefined)
      assert.deepEqual(
        keeps.map(({ table }) => table),
        ['Orders'],
      )
      assert.equal(keeps[0]?.keeps?.code, 'upstream_refused')
      assert.match(keeps[0]?.keeps?.message ?? '', /"Orders"/)
      assert.deepEqual(replica.records('Orders'), before)
      replica.assertMirrors(base, ['Customers', 'Products'])

      hurt[Symbol.dispose]()
      await sync()
      replica.assertMirrors(base)
    })
  }

  test('is left out where it never was there, and comes when it is given', async (t) => {
    const { upstream, base, replica, orders, sync } = await scene(t)
    const hurt = upstream.sim.fault({ match: orders, kind: 'forbidden', times: Infinity })
    await sync()
    assert.ok(!replica.names.includes('Orders'))
    await sync()
    hurt[Symbol.dispose]()
    await sync()
    replica.assertMirrors(base)
  })

  test('because its list never lasts is kept after a few tries', async (t) => {
    const { upstream, replica, orders, lists } = await scene(t)
    await replica.sync(upstream.source())
    const before = lists().length
    upstream.sim.fault({ match: (request) => orders(request) && request.isPaged, kind: 'iterator', times: Infinity })
    const { pages } = await replica.sync(upstream.source(), { trigger: 'start' })
    assert.ok(pages.some(({ table, keeps }) => table === 'Orders' && keeps !== undefined))
    assert.equal(lists().slice(before).filter(orders).length, 8, 'four first pages, and four second ones')
  })

  test('fails the run where it is all there is', async (t) => {
    const { upstream, orders, sync } = await scene(t)
    upstream.sim.fault({ match: orders, kind: 'forbidden', times: Infinity })
    await assert.rejects(sync({ only: ['Orders'] }), { code: 'upstream_refused' })
  })
})
