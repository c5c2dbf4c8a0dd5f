import type { FieldSpec } from '../field.ts'
import type { Json } from '../json.ts'
import type { Table } from '../table.ts'
import { choices, edit, fill, isoDay, perhaps, some, type Shop } from './shop.ts'
import { code, emailOf, personName, phone, remark } from './words.ts'

const COLOR = ['red', 'green', 'blue', 'naïve "purple"']
const ISO_DATE = { name: 'iso', format: 'YYYY-MM-DD' }
const AI_STATES = ['empty', 'loading', 'generated', 'error']

/** One field of each type that there is, one of a type that nobody knows yet, and names that make trouble. */
const FIELDS: readonly FieldSpec[] = [
  { name: 'singleLineText', type: 'singleLineText' },
  { name: 'email', type: 'email' },
  { name: 'url', type: 'url' },
  { name: 'phoneNumber', type: 'phoneNumber' },
  { name: 'multilineText', type: 'multilineText' },
  { name: 'richText', type: 'richText' },
  { name: 'number', type: 'number', options: { precision: 8 } },
  { name: 'currency', type: 'currency', options: { precision: 2, symbol: '$' } },
  { name: 'percent', type: 'percent', options: { precision: 1 } },
  { name: 'duration', type: 'duration', options: { durationFormat: 'h:mm:ss.SSS' } },
  { name: 'rating', type: 'rating', options: { icon: 'heart', max: 10, color: 'redBright' } },
  { name: 'checkbox', type: 'checkbox', options: { icon: 'xCheckbox', color: 'grayBright' } },
  { name: 'date', type: 'date', options: { dateFormat: ISO_DATE } },
  {
    name: 'dateTime',
    type: 'dateTime',
    options: { timeZone: 'Asia/Tokyo', dateFormat: ISO_DATE, timeFormat: { name: '24hour', format: 'HH:mm' } },
  },
  { name: 'singleSelect', type: 'singleSelect', options: choices(COLOR) },
  { name: 'multipleSelects', type: 'multipleSelects', options: choices(COLOR) },
  { name: 'singleCollaborator', type: 'singleCollaborator' },
  { name: 'multipleCollaborators', type: 'multipleCollaborators', options: {} },
  { name: 'multipleAttachments', type: 'multipleAttachments', options: { isReversed: true } },
  { name: 'barcode', type: 'barcode' },
  { name: 'button', type: 'button' },
  { name: 'aiText', type: 'aiText', options: { prompt: ['Summarise'], referencedFieldIds: [] } },
  { name: 'externalSyncSource', type: 'externalSyncSource', options: choices(['Jira', 'GitHub']) },
  { name: 'autoNumber', type: 'autoNumber' },
  { name: 'createdTime', type: 'createdTime', options: { result: { type: 'dateTime' } } },
  { name: 'created day', type: 'createdTime', options: { result: { type: 'date' } } },
  {
    name: 'lastModifiedTime',
    type: 'lastModifiedTime',
    options: { isValid: true, referencedFieldIds: [], result: { type: 'dateTime' } },
  },
  {
    name: 'number modified',
    type: 'lastModifiedTime',
    options: { isValid: true, referencedFieldIds: ['number'], result: { type: 'dateTime' } },
  },
  { name: 'createdBy', type: 'createdBy' },
  { name: 'lastModifiedBy', type: 'lastModifiedBy' },
  {
    name: 'formula',
    type: 'formula',
    options: { formula: 'UPPER({singleLineText}) & "!"', result: { type: 'singleLineText' } },
  },
  {
    name: 'formula that fails',
    type: 'formula',
    options: { formula: 'IF({checkbox}, ERROR(), {number})', result: { type: 'number', options: { precision: 2 } } },
  },
  {
    name: 'formula without a number',
    type: 'formula',
    options: { formula: '{rating} / {duration} - {rating} / {duration}', result: { type: 'number' } },
  },
  {
    name: 'formula of a time',
    type: 'formula',
    options: { formula: "DATEADD({dateTime}, 1, 'days')", result: { type: 'dateTime' } },
  },
  { name: 'hologram', type: 'hologram', description: 'Of a type that is newer than its reader' },
  { name: 'id', type: 'singleLineText' },
  { name: 'Größe "in" cm; 100%', type: 'number', options: { precision: 1 } },
  { name: 'a.b[0]/{c}', type: 'singleLineText' },
  { name: '🙂', type: 'singleLineText' },
]

export function createEverything({ base }: Shop): Table {
  const table = base.createTable({
    name: 'Everything / one of each',
    fields: FIELDS,
    views: [{ name: 'Grid view' }, { name: 'Form', type: 'form' }, { name: 'Gallery', type: 'gallery' }],
  })
  table.createField({
    name: 'multipleRecordLinks',
    type: 'multipleRecordLinks',
    options: { linkedTableId: table.id, isReversed: false, prefersSingleRecordLink: false },
  })
  const link = { recordLinkFieldId: 'multipleRecordLinks', isValid: true }
  table.createField({ name: 'count', type: 'count', options: link })
  table.createField({
    name: 'rollup',
    type: 'rollup',
    aggregate: 'MAX',
    options: { ...link, fieldIdInLinkedTable: 'number', result: { type: 'number', options: { precision: 8 } } },
  })
  table.createField({
    name: 'multipleLookupValues',
    type: 'multipleLookupValues',
    options: { ...link, fieldIdInLinkedTable: 'multipleSelects', result: { type: 'multipleSelects' } },
  })
  return table
}

export function fillEverything(table: Table, count: number, shop: Shop): void {
  const { random } = shop
  const ids: string[] = []
  fill(shop, count, (at, index) => {
    // The first one is full, so that each type has a cell whatever chance does. Links lead to records that are there.
    const cells = everyCell(shop, at, index === 0 ? 1 : 0.6, AI_STATES[index % AI_STATES.length] ?? 'empty')
    const multipleRecordLinks = ids.length > 0 ? some(random, ids, 3) : []
    ids.push(table.create({ ...cells, multipleRecordLinks }).id)
  })
  edit(shop, table, 0.5, () => ({ number: random.whole(-99, 99) }))
}

function everyCell({ base, random }: Shop, at: number, share: number, aiState: string): Record<string, Json> {
  const name = personName(random)
  const cells: Readonly<Record<string, () => Json>> = {
    singleLineText: () => name,
    email: () => emailOf(random, name),
    url: () => `https://example.com/?q=${random.whole(1, 99)}&r=%20`,
    phoneNumber: () => phone(random),
    multilineText: () => `${remark(random)}\n\t${name}\r\n`,
    richText: () => `# ${name}\n\n[link](https://example.com) and @${base.owner.name}`,
    number: () => random.whole(-1_000_000, 1_000_000) / 10 ** random.whole(0, 8),
    currency: () => random.whole(0, 100_000) / 100,
    percent: () => random.whole(0, 2000) / 1000,
    duration: () => random.whole(0, 90_000) / 10,
    rating: () => random.whole(1, 10),
    checkbox: () => true,
    date: () => isoDay(at),
    dateTime: () => new Date(at).toISOString(),
    singleSelect: () => random.pick(COLOR),
    multipleSelects: () => [random.pick(COLOR)],
    singleCollaborator: () => ({ ...random.pick(base.collaborators) }),
    multipleCollaborators: () => [{ ...random.pick(base.collaborators) }],
    multipleAttachments: () => [
      base.attachments.create({ filename: `${name}: notes?.txt`, type: 'text/plain', size: random.whole(0, 3000) }),
    ],
    barcode: () => ({ text: code(random) }),
    button: () => ({ label: 'Open', url: 'https://example.com/open' }),
    aiText: () => ({
      state: aiState,
      isStale: false,
      value: aiState === 'generated' ? remark(random) : null,
      ...(aiState === 'error' && { errorType: 'emptyDependency' }),
    }),
    externalSyncSource: () => random.pick(['Jira', 'GitHub']),
    hologram: () => ({ depth: random.whole(1, 9), layers: [1, [2, { 3: null }]] }),
    id: () => code(random),
    'Größe "in" cm; 100%': () => random.whole(0, 2000) / 10,
    'a.b[0]/{c}': () => '00123',
    '🙂': () => '10.50',
  }
  return Object.fromEntries(Object.entries(cells).map(([field, cell]) => [field, perhaps(random, share, cell)]))
}
