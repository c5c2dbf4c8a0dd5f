import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { JsonValue } from '../../../lib/column.ts'
import { layoutOf } from '../../../lib/sources/airtable/layout.ts'
import { changesRows } from '../../../lib/sources/airtable/schema-change.ts'
import type { AirtableTable } from '../../../lib/sources/airtable/schema.ts'

const TABLE: AirtableTable = {
  id: 'tbl1',
  name: 'Orders',
  primaryFieldId: 'fld1',
  fields: [
    { id: 'fld1', name: 'Name', type: 'singleLineText' },
    {
      id: 'fld2',
      name: 'Status',
      type: 'singleSelect',
      options: { choices: [choice('sel1', 'Open'), choice('sel2', 'Shut')] },
    },
    { id: 'fld3', name: 'Price', type: 'currency', options: { precision: 2, symbol: '$' } },
    { id: 'fld4', name: 'Total', type: 'formula', options: { formula: '{fld3}*2', result: { type: 'number' } } },
    { id: 'fld5', name: 'Customer', type: 'multipleRecordLinks', options: { linkedTableId: 'tbl2' } },
  ],
  views: [{ id: 'viw1', name: 'Grid view', type: 'grid' }],
}

function choice(id: string, name: string, color = 'blue'): JsonValue {
  return { id, name, color }
}

function withOptions(id: string, options: JsonValue): Partial<AirtableTable> {
  return { fields: TABLE.fields.map((field) => (field.id === id ? Object.assign({}, field, { options }) : field)) }
}

const layout = (change: Partial<AirtableTable>, hasMisfits = false) => {
  const table = { ...TABLE, ...change }
  return layoutOf(table, { baseId: 'app1', name: table.name, mirrorsFiles: true, hasMisfits })
}
const matters = (change: Partial<AirtableTable>) => changesRows(layout({}), layout(change))
const [first, ...others] = TABLE.fields as [AirtableTable['fields'][0], ...AirtableTable['fields'][0][]]

describe('rows have to be read again', () => {
  test('when a field comes, goes, is renamed, moved, or is another one by the same name', () => {
    assert.ok(matters({ fields: [...TABLE.fields, { id: 'fld9', name: 'New', type: 'number' }] }))
    assert.ok(matters({ fields: TABLE.fields.slice(0, -1) }))
    assert.ok(matters({ fields: [{ ...first, name: 'Title' }, ...others] }))
    assert.ok(matters({ fields: [...others, first] }))
    assert.ok(matters({ fields: [{ ...first, id: 'fld9' }, ...others] }))
    assert.ok(matters({ fields: [{ ...first, type: 'email' }, ...others] }), 'text both, but its cells were converted')
  })

  test('when the table has another name, or is another one', () => {
    assert.ok(matters({ name: 'Sales' }))
    assert.ok(matters({ id: 'tbl9' }))
  })

  test('when a formula changes', () => {
    assert.ok(matters(withOptions('fld4', { formula: '{fld3}*3', result: { type: 'number' } })))
    assert.ok(matters(withOptions('fld4', { formula: '{fld3}*2', result: { type: 'singleLineText' } })))
  })

  test('when a choice is renamed or removed', () => {
    assert.ok(matters(withOptions('fld2', { choices: [choice('sel1', 'Opened'), choice('sel2', 'Shut')] })))
    assert.ok(matters(withOptions('fld2', { choices: [choice('sel1', 'Open')] })))
  })

  test('when a link leads elsewhere', () => {
    assert.ok(matters(withOptions('fld5', { linkedTableId: 'tbl3' })))
  })
})

describe('rows stay as they are', () => {
  test('when nothing changes', () => assert.ok(!matters({})))

  test('when it is only how they are shown', () => {
    assert.ok(!matters({ views: [], description: 'All of them' }))
    assert.ok(!matters({ fields: [{ ...first, description: 'Who' }, ...others] }))
    assert.ok(!matters(withOptions('fld3', { precision: 4, symbol: '€' })))
    assert.ok(!matters(withOptions('fld5', { linkedTableId: 'tbl2', prefersSingleRecordLink: true })))
  })

  test('when a choice is added, coloured or moved', () => {
    const choices = [choice('sel3', 'New'), choice('sel2', 'Shut'), choice('sel1', 'Open', 'red')]
    assert.ok(!matters(withOptions('fld2', { choices })))
  })

  test('when the plan went to disk and back', () => {
    const before = JSON.parse(JSON.stringify(layout({}))) as ReturnType<typeof layout>
    assert.ok(!changesRows(before, layout({})))
  })
})
