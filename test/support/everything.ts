import type { ColumnType, JsonValue, Value } from '../../lib/column.ts'
import type { FieldOrigin, TableOrigin } from '../../lib/origin.ts'
import type { UpstreamTable } from '../sqlite/site.ts'

/** A field of an Airtable table, with cells that it can have and, as JSON, some that it cannot. */
interface Sample {
  readonly type: string | null
  readonly options?: JsonValue
  readonly column: ColumnType
  readonly cells: readonly Value[]
  readonly wrong: readonly JsonValue[]
}

export const HOSTILE_NAMES = [
  '__proto__', 'constructor', '"', "it's", 'a\nb', '*/ evil() /*', '`${x}`', '', '🙂', '\u2028', 'a[]', ' | ', '\\', '1',
] // prettier-ignore

const choices = (names: readonly string[]) => ({ choices: names.map((name, at) => ({ id: `sel${at}`, name })) })
const result = (type: string, options?: JsonValue) => ({
  isValid: true,
  result: { type, ...(options !== undefined && { options }) },
})
const person = { id: 'usr1', email: 'a@example.com', name: 'Ada' }
const file = {
  id: 'att1',
  filename: 'a b.pdf',
  size: 3,
  type: 'application/pdf',
  url: 'https://x/api/attachments/att1',
  more: 1,
}
const text = (type: string): Sample => ({ type, column: 'text', cells: ['x', ''], wrong: [1, ['x'], true] })
const number = (type: string, options?: JsonValue): Sample => ({
  type, column: 'real', cells: [1.5, -1e300, 0], wrong: ['1.5', [1]], ...(options !== undefined && { options }),
}) // prettier-ignore

/** Every type that Airtable documents, and some that it does not. */
export const SAMPLES: Readonly<Record<string, Sample>> = {
  singleLineText: text('singleLineText'),
  email: text('email'),
  url: text('url'),
  phoneNumber: text('phoneNumber'),
  multilineText: text('multilineText'),
  richText: text('richText'),
  number: number('number', { precision: 8 }),
  currency: number('currency', { precision: 2, symbol: '$' }),
  percent: number('percent'),
  duration: number('duration'),
  whole: { type: 'number', options: { precision: 0 }, column: 'integer', cells: [1, 2n ** 60n], wrong: [1.5, 'x'] },
  rating: { type: 'rating', column: 'integer', cells: [1, 5], wrong: [1.5, '1'] },
  count: { type: 'count', column: 'integer', cells: [0], wrong: ['0'] },
  autoNumber: { type: 'autoNumber', column: 'integer', cells: [7], wrong: ['7'] },
  checkbox: { type: 'checkbox', column: 'boolean', cells: [true, false], wrong: [1, 'true'] },
  date: { type: 'date', column: 'text', cells: ['2022-09-05', '-000001-01-01'], wrong: ['5/9/2022', 20220905, '2022-09-05T00:00:00.000Z'] },
  dateTime: { type: 'dateTime', column: 'text', cells: ['2022-09-05T07:00:00.000Z', '+010000-01-01T00:00:00Z'], wrong: ['2022-09-05', '07:00'] },
  singleSelect: { type: 'singleSelect', options: choices(HOSTILE_NAMES), column: 'text', cells: HOSTILE_NAMES, wrong: ['other', ['"'], 'toString'] },
  'select without choices': { type: 'singleSelect', column: 'text', cells: ['any'], wrong: [1] },
  multipleSelects: { type: 'multipleSelects', options: choices(HOSTILE_NAMES), column: 'json', cells: [HOSTILE_NAMES, []], wrong: [['other'], '"', [null]] },
  'selects of no choices': { type: 'multipleSelects', options: { choices: [] }, column: 'json', cells: [['any']], wrong: [[1]] },
  singleCollaborator: { type: 'singleCollaborator', column: 'json', cells: [person, { id: 'usr2', profilePicUrl: 'x' }], wrong: ['usr1', {}, [person]] },
  multipleCollaborators: { type: 'multipleCollaborators', column: 'json', cells: [[person]], wrong: [person, ['usr1']] },
  createdBy: { type: 'createdBy', column: 'json', cells: [person], wrong: ['usr1'] },
  lastModifiedBy: { type: 'lastModifiedBy', column: 'json', cells: [person], wrong: ['usr1'] },
  multipleRecordLinks: { type: 'multipleRecordLinks', options: { linkedTableId: 'tbl1' }, column: 'json', cells: [['rec1', 'rec2']], wrong: ['rec1', [1], [{ id: 'rec1' }]] },
  multipleAttachments: { type: 'multipleAttachments', column: 'json', cells: [[file, { id: 'att2', filename: '' }]], wrong: [[{ filename: 'x' }], file, ['att1']] },
  barcode: { type: 'barcode', column: 'json', cells: [{ text: '1', type: 'ean8' }, { text: '' }], wrong: ['1', {}] },
  button: { type: 'button', column: 'json', cells: [{ label: 'Go', url: 'https://x' }, { label: '' }, { label: 'Go', url: null }], wrong: ['Go', {}] },
  aiText: { type: 'aiText', column: 'json', cells: [{ state: 'error', isStale: true, value: null, errorType: 'x' }], wrong: ['x', { state: 'odd', isStale: true, value: 'x' }] },
  externalSyncSource: { type: 'externalSyncSource', column: 'text', cells: ['Jira'], wrong: [1] },
  createdTime: { type: 'createdTime', options: result('dateTime'), column: 'text', cells: ['2022-09-05T07:00:00.000Z'], wrong: ['2022-09-05', 1] },
  'created day': { type: 'createdTime', options: result('date'), column: 'text', cells: ['2022-09-05', '2022-09-05T07:00:00.000Z'], wrong: ['x'] },
  lastModifiedTime: { type: 'lastModifiedTime', options: result('dateTime'), column: 'text', cells: ['2022-09-05T07:00:00.000Z'], wrong: ['now'] },
  'formula of text': { type: 'formula', options: result('singleLineText'), column: 'text', cells: ['x'], wrong: [1] },
  'formula of a number': { ...number('formula'), options: result('number', { precision: 2 }) },
  'formula of a date': { type: 'formula', options: result('date'), column: 'text', cells: ['2022-09-05', '2022-09-05T00:00:00.000Z'], wrong: ['x'] },
  'formula of a select': { type: 'formula', options: result('singleSelect', choices(['a', 'b'])), column: 'text', cells: ['a'], wrong: ['c'] },
  'formula of links': { type: 'formula', options: result('multipleRecordLinks'), column: 'json', cells: [['rec1'], { error: '#ERROR!' }], wrong: ['rec1', {}, { id: 'rec1' }] },
  'formula that is not valid': { type: 'formula', options: { isValid: false, result: null }, column: 'json', cells: ['x', 1, [null]], wrong: [] },
  rollup: { ...number('rollup'), options: result('currency') },
  'rollup of people': { type: 'rollup', options: result('multipleCollaborators'), column: 'json', cells: [[person]], wrong: [person] },
  lookup: { type: 'multipleLookupValues', options: result('number'), column: 'json', cells: [[1, null, { error: '#ERROR!' }, { specialValue: 'NaN' }], []], wrong: [1, ['1'], [true], [{}], [{ error: 1 }]] },
  'lookup of selects': { type: 'multipleLookupValues', options: result('multipleSelects', choices(['a', 'b | c'])), column: 'json', cells: [['a', 'b | c', null]], wrong: [['c'], [['a']]] },
  'lookup of files': { type: 'multipleLookupValues', options: result('multipleAttachments'), column: 'json', cells: [[file]], wrong: [['att1'], [[file]]] },
  'lookup of people': { type: 'multipleLookupValues', options: result('singleCollaborator'), column: 'json', cells: [[person, null]], wrong: [person, [1]] },
  'lookup of dates': { type: 'multipleLookupValues', options: result('date'), column: 'json', cells: [['2022-09-05']], wrong: [['x']] },
  'lookup of rollups': { type: 'multipleLookupValues', options: result('rollup', result('multipleRecordLinks')), column: 'json', cells: [['rec1', null]], wrong: [[['rec1']], [1]] },
  'lookup of lookups': { type: 'multipleLookupValues', options: result('multipleLookupValues', result('checkbox')), column: 'json', cells: [[true, null]], wrong: [['true'], [[true]]] },
  'lookup of who knows': { type: 'multipleLookupValues', column: 'json', cells: [[{}], 'x'], wrong: [] },
  hologram: { type: 'hologram', options: 'odd', column: 'json', cells: [{ a: 1 }, 'x', 1], wrong: [] },
  untold: { type: null, column: 'text', cells: ['x'], wrong: [1] },
  'select kept as JSON': { type: 'singleSelect', options: choices(['a']), column: 'json', cells: ['z', [1]], wrong: [] },
  'file kept as text': { type: 'multipleAttachments', column: 'text', cells: ['[]'], wrong: [[]] },
} // prettier-ignore

const ERRORS = '_errors'

/**
 * A table with a field of each type, one more for each hostile name, and a row for each cell of the type with the most.
 * Fields are `fld` and their place; a column is called as its field.
 */
export function everything(
  name: string,
  ids: { id: string; baseId?: string; name?: string },
): UpstreamTable & { origin: TableOrigin } {
  const hostile = HOSTILE_NAMES.filter((odd) => odd !== '').map((odd): [string, Sample] => [
    odd,
    text('singleLineText'),
  ])
  const samples = [...Object.entries(SAMPLES), ...hostile]
  const fields = samples.map(([column, { type, options }], at): FieldOrigin => ({
    id: `fld${at}`,
    name: `${column} upstream`,
    type,
    column,
    ...(at % 3 === 0 && { description: `what it is */ for\n@deprecated ${column}` }),
    ...(options !== undefined && { options }),
  }))
  const count = Math.max(...samples.map(([, { cells }]) => cells.length))
  const rows = Array.from({ length: count + 1 }, (_, row): Value[] => [
    `rec${row}`,
    row === count ? { rollup: { error: '#ERROR!' } } : null,
    // The last row is empty but for its key.
    ...samples.map(([, { cells }]) => (row === count ? null : (cells[row % cells.length] ?? null))),
  ])
  return {
    name,
    key: ['id'],
    types: { id: 'text', [ERRORS]: 'json', ...Object.fromEntries(samples.map(([column, sample]) => [column, sample.column])) },
    columns: ['id', ERRORS, ...samples.map(([column]) => column)],
    rows,
    origin: {
      baseId: ids.baseId ?? 'appAbCdEfGhIjKlMn', id: ids.id, name: ids.name ?? name, description: '*/ ends\n', primaryFieldId: 'fld0',
      fields, views: [], errorsColumn: ERRORS,
    },
  } // prettier-ignore
}
