import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CallLimit } from '../../lib/call-limiter.ts'
import { ControlDatabase } from '../../lib/sqlite/control-database.ts'
import { seeded, testSeed } from '../support/random.ts'
import { BASE, keepCalling, rowsOf, Upstream, World } from './call-world.ts'

const DAY_MS = 86_400_000
const never = new AbortController().signal
const seed = testSeed()
const hint = `replay with HOLDFAST_SEED=${seed}`

describe('after a refusal', () => {
  test('nobody calls before it is over, in any process, and then one call goes ahead', async () => {
    using world = new World(seeded(seed))
    const [one, other] = [world.start(), world.start()]
    const sent: number[] = []
    const limiters = [one.limiter(), other.limiter()]
    const refusedAt = world.nowMs
    limiters[0]?.pause(30_000)
    for (const limiter of limiters) {
      for (let call = 0; call < 3; call++) void limiter.slot(never).then(() => sent.push(world.nowMs - refusedAt))
    }
    await world.pass(() => sent.length === 6)
    assert.ok((sent[0] as number) >= 30_050 && (sent[0] as number) <= 30_055, sent.join())
    assert.ok((sent[1] as number) - (sent[0] as number) >= 1050, sent.join())
    await world.pass(60_000)
    await world.wait(one.limiter().slot(never))
    assert.deepEqual(rowsOf(one, 'call_pauses'), [])
  })

  test('who was waiting already keeps to it', async () => {
    using world = new World(seeded(seed))
    const [one, other] = [world.start(), world.start()]
    const sent: number[] = []
    const limiter = one.limiter()
    for (let call = 0; call < 8; call++) void limiter.slot(never).then(() => sent.push(world.nowMs))
    await world.pass(500)
    assert.equal(sent.length, 5)
    const refusedAt = world.nowMs
    other.limiter().pause(10_000)
    await world.pass(() => sent.length === 8)
    assert.ok((sent[5] as number) >= refusedAt + 10_050)
  })

  test('it is said until when, on every wall clock', async () => {
    using world = new World(seeded(seed))
    const [one, other] = [world.start(), world.start()]
    other.jump(DAY_MS)
    const limiters = [one.limiter(), other.limiter()]
    assert.deepEqual(limiters.map((limiter) => limiter.usage().pausedUntil), [null, null]) // prettier-ignore
    limiters[0]?.pause(30_000)
    await world.pass(50)
    assert.equal(limiters[0]?.usage().pausedUntil, one.now() + 30_000)
    assert.equal(limiters[1]?.usage().pausedUntil, other.now() + 30_000)
    await world.pass(30_000)
    assert.deepEqual(limiters.map((limiter) => limiter.usage().pausedUntil), [null, null]) // prettier-ignore
  })

  test('only the narrowest limit pauses', async () => {
    using world = new World(seeded(seed))
    const token: CallLimit = { account: 'token', calls: 50, windowMs: 1000 }
    const process = world.start()
    process.limiter([token, BASE]).pause(30_000)
    const before = world.nowMs
    await world.wait(process.limiter([token, { ...BASE, account: 'another base' }]).slot(never))
    assert.equal(world.nowMs, before)
    await world.wait(process.limiter([token, BASE]).slot(never))
    assert.ok(world.nowMs - before >= 30_050)
  })

  test('a restart of the machine begins the pause anew, as nothing tells how long it took', async () => {
    using world = new World(seeded(seed))
    const first = world.start({ boot: 'first' }).limiter()
    await world.wait(first.slot(never))
    first.pause(30_000)
    await world.pass(29_000)
    const second = world.start({ boot: 'second' })
    world.nowMs = 400
    assert.equal(second.limiter().usage().pausedUntil, second.now() + 30_050)
    await world.wait(second.limiter().slot(never))
    assert.ok(world.nowMs >= 400 + 30_050 && world.nowMs < 400 + 30_060, `${world.nowMs} ms`)
  })

  test('a pause that is no time at all is none', () => {
    using world = new World(seeded(seed))
    const limiter = world.start().limiter()
    for (const ms of [0, -5, Number.NaN]) limiter.pause(ms)
    assert.equal(limiter.usage().pausedUntil, null)
  })

  test('a pause that could not be saved is saved with the next slot', async () => {
    using world = new World(seeded(seed))
    const process = world.start()
    const limiter = process.limiter()
    using blocker = new Blocker(world.path)
    limiter.pause(30_000)
    await world.pass(200)
    assert.equal(limiter.usage().pausedUntil, null)
    const before = world.nowMs
    const slot = limiter.slot(never)
    blocker[Symbol.dispose]()
    await world.wait(slot)
    assert.ok(world.nowMs - before >= 29_800, `${world.nowMs - before} ms`)
  })

  for (const extendsPenalty of [false, true]) {
    const whose = extendsPenalty ? 'that calls prolong' : 'of a fixed length'
    test(`a stranger who uses everything up costs one penalty at a time (${whose}), each found out by one call`, async (t) => {
      using world = new World(seeded(seed))
      const upstream = new Upstream(world, { penaltyMs: 30_000, extendsPenalty })
      for (let index = 0; index < 4; index++) {
        const process = world.start()
        keepCalling(process, process.limiter(), upstream, { count: 2, isEnough: () => false })
      }
      await world.pass(20_000)
      assert.deepEqual(upstream.refused, [], hint)

      upstream.callStrangely(5, 170_000)
      await world.pass(170_000)
      const { refused } = upstream
      const [first = NaN] = refused
      // Those that were under way with the first; then one at a time, and no other within the penalty.
      const group = refused.filter((at) => at < first + 1000)
      const later = refused.slice(group.length)
      t.diagnostic(`${group.length} calls refused at first, then ${later.length} in ${upstream.penalties} penalties`)
      assert.ok(group.length <= BASE.calls, `${group.length}, ${hint}`)
      assert.ok(later.length >= 4 && later.length <= 6, `${later.length}, ${hint}`)
      for (const [index, at] of later.entries()) {
        assert.ok(at - (later[index - 1] ?? first) > 30_000, `${refused.join(' ')}, ${hint}`)
      }

      await world.pass(95_000)
      const [refusedBefore, arrivedBefore] = [upstream.refused.length, upstream.arrivals.length]
      await world.pass(60_000)
      assert.equal(upstream.refused.length, refusedBefore, hint)
      assert.ok(upstream.arrivals.length - arrivedBefore >= 280, `as fast as before, ${hint}`)
    })
  }

  test('a stranger who takes a part leaves the rest usable', async (t) => {
    using world = new World(seeded(seed))
    const upstream = new Upstream(world, { penaltyMs: 30_000 })
    const process = world.start()
    keepCalling(process, process.limiter(), upstream, { count: 6, isEnough: () => false })
    upstream.callStrangely(1, 1_800_000)
    await world.pass(1_800_000)
    const served = upstream.arrivals.filter(({ isOurs, isRefused }) => isOurs && !isRefused).length / 1800
    t.diagnostic(`${served.toFixed(2)} calls a second beside one of a stranger`)
    assert.ok(served > 1, `${served}, ${hint}`)
  })
})

/** Holds the write lock of a control database, as a process does that publishes. */
class Blocker implements Disposable {
  #control: ControlDatabase | undefined

  constructor(path: string) {
    this.#control = new ControlDatabase(path, { now: Date.now, monotonic: () => 0, sleep: () => Promise.resolve() })
    this.#control.db.exec('BEGIN IMMEDIATE')
  }

  [Symbol.dispose](): void {
    this.#control?.db.exec('ROLLBACK')
    this.#control?.close()
    this.#control = undefined
  }
}
