import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { interleave, median, percentile, summarize } from '../../bench/lib/statistics.ts'

describe('bench statistics', () => {
  test('the median of an even count is the mean of the middle two, and order does not matter', () => {
    assert.equal(median([3, 1, 2]), 2)
    assert.equal(median([4, 1, 3, 2]), 2.5)
    assert.ok(Number.isNaN(median([])))
  })

  test('percentiles are values that were measured', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index)
    assert.equal(percentile(values, 0.5), 50)
    assert.equal(percentile(values, 0.99), 99)
    assert.equal(percentile(values, 1), 100)
    assert.equal(percentile([7], 0.01), 7)
  })

  test('the ratio is taken pair by pair, so that a slow minute counts on both sides', () => {
    const pairs = [
      { ours: 10, reference: 20 },
      { ours: 100, reference: 200 },
      { ours: 30, reference: 60 },
    ]
    assert.deepEqual(summarize(pairs), { ours: 30, reference: 60, ratio: 0.5, spread: [0.5, 0.5] })
  })

  test('both are measured in turn, neither always first, and the warm-up round does not count', async () => {
    const order: string[] = []
    const record = (name: string, value: number) => async () => {
      order.push(name)
      return value
    }
    const pairs = await interleave(2, { ours: record('A', 1), reference: record('B', 2) })

    assert.deepEqual(order.join(' '), 'B A A B B A')
    assert.deepEqual(pairs, [
      { ours: 1, reference: 2 },
      { ours: 1, reference: 2 },
    ])
  })
})
