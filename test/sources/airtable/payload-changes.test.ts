import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { AirtableSourceOptions } from '../../../lib/settings.ts'
import type { Base } from '../../../simulators/airtable/base.ts'
import { generateBase } from '../../../simulators/airtable/generate.ts'
import type { Table } from '../../../simulators/airtable/table.ts'
import { Replica, type SyncOptions } from './replica.ts'
import { upstreamOf, type Upstream, type UpstreamOptions } from './upstream.ts'

const DAY_MS = 86_400_000
/** Nothing listens there: pings fail, and payloads are read all the same. */
const PUBLIC_URL = 'http://127.0.0.1:9'
const QUIET = { webhooks: { ping: false } }

interface Scene {
  readonly upstream: Upstream
  readonly base: Base
  readonly orders: Table
  readonly replica: Replica
  sync(options?: Partial<AirtableSourceOptions> & SyncOptions): ReturnType<Replica['sync']>
  /** Calls since the last time this was asked. */
  calls(): string[]
}

async function scene(t: TestContext, options: UpstreamOptions = {}, records = 450): Promise<Scene> {
  const given = { publicUrl: PUBLIC_URL, sim: QUIET, ...options }
  const upstream = await upstreamOf(t, generateBase({ seed: 8, tables: 3, records }), given)
  const replica = new Replica()
  let counted = 0
  const calls = () => {
    const fresh = upstream.sim.requests.slice(counted)
    counted = upstream.sim.requests.length
    return fresh.map(({ kind, method, table }) =>
      kind === 'list' ? (upstream.base.findTable(table ?? '')?.name ?? '') : kind === 'webhook' ? method : kind,
    )
  }
  const { base } = upstream
  const sync: Scene['sync'] = ({ trigger, wantsAll, killAfter, ...source } = {}) =>
    replica.sync(upstream.source({ mode: 'webhook', ...source }), {
      ...(trigger !== undefined && { trigger }),
      ...(wantsAll !== undefined && { wantsAll }),
      ...(killAfter !== undefined && { killAfter }),
    })
  return { upstream, base, orders: base.table('Orders'), replica, sync, calls }
}

const isSweep = ({ plan }: Awaited<ReturnType<Replica['sync']>>) => plan.tables.every(({ from }) => from === 'nothing')

describe('changes that a webhook heard of', () => {
  test('cost two calls for one record, and none but one where nothing changed', async (t) => {
    const { base, orders, replica, sync, calls } = await scene(t)
    await sync()
    calls()
    orders.update(orders.records[0]!.id, { Notes: 'changed' })
    await sync()
    assert.deepEqual(calls(), ['payloads', 'Orders'])
    replica.assertMirrors(base)
    const { pages } = await sync()
    assert.deepEqual([calls(), pages], [['payloads'], []])
  })

  test('are creations, edits and deletions, in bursts of any size', async (t) => {
    const { base, orders, replica, sync, calls } = await scene(t)
    await sync()
    calls()
    const [first, second, third] = orders.records.map(({ id }) => id)
    for (let turn = 0; turn < 120; turn++) orders.update(first!, { Notes: `turn ${turn}` })
    base.transaction(() => {
      for (const { id } of orders.records.slice(50, 300)) orders.update(id, { Gift: true })
    })
    orders.create({ Number: 'new' })
    orders.delete(second!)
    orders.update(third!, { Notes: 'soon gone' })
    orders.delete(third!)
    await sync()
    const seen = calls()
    assert.equal(seen.filter((call) => call === 'payloads').length, 3)
    assert.equal(seen.filter((call) => call === 'Orders').length, 3, 'each of some 250 records is read once')
    replica.assertMirrors(base)
  })

  test('are done again, to the same effect, when the process is killed behind any page', async (t) => {
    const { base, orders, replica, sync } = await scene(t)
    await sync()
    base.transaction(() => {
      for (const { id } of orders.records.slice(0, 250)) orders.update(id, { Gift: true })
      orders.delete(orders.records[300]!.id)
    })
    orders.create({ Number: 'new' })
    let killAfter = 1
    while ((await sync({ killAfter })).isKilled) {
      killAfter++
      orders.update(orders.records[killAfter]!.id, { Notes: `after kill ${killAfter}` })
      assert.ok(killAfter < 20)
    }
    await sync()
    replica.assertMirrors(base)
  })

  test('of a record that is gone by the time it is read again delete it', async (t) => {
    const { upstream, base, orders, replica, sync } = await scene(t)
    await sync()
    const { id } = orders.records[0]!
    orders.update(id, { Notes: 'changed' })
    upstream.sim.fault({ match: { table: orders.id }, kind: 'call', run: () => orders.delete(id) })
    await sync()
    assert.ok(!replica.records('Orders').some((record) => record.id === id))
    await sync()
    replica.assertMirrors(base)
  })

  test('while everything is read are not lost: they are read when that is done', async (t) => {
    const { upstream, base, orders, replica, sync, calls } = await scene(t)
    upstream.sim.fault({
      match: ({ kind, isPaged }) => kind === 'list' && isPaged,
      kind: 'call',
      skip: 2,
      run: () => {
        orders.update(orders.records[0]!.id, { Notes: 'early' })
        orders.update(orders.records.at(-1)!.id, { Notes: 'late' })
        orders.create({ Number: 'new' })
        orders.delete(orders.records[1]!.id)
      },
    })
    await sync({ cursors: 1 })
    replica.assertMirrors(base)
    calls()
    await sync()
    assert.deepEqual(calls(), ['payloads'])
  })

  test('in tables that are not mirrored change nothing, and are told once', async (t) => {
    const { upstream, base, replica, sync, calls } = await scene(t)
    await sync({ only: ['Products'] })
    const customers = base.table('Customers')
    for (let turn = 0; turn < 60; turn++) customers.update(customers.records[0]!.id, { Name: `turn ${turn}` })
    calls()
    const { pages } = await sync({ only: ['Products'] })
    assert.deepEqual(calls(), ['payloads', 'payloads'])
    assert.ok(pages.every(({ rows, deleted }) => rows.length === 0 && deleted === undefined))
    await sync({ only: ['Products'] })
    assert.deepEqual(calls(), ['payloads'])
    replica.assertMirrors(base, ['Products'])
    assert.equal(upstream.sim.webhooks.of(base).length, 1)
  })

  test('come without a public URL too: then payloads are only asked for', async (t) => {
    const { upstream, base, orders, replica, sync, calls } = await scene(t, { publicUrl: null })
    await sync()
    assert.equal(upstream.sim.webhooks.of(base)[0]?.notificationUrl, null)
    calls()
    orders.delete(orders.records[0]!.id)
    await sync()
    assert.ok(!calls().includes('schema'))
    replica.assertMirrors(base)
  })
})

describe('payloads that are missing', () => {
  test('because they are no longer kept make everything be read, deletions and all', async (t) => {
    const { upstream, base, orders, replica, sync } = await scene(t)
    await sync({ sweepEveryMs: 100 * DAY_MS })
    orders.delete(orders.records[0]!.id)
    await upstream.clock.advance(6 * DAY_MS)
    upstream.sim.webhooks.refresh(base, upstream.sim.webhooks.of(base)[0]!.id)
    await upstream.clock.advance(3 * DAY_MS)
    orders.update(orders.records[0]!.id, { Notes: 'changed' })
    assert.ok(isSweep(await sync({ sweepEveryMs: 100 * DAY_MS })))
    replica.assertMirrors(base)
    assert.ok(!isSweep(await sync({ sweepEveryMs: 100 * DAY_MS })))
  })

  for (const [name, harm] of [
    [
      'was deleted',
      ({ upstream, base }: Scene) => void upstream.sim.webhooks.delete(base, upstream.sim.webhooks.of(base)[0]!.id),
    ],
    [
      'has ended',
      ({ upstream, base }: Scene) => void (upstream.sim.webhooks.of(base)[0]!.expiresAt = upstream.clock.now() - 1),
    ],
  ] as const) {
    test(`because the webhook ${name} make another be made, and everything be read`, async (t) => {
      const one = await scene(t)
      const { upstream, base, orders, replica, sync } = one
      await sync()
      harm(one)
      // Known to be near its end, it is asked to live on.
      const memory = upstream.memory.value as { webhook: { id: string; expiresAt: number } }
      upstream.memory.write({ webhook: { ...memory.webhook, expiresAt: upstream.clock.now() } })
      orders.delete(orders.records[0]!.id)
      assert.ok(isSweep(await sync()))
      replica.assertMirrors(base)
      const hooks = upstream.sim.webhooks.of(base)
      assert.equal(hooks.length, 1)
      assert.notEqual(hooks[0]?.id, memory.webhook.id)
      assert.ok(!isSweep(await sync()))
    })
  }

  test('because the webhook is broken make another be made, and everything be read', async (t) => {
    const { upstream, base, orders, replica, sync } = await scene(t)
    await sync()
    const [hook] = upstream.sim.webhooks.of(base)
    const payload = { timestamp: '', baseTransactionNumber: 1, payloadFormat: 'v0', error: true, code: 'INVALID_HOOK' }
    hook!.isEnabled = false
    hook!.payloads.push({ cursor: hook!.nextCursor++, at: upstream.clock.now(), json: payload })
    orders.delete(orders.records[0]!.id)
    assert.ok(isSweep(await sync()))
    replica.assertMirrors(base)
    assert.notEqual(upstream.sim.webhooks.of(base)[0]?.id, hook!.id)
  })

  test('while everything is read are made up for by the next run', async (t) => {
    const { upstream, base, orders, replica, sync } = await scene(t)
    upstream.sim.fault({
      match: ({ kind, isPaged }) => kind === 'list' && isPaged,
      kind: 'call',
      run: () => {
        upstream.sim.webhooks.delete(base, upstream.sim.webhooks.of(base)[0]!.id)
        orders.update(orders.records[0]!.id, { Notes: 'changed' })
        orders.delete(orders.records[1]!.id)
      },
    })
    await sync({ cursors: 1 })
    const changed = replica.records('Orders').find(({ fields }) => fields['Notes'] === 'changed')
    assert.ok(changed, 'what was modified is looked for at once')
    assert.ok(isSweep(await sync()))
    replica.assertMirrors(base)
  })

  test('time and again do not make everything be read time and again', async (t) => {
    const { upstream, base, orders, replica, sync } = await scene(t)
    const sweeps: boolean[] = []
    for (let turn = 0; turn < 6; turn++) {
      orders.update(orders.records[turn]!.id, { Notes: 'changed' })
      const synced = await sync()
      sweeps.push(isSweep(synced))
      if (turn > 3) assert.match(synced.plan.warnings?.join() ?? '', /keep being missed/)
      replica.assertMirrors(base)
      upstream.sim.webhooks.delete(base, upstream.sim.webhooks.of(base)[0]!.id)
      await upstream.clock.advance(60_000)
    }
    assert.deepEqual(sweeps, [true, true, true, false, false, false])
    await upstream.clock.advance(3_600_000)
    assert.ok(isSweep(await sync()))
  })
})

describe('where there can be no webhook', () => {
  for (const [name, hinder] of [
    [
      'the token may not',
      ({ upstream }: Scene) => upstream.sim.addToken({ scopes: ['data.records:read', 'schema.bases:read'] }).text,
    ],
    [
      'there are too many',
      ({ upstream, base }: Scene) => {
        const specification = { options: { filters: { dataTypes: ['tableData'] } } }
        for (let hook = 0; hook < 10; hook++) upstream.sim.webhooks.create(base, { specification })
        return upstream.sim.token
      },
    ],
  ] as const) {
    test(`because ${name}, what was modified is looked for, and the plan says so`, async (t) => {
      const one = await scene(t)
      const { upstream, base, orders, replica, sync } = one
      const token = hinder(one)
      const { plan } = await sync({ token })
      assert.match(plan.warnings?.join() ?? '', /by when records were modified/)
      await upstream.clock.advance(600_000)
      orders.update(orders.records[0]!.id, { Notes: 'changed' })
      const second = await sync({ token })
      assert.ok(!isSweep(second))
      assert.match(second.plan.warnings?.join() ?? '', /by when records were modified/)
      replica.assertMirrors(base)
    })
  }
})
