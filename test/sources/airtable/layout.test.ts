import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { JsonValue } from '../../../lib/column.ts'
import { columnTypeOf } from '../../../lib/sources/airtable/column-type.ts'
import { layoutOf } from '../../../lib/sources/airtable/layout.ts'
import type { AirtableField, AirtableTable } from '../../../lib/sources/airtable/schema.ts'
import { tablesIn } from '../../../lib/sources/airtable/schema.ts'
import { FIELD_TYPES } from '../../../simulators/airtable/field.ts'

const OPTIONS = { baseId: 'appXXXXXXXXXXXXXX', name: 'Orders', mirrorsFiles: true, hasMisfits: false }

function tableOf(...fields: (Partial<AirtableField> & { name: string })[]): AirtableTable {
  return {
    id: 'tblXXXXXXXXXXXXXX',
    name: 'Orders',
    primaryFieldId: 'fld0',
    fields: fields.map((field, index) => Object.assign({ id: `fld${index}`, type: 'singleLineText' }, field)),
    views: [],
  }
}

const columnsOf = (...names: string[]) => layoutOf(tableOf(...names.map((name) => ({ name }))), OPTIONS).columns

describe('the columns of a table', () => {
  test('are the id, the time of creation, and one for each field by its name', () => {
    assert.deepEqual(columnsOf('Name', 'Größe "in" cm; 100%', '🙂', ' '), [
      'id',
      'createdTime',
      'Name',
      'Größe "in" cm; 100%',
      '🙂',
      ' ',
    ])
  })

  test('are told apart from what fields are called, whatever their case', () => {
    assert.deepEqual(columnsOf('ID', '_id', 'CreatedTime'), ['__id', '_createdTime', 'ID', '_id', 'CreatedTime'])
    const layout = layoutOf(tableOf({ name: '_ERRORS' }), { ...OPTIONS, hasMisfits: true })
    assert.deepEqual(layout.columns, ['id', 'createdTime', '_ERRORS', '__errors'])
    assert.equal(layout.origin.errorsColumn, '__errors')
    assert.deepEqual(layout.key, ['id'])
  })

  test('differ where fields have one name or none', () => {
    assert.deepEqual(columnsOf('Name', 'name', 'Name', '').slice(2), ['Name', 'name', 'Name (fld2)', 'fld3'])
  })

  test('can be called what objects have already', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'x'.repeat(300)]
    const layout = layoutOf(tableOf(...names.map((name) => ({ name }))), OPTIONS)
    const copy = JSON.parse(JSON.stringify(layout)) as typeof layout
    for (const name of names) {
      assert.ok(Object.hasOwn(layout.types, name), name)
      assert.equal(copy.types[name], 'text', name)
    }
    assert.equal(Object.getPrototypeOf(layout.types), Object.prototype)
  })

  test('hold failed cells only where there are computed ones, or where some were seen', () => {
    const formula = { name: 'Total', type: 'formula', options: { result: { type: 'number' } } }
    assert.equal(layoutOf(tableOf({ name: 'Name' }), OPTIONS).origin.errorsColumn, null)
    assert.equal(layoutOf(tableOf({ name: 'Name' }, formula), OPTIONS).origin.errorsColumn, '_errors')
    assert.equal(layoutOf(tableOf({ name: 'Name' }), { ...OPTIONS, hasMisfits: true }).types['_errors'], 'json')
  })

  test('name the times of a record: that of any change only where a field tells of any, to the second', () => {
    const modified = (options: JsonValue) => ({ name: 'Modified', type: 'lastModifiedTime', options })
    const times = (options: JsonValue) => layoutOf(tableOf({ name: 'Name' }, modified(options)), OPTIONS).times
    assert.deepEqual(times({ referencedFieldIds: [], result: { type: 'dateTime' } }), {
      created: 'createdTime',
      modified: 'Modified',
    })
    assert.deepEqual(times({ referencedFieldIds: ['fld0'], result: { type: 'dateTime' } }), { created: 'createdTime' })
    assert.deepEqual(times({ referencedFieldIds: [], result: { type: 'date' } }), { created: 'createdTime' })
  })

  test('hold files where a field has attachments, or looks them up', () => {
    const fields = [
      { name: 'Photos', type: 'multipleAttachments' },
      { name: 'Their photos', type: 'multipleLookupValues', options: { result: { type: 'multipleAttachments' } } },
      { name: 'Their names', type: 'multipleLookupValues', options: { result: { type: 'singleLineText' } } },
    ]
    assert.deepEqual(layoutOf(tableOf(...fields), OPTIONS).fileColumns, ['Photos', 'Their photos'])
    assert.deepEqual(layoutOf(tableOf(...fields), { ...OPTIONS, mirrorsFiles: false }).fileColumns, [])
  })
})

describe('the type of a column', () => {
  const TEXT = ['singleLineText', 'email', 'url', 'phoneNumber', 'multilineText', 'richText', 'date', 'dateTime']
  const TYPES: Record<string, readonly string[]> = {
    text: [...TEXT, 'singleSelect', 'externalSyncSource', 'createdTime', 'lastModifiedTime'],
    real: ['number', 'currency', 'percent', 'duration'],
    integer: ['rating', 'count', 'autoNumber'],
    boolean: ['checkbox'],
  }

  for (const type of FIELD_TYPES) {
    const expected = Object.keys(TYPES).find((name) => TYPES[name]?.includes(type)) ?? 'json'
    test(`of ${type} is ${expected}`, () => assert.equal(columnTypeOf({ type }), expected))
  }

  test('of a computed field is that of its result, as deep as it goes', () => {
    const result = (type: string, options?: JsonValue) => ({ result: { type, ...(options && { options }) } })
    assert.equal(columnTypeOf({ type: 'formula', options: result('currency') }), 'real')
    assert.equal(columnTypeOf({ type: 'rollup', options: result('formula', result('checkbox')) }), 'boolean')
    assert.equal(columnTypeOf({ type: 'rollup', options: result('multipleSelects') }), 'json')
    assert.equal(columnTypeOf({ type: 'formula', options: { result: null } }), 'json')
    assert.equal(columnTypeOf({ type: 'formula' }), 'json')
  })

  test('of what is not known, or not told, is json', () => {
    assert.equal(columnTypeOf({ type: 'hologram' }), 'json')
    assert.equal(columnTypeOf({ type: 'toString' }), 'json')
    assert.equal(columnTypeOf({ type: null }), 'json')
  })
})

describe('the answer that describes the tables', () => {
  test('may leave out what is optional', () => {
    const table = { id: 'tbl1', name: 'A', primaryFieldId: 'fld1', fields: [{ id: 'fld1', name: 'N' }] }
    assert.deepEqual(tablesIn({ tables: [table] }), [
      { ...table, fields: [{ id: 'fld1', name: 'N', type: null }], views: [] },
    ])
  })

  for (const answer of [{}, { tables: {} }, { tables: [null] }, { tables: [{ id: 'tbl1' }] }]) {
    test(`is refused where it is ${JSON.stringify(answer)}`, () => {
      assert.throws(() => tablesIn(answer), { code: 'upstream_malformed' })
    })
  }
})
