import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { BEGINNING, decodeWatermark, encodeWatermark } from '../lib/watermark.ts'

const sequence = fc.oneof(
  fc.maxSafeNat(),
  fc.nat({ max: 100 }),
  // Where a digit is added.
  fc
    .tuple(fc.nat({ max: 10 }), fc.integer({ min: -1, max: 1 }))
    .map(([digits, step]) => Math.max(0, 36 ** digits + step)),
)

describe('a watermark', () => {
  test('sorts as a string in the order of the numbers', () => {
    fc.assert(
      fc.property(sequence, sequence, (a, b) => {
        assert.equal(Math.sign(a - b), compareTexts(encodeWatermark(a), encodeWatermark(b)))
      }),
    )
  })

  test('comes back as the number it was', () => {
    fc.assert(fc.property(sequence, (number) => assert.equal(decodeWatermark(encodeWatermark(number)), number)))
  })

  test('begins at a0 and ends at the largest exact number', () => {
    assert.equal(BEGINNING, encodeWatermark(0))
    assert.equal(decodeWatermark(encodeWatermark(Number.MAX_SAFE_INTEGER)), Number.MAX_SAFE_INTEGER)
  })

  test('is made of sequence numbers only', () => {
    for (const number of [-1, 0.5, Number.NaN, Infinity, 2 ** 53])
      assert.throws(() => encodeWatermark(number), RangeError)
  })

  test('has one spelling: every other text is refused', () => {
    const others = [
      '',
      'a',
      '0',
      'a00',
      'b0',
      'b01',
      'aa0',
      'a0 ',
      ' a0',
      'A0',
      'aZ',
      'c1',
      'a-1',
      'a0\n',
      'l100000000000',
      'kzzzzzzzzzzz',
      'a٣',
    ]
    for (const text of others) assert.equal(decodeWatermark(text), undefined, JSON.stringify(text))
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-m][0-9a-z]{0,12}$/)), (text) => {
        const number = decodeWatermark(text)
        if (number !== undefined) assert.equal(encodeWatermark(number), text)
      }),
    )
  })
})

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
