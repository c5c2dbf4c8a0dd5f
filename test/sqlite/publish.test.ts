import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { disk, type Files } from '../../lib/base/files.ts'
import { Failure, type FailureCode } from '../../lib/errors.ts'
import type { Pointer } from '../../lib/snapshot.ts'
import { publish, rollback } from '../../lib/sqlite/publish.ts'
import { decodeWatermark, encodeWatermark } from '../../lib/watermark.ts'
import { digestOf } from '../support/rows.ts'
import { sourceOf, tapped, TestClock, TestSite, TTL_MS, wares, withSnapshot, type Upstream } from './site.ts'
import { planOptions } from '../support/plan-options.ts'

const failing = (code: FailureCode) => (error: unknown) => {
  assert.ok(error instanceof Failure, String(error))
  assert.equal(error.code, code)
  return true
}

const OLD = [
  { sku: 1, v: 'a' },
  { sku: 2, v: 'b' },
  { sku: 3, v: 'c' },
]
const NEW = [
  { sku: 2, v: 'b' },
  { sku: 3, v: 'changed' },
  { sku: 4, v: 'd' },
]
const digestIn = (site: TestSite, source?: string) => site.pointer(source).tables[0]?.digest
/** What the pointer names is all there, and is what it says. */
function assertWhole(site: TestSite): void {
  const { tables } = site.pointer()
  assert.equal(digestOf(site.published('wares')), tables[0]?.digest)
  assert.equal(site.published('wares').length, tables[0]?.rows)
}

async function rollBack(site: TestSite): Promise<Pointer> {
  const lease = await site.control.lease('wares', 'operator', TTL_MS)
  assert.ok(lease)
  try {
    return await rollback(site.publisher, lease)
  } finally {
    await site.control.release(lease)
  }
}

describe('a publish', () => {
  test('makes one file with everything in it, and a pointer that says what it is', async () => {
    using site = new TestSite()
    const run = await site.sync(wares(OLD))
    const pointer = site.pointer()
    assert.deepEqual([run.status, run.result, run.snapshot], ['completed', 'published', pointer.snapshot])
    assert.deepEqual(site.published('wares'), OLD)
    assertWhole(site)
    assert.deepEqual(
      [pointer.run, pointer.generation, pointer.batch, pointer.previous, pointer.isRolledBack, pointer.logFrom],
      [run.id, 1, 1, null, false, pointer.watermark],
    )
    assert.deepEqual(
      site.list(),
      [
        'active.json',
        ...['', '.0.json', '.0.json.br', '.0.json.gz', '.0.json.zst'].map(
          (suffix) => `${pointer.snapshot}${suffix || '.sqlite'}`,
        ),
      ].toSorted(),
    )
    withSnapshot(site.folder().file(pointer.file), (db) => {
      assert.equal(db.pragma('journal_mode', { simple: true }), 'delete')
      assert.equal(db.pragma('integrity_check', { simple: true }), 'ok')
    })
    assert.equal(site.control.source('wares').state.state, 'COMPLETED')
    assert.equal(site.store.seenIdentity('wares'), wares(OLD).identity)
  })

  test('of the same upstream state does not even pull; of the same rows it moves `checkedAt` alone', async () => {
    using site = new TestSite()
    await site.sync(wares(OLD))
    const text = readFileSync(site.folder().pointerFile, 'utf8')
    for (const upstream of [wares(OLD), { ...wares(OLD), identity: 'touched' }]) {
      const run = await site.sync(upstream)
      assert.equal(run.result, 'unchanged')
      assert.equal(site.control.source('wares').checkedAt, site.clock.now())
      assert.equal(site.store.seenIdentity('wares'), upstream.identity)
    }
    assert.equal(readFileSync(site.folder().pointerFile, 'utf8'), text)
    assert.deepEqual(
      site.list().filter((name) => name.startsWith('staged')),
      [],
    )
  })

  test('keeps the snapshot before it, and nothing older once the grace time is over', async () => {
    using site = new TestSite()
    const snapshots: string[] = []
    for (let v = 0; v < 5; v++) {
      await site.sync(wares([{ sku: 1, v }]))
      snapshots.push(site.pointer().snapshot)
      site.clock.move(60_000)
    }
    await site.sync(wares([{ sku: 1, v: 4 }]))
    const kept = new Set(
      site
        .list()
        .filter((name) => name.startsWith('s'))
        .map((name) => name.split('.')[0]),
    )
    assert.deepEqual(kept, new Set(snapshots.slice(-2)))
    assert.equal(site.pointer().previous?.snapshot, snapshots.at(-2))
    assert.equal('previous' in (site.pointer().previous as object), false, 'pointers do not nest without end')
  })

  test('gives a watermark above all that was ever given, in any source, even one that control lost', async () => {
    using site = new TestSite({ sources: ['wares', 'orders'] })
    await site.sync(wares(OLD))
    await site.sync({ ...wares(OLD), identity: 'o' }, { source: 'orders' })
    assert.ok(site.pointer('orders').watermark > site.pointer().watermark)
    // A pointer whose commit was lost, and a control database that is behind.
    writeFileSync(
      site.folder('orders').pointerFile,
      JSON.stringify({ ...site.pointer('orders'), watermark: encodeWatermark(5000) }),
    )
    await site.sync(wares(NEW))
    assert.equal(decodeWatermark(site.pointer().watermark), 5001)
    await site.sync(wares(OLD))
    assert.equal(decodeWatermark(site.pointer().watermark), 5002)
    assert.equal(site.publisher.table.sequence(), 5002)
  })

  test('is refused to a generation that lost its lease, and touches no file', async () => {
    using site = new TestSite()
    await site.sync(wares(OLD))
    const late = await site.claim('wares', { holder: 'late' })
    const upstream = wares(NEW)
    using stage = site.store.stage({
      lease: late.lease,
      run: late.run.id,
      plan: await sourceOf('wares', upstream).plan(planOptions()),
    })
    stage.write({ table: 'wares', columns: ['sku', 'v'], rows: NEW.map(({ sku, v }) => [sku, v]), next: '1' })
    stage.finishPull()
    stage.compare()
    await stage.finish({ signal: AbortSignal.timeout(60_000), onProgress: () => {}, busy: (work) => work() })
    site.clock.move(TTL_MS)
    const next = await site.control.claim('wares', 'next', TTL_MS)
    assert.ok(next)
    const before = [site.list(), readFileSync(site.folder().pointerFile, 'utf8')]
    assert.throws(() => stage.publish({ checkedAt: 1, timings: () => ({}) }), failing('lease_lost'))
    assert.deepEqual([site.list(), readFileSync(site.folder().pointerFile, 'utf8')], before)
    assert.equal((await site.work(next, upstream)).result, 'published')
    assert.deepEqual(site.published('wares'), NEW)
  })

  test('of a source that is not configured is refused', async () => {
    using site = new TestSite()
    const lease = await site.control.lease('wares', 'x', TTL_MS)
    const draft = { ...({} as Pointer), logFrom: null }
    assert.throws(
      () =>
        publish(
          { ...site.publisher, folders: new Map() },
          { lease: lease!, draft, stagedPath: '', checkedAt: 1, timings: () => ({}) },
        ),
      failing('source_not_found'),
    )
  })

  test('of what the guard refused is asked for by name; the refused file is kept until then', async () => {
    using site = new TestSite()
    await site.sync(wares(OLD))
    const limits = { maxLostShare: 0.5, freezeColumns: true }
    const refused = await site.sync(wares(OLD.slice(0, 1)), { limits })
    assert.deepEqual(
      [refused.status, refused.error?.code, refused.error?.facts.reason],
      ['rejected', 'snapshot_rejected', 'rows_lost'],
    )
    assert.equal(site.published('wares').length, 3)
    assert.ok(site.list().includes(`rejected-${refused.id}.sqlite`))
    assert.equal(site.store.seenIdentity('wares'), wares(OLD).identity, 'what was refused was not seen')

    const { run } = await site.control.request('wares', 'start', refused.id)
    assert.equal(run.republish, refused.id)
    await assert.rejects(site.control.request('wares', 'start', refused.id), failing('run_active'))
    const claim = await site.control.claim('wares', 'x', TTL_MS)
    assert.equal((await site.work(claim!, { identity: 'not read', tables: [] }, { limits })).result, 'published')
    assert.deepEqual(site.published('wares'), OLD.slice(0, 1))
    assert.equal(site.store.seenIdentity('wares'), wares(OLD.slice(0, 1)).identity)
  })

  test('of a refused run that is no longer kept fails, and only the newest refused file is kept', async () => {
    using site = new TestSite()
    await site.sync(wares(OLD))
    const limits = { maxLostShare: 0, freezeColumns: true }
    const refused: string[] = []
    for (let v = 0; v < 4; v++) {
      refused.push((await site.sync(wares([{ sku: v, v: 'x' }]), { limits })).id)
      site.clock.move(60_000)
    }
    await site.sync({ ...wares(OLD), identity: 'touched' })
    await site.sync({ ...wares(OLD), identity: 'touched' })
    assert.deepEqual(
      site.list().filter((name) => name.startsWith('rejected-')),
      [`rejected-${refused.at(-1)}.sqlite`],
    )
    await site.control.request('wares', 'start', refused[0])
    const run = await site.sync(wares(OLD))
    assert.deepEqual([run.status, run.error?.code], ['failed', 'nothing_to_publish'])
  })
})

describe('a rollback', () => {
  test('publishes the previous snapshot again and pauses the source', async () => {
    using site = new TestSite()
    await site.sync(wares(OLD))
    const first = site.pointer()
    await site.sync(wares(NEW))
    const second = site.pointer()
    site.clock.move(1000)
    await site.control.request('wares', 'refresh')
    const pointer = await rollBack(site)
    assert.deepEqual(site.pointer(), pointer)
    assert.deepEqual(site.published('wares'), OLD)
    assertWhole(site)
    assert.deepEqual([pointer.file, pointer.digest, pointer.tables], [first.file, first.digest, first.tables])
    assert.deepEqual(
      [pointer.isRolledBack, pointer.batch, pointer.publishedAt],
      [true, second.batch + 1, site.clock.now()],
    )
    assert.notEqual(pointer.snapshot, first.snapshot)
    assert.ok(pointer.watermark > second.watermark)
    assert.equal(pointer.logFrom, pointer.watermark, 'whoever knows less fetches again')
    assert.equal(pointer.previous?.snapshot, second.snapshot)
    assert.deepEqual(site.control.source('wares').state, { state: 'PAUSED', reason: 'rolled_back' })
    assert.deepEqual(site.control.claimable(), [], 'what was queued is cancelled')
    await assert.rejects(site.control.request('wares', 'schedule'), failing('source_paused'))
    assert.equal(site.store.seenIdentity('wares'), undefined, 'the upstream is not what is published')
  })

  test('is over for the runs behind one that found the upstream to be what came back', async () => {
    using site = new TestSite()
    await site.sync(wares(OLD))
    await site.sync(wares(NEW))
    const { checkedAt } = await rollBack(site)
    assert.equal(site.control.source('wares').checkedAt, checkedAt, 'when its rows were read')
    const plan = wares(OLD)
    assert.equal((await site.sync(plan, { trigger: 'start' })).result, 'unchanged')
    assert.equal(site.pointer().isRolledBack, true)
    assert.equal(site.control.source('wares').checkedAt, site.clock.now())
    assert.equal(site.store.seenIdentity('wares'), plan.identity)
    assert.deepEqual(
      site.store.published('wares')?.plan.tables.map(({ name }) => name),
      ['wares'],
    )
    await rollBack(site)
    assert.equal(site.store.seenIdentity('wares'), undefined, 'another one came back since')
    assert.equal(site.store.published('wares'), undefined)
  })

  test('is not over by publishing again what was refused, which looks at nothing upstream', async () => {
    using site = new TestSite()
    const republish = async (run: string) => {
      await site.control.request('wares', 'start', run)
      const claim = await site.control.claim('wares', 'operator', TTL_MS)
      return await site.work(claim!, { identity: 'not read', tables: [] })
    }
    await site.sync(wares(NEW))
    const refused = await site.sync(wares([NEW[0]!]), { limits: { maxLostShare: 0.1, freezeColumns: true } })
    assert.equal(refused.status, 'rejected')
    site.clock.move(60_000)
    assert.equal((await republish(refused.id)).result, 'published')
    assert.equal(site.pointer().checkedAt, refused.startedAt, 'when its rows were read')
    await site.sync(wares(NEW))
    const { checkedAt } = await rollBack(site)
    site.clock.move(3_600_000)
    assert.equal((await republish(refused.id)).result, 'unchanged')
    assert.equal(site.control.source('wares').checkedAt, checkedAt)
    assert.equal(site.store.seenIdentity('wares'), undefined)
  })

  test('by a version that did not forget what was seen is not over either', async () => {
    using site = new TestSite()
    await site.sync(wares(OLD))
    await site.sync(wares(NEW))
    await rollBack(site)
    const { checked_at: before } = site.publisher.table.peekSource('wares')!
    const shape = site.store.shape('wares')
    site.publisher.table.setChecked('wares', before!, { identity: wares(NEW).identity, shape })
    assert.equal(site.store.seenIdentity('wares'), undefined)
    assert.equal((await site.sync(wares(NEW), { trigger: 'start' })).result, 'published')
    assert.deepEqual(site.published('wares'), NEW)
  })

  test('twice is where it began, and neither file is collected meanwhile', async () => {
    using site = new TestSite()
    await site.sync(wares(OLD))
    await site.sync(wares(NEW))
    const second = site.pointer()
    for (const rows of [OLD, NEW, OLD, NEW]) {
      await rollBack(site)
      site.clock.move(60_000)
      const lease = await site.control.lease('wares', 'x', TTL_MS)
      site.store.collect(lease!)
      await site.control.release(lease!)
      assert.deepEqual(site.published('wares'), rows)
      assertWhole(site)
    }
    assert.equal(site.pointer().file, second.file)
  })

  test('is followed by a publish whose log begins anew and leads on from what was rolled back to', async () => {
    using site = new TestSite()
    await site.sync(wares(OLD))
    await site.sync(wares(NEW))
    const { watermark, batch } = await rollBack(site)
    const run = await site.sync(wares([...OLD, { sku: 9, v: 'z' }]), { trigger: 'start' })
    assert.equal(run.result, 'published')
    const pointer = site.pointer()
    assert.deepEqual([pointer.isRolledBack, pointer.batch], [false, batch + 1])
    assert.ok(pointer.watermark > watermark)
    withSnapshot(site.folder().file(pointer.file), (db) => {
      const log = db.prepare<[], unknown[]>('SELECT batch, op, key FROM _hf_log').raw().all()
      assert.deepEqual(log, [[pointer.batch, 'put', '9']])
    })
    // The log has the change since the rollback, and nothing of what was before.
    assert.ok(pointer.logFrom >= watermark)
  })

  test('lets the upstream’s own state be published again, once it is started', async () => {
    using site = new TestSite()
    await site.sync(wares(OLD))
    await site.sync(wares(NEW))
    await rollBack(site)
    assert.equal((await site.sync(wares(NEW), { trigger: 'start' })).result, 'published')
    assert.deepEqual(site.published('wares'), NEW)
    assert.equal(site.control.source('wares').state.state, 'COMPLETED')
  })

  test('renders the full answers under the new name', async () => {
    using site = new TestSite()
    await site.sync(wares(OLD))
    await site.sync(wares(NEW))
    const { snapshot, tables } = await rollBack(site)
    await site.store.renderActive('wares', { signal: AbortSignal.timeout(60_000), onProgress: () => {} })
    const text = readFileSync(site.folder().file(`${snapshot}.0.json`), 'utf8')
    const body = JSON.parse(text) as { snapshot: string; count: number; data: unknown[] }
    assert.deepEqual([body.snapshot, body.count, body.data], [snapshot, 3, OLD])
    assert.equal(Buffer.byteLength(text), tables[0]?.bodyBytes)
  })

  test('needs a snapshot to go back to, and its file', async () => {
    using site = new TestSite()
    await assert.rejects(rollBack(site), failing('no_previous_snapshot'))
    await site.sync(wares(OLD))
    await assert.rejects(rollBack(site), failing('no_previous_snapshot'))
    await site.sync(wares(NEW))
    disk.remove('', site.folder().file(site.pointer().previous?.file as string))
    await assert.rejects(rollBack(site), failing('no_previous_snapshot'))
    assert.equal(site.control.source('wares').state.state, 'COMPLETED')
  })

  test('is refused to whoever has no lease, and beside a run', async () => {
    using site = new TestSite()
    await site.sync(wares(OLD))
    await site.sync(wares(NEW))
    const lease = await site.control.lease('wares', 'x', TTL_MS)
    await site.control.release(lease!)
    await assert.rejects(rollback(site.publisher, lease!), failing('lease_lost'))
    const claim = await site.claim()
    assert.equal(await site.control.lease('wares', 'x', TTL_MS), undefined)
    await assert.rejects(rollback(site.publisher, claim.lease), failing('run_active'))
    assert.deepEqual(site.published('wares'), NEW)
  })
})

/** A disk that is full from its n-th step on, until `heal`. */
function fullFrom(step: number): { files: Files; heal(): void; readonly failed: string[] } {
  const failed: string[] = []
  let isHealed = false
  const files = tapped((name, index) => {
    if (isHealed || index < step) return
    failed.push(name)
    throw Object.assign(new Error(`ENOSPC: no space left on device, ${name}`), { code: 'ENOSPC' })
  })
  return { files, heal: () => (isHealed = true), failed }
}

/** What the second of two runs does to the disk. */
async function stepsOf(upstream: Upstream): Promise<string[]> {
  using temp = new TestSite()
  await temp.sync(wares(OLD))
  const steps: string[] = []
  using site = new TestSite({ dataDir: temp.dataDir, clock: temp.clock, files: tapped((step) => steps.push(step)) })
  assert.equal((await site.sync(upstream)).result, 'published')
  return steps
}

describe('a disk that refuses', async () => {
  const steps = await stepsOf(wares(NEW))
  const wanted = digestOf(NEW)

  test('is asked for each step by name', () => {
    assert.deepEqual(
      new Set(steps),
      new Set([
        'render:sync-body',
        'render:rename-body',
        'stage:sync-file',
        'publish:rename',
        'publish:sync-name',
        'publish:replace-pointer',
        'publish:sync-folder',
      ]),
    )
  })

  for (const [index, step] of steps.entries()) {
    test(`step ${index + 1}, ${step}, leaves the old or the new snapshot, whole, and the next run ends as if nothing had been`, async () => {
      using temp = new TestSite()
      await temp.sync(wares(OLD))
      const full = fullFrom(index)
      using site = new TestSite({ dataDir: temp.dataDir, clock: temp.clock, files: full.files })
      const run = await site.sync(wares(NEW))
      assert.equal(full.failed[0], step)
      assertWhole(site)
      const isNew = digestIn(site) === wanted
      assert.deepEqual(site.published('wares'), isNew ? NEW : OLD)
      // The pointer alone decides, and what control says of the run agrees with it.
      assert.deepEqual([run.status, run.error?.code ?? null], isNew ? ['completed', null] : ['failed', 'disk_failed'])
      full.heal()

      await site.sync(wares(NEW))
      assert.equal(digestIn(site), wanted)
      assertWhole(site)
      // And an upstream that went back is not taken for what is published.
      await site.sync(wares(OLD))
      assert.deepEqual(site.published('wares'), OLD)
      assertWhole(site)
    })
  }

  test('again and again leaves no more behind than once', async () => {
    using temp = new TestSite()
    await temp.sync(wares(OLD))
    const sizes: number[] = []
    for (let round = 0; round < 3; round++) {
      for (const index of steps.keys()) {
        const full = fullFrom(index)
        using site = new TestSite({ dataDir: temp.dataDir, clock: temp.clock, files: full.files })
        await site.sync(wares([{ sku: round, v: String(index) }, ...NEW]))
        temp.clock.move(60_000)
      }
      await temp.sync(wares([{ sku: -round, v: 'good' }, ...OLD]))
      temp.clock.move(60_000)
      await temp.sync(wares([{ sku: -round, v: 'good' }, ...OLD]))
      sizes.push(temp.list().length)
    }
    // The pointer, and twice a file with four bodies.
    assert.deepEqual(sizes, [11, 11, 11])
  })

  test('to let leftovers go does not fail a run that has published', async () => {
    using temp = new TestSite()
    await temp.sync(wares(OLD))
    mkdirSync(temp.folder().file('lost+found'))
    writeFileSync(temp.folder().file('leftover.tmp'), '')
    for (const name of ['lost+found', 'leftover.tmp']) utimesSync(temp.folder().file(name), 1, 1)
    const files = tapped((step) => {
      if (step === 'collect:remove') throw Object.assign(new Error('EIO'), { code: 'EIO' })
    })
    using site = new TestSite({ dataDir: temp.dataDir, clock: temp.clock, files })
    assert.equal((await site.sync(wares(NEW))).result, 'published')
    assert.equal((await temp.sync(wares(OLD))).result, 'published')
    assert.ok(!existsSync(temp.folder().file('leftover.tmp')))
  })
})

describe('what is collected', () => {
  test('is never a file that was made just now, nor one of a later generation', async () => {
    using site = new TestSite({ clock: new TestClock() })
    await site.sync(wares(OLD))
    const lease = await site.control.lease('wares', 'x', TTL_MS)
    const staged = [lease!.generation - 1, lease!.generation, lease!.generation + 1].map(
      (generation) => `staged-${generation}.sqlite`,
    )
    for (const name of [...staged, 'fresh.tmp', 'old.tmp', 'active.json.1234'])
      writeFileSync(site.folder().file(name), '')
    mkdirSync(site.folder().file('files'))
    for (const name of [...staged, 'old.tmp', 'active.json.1234', 'files']) utimesSync(site.folder().file(name), 1, 1)
    site.store.collect(lease!)
    const names = site.list().filter((name) => !name.startsWith('s0'))
    assert.deepEqual(names, ['active.json', 'files', 'fresh.tmp', ...staged.slice(1)])
  })
})
