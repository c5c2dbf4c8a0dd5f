import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { modifiedFormula, recordsFormula } from '../../../lib/sources/airtable/formula.ts'
import { Base } from '../../../simulators/airtable/base.ts'
import { compileFormula, recordIdsAskedFor } from '../../../simulators/airtable/formula.ts'

describe('a formula', () => {
  test('asks for records by their ids', () => {
    assert.equal(recordsFormula(['rec1', 'rec2']), `OR(RECORD_ID()='rec1',RECORD_ID()='rec2')`)
    assert.deepEqual(recordIdsAskedFor(recordsFormula(['rec1', 'rec2'])), new Set(['rec1', 'rec2']))
  })

  test('keeps an id within its quotes, whatever it holds', () => {
    for (const id of [`' OR 1='1`, String.raw`\' `, `","`]) {
      assert.deepEqual(recordIdsAskedFor(recordsFormula([id, 'rec1'])), new Set([id, 'rec1']))
    }
  })

  test('asks for what was created or modified after a time, to the millisecond', () => {
    const at = Date.UTC(2026, 6, 1, 12, 0, 0, 500)
    const base = new Base({ seed: 19 })
    const table = base.createTable({ name: 'T', fields: [{ name: 'N', type: 'number' }] })
    const record = table.create({ N: 1 }, { createdTime: at })
    const keeps = (since: number) =>
      compileFormula(modifiedFormula(since), { now: () => at, field: () => undefined })(record)
    assert.deepEqual([keeps(at - 1), keeps(at), keeps(at + 1)], [true, false, false])
    record.modifiedAt = at + 5
    assert.deepEqual([keeps(at), keeps(at + 4), keeps(at + 5)], [true, true, false])
  })
})
