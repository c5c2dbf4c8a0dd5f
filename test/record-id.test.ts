import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { keyOfRecordId, recordIdOf } from '../lib/record-id.ts'

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.string({ unit: fc.constantFrom('r', 'e', 'c', 'Y', 'Z', 'y', 'z', '0', '-', '%', ' '), maxLength: 30 }),
  fc.stringMatching(/^rec[A-Za-z0-9]{14}$/),
  fc.stringMatching(/^recYY[XYZ][A-Za-z0-9]{11}$/),
  fc.integer().map(String),
)

describe('the id of a record', () => {
  test('leads back to its key, and no other key has it', () => {
    fc.assert(
      fc.property(text, text, (key, other) => {
        const id = recordIdOf(key)
        assert.equal(keyOfRecordId(id), key)
        assert.equal(id === recordIdOf(other), key === other)
      }),
      { numRuns: 2000 },
    )
  })

  test('needs no escaping in a URL, and has the length of others unless the key is long', () => {
    fc.assert(fc.property(text, (key) => assert.match(recordIdOf(key), /^rec[A-Za-z0-9]{14,}$/)))
    assert.equal(recordIdOf('7'), 'recYYYYYYYYYYYYY7')
    assert.equal(recordIdOf('w-001'), 'recYYYYYYYwZ2d001')
    assert.equal(recordIdOf('ecd130390905cf8bcf44'), 'recYYYecd130390905cf8bcf44')
    assert.equal(recordIdOf(''), `rec${'Y'.repeat(14)}`)
    assert.equal(recordIdOf('ü,Y'), 'recYYYZc3ZbcZ2cZ59')
  })

  test('is the key itself where that is such an id already', () => {
    assert.equal(recordIdOf('recABCdef12345678'), 'recABCdef12345678')
    assert.equal(recordIdOf('recABCdef1234567'), 'recYYYrecABCdef1234567')
    assert.notEqual(recordIdOf('recYYYdef12345678'), 'recYYYdef12345678')
  })

  test('that is none has no key', () => {
    for (const id of ['', 'rec', '7', 'recABC', 'recYYYYYYYYYYYYY07', 'recYYYYYYYYYYYZ2D', 'recYYYYYYYYYYYZfe', 'recYYYYYYYYYYYZ2', 'recYYYYYYYYYY%41', 'tblABCdef12345678', 'recYYYYYYYYYYYZ41'])
      assert.equal(keyOfRecordId(id), undefined, id) // prettier-ignore
  })
})
