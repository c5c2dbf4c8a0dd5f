import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  Limiter,
  LIMITER_DEFAULTS,
  type LimiterKind,
  type LimiterOptions,
} from '../../../simulators/airtable/limiter.ts'
import { generateBase } from '../../../simulators/airtable/generate.ts'
import { startSimulator, type SimulatorOptions } from '../../../simulators/airtable/simulator.ts'
import { VirtualClock } from '../../../simulators/airtable/virtual-clock.ts'

const JUNE = Date.UTC(2026, 5, 30, 12)

function newLimiter(options: Partial<LimiterOptions> = {}) {
  const one = new Limiter({ ...LIMITER_DEFAULTS, ...options })
  return {
    one,
    decide: (at: number, given: { baseId?: string; user?: string; isMeta?: boolean; now?: number } = {}) => {
      const { baseId = 'app1', user = 'usr1', isMeta = false, now = JUNE + at } = given
      return one.decide({ baseId, user, isMeta }, at, now)
    },
  }
}

const withClock = (options: Partial<SimulatorOptions> = {}) =>
  startSimulator({ clock: new VirtualClock(), base: generateBase({ tables: 1, records: 20 }), ...options })

describe('the limiter', () => {
  const passed: [LimiterKind, string, number[], number][] = [
    ['sliding window', 'five in any second', [0, 900, 900, 900, 900, 999], 5],
    ['sliding window', 'the sixth when the first is a second old', [0, 900, 900, 900, 900, 1000], 6],
    ['fixed window', 'ten around the turn of a second', [900, 900, 900, 900, 900, 1000, 1000, 1000, 1000, 1000], 10],
    ['fixed window', 'five between two turns', [1000, 1100, 1200, 1300, 1400, 1999], 5],
    ['token bucket', 'five at once and then one every 200 ms', [0, 0, 0, 0, 0, 200, 400, 600, 800], 9],
    ['token bucket', 'not a sixth before 200 ms have passed', [0, 0, 0, 0, 0, 199], 5],
  ]
  for (const [kind, what, arrivals, count] of passed) {
    test(`with a ${kind} lets ${what} pass`, () => {
      const { decide } = newLimiter({ kind })
      const decisions = arrivals.map((at) => decide(at))
      assert.equal(decisions.filter((decision) => decision === 'passed').length, count)
      assert.deepEqual(decisions.slice(count), count < arrivals.length ? ['base limit'] : [])
    })
  }

  test('refuses everything of the base for 30 s after a limit was exceeded, and then nothing', () => {
    const { decide } = newLimiter()
    for (let count = 0; count < 5; count += 1) decide(0)
    assert.equal(decide(10), 'base limit')
    assert.equal(decide(30_009), 'penalty')
    assert.equal(decide(30_010), 'passed')
  })

  test('asked to, begins the penalty anew with every request', () => {
    const { decide } = newLimiter({ extendsPenalty: true })
    for (let count = 0; count < 6; count += 1) decide(0)
    assert.equal(decide(29_000), 'penalty')
    assert.equal(decide(58_999), 'penalty')
    assert.equal(decide(88_999), 'passed')
  })

  test('counts a base for all users, and a user for all bases', () => {
    const { decide } = newLimiter({ perUser: 7 })
    for (let count = 0; count < 5; count += 1) assert.equal(decide(0, { user: `usr${count + 2}` }), 'passed')
    assert.equal(decide(1, { user: 'usr9' }), 'base limit')
    for (let count = 0; count < 6; count += 1) assert.equal(decide(1, { baseId: `app${count + 2}` }), 'passed')
    assert.equal(decide(1, { baseId: 'app9' }), 'passed')
    assert.equal(decide(1, { baseId: 'app10' }), 'user limit')
  })

  test('bills calls by the month, but not those for metadata, and begins anew with the next', () => {
    const { decide, one } = newLimiter({ monthlyCalls: 2 })
    assert.deepEqual(
      [0, 1000, 2000].map((at) => decide(at)),
      ['passed', 'passed', 'quota'],
    )
    assert.equal(decide(3000, { isMeta: true }), 'passed')
    assert.equal(decide(4000, { now: Date.UTC(2026, 6, 1) }), 'passed')
    assert.equal(one.used, 1)
  })

  test('asked to, slows down to two a second instead of refusing who has used up the month', () => {
    const { decide } = newLimiter({ monthlyCalls: 1, overQuota: 'throttle' })
    assert.deepEqual(
      [0, 10, 20, 30, 1020].map((at) => decide(at)),
      ['passed', 'passed', 'passed', 'quota', 'passed'],
    )
  })
})

describe('over the wire', () => {
  test('the sixth request of a second is refused, and everything for 30 s, in the form that is wanted', async () => {
    for (const [body, expected] of [
      ['errors', { errors: [{ error: 'RATE_LIMIT_REACHED', message: 'Rate limit exceeded. Please try again later' }] }],
      ['error', { error: { type: 'RATE_LIMIT_REACHED', message: 'Rate limit exceeded. Please try again later' } }],
      ['type', { error: { type: 'RATE_LIMIT_REACHED' } }],
      ['text', { error: 'RATE_LIMIT_REACHED' }],
    ] as const) {
      await using sim = await withClock({ limiter: { body, retryAfterSeconds: 30 } })
      const ask = () => sim.fetch(`/v0/${sim.base.id}/Orders`)
      for (let count = 0; count < 5; count += 1) assert.equal((await ask()).status, 200)
      const refused = await ask()
      assert.equal(refused.status, 429)
      assert.equal(refused.headers.get('retry-after'), '30')
      assert.deepEqual(await refused.json(), expected)
      await sim.clock.sleep(29_999)
      assert.equal((await ask()).status, 429)
      await sim.clock.sleep(1)
      assert.equal((await ask()).status, 200)
    }
  })

  test('a month that is used up is told as such, and metadata are still answered', async () => {
    await using sim = await withClock({ limiter: { monthlyCalls: 100 } })
    sim.quota.used = 100
    const refused = await sim.fetch(`/v0/${sim.base.id}/Orders`)
    assert.equal(refused.status, 429)
    const { errors } = (await refused.json()) as { errors: { error: string }[] }
    assert.equal(errors[0]?.error, 'PUBLIC_API_BILLING_LIMIT_EXCEEDED')
    assert.equal((await sim.fetch(`/v0/meta/bases/${sim.base.id}/tables`)).status, 200)
    assert.equal((await sim.fetch('/v0/meta/whoami')).status, 200)
  })

  test('every request is recorded, with what the limiter decided', async () => {
    await using sim = await withClock()
    await sim.fetch(`/v0/${sim.base.id}/Orders?pageSize=3`)
    await sim.clock.sleep(250)
    await fetch(`${sim.url}/v0/${sim.base.id}/Orders`, { headers: { authorization: 'Bearer patWrong' } })
    for (let count = 0; count < 6; count += 1) await sim.fetch(`/v0/${sim.base.id}/Orders`)

    const [first, second] = sim.requests
    assert.partialDeepStrictEqual(first, {
      n: 1,
      arrivedAt: 0,
      method: 'GET',
      path: `/v0/${sim.base.id}/Orders`,
      query: 'pageSize=3',
      kind: 'list',
      table: 'Orders',
      user: sim.base.owner.id,
      limiter: 'passed',
      status: 200,
    })
    assert.partialDeepStrictEqual(second, { arrivedAt: 250, limiter: 'not counted', status: 401 })
    assert.deepEqual(
      sim.requests.slice(2).map(({ limiter }) => limiter),
      ['passed', 'passed', 'passed', 'passed', 'base limit', 'penalty'],
    )
    assert.equal(sim.count({ kind: 'list', table: 'Orders' }), 8)
  })

  test('the proof that a limit was kept fails when it was not, and names the requests', async () => {
    await using sim = await withClock({ limiter: { kind: 'token bucket' } })
    const ask = () => sim.fetch(`/v0/${sim.base.id}/Orders`)
    for (let count = 0; count < 5; count += 1) {
      await ask()
      await sim.clock.sleep(250)
    }
    assert.partialDeepStrictEqual(sim.assertLimitKept(), { requests: 5, busiestBase: 4, busiestUser: 4 })

    // The bucket lets them pass: that no window had more is a stricter claim than that nothing was refused.
    await sim.clock.sleep(2000)
    for (let count = 0; count < 5; count += 1) await ask()
    await sim.clock.sleep(200)
    await ask()
    assert.equal(
      sim.count(({ limiter }) => limiter === 'passed'),
      11,
    )
    assert.throws(() => sim.assertLimitKept(), /6 requests of base app\w+ within 1000 ms, 5 are allowed:\n {2}#6 at/)
    assert.equal(sim.assertLimitKept({ only: ({ n }) => n <= 5 }).requests, 5)
  })

  test('a request arrives up to 50 ms after it came, which is when it counts', async () => {
    await using sim = await withClock({ arrivalJitterMs: 50 })
    for (let count = 0; count < 10; count += 1) {
      const sentAt = sim.clock.monotonic()
      await sim.fetch(`/v0/${sim.base.id}/Orders`)
      const delay = (sim.requests.at(-1)?.arrivedAt ?? 0) - sentAt
      assert.ok(delay > 0 && delay <= 50, `arrived ${delay} ms later`)
      await sim.clock.sleep(300)
    }
    assert.equal(new Set(sim.requests.map(({ arrivedAt }, at) => arrivedAt - at * 300)).size, 10)
  })

  test('a client that paces itself reads a large table in virtual time, and never asks too often', async () => {
    await using sim = await withClock({
      bases: [generateBase({ tables: 1, records: 12_000 })],
      arrivalJitterMs: 50,
      latencyMs: [150, 190],
    })
    const { clock } = sim
    const path = `/v0/${sim.base.id}/Orders`
    const seen = new Set<string>()
    let offset: string | undefined
    do {
      const sentAt = clock.monotonic()
      const answer = await sim.fetch(offset === undefined ? path : `${path}?offset=${encodeURIComponent(offset)}`)
      const page = (await answer.json()) as { records: { id: string }[]; offset?: string }
      for (const { id } of page.records) seen.add(id)
      offset = page.offset
      // A fifth of a second and what the jitter may take away, spread over five requests.
      await clock.sleep(Math.max(0, 211 - (clock.monotonic() - sentAt)))
    } while (offset !== undefined)

    assert.equal(seen.size, 12_000)
    assert.partialDeepStrictEqual(sim.assertLimitKept(), { requests: 120, busiestBase: 5 })
    assert.ok(clock.monotonic() > 24_000 && clock.monotonic() < 30_000, `took ${clock.monotonic()} ms`)
  })

  test('answers take as long as they are told to, at the same time for different clients', async () => {
    await using sim = await withClock({ latencyMs: 200 })
    const paths = ['Orders?pageSize=1', 'Orders?pageSize=2', 'Orders?pageSize=3']
    await Promise.all(paths.map((path) => sim.fetch(`/v0/${sim.base.id}/${path}`)))
    assert.equal(sim.clock.monotonic(), 200)
    assert.deepEqual(
      sim.requests.map(({ arrivedAt, answeredAt }) => [arrivedAt, answeredAt]),
      [
        [0, 200],
        [0, 200],
        [0, 200],
      ],
    )
  })
})
