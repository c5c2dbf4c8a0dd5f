import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ExactNumber, type Value } from '../lib/column.ts'
import { occurrenceId, rowIdOf } from '../lib/row-id.ts'

const VALUES: Value[] = [null, '', 'NULL', '1', '1.0', 1, 1.5, 2n ** 60n, true, false, 'true', [], {}, [1], { a: 1 }, '[1]', 'n1;', new ExactNumber('0.1000000000000000055')] // prettier-ignore

describe('the name of a row without a key', () => {
  test('is 80 bits of a hash, and depends neither on the order of columns nor on those that are NULL', () => {
    assert.match(rowIdOf(['a'])(['x']), /^[0-9a-f]{20}$/)
    assert.equal(rowIdOf(['a', 'b'])([1, 'x']), rowIdOf(['b', 'a'])(['x', 1]))
    assert.equal(rowIdOf(['a', 'b'])(['x', null]), rowIdOf(['a'])(['x']))
    assert.equal(rowIdOf(['a', 'b'])(['x']), rowIdOf(['a'])(['x']))
  })

  test('differs wherever a cell does', () => {
    const ids = VALUES.map((value) => rowIdOf(['a'])([value]))
    assert.equal(new Set(ids).size, VALUES.length)
    assert.notEqual(rowIdOf(['a', 'b'])(['x', null]), rowIdOf(['a', 'b'])([null, 'x']))
    assert.equal(rowIdOf(['a'])([5]), rowIdOf(['a'])([5n]), 'an integer is the same however it was read')
  })

  test('cannot be had by moving text from one cell into another', () => {
    const idOf = rowIdOf(['a', 'xx', 'xxs30:0123456789abcdef'])
    assert.notEqual(idOf([1, null, 'x'.repeat(10)]), idOf([12, `0123456789abcdefs10:${'x'.repeat(10)}`, null]))
    const cell = fc.oneof(
      fc.constantFrom(...VALUES),
      fc.string({ unit: fc.constantFrom('1', ':', 's', 'n', ';', 'a'), maxLength: 4 }),
      fc.nat({ max: 30 }),
    )
    const row = fc.tuple(cell, cell, cell)
    const names = fc.uniqueArray(fc.string({ unit: fc.constantFrom('1', ':', 's', 'n', ';', 'a'), minLength: 1 }), {
      minLength: 3,
      maxLength: 3,
    })
    fc.assert(
      fc.property(names, row, row, (three, one, two) => {
        const tagged = (values: readonly Value[]) =>
          JSON.stringify(
            values.map((value) => [typeof value, value]),
            (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value),
          )
        assert.equal(rowIdOf(three)(one) === rowIdOf(three)(two), tagged(one) === tagged(two))
      }),
    )
  })

  test('is numbered from the second occurrence on', () => {
    assert.deepEqual(
      [1, 2, 10].map((n) => occurrenceId('x', n)),
      ['x', 'x-2', 'x-10'],
    )
  })
})
