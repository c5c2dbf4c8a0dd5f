import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { JsonValue } from '../../../lib/column.ts'
import { layoutOf } from '../../../lib/sources/airtable/layout.ts'
import { Misfit, recordsIn, TableRows } from '../../../lib/sources/airtable/rows.ts'

const SENT_AT = Date.UTC(2026, 6, 1)
const TIME = '2026-06-01T00:00:00.000Z'
const FIELDS = [
  { id: 'fld1', name: 'Name', type: 'singleLineText' },
  { id: 'fld2', name: 'Size', type: 'number' },
  { id: 'fld3', name: 'Stars', type: 'rating' },
  { id: 'fld4', name: 'Done', type: 'checkbox' },
  { id: 'fld5', name: 'Files', type: 'multipleAttachments' },
  { id: 'fld6', name: 'Button', type: 'button' },
]
const TOTAL = { id: 'fld7', name: 'Total', type: 'formula', options: { result: { type: 'number' } } }
const FILE = {
  id: 'attXXXXXXXXXXXXXX',
  url: 'https://files.example/signed/1',
  filename: 'a/b "c".png',
  size: 7,
  type: 'image/png',
  width: 4,
  height: 3,
  thumbnails: { small: { url: 'https://files.example/signed/2', width: 2, height: 1 } },
}

function rowsOf(
  fields: Record<string, JsonValue>,
  options: { hasTotal?: boolean; publicUrl?: string; mirrorsFiles?: boolean } = {},
) {
  const { hasTotal = false, publicUrl = null, mirrorsFiles = true } = options
  const table = {
    id: 'tbl1',
    name: 'Orders',
    primaryFieldId: 'fld1',
    fields: hasTotal ? [...FIELDS, TOTAL] : FIELDS,
    views: [],
  }
  const layout = layoutOf(table, { baseId: 'app1', name: 'Orders', mirrorsFiles, hasMisfits: false })
  const { rows, files } = new TableRows(layout, { publicUrl, mirrorsFiles }).of(
    [{ id: 'rec1', createdTime: TIME, fields }],
    SENT_AT,
  )
  return { row: Object.fromEntries(layout.columns.map((column, index) => [column, rows[0]?.[index]])), files }
}

describe('a row made of a record', () => {
  test('has null for what is left out, and false for a box that is not ticked', () => {
    assert.deepEqual(rowsOf({}).row, {
      id: 'rec1',
      createdTime: TIME,
      Name: null,
      Size: null,
      Stars: null,
      Done: false,
      Files: null,
      Button: null,
    })
  })

  test('has cells as they are, and none of fields that the plan does not know', () => {
    const { row } = rowsOf({ fld1: '00123', fld2: 10.5, fld3: 4, fld4: true, fld9: 'new' })
    assert.deepEqual([row.Name, row.Size, row.Stars, row.Done], ['00123', 10.5, 4, true])
    assert.ok(!JSON.stringify(row).includes('new'))
  })

  test('keeps a failed cell beside the others, and null in its place', () => {
    for (const cell of [{ error: '#ERROR!' }, { specialValue: 'NaN' }, 'text', [1, 2]]) {
      const { row } = rowsOf({ fld7: cell }, { hasTotal: true })
      assert.deepEqual([row.Total, row._errors], [null, { Total: cell }])
    }
    assert.equal(rowsOf({ fld7: 3 }, { hasTotal: true }).row._errors, null)
  })

  test('is not made of a cell of another type where nothing was planned to hold it', () => {
    for (const fields of [{ fld1: 7 }, { fld2: '7' }, { fld3: 1.5 }, { fld4: 'true' }]) {
      assert.throws(() => rowsOf(fields), Misfit, JSON.stringify(fields))
    }
  })

  test('has no signed URL: that of a file leads here, that of a thumbnail is left out', () => {
    const { row, files } = rowsOf({ fld5: [FILE] }, { publicUrl: 'https://mirror.example' })
    assert.deepEqual(row.Files, [
      {
        ...FILE,
        url: 'https://mirror.example/api/attachments/attXXXXXXXXXXXXXX',
        thumbnails: { small: { width: 2, height: 1 } },
      },
    ])
    assert.deepEqual(files, [{ id: FILE.id, url: FILE.url, bytes: 7, expiresAt: SENT_AT + 110 * 60_000 }])
  })

  test('is the same whatever URLs the answer had', () => {
    const other = {
      ...FILE,
      url: 'https://files.example/signed/3',
      thumbnails: { small: { url: 'x', width: 2, height: 1 } },
    }
    assert.deepEqual(rowsOf({ fld5: [other] }).row, rowsOf({ fld5: [FILE] }).row)
  })

  test('speaks of relative URLs where nobody knows the own one, and of none where files are not mirrored', () => {
    const urls = (files: unknown) => (files as { url?: string }[]).map(({ url }) => url)
    assert.deepEqual(urls(rowsOf({ fld5: [FILE] }).row.Files), ['/api/attachments/attXXXXXXXXXXXXXX'])
    const { row, files } = rowsOf({ fld5: [FILE] }, { mirrorsFiles: false })
    assert.deepEqual([urls(row.Files), files], [[undefined], []])
  })

  test('leaves the URL of a button alone', () => {
    const button = { label: 'Open', url: 'https://example.com/?q=1' }
    assert.deepEqual(rowsOf({ fld6: button }).row.Button, button)
  })

  test('treats what an upload has not brought yet as a file without a size', () => {
    const pending = { id: 'att2', url: 'https://elsewhere.example/a.png', filename: 'a.png' }
    const { row, files } = rowsOf({ fld5: [pending] })
    assert.deepEqual(row.Files, [{ ...pending, url: '/api/attachments/att2' }])
    assert.deepEqual(
      files.map(({ bytes }) => bytes),
      [null],
    )
  })
})

describe('an answer with records', () => {
  for (const answer of [
    {},
    { records: {} },
    { records: [null] },
    { records: [{ id: 'rec1', fields: {} }] },
    { records: [{ id: 1, createdTime: TIME, fields: {} }] },
    { records: [{ id: 'rec1', createdTime: TIME, fields: null }] },
  ]) {
    test(`is refused where it is ${JSON.stringify(answer)}`, () => {
      assert.throws(() => recordsIn(answer, 'Orders'), { code: 'upstream_malformed', message: /"Orders"/ })
    })
  }
})

describe('a text that is computed of attachments', () => {
  const formula = { id: 'fld0', name: 'Links', type: 'formula', options: { result: { type: 'singleLineText' } } }
  const files = { id: 'fld5', name: 'Files', type: 'multipleAttachments' }
  const textOf = (text: string, publicUrl: string | null, mirrorsFiles = true) => {
    const table = { id: 'tbl1', name: 'Orders', primaryFieldId: 'fld0', fields: [formula, files], views: [] }
    const layout = layoutOf(table, { baseId: 'app1', name: 'Orders', mirrorsFiles, hasMisfits: false })
    const record = { id: 'rec1', createdTime: TIME, fields: { fld0: text, fld5: [FILE] } }
    const { rows } = new TableRows(layout, { publicUrl, mirrorsFiles }).of([record], SENT_AT)
    return rows[0]?.[layout.columns.indexOf('Links')]
  }

  test('has stable URLs in the place of signed ones, also where it stands before the field it is about', () => {
    const text = `photo (${FILE.url}), again ${FILE.url}`
    const stable = 'https://mirror.example/api/attachments/attXXXXXXXXXXXXXX'
    assert.equal(textOf(text, 'https://mirror.example'), `photo (${stable}), again ${stable}`)
    assert.equal(textOf(text, null, false), 'photo (), again ')
  })

  test('loses signed URLs of files that other records have, and keeps every other URL', () => {
    const other = 'https://v5.airtableusercontent.com/v3/u/1/2/sig/nature'
    assert.equal(textOf(`a.png (${other}) see https://example.com/x`, null), 'a.png () see https://example.com/x')
  })
})
