import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { callsAfter, earliestCall, pauseAfter } from '../lib/call-window.ts'

const isWithin = (times: readonly number[], calls: number, spanMs: number): boolean => {
  const sorted = times.toSorted((a, b) => a - b)
  return sorted.every((first, index) => (sorted[index + calls] ?? Infinity) - first >= spanMs)
}

/** Moments that keep the limit themselves, as the log always does, and whom one more call is to join. */
const logs = fc
  .record({
    steps: fc.array(fc.nat(90), { maxLength: 30 }),
    from: fc.nat(600),
    calls: fc.integer({ min: 1, max: 6 }),
    spanMs: fc.integer({ min: 1, max: 120 }),
  })
  .map(({ steps, from, calls, spanMs }) => {
    const taken: number[] = []
    let at = 0
    for (const step of steps) {
      at = Math.max(at + step, (taken.at(-calls) ?? -Infinity) + spanMs)
      taken.push(at)
    }
    return { taken, from, calls, spanMs }
  })

describe('the earliest call', () => {
  test('keeps every window, and none before it would have', () => {
    fc.assert(
      fc.property(logs, ({ taken, from, calls, spanMs }) => {
        const at = earliestCall(taken, from, calls, spanMs)
        assert.ok(at >= from)
        assert.ok(isWithin([...taken, at], calls, spanMs), `${at} is too close`)
        for (let earlier = from; earlier < at; earlier++) {
          assert.ok(!isWithin([...taken, earlier], calls, spanMs), `${earlier} would do, ${at} was found`)
        }
      }),
    )
  })

  test('fills a gap that somebody left', () => {
    assert.equal(earliestCall([0, 0, 1000, 2000, 2000], 10, 2, 1000), 1000)
    assert.equal(earliestCall([0, 0, 1000, 1000, 2000, 2000], 10, 2, 1000), 3000)
  })

  test('comes at once where nothing is known', () => {
    assert.equal(earliestCall([], 7.5, 1, 1000), 7.5)
  })
})

describe('a pause', () => {
  test('begins with a refusal, and lasts as long as was said and calls can be under way', () => {
    assert.deepEqual(pauseAfter(undefined, 100, 30_000), { from: 100, until: 30_150 })
  })

  test('is one for all calls that were under way', () => {
    const pause = pauseAfter(undefined, 100, 30_000)
    for (const refusedAt of [101, 900, 30_149]) assert.deepEqual(pauseAfter(pause, refusedAt, 30_000), pause)
    assert.deepEqual(pauseAfter(pause, 200, 1000), pause)
  })

  test('is longer when the upstream asks for more, counted from its beginning', () => {
    assert.deepEqual(pauseAfter({ from: 100, until: 30_150 }, 900, 60_000), { from: 100, until: 60_150 })
  })

  test('that is over is followed by another', () => {
    assert.deepEqual(pauseAfter({ from: 100, until: 30_150 }, 30_150, 1000), { from: 30_150, until: 31_200 })
  })

  test('is followed by one call in a window, then more and more', () => {
    const pause = { from: 0, until: 1000 }
    assert.deepEqual(
      [0, 1000, 1249, 1250, 1500, 1999, 2000, 9000].map((at) => callsAfter(pause, 5, at)),
      [1, 1, 1, 2, 3, 4, 5, 5],
    )
    assert.equal(callsAfter(pause, 1, 1999), 1)
  })
})
