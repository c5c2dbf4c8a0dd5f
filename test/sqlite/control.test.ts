import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import type { Claim, Control } from '../../lib/control.ts'
import { Failure, type FailureCode } from '../../lib/errors.ts'
import { ControlDatabase } from '../../lib/sqlite/control-database.ts'
import { openOwn } from '../../lib/sqlite/database.ts'
import { MAX_STALLS } from '../../lib/sqlite/run-table.ts'
import type { Progress } from '../../lib/sync-run.ts'
import { tempFolder } from '../support/temp.ts'
import { pagesOf, TestClock, TestSite, TTL_MS, wares } from './site.ts'

const failing =
  (code: FailureCode, facts: Record<string, unknown> = {}) =>
  (error: unknown) => {
    assert.ok(error instanceof Failure, String(error))
    assert.equal(error.code, code)
    for (const [name, value] of Object.entries(facts)) assert.equal(error.facts[name], value)
    return true
  }

const claimOf = async (control: Control, holder = 'next', ttlMs = TTL_MS): Promise<Claim> => {
  const claim = await control.claim('wares', holder, ttlMs)
  assert.ok(claim, 'there is something to claim')
  return claim
}

const progressOf = (completed: number): Progress => ({
  phase: 'pulling', tables: [{ table: 'wares', total: null, completed, failed: 0 }], done: null, rate: 0, etaMs: null, at: 0,
}) // prettier-ignore

const stateOf = (site: TestSite) => {
  const { state } = site.control.source('wares')
  return state.state === 'PAUSED' ? `PAUSED ${state.reason}` : state.state
}

describe('requests', () => {
  test('that come together are one run, and all of them get its id', async () => {
    using site = new TestSite()
    using another = new TestSite({ dataDir: site.dataDir, clock: site.clock })
    using third = new TestSite({ dataDir: site.dataDir, clock: site.clock })
    const sites = [site, another, third]
    const answers = await Promise.all(
      Array.from({ length: 1000 }, (_, index) =>
        sites[index % 3]!.control.request('wares', index % 2 ? 'refresh' : 'schedule'),
      ),
    )
    assert.equal(new Set(answers.map(({ run }) => run.id)).size, 1)
    assert.equal(answers.filter(({ joined }) => !joined).length, 1)
    assert.equal(third.control.runs({ limit: 10 }).length, 1)
  })

  test('join the run that is under way', async () => {
    using site = new TestSite()
    const { run } = await site.claim()
    for (const trigger of ['refresh', 'schedule', 'start', 'once', 'first'] as const) {
      assert.deepEqual(await site.control.request('wares', trigger).then((answer) => [answer.run.id, answer.joined]), [
        run.id,
        true,
      ])
    }
  })

  for (const trigger of ['change', 'webhook'] as const) {
    test(`that say the upstream changed (${trigger}) while a run is under way lead to exactly one more`, async () => {
      using site = new TestSite()
      const first = await site.claim()
      const answers = await Promise.all(Array.from({ length: 50 }, () => site.control.request('wares', trigger)))
      const ids = new Set(answers.map(({ run }) => run.id))
      assert.equal(ids.size, 1)
      assert.ok(!ids.has(first.run.id))
      await site.work(first, wares([{ sku: 1 }]))
      const second = await claimOf(site.control)
      assert.ok(ids.has(second.run.id))
      await site.work(second, wares([{ sku: 1 }]))
      assert.deepEqual(site.control.claimable(), [])
      assert.equal(site.control.runs({ limit: 10 }).length, 2)
    })
  }

  test('of one source leave another alone', async () => {
    using site = new TestSite({ sources: ['wares', 'orders'] })
    await site.control.request('wares', 'refresh')
    await site.control.request('orders', 'refresh')
    assert.deepEqual(site.control.claimable().toSorted(), ['orders', 'wares'])
    const claim = await claimOf(site.control)
    assert.equal(claim.run.source, 'wares')
    assert.deepEqual(site.control.claimable(), ['orders'])
    assert.equal(site.control.runs({ source: 'orders', limit: 5 }).length, 1)
  })

  test('make ids that sort by time even when the clock is set back', async () => {
    using site = new TestSite()
    const ids: string[] = []
    for (const move of [0, 5000, -3_600_000, 0, 10]) {
      site.clock.move(move)
      const { run } = await site.control.request('wares', 'refresh')
      ids.push(run.id)
      await site.control.stop('wares')
    }
    assert.deepEqual(ids.toSorted(), ids)
    assert.deepEqual(
      site.control.runs({ limit: 10 }).map(({ id }) => id),
      ids.toReversed(),
    )
    assert.deepEqual(
      site.control.runs({ limit: 2, before: ids[3] as string }).map(({ id }) => id),
      [ids[2], ids[1]],
    )
    assert.deepEqual(
      site.control.runs({ source: 'wares', limit: 1, before: ids[1] as string }).map(({ id }) => id),
      [ids[0]],
    )
  })

  test('keep a bounded history: the newest 200 runs of a source', async () => {
    using site = new TestSite({ sources: ['wares', 'orders'] })
    await site.control.request('orders', 'refresh')
    for (let n = 0; n < 230; n++) {
      await site.control.request('wares', 'refresh')
      await site.control.stop('wares')
    }
    assert.equal(site.control.runs({ source: 'wares', limit: 1000 }).length, 200)
    assert.equal(site.control.runs({ source: 'orders', limit: 1000 }).length, 1)
  })
})

describe('a lease', () => {
  test('goes to exactly one of all who try', async () => {
    using site = new TestSite()
    using another = new TestSite({ dataDir: site.dataDir, clock: site.clock })
    await site.control.request('wares', 'refresh')
    const claims = await Promise.all(
      Array.from({ length: 40 }, (_, index) => [site, another][index % 2]!.control.claim('wares', `h${index}`, TTL_MS)),
    )
    assert.equal(claims.filter((claim) => claim !== undefined).length, 1)
    assert.equal(await site.control.lease('wares', 'other', TTL_MS), undefined)
  })

  test('has a generation that grows each time it changes hands, whoever takes it and for what', async () => {
    using site = new TestSite()
    const generations: number[] = []
    for (let n = 0; n < 3; n++) {
      const lease = await site.control.lease('wares', 'same', TTL_MS)
      generations.push(lease?.generation ?? 0)
      await site.control.release(lease!)
      const claim = await site.claim()
      generations.push(claim.lease.generation)
      await site.work(claim, wares([{ sku: n }]))
    }
    assert.deepEqual(generations, [1, 2, 3, 4, 5, 6])
  })

  test('that ran out is taken over, and nothing its old holder still writes is kept', async () => {
    using site = new TestSite()
    const old = await site.claim('wares', { holder: 'old' })
    const record = site.control.record(old)
    record.planned()
    site.clock.move(TTL_MS - 1)
    assert.deepEqual(site.control.claimable(), [])
    site.clock.move(1)
    assert.deepEqual(site.control.claimable(), ['wares'])
    const next = await claimOf(site.control)
    assert.equal(next.run.id, old.run.id)
    assert.deepEqual([next.run.status, next.run.resumes, next.lease.generation], ['running', 1, 2])
    const late: (() => void)[] = [
      () => record.planned(),
      () => record.progress(progressOf(1)),
      () => record.unchanged({ timings: {}, seen: { identity: 'x', shape: 'y', checkedAt: 1 } }),
      () => record.failed(new Failure('internal', 'x'), {}),
      () => record.rejected(new Failure('snapshot_rejected', 'x'), {}),
      () => record.paused('stopped', {}),
      () => record.paused('interrupted', {}),
    ]
    for (const write of late) assert.throws(write, failing('lease_lost', { generation: 1, now: 2 }))
    assert.equal(await site.control.renew(old.lease, TTL_MS), false)
    await site.control.release(old.lease)
    assert.deepEqual(site.control.run(old.run.id), next.run)
    assert.equal(stateOf(site), 'INITIALIZING')
    assert.deepEqual(site.control.claimable(), [])
  })

  test('lasts as long as it is renewed', async () => {
    using site = new TestSite()
    const { lease } = await site.claim()
    for (let n = 0; n < 5; n++) {
      site.clock.move(TTL_MS - 1)
      assert.equal(await site.control.renew(lease, TTL_MS), true)
    }
    assert.deepEqual(site.control.claimable(), [])
  })

  test('that was not taken over can still be renewed after its time', async () => {
    using site = new TestSite()
    const { lease } = await site.claim()
    site.clock.move(TTL_MS * 10)
    assert.equal(await site.control.renew(lease, TTL_MS), true)
    assert.deepEqual(site.control.claimable(), [])
  })

  test('is not kept for hours by a clock that was set back', async () => {
    using site = new TestSite()
    const old = await site.claim()
    site.clock.move(-3_600_000)
    assert.deepEqual(site.control.claimable(), ['wares'])
    const next = await claimOf(site.control)
    assert.throws(() => site.control.record(old).planned(), failing('lease_lost'))
    site.control.record(next).planned()
  })

  test('is given up by a clock that jumps ahead, and the old holder notices', async () => {
    using site = new TestSite()
    const old = await site.claim()
    site.clock.move(3_600_000)
    assert.ok(await site.control.claim('wares', 'next', TTL_MS))
    assert.equal(await site.control.renew(old.lease, TTL_MS), false)
  })
})

describe('a run that is taken up again', () => {
  test('keeps its id and its time of start, and counts', async () => {
    using site = new TestSite()
    let claim = await site.claim()
    const { startedAt } = claim.run
    for (let resumes = 1; resumes < 4; resumes++) {
      site.clock.move(5)
      site.control.record(claim).paused('interrupted', { pulling: 1 })
      await site.control.release(claim.lease)
      assert.equal(stateOf(site), 'PAUSED interrupted')
      const next = await claimOf(site.control)
      assert.deepEqual([next.run.id, next.run.resumes, next.run.startedAt], [claim.run.id, resumes, startedAt])
      claim = next
    }
  })

  test('is given up when it was taken up many times without coming further', async () => {
    using site = new TestSite()
    let claim: Claim | undefined = await site.claim()
    const { id } = claim.run
    let taken = 0
    for (; claim !== undefined; taken++) {
      await site.control.release(claim.lease)
      claim = await site.control.claim('wares', 'next', TTL_MS)
    }
    assert.equal(taken, MAX_STALLS + 1)
    assert.deepEqual([site.control.run(id)?.status, site.control.run(id)?.error?.code], ['failed', 'run_crashed'])
    assert.equal(stateOf(site), 'ERROR')
    assert.deepEqual(site.control.claimable(), [])
    const { joined } = await site.control.request('wares', 'schedule')
    assert.equal(joined, false)
  })

  test('goes on for as long as each attempt comes further', async () => {
    using site = new TestSite()
    let claim: Claim = await site.claim()
    for (let rows = 1; rows <= MAX_STALLS * 2; rows++) {
      site.control.record(claim).progress(progressOf(rows))
      await site.control.release(claim.lease)
      claim = await claimOf(site.control)
    }
    assert.equal(claim.run.resumes, MAX_STALLS * 2)
  })

  test('is over when its holder was killed between the pointer and the commit', async () => {
    using site = new TestSite()
    await site.sync(wares([{ sku: 1 }]))
    const killed = await site.claim()
    // What the holder left: a pointer of its run that control does not know of.
    site.control.record(killed).planned()
    const pointer = {
      ...site.pointer(),
      run: killed.run.id,
      snapshot: 'sthenewone',
      watermark: 'zz',
      identity: 'new',
      publishedAt: 77,
    }
    writeFileSync(site.folder().pointerFile, JSON.stringify(pointer))
    site.clock.move(TTL_MS)
    await site.control.request('wares', 'change')
    const next = await claimOf(site.control)
    assert.notEqual(next.run.id, killed.run.id)
    const settled = site.control.run(killed.run.id)
    assert.deepEqual([settled?.status, settled?.result, settled?.snapshot], ['completed', 'published', 'sthenewone'])
    assert.deepEqual([site.control.seenIdentity('wares'), site.control.source('wares').checkedAt], ['new', 77])
  })
})

describe('stop', () => {
  test('cancels what is queued and changes nothing else', async () => {
    using site = new TestSite()
    const { run } = await site.control.request('wares', 'refresh')
    const record = await site.control.stop('wares')
    assert.deepEqual([record.state, record.run?.status], [{ state: 'IDLE' }, 'cancelled'])
    assert.equal((await site.control.stop('wares')).run?.id, run.id)
    assert.equal((await site.control.request('wares', 'refresh')).joined, false)
  })

  test('asks whoever works on the run, from any process', async () => {
    using site = new TestSite()
    using another = new TestSite({ dataDir: site.dataDir, clock: site.clock })
    const claim = await site.claim()
    assert.equal(site.control.isStopRequested(claim.run.id), false)
    await another.control.stop('wares')
    assert.equal(site.control.isStopRequested(claim.run.id), true)
    assert.equal(stateOf(site), 'INITIALIZING')
    site.control.record(claim).paused('stopped', {})
    await site.control.release(claim.lease)
    assert.equal(stateOf(another), 'PAUSED stopped')
    assert.deepEqual(site.control.claimable(), [])
  })

  test('pauses a run that its holder left behind, and one that waits to be resumed', async () => {
    for (const leave of [
      (site: TestSite) => site.clock.move(TTL_MS),
      (site: TestSite, claim: Claim) => (
        site.control.record(claim).paused('interrupted', {}),
        site.control.release(claim.lease)
      ),
    ]) {
      using site = new TestSite()
      const claim = await site.claim()
      await leave(site, claim)
      await site.control.request('wares', 'change')
      await site.control.stop('wares')
      assert.equal(stateOf(site), 'PAUSED stopped')
      assert.equal(site.control.run(claim.run.id)?.status, 'paused')
      assert.deepEqual(site.control.claimable(), [])
      assert.equal(await site.control.claim('wares', 'x', TTL_MS), undefined)
    }
  })

  test('makes every trigger but `start` refused; `start` takes up the same run', async () => {
    using site = new TestSite()
    const claim = await site.claim()
    site.control.record(claim).paused('stopped', {})
    await site.control.release(claim.lease)
    for (const trigger of ['refresh', 'schedule', 'first', 'change', 'webhook', 'once'] as const) {
      await assert.rejects(site.control.request('wares', trigger), failing('source_paused', { reason: 'stopped' }))
    }
    const started = await site.control.request('wares', 'start')
    assert.deepEqual([started.run.id, started.joined, started.run.status], [claim.run.id, false, 'queued'])
    assert.deepEqual(await site.control.request('wares', 'start').then(({ run, joined }) => [run.id, joined]), [
      claim.run.id,
      true,
    ])
    const next = await claimOf(site.control)
    assert.deepEqual([next.run.id, next.run.resumes], [claim.run.id, 1])
    assert.equal((await site.work(next, wares([{ sku: 1 }]))).result, 'published')
  })

  test('holds against a change that is told before the run has ended', async () => {
    using site = new TestSite()
    const claim = await site.claim()
    await site.control.stop('wares')
    await site.control.request('wares', 'change').catch(() => {})
    site.control.record(claim).paused('stopped', {})
    await site.control.release(claim.lease)
    assert.equal(stateOf(site), 'PAUSED stopped')
    assert.deepEqual(site.control.claimable(), [])
  })

  test('holds when the process is interrupted, or killed, before it could obey', async () => {
    for (const leave of [
      (site: TestSite) => site.clock.move(TTL_MS),
      (site: TestSite, claim: Claim) => (
        site.control.record(claim).paused('interrupted', {}),
        site.control.release(claim.lease)
      ),
    ]) {
      using site = new TestSite()
      const claim = await site.claim()
      site.control.record(claim).planned()
      await site.control.stop('wares')
      await leave(site, claim)
      assert.equal(await site.control.claim('wares', 'next', TTL_MS), undefined)
      assert.equal(stateOf(site), 'PAUSED stopped')
      assert.deepEqual(site.control.claimable(), [])
      const { run } = await site.control.request('wares', 'start')
      assert.equal(run.id, claim.run.id)
      assert.equal((await claimOf(site.control)).run.id, claim.run.id)
      assert.equal(site.control.isStopRequested(run.id), false)
    }
  })
})

describe('reset', () => {
  test('is refused while somebody works, and brings everything else back to IDLE', async () => {
    using site = new TestSite()
    assert.equal((await site.control.reset('wares')).state.state, 'IDLE')
    const claim = await site.claim()
    await assert.rejects(site.control.reset('wares'), failing('run_active'))
    site.clock.move(TTL_MS)
    const record = await site.control.reset('wares')
    assert.deepEqual([record.state.state, record.run?.id, record.run?.status], ['IDLE', claim.run.id, 'cancelled'])
    await site.control.request('wares', 'refresh')
    await site.control.reset('wares')
    assert.deepEqual(site.control.claimable(), [])
    await site.sync(wares([{ sku: 1 }]))
    assert.equal((await site.control.reset('wares')).state.state, 'IDLE')
  })

  test('drops what was pulled and keeps what is published', async () => {
    using site = new TestSite()
    await site.sync(wares([{ sku: 1 }]))
    const { snapshot } = site.pointer()
    const claim = await site.claim()
    const ending = new AbortController()
    const upstream = { ...wares([{ sku: 1 }, { sku: 2 }, { sku: 3 }]), pageRows: 1 }
    ending.abort('stopped')
    assert.equal((await site.work(claim, upstream, { signal: ending.signal })).status, 'paused')
    assert.ok(existsSync(site.folder().file(site.folder().stagedName(claim.lease.generation))))
    await site.control.reset('wares')
    assert.deepEqual(
      site.list().filter((name) => name.startsWith('staged-')),
      [],
    )
    assert.equal(site.pointer().snapshot, snapshot)
    assert.equal((await site.sync(upstream)).result, 'published')
  })
})

describe('a schedule slot', () => {
  test('goes to exactly one of all who claim it, and is forgotten after some days', async () => {
    using site = new TestSite({ sources: ['wares', 'orders'] })
    using another = new TestSite({ dataDir: site.dataDir, clock: site.clock })
    const claims = await Promise.all(
      Array.from({ length: 40 }, (_, index) => [site, another][index % 2]!.control.claimSlot('wares', 1000)),
    )
    assert.equal(claims.filter(Boolean).length, 1)
    assert.equal(await site.control.claimSlot('orders', 1000), true)
    assert.equal(await site.control.claimSlot('wares', 2000), true)
    const month = 30 * 24 * 3_600_000
    assert.equal(await site.control.claimSlot('wares', month), true)
    const slots = site.database.db.prepare<[], number>(`SELECT slot FROM slots WHERE source = 'wares'`).pluck().all()
    assert.deepEqual(slots, [month])
  })
})

describe('the control database', () => {
  test('has a version that differs after every write, of this connection and of others', async () => {
    using site = new TestSite()
    using another = new TestSite({ dataDir: site.dataDir, clock: site.clock })
    const seen = new Set([site.control.version()])
    assert.equal(site.control.version(), [...seen][0])
    const writes = [
      () => site.control.request('wares', 'refresh'),
      () => another.control.stop('wares'),
      () => site.control.reset('wares'),
      () => another.control.claimSlot('wares', 1),
    ]
    for (const [index, write] of writes.entries()) {
      await write()
      seen.add(site.control.version())
      assert.equal(seen.size, index + 2)
    }
  })

  test('waits for another writer without blocking, and is the same directory to all', async () => {
    using site = new TestSite()
    using another = new TestSite({ dataDir: site.dataDir, clock: site.clock })
    assert.equal(site.database.epoch, another.database.epoch)
    assert.match(site.database.epoch, /^[0-9a-f]{12}$/)
    another.database.db.exec('BEGIN IMMEDIATE')
    let isWritten = false
    const writing = site.control.request('wares', 'refresh').then(() => (isWritten = true))
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve, 2))
    assert.equal(isWritten, false)
    assert.equal(site.control.source('wares').run, null, 'reads go on meanwhile')
    another.database.db.exec('COMMIT')
    await writing
    assert.equal(another.control.source('wares').run?.status, 'queued')
  })

  test('undoes a write that throws', async () => {
    using site = new TestSite()
    await assert.rejects(
      site.database.write(() => {
        site.publisher.table.source('wares')
        site.publisher.table.add('wares', 'refresh', 1)
        throw new Error('in between')
      }),
      /in between/,
    )
    assert.equal(site.database.db.inTransaction, false)
    assert.deepEqual(site.control.runs({ limit: 5 }), [])
  })

  test('of a newer Holdfast is refused, and is left as it is', () => {
    using folder = tempFolder()
    const db = openOwn(folder.file('control.sqlite'))
    db.pragma('user_version = 99')
    db.close()
    assert.throws(
      () => new ControlDatabase(folder.file('control.sqlite'), new TestClock()),
      failing('format_unknown', { format: 99 }),
    )
  })
})

describe('what was decided while a lease had run out', () => {
  const NEW = wares([{ sku: 1, v: 'new' }])

  /** A run that is ready to publish, and whose holder slept through its lease. */
  async function lateHolder(site: TestSite) {
    await site.sync(wares([{ sku: 1, v: 'old' }]))
    const claim = await site.claim()
    const record = site.control.record(claim)
    record.planned()
    const [plan] = [{ identity: NEW.identity, tables: [{ name: 'wares', key: ['sku'] }] }]
    const stage = site.store.stage({ lease: claim.lease, run: claim.run.id, plan })
    for (const page of pagesOf(NEW)) stage.write(page)
    stage.finishPull()
    stage.compare()
    await stage.finish({ signal: new AbortController().signal, onProgress: () => {}, busy: (work) => work() })
    site.clock.move(TTL_MS + 1)
    return { claim, publish: () => stage.publish({ checkedAt: 1, timings: () => ({}) }) }
  }

  test('a stop: the late holder cannot publish, and cannot have its lease back', async () => {
    using site = new TestSite()
    const { claim, publish } = await lateHolder(site)

    const { state } = await site.control.stop('wares')

    assert.equal(await site.control.renew(claim.lease, TTL_MS), false)
    assert.throws(publish, failing('lease_lost'))
    assert.deepEqual(site.published('wares'), [{ sku: 1, v: 'old' }])
    assert.deepEqual(site.control.source('wares').state, state)
    assert.deepEqual(state, { state: 'PAUSED', reason: 'stopped' })
  })

  test('a reset: the same', async () => {
    using site = new TestSite()
    const { claim, publish } = await lateHolder(site)

    await site.control.reset('wares')

    assert.equal(await site.control.renew(claim.lease, TTL_MS), false)
    assert.throws(publish, failing('lease_lost'))
    assert.deepEqual(site.control.source('wares').state, { state: 'IDLE' })
  })

  test('a stop while the clock was set back: whoever works on loses the run', async () => {
    using site = new TestSite()
    const { claim, publish } = await lateHolder(site)
    await site.control.renew(claim.lease, TTL_MS)
    site.clock.move(-3600_000)

    await site.control.stop('wares')

    assert.throws(publish, failing('lease_lost'))
  })
})

test('a start behind a stop is not lost to a change that was noticed in between', async () => {
  using site = new TestSite()
  const claim = await site.claim()
  await site.control.stop('wares')
  await site.control.request('wares', 'change')
  const { run } = await site.control.request('wares', 'start')

  site.control.record(claim).paused('stopped', {})
  await site.control.release(claim.lease)

  assert.equal(site.control.run(run.id)?.status, 'queued')
  assert.deepEqual(site.control.claimable(), ['wares'])
})

test('sources are taken in the order in which they began to wait', async () => {
  using site = new TestSite({ sources: ['a', 'b', 'z'] })
  for (const source of ['z', 'a', 'b']) {
    await site.control.request(source, 'refresh')
    site.clock.move(10)
  }
  assert.deepEqual(site.control.claimable(), ['z', 'a', 'b'])
  const claim = await site.control.claim('z', 'holder', TTL_MS)
  assert.ok(claim)
  await site.work(claim, { ...wares([{ sku: 1 }]), tables: [] })
  await site.control.request('z', 'refresh')
  assert.deepEqual(site.control.claimable(), ['a', 'b', 'z'])
})
