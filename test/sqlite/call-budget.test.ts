import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Failure } from '../../lib/errors.ts'
import { seeded, testSeed } from '../support/random.ts'
import { BASE, rowsOf, World } from './call-world.ts'

const DAY_MS = 86_400_000
const never = new AbortController().signal
const seed = testSeed()

const spent = (facts: Record<string, unknown>) => (error: unknown) => {
  assert.ok(error instanceof Failure, String(error))
  assert.equal(error.code, 'upstream_budget_spent')
  assert.deepEqual(error.facts, facts)
  return true
}

describe('a budget', () => {
  const budget = { account: 'plan', calls: 100 }

  test('is counted over all processes, and not exceeded by one', async () => {
    using world = new World(seeded(seed))
    const limiters = Array.from({ length: 4 }, () => world.start().limiter([BASE], budget))
    let sent = 0
    const refusals: unknown[] = []
    const callers = limiters.flatMap((limiter) =>
      [0, 1].map(async () => {
        try {
          for (;;) {
            await limiter.slot(never)
            sent++
          }
        } catch (error) {
          refusals.push(error)
        }
      }),
    )
    await world.wait(Promise.all(callers))
    assert.equal(sent, 100)
    assert.equal(refusals.length, 8)
    for (const error of refusals) spent({ account: 'plan', month: '2026-11', calls: 100, budget: 100 })(error)
    for (const limiter of limiters) {
      assert.deepEqual(limiter.usage(), { month: '2026-11', calls: 100, budget: 100, pausedUntil: null })
    }
  })

  test('that is spent is told at once, also to who would have to wait', async () => {
    using world = new World(seeded(seed))
    const limiter = world.start().limiter([BASE], { account: 'plan', calls: 2 })
    for (let call = 0; call < 2; call++) await world.wait(limiter.slot(never))
    limiter.pause(30_000)
    const before = world.nowMs
    await assert.rejects(world.wait(limiter.slot(never)), spent({ account: 'plan', month: '2026-11', calls: 2, budget: 2 })) // prettier-ignore
    assert.equal(world.nowMs, before)
  })

  test('begins anew with a month (UTC), and a clock that is set back finds what was counted', async () => {
    using world = new World(seeded(seed))
    const process = world.start()
    const limiter = process.limiter([BASE], { account: 'plan', calls: 3 })
    for (let call = 0; call < 3; call++) await world.wait(limiter.slot(never))
    process.jump(20 * DAY_MS)
    assert.deepEqual([limiter.usage().month, limiter.usage().calls], ['2026-12', 0])
    for (let call = 0; call < 2; call++) await world.wait(limiter.slot(never))
    process.jump(-20 * DAY_MS)
    await assert.rejects(world.wait(limiter.slot(never)), spent({ account: 'plan', month: '2026-11', calls: 3, budget: 3 })) // prettier-ignore
    process.jump(20 * DAY_MS)
    assert.equal(limiter.usage().calls, 2)
    await world.wait(limiter.slot(never))
    await assert.rejects(world.wait(limiter.slot(never)), spent({ account: 'plan', month: '2026-12', calls: 3, budget: 3 })) // prettier-ignore
  })

  test('is shared by all who name its account', async () => {
    using world = new World(seeded(seed))
    const process = world.start()
    await world.wait(process.limiter([BASE], budget).slot(never))
    await world.wait(process.limiter([{ ...BASE, account: 'another base' }], budget).slot(never))
    await world.wait(process.limiter([BASE], { account: 'another plan', calls: 7 }).slot(never))
    assert.equal(process.limiter([BASE], budget).usage().calls, 2)
  })

  test('keeps the counts of two years', async () => {
    using world = new World(seeded(seed))
    const process = world.start()
    const limiter = process.limiter()
    for (let month = 0; month < 40; month++) {
      await world.wait(limiter.slot(never))
      process.jump(31 * DAY_MS)
    }
    assert.equal(rowsOf(process, 'call_months').length, 24)
    // A month that is older than all of them is kept as long as it is the one that is counted.
    process.jump(-30 * 365 * DAY_MS)
    for (let call = 0; call < 3; call++) await world.wait(limiter.slot(never))
    assert.equal(limiter.usage().calls, 3)
    assert.equal(rowsOf(process, 'call_months').length, 25)
  })

  test('outlasts a clock that was decades ahead, or behind', async () => {
    using world = new World(seeded(seed))
    const process = world.start()
    const limiter = process.limiter()
    for (let call = 0; call < 3; call++) await world.wait(limiter.slot(never))
    for (const years of [70, -70, -30, 30]) {
      process.jump(years * 365 * DAY_MS)
      for (let call = 0; call < 2; call++) await world.wait(limiter.slot(never))
    }
    assert.equal(limiter.usage().calls, 3 + 2 + 2)
  })
})
