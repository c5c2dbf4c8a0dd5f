import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { generateBase } from '../../../simulators/airtable/generate.ts'
import { planOptions } from '../../support/plan-options.ts'
import { Replica } from './replica.ts'
import { upstreamOf } from './upstream.ts'

describe('a pull', () => {
  test('shows that it lives while it has to wait, with pages that say nothing', async (t) => {
    const upstream = await upstreamOf(t, generateBase({ seed: 14, tables: 2, records: 320 }))
    const replica = new Replica()
    const { clock, sim } = upstream
    sim.fault({ match: ({ isPaged }) => isPaged, kind: 'rate limit', retryAfterSeconds: 200 })
    const source = upstream.source()
    const plan = await source.plan(planOptions())
    let last = clock.monotonic()
    for await (const { next } of source.pull({ plan, signal: new AbortController().signal })) {
      assert.ok(clock.monotonic() - last <= 31_000)
      last = clock.monotonic()
      assert.doesNotThrow(() => JSON.parse(next))
    }
    await replica.sync(source)
    replica.assertMirrors(upstream.base)
  })

  test('reads as many tables at a time as it is told, and no more', async (t) => {
    for (const cursors of [1, 2, 3]) {
      const upstream = await upstreamOf(t, generateBase({ seed: 15, records: 400 }), { sim: { latencyMs: 900 } })
      const replica = new Replica()
      await replica.sync(upstream.source({ cursors }))
      const lists = upstream.sim.requests.filter(({ kind }) => kind === 'list')
      const most = Math.max(
        ...lists.map(
          ({ arrivedAt }) =>
            lists.filter((other) => other.arrivedAt <= arrivedAt && (other.answeredAt ?? Infinity) > arrivedAt).length,
        ),
      )
      assert.equal(most, cursors)
      replica.assertMirrors(upstream.base)
    }
  })

  test('gives up its plan in less time than a run may be silent', async (t) => {
    const upstream = await upstreamOf(t, generateBase({ seed: 16, tables: 1, records: 10 }))
    upstream.sim.fault({ match: { kind: 'schema' }, kind: 'rate limit', times: Infinity })
    await assert.rejects(upstream.source().plan(planOptions(new AbortController().signal)), {
      code: 'upstream_unavailable',
    })
    assert.ok(upstream.clock.monotonic() < 120_000)
  })

  test('gives up its plan in that time, too, where each of its calls is slow', async (t) => {
    const upstream = await upstreamOf(t, generateBase({ seed: 16, tables: 1, records: 10 }))
    upstream.sim.fault({ kind: 'slow', delayMs: 40_000, times: Infinity })
    const source = upstream.source({ mode: 'webhook' })
    await assert.rejects(source.plan(planOptions(new AbortController().signal)), { code: 'upstream_unavailable' })
    assert.ok(upstream.clock.monotonic() < 120_000)
  })

  test('of a base without tables has nothing to say', async (t) => {
    const base = generateBase({ seed: 17, tables: 1, records: 10 })
    const upstream = await upstreamOf(t, base)
    base.deleteTable('Orders')
    const replica = new Replica()
    assert.deepEqual((await replica.sync(upstream.source())).pages, [])
    base.createTable({ name: 'First', fields: [{ name: 'a', type: 'number' }], records: [{ a: 1 }] })
    await replica.sync(upstream.source())
    replica.assertMirrors(base)
  })
})

describe('offers', () => {
  test('come with the rows, for two hours less a margin, and again for rows that ask for them', async (t) => {
    const upstream = await upstreamOf(t, generateBase({ seed: 18, records: 300 }))
    const { clock, base, sim } = upstream
    const replica = new Replica()
    const source = upstream.source()
    await replica.sync(source)
    const files = base.tables.flatMap((table) =>
      table.records.flatMap((record) =>
        table.fields
          .filter(({ type }) => type === 'multipleAttachments')
          .flatMap(({ id }) =>
            ((record.cells[id] ?? []) as { id: string; size: number }[]).map((file) => ({
              table: table.name,
              key: record.id,
              file,
            })),
          ),
      ),
    )
    assert.ok(files.length > 5)
    for (const { file } of files) {
      const offer = replica.offers.get(file.id)
      assert.ok(offer !== undefined)
      assert.equal(offer.bytes, file.size)
      assert.ok(offer.expiresAt > clock.now() && offer.expiresAt < clock.now() + 7_200_000)
      assert.equal((await sim.fetch(new URL(offer.url).pathname)).status, 200)
    }
    await clock.advance(7_200_000)
    assert.equal((await sim.fetch(new URL(replica.offers.get(files[0]!.file.id)!.url).pathname)).status, 410)

    const [first, gone, other] = files.filter(({ key }, index) => files.findIndex((one) => one.key === key) === index)
    base.table(gone!.table).delete(gone!.key)
    const before = sim.requests.length
    const asked = [first!, gone!, first!, { table: 'Nowhere', key: 'rec1' }, { ...other!, key: 'recNotThereAtAll0' }]
    const offers = await upstream.source().offers!(asked, new AbortController().signal)
    assert.ok(sim.requests.length - before <= 1 + base.tables.length)
    const ids = new Set(offers.map(({ id }) => id))
    assert.ok(ids.has(first!.file.id))
    assert.ok(!ids.has(gone!.file.id))
    for (const { url } of offers) assert.equal((await sim.fetch(new URL(url).pathname)).status, 200)
    assert.deepEqual(await source.offers!([], new AbortController().signal), [])
  })
})
