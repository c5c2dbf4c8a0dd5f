import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { generateBase } from '../../simulators/airtable/generate.ts'
import { startSimulator } from '../../simulators/airtable/simulator.ts'
import { VirtualClock } from '../../simulators/airtable/virtual-clock.ts'
import { assertMirrors, Mirror } from './mirror.ts'

/** Under the limiter that forgives least, as many as the original had; under the others fewer, for the time it takes. */
const KINDS = [
  { kind: 'sliding window', all: 102_052 },
  { kind: 'fixed window', all: 30_000 },
  { kind: 'token bucket', all: 30_000 },
] as const

describe('a whole base under the limit of five calls a second', () => {
  for (const { kind, all } of KINDS) {
    const pages = Math.ceil(all / 100)
    /** What five calls a second allow at the least. */
    const floorMs = (pages / 5) * 1000
    test(`${all} records, ${kind}: no call is refused, and it takes at most 1.06 × what the limit allows`, async (t) => {
      const clock = new VirtualClock()
      const base = generateBase({ seed: 1, tables: 1, records: all })
      await using sim = await startSimulator({
        clock,
        base,
        arrivalJitterMs: 50,
        latencyMs: [60, 180],
        limiter: { kind },
      })
      using mirror = await Mirror.of(sim)
      const began = clock.monotonic()
      await mirror.syncWell('first')
      const tookMs = clock.monotonic() - began

      // And one that looks at what was changed meanwhile.
      assert.equal(sim.count({ kind: 'list' }), pages + 1)
      assert.deepEqual([...new Set(sim.requests.map(({ status }) => status))], [200])
      sim.assertLimitKept()
      t.diagnostic(`${(tookMs / floorMs).toFixed(4)} × the floor, ${sim.requests.length} calls`)
      assert.ok(tookMs <= 1.06 * floorMs, `${tookMs} ms, ${(tookMs / floorMs).toFixed(3)} × ${floorMs}`)
      assert.equal(mirror.pointer.tables[0]?.rows, all)
      assertMirrors(mirror, sim.base)
    })
  }

  test('a stranger who uses up the budget costs one penalty at a time', async () => {
    const clock = new VirtualClock()
    await using sim = await startSimulator({
      clock,
      base: generateBase({ seed: 2, tables: 1, records: 30_000 }),
      latencyMs: [60, 180],
    })
    using mirror = await Mirror.of(sim)
    const stranger = new AbortController()
    const greedy = (async () => {
      while (!stranger.signal.aborted) {
        await clock.sleep(40_000, stranger.signal)
        for (let call = 0; call < 8 && !stranger.signal.aborted; call++)
          await sim.fetch('/v0/meta/bases', { headers: { 'User-Agent': 'stranger' } }).catch(() => undefined)
        for (let call = 0; call < 8 && !stranger.signal.aborted; call++)
          await sim.fetch(`/v0/${sim.base.id}/${sim.base.tables[0]!.id}?pageSize=1`, {
            headers: { 'User-Agent': 'stranger' },
          })
      }
    })()
    await mirror.syncWell('first')
    stranger.abort()
    await greedy
    const ours = sim.requests.filter(({ agent }) => agent !== 'stranger')
    const refused = ours.filter(({ status }) => status === 429)
    // Calls that were under way when the penalty began, and then silence until it is over.
    const penalties = Map.groupBy(refused, ({ arrivedAt }) => Math.floor(arrivedAt / 30_000))
    for (const [, inPenalty] of penalties) assert.ok(inPenalty.length <= 2, `${inPenalty.length} calls in one penalty`)
    assert.ok(refused.length > 0, 'the stranger never got in the way')
    assertMirrors(mirror, sim.base)
  })

  test('a wall clock that is set, forwards and back, changes neither the pace nor what is published', async () => {
    const clock = new VirtualClock()
    await using sim = await startSimulator({
      clock,
      base: generateBase({ seed: 3, records: 3000 }),
      arrivalJitterMs: 50,
    })
    using mirror = await Mirror.of(sim)
    const jumps = (async () => {
      for (const ms of [3_600_000, -7_200_000, 86_400_000, -86_400_000]) {
        await clock.sleep(2000)
        clock.jump(ms)
      }
    })()
    await mirror.syncWell('first')
    await jumps
    sim.assertLimitKept()
    assert.deepEqual([...new Set(sim.requests.map(({ status }) => status))], [200])
    assertMirrors(mirror, sim.base)
  })
})
