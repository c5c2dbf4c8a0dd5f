import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { rangeCounts, readRange, type ByteRange } from '../../lib/http/ranges.ts'

const NINES = '9'.repeat(400)

describe('a Range header', () => {
  const cases: [header: string | undefined, size: number, expected: ByteRange | 'whole' | 'outside'][] = [
    ['bytes=0-0', 10, { from: 0, to: 0 }],
    ['bytes=2-5', 10, { from: 2, to: 5 }],
    ['bytes=9-', 10, { from: 9, to: 9 }],
    ['bytes=5-99', 10, { from: 5, to: 9 }],
    [`bytes=5-${NINES}`, 10, { from: 5, to: 9 }],
    ['bytes=-3', 10, { from: 7, to: 9 }],
    [`bytes=-${NINES}`, 10, { from: 0, to: 9 }],
    ['BYTES=1-2', 10, { from: 1, to: 2 }],
    ['bytes= 1-2 ', 10, { from: 1, to: 2 }],
    ['bytes=,1-2,,', 10, { from: 1, to: 2 }],
    ['bytes=0001-0002', 10, { from: 1, to: 2 }],

    ['bytes=10-', 10, 'outside'],
    ['bytes=10-20', 10, 'outside'],
    [`bytes=${NINES}-${NINES}`, 10, 'outside'],
    ['bytes=-0', 10, 'outside'],
    ['bytes=0-', 0, 'outside'],
    ['bytes=-0', 0, 'outside'],

    [undefined, 10, 'whole'],
    ['', 10, 'whole'],
    ['bytes', 10, 'whole'],
    ['bytes=', 10, 'whole'],
    ['bytes=,', 10, 'whole'],
    ['bytes=-', 10, 'whole'],
    ['bytes=--1', 10, 'whole'],
    ['bytes=5-2', 10, 'whole'],
    ['bytes=1-2,4-5', 10, 'whole'],
    ['bytes=1-2, bytes=4-5', 10, 'whole'],
    ['bytes=1.5-2', 10, 'whole'],
    ['bytes=+1-2', 10, 'whole'],
    ['bytes=0x1-2', 10, 'whole'],
    ['bytes=1 - 2', 10, 'whole'],
    ['bytes=1-2-3', 10, 'whole'],
    ['bytes=٣-٤', 10, 'whole'],
    ['bytes:1-2', 10, 'whole'],
    ['items=0-5', 10, 'whole'],
    ['bytes=-5', 0, 'whole'],
  ]
  for (const [header, size, expected] of cases) {
    const shown = header !== undefined && header.length > 40 ? `${header.slice(0, 20)}…` : String(header)
    test(`${shown} of ${size} bytes is ${typeof expected === 'string' ? expected : 'a part'}`, () => {
      assert.deepEqual(readRange(header, size), expected)
    })
  }

  test('whatever it holds, means bytes that are there, in order', () => {
    const headers = fc.oneof(
      fc.string().map((text) => `bytes=${text}`),
      fc.string(),
      fc.stringMatching(/^bytes=[-0-9, ]{0,12}$/),
    )
    fc.assert(
      fc.property(headers, fc.nat(50), (header, size) => {
        const range = readRange(header, size)
        if (typeof range === 'string') return
        assert.ok(range.from >= 0 && range.from <= range.to && range.to < size, JSON.stringify([header, size, range]))
      }),
    )
  })

  test('of a hundred thousand members costs next to nothing', () => {
    assert.equal(readRange(`bytes=${'0-1,'.repeat(100_000)}`, 10), 'whole')
    assert.equal(readRange(`bytes=${' '.repeat(100_000)}x`, 10), 'whole')
  })
})

describe('If-Range', () => {
  const at = Date.UTC(2026, 5, 7, 8, 9, 10, 123)
  const date = new Date(at).toUTCString()
  test('lets a range count for the same strong tag and the same date, and without it', () => {
    for (const header of [undefined, '"abc"', date]) assert.equal(rangeCounts(header, '"abc"', at), true, header)
  })
  test('asks for everything otherwise', () => {
    const later = new Date(at + 1000).toUTCString()
    for (const header of [
      '',
      '*',
      'W/"abc"',
      '"ab"',
      'abc',
      '"abc", "x"',
      later,
      'yesterday',
      String(at),
      '2026-06-07',
    ]) {
      assert.equal(rangeCounts(header, '"abc"', at), false, header)
    }
  })
})
