import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { describe, test } from 'node:test'
import { disk, type Files } from '../../lib/base/files.ts'
import { Failure } from '../../lib/errors.ts'
import { rollback } from '../../lib/sqlite/publish.ts'
import { SqliteStore } from '../../lib/sqlite/store.ts'
import { TestSite, TTL_MS, WIDE_LOG, wares } from './site.ts'

const OLD = [
  { sku: 1, v: 'a' },
  { sku: 2, v: 'b' },
]
const NEW = [
  { sku: 1, v: 'a' },
  { sku: 2, v: 'bad' },
]

describe('what is left half done is finished by whoever comes next', () => {
  test('a rollback that was killed behind the pointer: the source is paused, and the bad data stays away', async () => {
    using site = new TestSite()
    await site.sync(wares(OLD))
    await site.sync(wares(NEW))
    await rollBack(site)
    const pointer = site.pointer()
    // What a kill before the commit leaves: the pointer moved, control knows nothing of it.
    site.publisher.table.setState('wares', { state: 'COMPLETED' })
    site.publisher.table.setPublished('wares', 'a1')

    await site.control.request('wares', 'schedule')
    assert.equal(await site.control.claim('wares', 'next', TTL_MS), undefined)

    assert.deepEqual(site.control.source('wares').state, { state: 'PAUSED', reason: 'rolled_back' })
    assert.deepEqual(site.pointer(), pointer)
    assert.deepEqual(site.control.claimable(), [])
  })

  test('a rollback whose folder could not be synced is done all the same, and says so', async () => {
    let isFailing = false
    const files: Files = {
      ...disk,
      sync(step, path) {
        if (isFailing && step === 'publish:sync-folder') throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
        disk.sync(step, path)
      },
    }
    using site = new TestSite({ files })
    await site.sync(wares(OLD))
    await site.sync(wares(NEW))
    isFailing = true

    await assert.rejects(
      rollBack(site),
      (error) => error instanceof Failure && error.code === 'disk_failed' && /was rolled back/.test(error.message),
    )
    assert.deepEqual(site.published('wares'), OLD)
    assert.deepEqual(site.control.source('wares').state, { state: 'PAUSED', reason: 'rolled_back' })
  })

  test('a snapshot file that somebody removed is pulled again, even if the upstream has not changed', async () => {
    using site = new TestSite()
    await site.sync(wares(OLD))
    const before = site.pointer()
    rmSync(site.folder().file(before.file))

    const run = await site.sync(wares(OLD))

    assert.equal(run.result, 'published')
    assert.deepEqual(site.published('wares'), OLD)
    assert.equal(site.pointer().batch, before.batch + 1)
    assert.equal(site.pointer().logFrom, site.pointer().watermark, 'whoever knows less fetches again')
    const next = await site.sync(wares(NEW))
    assert.equal(next.result, 'published')
  })
})

test('a start right behind a stop is not lost: it goes on when the run has stopped', async () => {
  using site = new TestSite()
  const claim = await site.claim()
  await site.control.stop('wares')
  const { run, joined } = await site.control.request('wares', 'start')
  assert.equal(joined, false)
  assert.notEqual(run.id, claim.run.id)

  const ending = new AbortController()
  ending.abort('stopped')
  assert.equal((await site.work(claim, wares(OLD), { signal: ending.signal })).status, 'paused')

  const next = await site.control.claim('wares', 'holder', TTL_MS)
  assert.equal(next?.run.id, run.id)
  assert.equal((await site.work(next, wares(OLD))).result, 'published')
  assert.equal(site.control.run(claim.run.id)?.status, 'cancelled')
  assert.deepEqual(site.control.source('wares').state, { state: 'COMPLETED' })
})

async function rollBack(site: TestSite) {
  const lease = await site.control.lease('wares', 'operator', TTL_MS)
  assert.ok(lease)
  try {
    return await rollback(site.publisher, lease)
  } finally {
    await site.control.release(lease)
  }
}

test('a refused run that is published after the configuration changed does not count as read with the new one', async () => {
  using site = new TestSite()
  await site.sync(wares(OLD))
  const refused = await site.sync(wares(NEW.slice(0, 1)), { limits: { maxLostShare: 0.1, freezeColumns: false } })
  const settings = { changeLog: WIDE_LOG, bodyFileBytes: 1e7, sources: new Map() }
  const store = new SqliteStore(site.publisher, settings, new Map([['wares', 'another shape']]))

  await site.control.request('wares', 'start', refused.id)
  const claim = await site.control.claim('wares', 'operator', TTL_MS)
  assert.ok(claim)
  using stage = store.stageRejected({ lease: claim.lease, run: claim.run.id, rejected: refused.id })
  stage.compare()
  await stage.finish({ signal: new AbortController().signal, onProgress: () => {}, busy: (work) => work() })
  const pointer = stage.publish({ checkedAt: 1, timings: () => ({}) })

  assert.equal(pointer.shape, 'shape of wares')
  assert.equal(store.seenIdentity('wares'), undefined)
})

test('two processes that render the same snapshot, as after a rollback, do not touch each other’s files', async () => {
  using site = new TestSite()
  await site.sync(wares(OLD))
  using other = new TestSite({ dataDir: site.dataDir, clock: site.clock })
  const before = site.list()
  const options = { signal: new AbortController().signal, onProgress: () => {} }

  await Promise.all([site.store, other.store, site.store].map((store) => store.renderActive('wares', options)))

  assert.deepEqual(site.list(), before)
})
