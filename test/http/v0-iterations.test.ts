import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { Iterations } from '../../lib/http/v0/iterations.ts'
import { Mounts } from '../../lib/sqlite/mounts.ts'
import { TestClock, TestSite, wares } from '../sqlite/site.ts'
import { until } from '../support/holdfast.ts'

/** Two processes on one data directory. */
function site(t: TestContext, sources: readonly string[] = ['wares']) {
  const data = new TestSite({ sources: [...sources], clock: new TestClock() })
  const processes = [0, 1].map(() => {
    const mounts = new Mounts(data.publisher.folders)
    return { mounts, iterations: new Iterations(mounts) }
  })
  t.after(() => {
    for (const { mounts, iterations } of processes) {
      iterations[Symbol.dispose]()
      mounts[Symbol.dispose]()
    }
    data[Symbol.dispose]()
  })
  let count = 0
  const publish = async (source = 'wares') => {
    const run = await data.sync(wares([{ sku: `${count++}` }]), { source })
    assert.equal(run.status, 'completed')
    for (const { mounts } of processes) mounts.look()
    return data.pointer(source).snapshot
  }
  const [a, b] = processes
  return { data, publish, a: a!, b: b! }
}

describe('a snapshot that a list goes on in', () => {
  test('is there in every process, whichever was asked for the page before', async (t) => {
    const { publish, a, b } = site(t)
    const read = await publish()
    a.iterations.readOn(a.mounts.active('wares')!)
    const unread = await publish()
    await publish()
    await publish()
    await until(() => b.iterations.find('wares', unread) === undefined, { what: 'the one that nobody reads to go' })
    for (const { iterations } of [a, b]) {
      const mounted = iterations.find('wares', read)
      assert.equal(mounted?.pointer.snapshot, read)
      assert.ok(mounted.record('wares', [], '0'), 'and can be read')
    }
  })

  test('outlives those that were read before it, and publishes of other sources', async (t) => {
    const { publish, a, b } = site(t, ['wares', 'other'])
    const read: string[] = []
    for (let turn = 0; turn < 12; turn++) {
      read.push(await publish())
      a.iterations.readOn(a.mounts.active('wares')!)
      a.iterations.readOn(a.iterations.find('wares', read[0]!)!)
      await publish('other')
    }
    const there = (iterations: Iterations) => read.filter((one) => iterations.find('wares', one) !== undefined)
    assert.ok(there(a.iterations).includes(read[0]!))
    for (const { iterations } of [a, b]) assert.ok(there(iterations).length <= 9, 'and there is a bound')
  })

  test('has its file kept for reader processes, which open it by its name', async (t) => {
    const { data, publish, a } = site(t)
    const read = await publish()
    a.iterations.readOn(a.mounts.active('wares')!)
    const unread = await publish()
    await publish()
    await publish()
    data.clock.move(60_000)
    const { lease } = await data.claim()
    data.store.collect(lease)
    await data.control.release(lease)
    const names = data.list()
    assert.deepEqual(
      [read, unread].map((snapshot) => names.includes(`${snapshot}.sqlite`)),
      [true, false],
    )
  })
})
