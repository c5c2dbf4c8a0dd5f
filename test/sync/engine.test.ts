import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Failure, type FailureCode } from '../../lib/errors.ts'
import { rollback } from '../../lib/sqlite/publish.ts'
import type { SourceRecord } from '../../lib/sync-run.ts'
import { SyncEngine } from '../../lib/sync/engine.ts'
import { TestSite, TTL_MS, wares } from '../sqlite/site.ts'

const failing = (code: FailureCode) => (error: unknown) => error instanceof Failure && error.code === code

/** An engine on a real control database; `calls` counts what it asked of the others. */
function engineOn(site: TestSite) {
  const calls = { work: 0, rolledBack: [] as string[], requests: 0 }
  const { control } = site
  const request = control.request.bind(control)
  control.request = (...args) => (calls.requests++, request(...args))
  const engine = new SyncEngine({
    control,
    clock: site.clock,
    holder: 'engine',
    leaseTtlMs: TTL_MS,
    sources: new Set(site.publisher.folders.keys()),
    nextRunAt: (source) => (source === 'wares' ? 4711 : undefined),
    rollback: (lease) => rollback(site.publisher, lease),
    republish: async (source, rejected) => (await site.control.request(source, 'start', rejected)).run,
    onWork: () => calls.work++,
    onRolledBack: (source) => calls.rolledBack.push(source),
  })
  return { engine, calls }
}

describe('the engine', () => {
  test('makes one write of a thousand requests at once, and gives all of them the run', async () => {
    using site = new TestSite({ sources: ['wares', 'orders'] })
    const { engine, calls } = engineOn(site)
    const answers = await Promise.all(Array.from({ length: 1000 }, () => engine.request('wares', 'refresh')))
    assert.equal(new Set(answers.map(({ run }) => run.id)).size, 1)
    assert.equal(answers.filter(({ joined }) => !joined).length, 1)
    assert.equal(calls.requests, 1)
    assert.ok(calls.work > 0)
    assert.equal((await engine.request('wares', 'refresh')).joined, true)
    assert.equal((await engine.request('orders', 'refresh')).joined, false)
  })

  test('passes a refusal on to all who asked together, and asks again the next time', async () => {
    using site = new TestSite()
    const { engine, calls } = engineOn(site)
    await site.sync(wares([{ sku: 1 }]))
    await site.sync(wares([{ sku: 2 }]))
    await engine.rollback('wares')
    const before = calls.requests
    const answers = await Promise.allSettled(Array.from({ length: 10 }, () => engine.request('wares', 'refresh')))
    for (const answer of answers) assert.ok(answer.status === 'rejected' && failing('source_paused')(answer.reason))
    assert.equal(calls.requests, before + 1)
    assert.equal((await engine.request('wares', 'start')).joined, false)
  })

  test('knows its sources and no other', async () => {
    using site = new TestSite()
    const { engine } = engineOn(site)
    const calls = [
      () => engine.request('x', 'refresh'), async () => engine.stop('x'), async () => engine.reset('x'), () => engine.rollback('x'), () => engine.publish('x'),
      async () => engine.source('x'), async () => engine.runs({ source: 'x', limit: 1 }), async () => engine.watch('x', AbortSignal.abort()),
    ] // prettier-ignore
    for (const call of calls) await assert.rejects(async () => call(), failing('source_not_found'))
    assert.equal(engine.run('x'), undefined)
    assert.deepEqual([engine.source('wares').nextRunAt, engine.source('wares').run], [4711, null])
  })

  test('stops and resets through the control database', async () => {
    using site = new TestSite()
    const { engine } = engineOn(site)
    const { run } = await engine.request('wares', 'refresh')
    assert.equal((await engine.stop('wares')).run?.status, 'cancelled')
    await site.claim()
    await assert.rejects(engine.reset('wares'), failing('run_active'))
    site.clock.move(TTL_MS)
    assert.equal((await engine.reset('wares')).state.state, 'IDLE')
    assert.deepEqual(
      engine.runs({ limit: 9 }).map(({ status }) => status),
      ['cancelled', 'cancelled'],
    )
    assert.equal(engine.run(run.id)?.id, run.id)
  })

  test('rolls back, gives the lease back and has the answers rendered; it does so when that fails too', async () => {
    using site = new TestSite()
    const { engine, calls } = engineOn(site)
    await assert.rejects(engine.rollback('wares'), failing('no_previous_snapshot'))
    await site.sync(wares([{ sku: 1 }]))
    await site.sync(wares([{ sku: 2 }]))
    const { snapshot } = await engine.rollback('wares')
    assert.equal(site.pointer().snapshot, snapshot)
    assert.ok(calls.rolledBack.includes('wares'))
    await engine.request('wares', 'start')
    assert.ok(await site.control.claim('wares', 'x', TTL_MS), 'the lease is free')
    await assert.rejects(engine.rollback('wares'), failing('run_active'))
  })

  test('publishes what the guard refused: the newest, or the run that is named', async () => {
    using site = new TestSite({ sources: ['wares', 'orders'] })
    const { engine } = engineOn(site)
    const limits = { maxLostShare: 0, freezeColumns: true }
    await site.sync(wares([{ sku: 1 }, { sku: 2 }]))
    await assert.rejects(engine.publish('wares'), failing('nothing_to_publish'))
    const good = site.control.runs({ limit: 1 })[0]?.id as string
    const refused = [
      await site.sync(wares([{ sku: 1 }]), { limits }),
      await site.sync(wares([{ sku: 2 }]), { limits }),
    ].map(({ id }) => id)
    await assert.rejects(engine.publish('wares', good), failing('nothing_to_publish'))
    await assert.rejects(engine.publish('wares', 'nothing'), failing('run_not_found'))
    await assert.rejects(engine.publish('orders', refused[0]), failing('nothing_to_publish'))
    const { run } = await engine.publish('wares')
    assert.deepEqual([run.republish, run.status], [refused[1], 'queued'])
    await assert.rejects(engine.publish('wares', refused[0]), failing('run_active'))
  })
})

describe('whoever watches a source', () => {
  test('gets the record now and after each change, also by another process, until the signal', async () => {
    using site = new TestSite()
    using another = new TestSite({ dataDir: site.dataDir, clock: site.clock })
    const { engine } = engineOn(site)
    const ending = new AbortController()
    const reader = engine.watch('wares', ending.signal)[Symbol.asyncIterator]()
    const next = async () => ((await reader.next()).value as SourceRecord).run?.status
    assert.equal(await next(), undefined)
    await engine.request('wares', 'refresh')
    assert.equal(await next(), 'queued')
    const claim = await another.control.claim('wares', 'other', TTL_MS)
    assert.equal(await next(), 'running')
    await another.work(claim!, wares([{ sku: 1 }]))
    let status = await next()
    while (status === 'running') status = await next()
    assert.equal(status, 'completed')
    const waiting = reader.next()
    ending.abort()
    assert.deepEqual(await waiting, { done: true, value: undefined })
  })

  test('gets the newest only when slow, and nothing twice', async () => {
    using site = new TestSite()
    const { engine } = engineOn(site)
    const ending = new AbortController()
    const seen: string[] = []
    const reader = engine.watch('wares', ending.signal)[Symbol.asyncIterator]()
    seen.push(JSON.stringify((await reader.next()).value))
    for (let n = 0; n < 5; n++) {
      await engine.request('wares', 'refresh')
      await engine.stop('wares')
    }
    await engine.request('wares', 'refresh')
    const { value } = (await reader.next()) as { value: SourceRecord }
    assert.equal(value.run?.status, 'queued')
    const waiting = reader.next()
    // Another source's write, or one that changes nothing, wakes nobody up for long.
    await site.control.claimSlot('wares', 1)
    ending.abort()
    assert.equal((await waiting).done, true)
  })

  test('that had ended before it began gets nothing', async () => {
    using site = new TestSite()
    for await (const _record of engineOn(site).engine.watch('wares', AbortSignal.abort()))
      assert.fail('nothing was to come')
  })
})

describe('the engine in trouble', () => {
  test('a look at the control database that fails ends nothing, and is repeated', async () => {
    using site = new TestSite()
    const { engine } = engineOn(site)
    const ending = new AbortController()
    const reader = engine.watch('wares', ending.signal)[Symbol.asyncIterator]()
    await reader.next()
    const version = site.control.version.bind(site.control)
    let failures = 0
    site.control.version = () => {
      if (++failures < 3) throw new Failure('control_busy', 'locked')
      return version()
    }
    const waiting = reader.next()
    await engine.request('wares', 'refresh')
    assert.equal(((await waiting).value as SourceRecord).run?.status, 'queued')
    assert.ok(failures >= 3)
    ending.abort()
    await reader.next()
  })

  test('a rollback that is refused has nothing rendered', async () => {
    using site = new TestSite()
    const { engine, calls } = engineOn(site)
    await site.sync(wares([{ sku: 1 }]))
    await assert.rejects(engine.rollback('wares'), failing('no_previous_snapshot'))
    assert.deepEqual(calls.rolledBack, [])
  })
})
