import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { batchIn, type Batch } from '../../../lib/sources/airtable/payloads.ts'

function batchOf(...payloads: object[]): Batch {
  return batchIn({ payloads, cursor: 1 + payloads.length, mightHaveMore: false }, 1)
}

function touchedIn({ touched }: Batch): Record<string, { changed: string[]; deleted: string[] }> {
  const entries = Array.from(touched, ([id, { changed, deleted }]) => [
    id,
    { changed: [...changed], deleted: [...deleted] },
  ])
  return Object.fromEntries(entries) as ReturnType<typeof touchedIn>
}

const table = (said: object) => ({ changedTablesById: { tbl1: said } })

describe('payloads', () => {
  test('name what was created, changed and destroyed', () => {
    const batch = batchOf(
      table({ createdRecordsById: { rec1: {} }, changedRecordsById: { rec2: {} }, destroyedRecordIds: ['rec3'] }),
      table({ changedRecordsById: { rec2: {}, rec4: {} } }),
    )
    assert.deepEqual(touchedIn(batch), { tbl1: { changed: ['rec1', 'rec2', 'rec4'], deleted: ['rec3'] } })
    assert.equal(batch.changesSchema, false)
    assert.equal(batch.gap, null)
  })

  test('count in their order: deleted after it was changed is deleted, brought back is there', () => {
    const batch = batchOf(
      table({ changedRecordsById: { rec1: {}, rec2: {} } }),
      table({ destroyedRecordIds: ['rec1', 'rec2'] }),
      table({ createdRecordsById: { rec2: {} } }),
    )
    assert.deepEqual(touchedIn(batch), { tbl1: { changed: ['rec2'], deleted: ['rec1'] } })
  })

  test('of a new table name its records, and that there is one', () => {
    const batch = batchOf({ createdTablesById: { tbl2: { recordsById: { rec1: {} } } } })
    assert.deepEqual(touchedIn(batch), { tbl2: { changed: ['rec1'], deleted: [] } })
    assert.equal(batch.changesSchema, true)
  })

  for (const said of [
    { createdFieldsById: { fld1: {} } },
    { changedFieldsById: { fld1: {} } },
    { destroyedFieldIds: ['fld1'] },
    { changedMetadata: { current: { name: 'B' }, previous: { name: 'A' } } },
    { changedViewsById: {} },
  ]) {
    test(`tell of another schema by ${Object.keys(said).join()}`, () => {
      assert.equal(batchOf(table(said)).changesSchema, true)
    })
  }

  test('tell of a table that is gone', () => {
    assert.equal(batchOf({ destroyedTableIds: ['tbl1'] }).changesSchema, true)
  })

  test('that are missing leave a gap in the numbers', () => {
    assert.match(batchIn({ payloads: [], cursor: 9, mightHaveMore: false }, 5).gap ?? '', /from 5 on/)
    assert.match(batchIn({ payloads: [{}], cursor: 9, mightHaveMore: true }, 5).gap ?? '', /no longer kept/)
    assert.equal(batchIn({ payloads: [{}, {}], cursor: 7, mightHaveMore: true }, 5).gap, null)
    assert.equal(batchIn({ payloads: [], cursor: 5, mightHaveMore: false }, 5).gap, null)
  })

  test('say when the webhook has ended', () => {
    assert.match(batchOf(table({}), { error: true, code: 'INVALID_HOOK' }).gap ?? '', /INVALID_HOOK/)
  })

  for (const answer of [{}, { payloads: {}, cursor: 1 }, { payloads: [], cursor: 'x' }]) {
    test(`are refused where they are ${JSON.stringify(answer)}`, () => {
      assert.throws(() => batchIn(answer, 1), { code: 'upstream_malformed' })
    })
  }

  test('with members of other kinds are not stumbled over', () => {
    const batch = batchOf({ changedTablesById: { tbl1: null, tbl2: { destroyedRecordIds: [7, null, 'rec1'] } } }, [
      1,
    ] as never)
    assert.deepEqual(touchedIn(batch)['tbl2'], { changed: [], deleted: ['rec1'] })
  })
})
