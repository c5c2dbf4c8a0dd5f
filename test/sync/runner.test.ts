import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Claim } from '../../lib/control.ts'
import { Runner, type RunnerEvent, type RunnerParts, type SyncThread } from '../../lib/sync/runner.ts'
import { until } from '../support/holdfast.ts'
import { TestSite, TTL_MS, wares } from '../sqlite/site.ts'

/** A thread that does what the test says. */
class FakeThread implements SyncThread {
  readonly claim: Claim
  readonly asked: string[] = []
  isKilled = false
  pulse = { beats: 0, isInStatement: false }
  #end: (end: { crash?: Error }) => void = () => {}
  readonly done = new Promise<{ crash?: Error }>((resolve) => (this.#end = resolve))

  constructor(claim: Claim) {
    this.claim = claim
  }
  end(reason: 'stopped' | 'interrupted'): void {
    this.asked.push(reason)
  }
  kill(): void {
    this.isKilled = true
    this.#end({ crash: new Error('killed') })
  }
  finish(): void {
    this.#end({})
  }
  crash(): void {
    this.#end({ crash: new Error('it broke') })
  }
}

/** A runner on a real control database, whose time stands still unless it is moved; threads are the test's. */
class Bench implements AsyncDisposable {
  readonly site = new TestSite({ sources: ['wares', 'orders', 'prices'] })
  readonly threads: FakeThread[] = []
  readonly events: RunnerEvent[] = []
  readonly runner: Runner
  renewals = 0
  looks = 0
  #isOver = false

  constructor(options: Partial<RunnerParts> = {}) {
    const { control } = this.site
    const renew = control.renew.bind(control)
    control.renew = (...args) => (this.renewals++, renew(...args))
    const version = control.version.bind(control)
    control.version = () => (this.looks++, version())
    this.runner = new Runner({
      control,
      clock: this.site.clock,
      holder: 'runner',
      leaseTtlMs: TTL_MS,
      stallMs: 1e9,
      maxThreads: 2,
      sources: new Set(['wares', 'orders', 'prices']),
      spawn: (claim) => {
        const thread = new FakeThread(claim)
        this.threads.push(thread)
        if (this.#isOver) thread.finish()
        return thread
      },
      onEvent: (event) => this.events.push(event),
      ...options,
    })
  }

  get kinds(): string[] {
    return this.events.map((event) => event.kind)
  }

  async spawned(count: number): Promise<FakeThread> {
    await until(() => this.threads.length >= count, { what: () => `thread ${count}; events: ${this.kinds.join(', ')}` })
    return this.threads[count - 1] as FakeThread
  }

  /** Until the runner has looked around some more. */
  async turns(count = 5): Promise<void> {
    const from = this.looks
    await until(() => this.looks >= from + count, { what: 'the runner to look' })
  }

  /** The thread does its work for real, and ends. */
  async work(thread: FakeThread): Promise<void> {
    const record = this.site.control.record(thread.claim)
    record.unchanged({ timings: {}, seen: { identity: 'i', shape: 'shape', checkedAt: 1 } })
    thread.finish()
    await until(() => this.kinds.filter((kind) => kind === 'ended').length > 0, { what: 'the end' })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    for (const thread of this.threads) thread.finish()
    await this.runner.drain()
    this.site[Symbol.dispose]()
  }
}

const isFree = (bench: Bench, source = 'wares') => bench.site.publisher.table.source(source).holder === null

describe('a runner', () => {
  test('takes a run that waits, works on it in one thread, and gives the lease back', async () => {
    await using bench = new Bench()
    bench.runner.start()
    bench.runner.start()
    assert.equal(bench.runner.isBusy, false)
    const { run } = await bench.site.control.request('wares', 'refresh')
    const thread = await bench.spawned(1)
    assert.deepEqual([thread.claim.run.id, thread.claim.lease.holder, bench.runner.isBusy], [run.id, 'runner', true])
    await bench.turns()
    assert.equal(bench.threads.length, 1)
    await bench.work(thread)
    await until(() => !bench.runner.isBusy, { what: 'the runner to be free' })
    assert.ok(isFree(bench))
    assert.deepEqual(bench.events, [
      { kind: 'claimed', source: 'wares', run: run.id, isResumed: false },
      { kind: 'ended', source: 'wares', run: run.id },
    ])
  })

  test('works on several sources at a time, but on no more than it may, and never on one it does not know', async () => {
    await using bench = new Bench({ sources: new Set(['wares', 'prices']), maxThreads: 1 })
    for (const source of ['orders', 'prices', 'wares']) await bench.site.control.request(source, 'refresh')
    bench.runner.start()
    const first = await bench.spawned(1)
    await bench.turns()
    assert.equal(bench.threads.length, 1)
    await bench.work(first)
    const second = await bench.spawned(2)
    assert.deepEqual([first, second].map(({ claim }) => claim.run.source).toSorted(), ['prices', 'wares'])
    assert.deepEqual(bench.site.control.claimable(), ['orders'])
  })

  test('leaves a run alone that another process works on, and takes it up when that one’s lease has run out', async () => {
    await using bench = new Bench()
    const other = await bench.site.claim('wares', { holder: 'other' })
    bench.runner.start()
    await bench.turns()
    assert.equal(bench.threads.length, 0)
    bench.site.clock.move(TTL_MS)
    const thread = await bench.spawned(1)
    assert.equal(thread.claim.run.id, other.run.id)
    assert.deepEqual(bench.events[0], { kind: 'claimed', source: 'wares', run: other.run.id, isResumed: true })
  })

  test('keeps the lease for as long as the work takes', async () => {
    await using bench = new Bench({ leaseTtlMs: 3 })
    await bench.site.control.request('wares', 'refresh')
    bench.runner.start()
    const thread = await bench.spawned(1)
    await until(() => bench.renewals > 5, { what: 'renewals' })
    assert.equal(thread.isKilled, false)
  })

  test('kills work whose lease went to another, and leaves that one’s lease alone', async () => {
    await using bench = new Bench({ leaseTtlMs: 3 })
    await bench.site.control.request('wares', 'refresh')
    bench.runner.start()
    const thread = await bench.spawned(1)
    const { site } = bench
    const table = site.publisher.table
    await site.database.write(() =>
      table.setLease('wares', { generation: 9, holder: 'other', expiresAt: site.clock.now() + TTL_MS, ttlMs: TTL_MS }),
    )
    await until(() => thread.isKilled, { what: 'the kill' })
    await until(() => bench.kinds.includes('crashed'), { what: 'the end' })
    assert.ok(bench.kinds.includes('lease_lost'))
    await until(() => !bench.runner.isBusy, { what: 'the runner to be free' })
    assert.equal(table.source('wares').holder, 'other')
  })

  test('goes on with its work when a renewal fails for the moment', async () => {
    await using bench = new Bench({ leaseTtlMs: 3 })
    let refused = 0
    const renew = bench.site.control.renew.bind(bench.site.control)
    bench.site.control.renew = (...args) => (++refused < 4 ? Promise.reject(new Error('busy')) : renew(...args))
    await bench.site.control.request('wares', 'refresh')
    bench.runner.start()
    const thread = await bench.spawned(1)
    await until(() => bench.renewals > 2, { what: 'renewals' })
    assert.equal(thread.isKilled, false)
  })

  test('passes on that somebody asked for a stop', async () => {
    await using bench = new Bench()
    await bench.site.control.request('wares', 'refresh')
    bench.runner.start()
    const thread = await bench.spawned(1)
    await bench.turns()
    assert.deepEqual(thread.asked, [])
    await bench.site.control.stop('wares')
    await until(() => thread.asked.length > 0, { what: 'the request to stop' })
    assert.deepEqual(new Set(thread.asked), new Set(['stopped']))
    assert.equal(thread.isKilled, false)
  })

  test('kills work that shows no sign of life, unless it is inside one long statement', async () => {
    await using bench = new Bench({ stallMs: 20 })
    await bench.site.control.request('wares', 'refresh')
    bench.runner.start()
    const thread = await bench.spawned(1)
    thread.pulse = { beats: 0, isInStatement: true }
    const from = performance.now()
    await until(() => performance.now() - from > 100, { what: 'time to pass' })
    assert.equal(thread.isKilled, false, 'it is inside a statement')
    thread.pulse = { beats: 0, isInStatement: false }
    await until(() => thread.isKilled, { what: 'the kill' })
    await until(() => bench.kinds.includes('crashed') && isFree(bench), { what: 'the lease to be given back' })
    assert.deepEqual(bench.site.control.claimable(), ['wares'], 'another may go on')
  })

  test('waits longer after each crash before it tries again, and forgets that after a run that ends', async () => {
    await using bench = new Bench()
    const { clock } = bench.site
    await bench.site.control.request('wares', 'refresh')
    bench.runner.start()
    for (const [crashes, shortest, longest] of [
      [1, 500, 1500],
      [2, 1000, 3000],
      [3, 2000, 6000],
    ] as const) {
      const thread = await bench.spawned(crashes)
      thread.crash()
      await until(() => bench.kinds.filter((kind) => kind === 'crashed').length === crashes && !bench.runner.isBusy, {
        what: 'the crash',
      })
      clock.move(shortest - 1)
      await bench.turns()
      assert.equal(bench.threads.length, crashes, 'too early')
      clock.move(longest - shortest + 1)
    }
    const good = await bench.spawned(4)
    await bench.work(good)
    await until(() => !bench.runner.isBusy, { what: 'the runner to be free' })
    await bench.site.control.request('wares', 'refresh')
    await bench.spawned(5)
    assert.deepEqual(bench.kinds.filter((kind) => kind === 'crashed').length, 3)
  })

  test('does not let the crashes of one source hold up another', async () => {
    await using bench = new Bench()
    await bench.site.control.request('wares', 'refresh')
    bench.runner.start()
    ;(await bench.spawned(1)).crash()
    await until(() => bench.kinds.includes('crashed'), { what: 'the crash' })
    await bench.site.control.request('orders', 'refresh')
    assert.equal((await bench.spawned(2)).claim.run.source, 'orders')
  })

  test('interrupts its work when it drains, waits for it, and takes no more', async () => {
    await using bench = new Bench()
    await bench.site.control.request('wares', 'refresh')
    bench.runner.start()
    const thread = await bench.spawned(1)
    let isDrained = false
    const draining = bench.runner.drain().then(() => (isDrained = true))
    await until(() => thread.asked.length > 0, { what: 'the interruption' })
    assert.deepEqual(new Set(thread.asked), new Set(['interrupted']))
    assert.equal(isDrained, false)
    await bench.site.control.request('orders', 'refresh')
    bench.site.control.record(thread.claim).paused('interrupted', {})
    thread.finish()
    await draining
    assert.equal(bench.threads.length, 1)
    assert.ok(isFree(bench))
    assert.deepEqual(bench.site.control.claimable().toSorted(), ['orders', 'wares'])
  })

  test('drains at once when it has nothing to do, also before it has started', async () => {
    await using bench = new Bench()
    await bench.runner.drain()
    await using other = new Bench()
    other.runner.start()
    await other.runner.drain()
    await other.runner.drain()
    assert.deepEqual(other.events, [])
  })

  test('tells of trouble with the control database and goes on', async () => {
    await using bench = new Bench()
    const { control } = bench.site
    const claimable = control.claimable.bind(control)
    let failures = 0
    control.claimable = () => {
      if (++failures < 4) throw new Error('the disk is away')
      return claimable()
    }
    await control.request('wares', 'refresh')
    bench.runner.start()
    for (let n = 1; n < 4; n++) {
      await until(() => failures >= n, { what: 'a failure' })
      bench.runner.wake()
    }
    await bench.spawned(1)
    assert.equal(bench.kinds.filter((kind) => kind === 'trouble').length, 3)
  })

  test('with others on the same directory never works twice on one run', async () => {
    await using bench = new Bench()
    using another = new TestSite({
      dataDir: bench.site.dataDir,
      clock: bench.site.clock,
      sources: ['wares', 'orders', 'prices'],
    })
    const threads: FakeThread[] = []
    const rival = new Runner({
      control: another.control, clock: another.clock, holder: 'rival', leaseTtlMs: TTL_MS, stallMs: 1e9, maxThreads: 2, sources: new Set(['wares']),
      spawn: (claim) => (threads.push(new FakeThread(claim)), threads.at(-1)!), onEvent: () => {},
    }) // prettier-ignore
    bench.runner.start()
    rival.start()
    for (let round = 1; round <= 10; round++) {
      await bench.site.control.request('wares', 'refresh')
      await until(() => bench.threads.length + threads.length === round, { what: 'somebody to take it' })
      await bench.turns(3)
      assert.equal(bench.threads.length + threads.length, round)
      const mine = bench.threads.at(-1)
      const thread =
        mine !== undefined && bench.site.control.run(mine.claim.run.id)?.status === 'running'
          ? mine
          : (threads.at(-1) as FakeThread)
      bench.site.control
        .record(thread.claim)
        .unchanged({ timings: {}, seen: { identity: String(round), shape: 'shape', checkedAt: 1 } })
      thread.finish()
      await until(() => isFree(bench), { what: 'the lease to be given back' })
    }
    await rival.drain()
  })
})

describe('a run, worked on to its end', () => {
  test('is paused where it is when asked to stop, and goes on there when it is started', async () => {
    using site = new TestSite()
    const upstream = { ...wares(Array.from({ length: 10 }, (_, sku) => ({ sku }))), pageRows: 2 }
    const ending = new AbortController()
    const claim = await site.claim()
    const beat = site.store.stage.bind(site.store)
    let writes = 0
    site.store.stage = (options) => {
      const stage = beat(options)
      const write = stage.write.bind(stage)
      stage.write = (page) => {
        write(page)
        if (++writes === 3) ending.abort('stopped')
      }
      return stage
    }
    const paused = await site.work(claim, upstream, { signal: ending.signal })
    assert.deepEqual([paused.status, writes], ['paused', 3])
    assert.deepEqual(site.control.source('wares').state, { state: 'PAUSED', reason: 'stopped' })
    await site.control.request('wares', 'start')
    const next = await site.control.claim('wares', 'next', TTL_MS)
    const run = await site.work(next!, upstream)
    assert.deepEqual([run.id, run.result, run.resumes, writes], [claim.run.id, 'published', 1, 5])
    assert.deepEqual(
      site.published('wares').map(({ sku }) => sku),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    )
  })
})

describe('a runner in trouble', () => {
  test('a source that cannot be claimed does not hold up the others', async () => {
    await using bench = new Bench()
    const claim = bench.site.control.claim.bind(bench.site.control)
    bench.site.control.claim = (source, ...rest) =>
      source === 'orders' ? Promise.reject(new Error('broken')) : claim(source, ...rest)
    await bench.site.control.request('orders', 'refresh')
    await bench.site.control.request('wares', 'refresh')
    bench.runner.start()
    const thread = await bench.spawned(1)
    assert.equal(thread.claim.run.source, 'wares')
    assert.ok(bench.kinds.includes('trouble'))
  })

  test('a listener that throws costs neither the process nor the source', async () => {
    let throws = 2
    const kinds: string[] = []
    await using bench = new Bench({
      onEvent(event) {
        kinds.push(event.kind)
        if (event.kind === 'claimed' && --throws > 0) throw new Error('cannot be told')
      },
    })
    const { run } = await bench.site.control.request('wares', 'refresh')
    bench.runner.start()
    await until(() => kinds.includes('trouble'), { what: 'the trouble to be told' })
    bench.site.clock.move(TTL_MS + 1)
    const thread = await bench.spawned(1)
    assert.equal(thread.claim.run.id, run.id)
  })

  test('a clock that was set back does not keep it from looking', async () => {
    await using bench = new Bench()
    bench.runner.start()
    await bench.turns()
    bench.site.clock.move(-3600_000)
    const claimable = bench.site.control.claimable.bind(bench.site.control)
    let looks = 0
    bench.site.control.claimable = () => (looks++, claimable())
    await until(() => looks > 0, { what: 'a look', ms: 5000 })
  })
})
