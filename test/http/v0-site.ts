import type { TestContext } from 'node:test'
import type { ColumnType, JsonValue, Value } from '../../lib/column.ts'
import type { TableOrigin } from '../../lib/origin.ts'
import type { Upstream } from '../sqlite/site.ts'
import { AUTH } from './fakes.ts'
import { serveReal, type RealOptions, type RealServer } from './real.ts'

export const BASE_ID = 'appBase0123456789'
export const TASKS_ID = 'tblTasks123456789'
export const PEOPLE_ID = 'tblPeople12345678'

export interface AirtableRecord {
  readonly id: string
  readonly createdTime: string
  readonly fields: Readonly<Record<string, JsonValue>>
}

export interface AirtableList {
  readonly records: readonly AirtableRecord[]
  readonly offset?: string
}

interface Field {
  readonly name: string
  readonly type: string
  readonly column: ColumnType
  readonly options?: JsonValue
}

const TASK_FIELDS: readonly Field[] = [
  { name: 'Name', type: 'singleLineText', column: 'text' },
  { name: 'Status', type: 'singleSelect', column: 'text', options: { choices: [{ id: 'sel1', name: 'Todo' }] } },
  { name: 'Tags', type: 'multipleSelects', column: 'json' },
  { name: 'Due', type: 'date', column: 'text' },
  { name: 'Done', type: 'checkbox', column: 'boolean' },
  { name: 'Hours', type: 'number', column: 'real', options: { precision: 1 } },
  { name: 'Owner', type: 'singleCollaborator', column: 'json' },
  { name: 'People', type: 'multipleRecordLinks', column: 'json', options: { linkedTableId: PEOPLE_ID } },
  { name: 'Files', type: 'multipleAttachments', column: 'json' },
  {
    name: 'Rate',
    type: 'formula',
    column: 'real',
    options: { formula: `1 / {${idOf('Hours')}}`, referencedFieldIds: [idOf('Hours')], result: { type: 'number' } },
  },
  {
    name: 'Stages',
    type: 'multipleLookupValues',
    column: 'json',
    options: { isValid: true, result: { type: 'singleSelect', options: { choices: [{ id: 'sel2', name: 'Later' }] } } },
  },
  { name: 'Seen', type: 'lastModifiedTime', column: 'text', options: { result: { type: 'dateTime' } } },
]

/** The id of a field of the tasks. */
export function idOf(field: string): string {
  return `fld${field.padEnd(14, '0')}`
}

export const RECORDS: readonly AirtableRecord[] = [
  record('recTask0000000001', {
    Name: 'Write', Status: 'Todo', Tags: ['a', 'b'], Due: '2024-02-29', Done: true, Hours: 4, Rate: 0.25, Seen: '2024-03-01T00:00:00.000Z',
    Owner: { id: 'usr1', email: 'ann@example.com', name: 'Ann' }, People: ['recAnn00000000001'],
    Files: [{ id: 'att1', url: '/api/attachments/att1', filename: 'plan.pdf', size: 12, type: 'application/pdf' }],
  }),
  record('recTask0000000002', { Name: 'Rest', Hours: 0, Rate: { error: '#ERROR!' }, Seen: '2024-03-02T00:00:00.000Z' }),
  record('recTask0000000003', {}),
] // prettier-ignore

function record(id: string, fields: AirtableRecord['fields']): AirtableRecord {
  return { id, createdTime: `2024-01-0${id.at(-1)}T00:00:00.000Z`, fields }
}

const origin: TableOrigin = {
  baseId: BASE_ID,
  id: TASKS_ID,
  name: 'Tasks',
  description: 'What there is to do',
  primaryFieldId: idOf('Name'),
  fields: TASK_FIELDS.map((field) => ({ ...field, id: idOf(field.name), column: field.name })),
  views: [
    { id: 'viwAll00000000000', name: 'All', type: 'grid' },
    { id: 'viwOpen0000000000', name: 'Open', type: 'kanban' },
  ],
  errorsColumn: '_errors',
}
const people: TableOrigin = {
  baseId: BASE_ID,
  id: PEOPLE_ID,
  name: 'People/№ 1',
  primaryFieldId: 'fldPerson00000000',
  fields: [
    { id: 'fldPerson00000000', name: 'id', type: 'singleLineText', column: 'id' },
    {
      id: 'fldTasks000000000',
      name: 'Tasks',
      type: 'multipleRecordLinks',
      options: { linkedTableId: TASKS_ID },
      column: 'Tasks',
    },
  ],
  views: [],
  errorsColumn: null,
}

/** A base as a mirror of Airtable has it: two tables, cells of many types, one that failed. */
export function airtableBase(more: readonly AirtableRecord[] = []): Upstream {
  const cells = ({ id, createdTime, fields }: AirtableRecord): Value[] => {
    const misfits = TASK_FIELDS.filter(({ name, column }) => column !== 'json' && typeof fields[name] === 'object')
    const failed = Object.fromEntries(misfits.map(({ name }) => [name, fields[name]!]))
    const own = TASK_FIELDS.map(({ name, type }) =>
      name in failed ? null : (fields[name] ?? (type === 'checkbox' ? false : null)),
    )
    return [id, createdTime, ...own, misfits.length === 0 ? null : failed]
  }
  const rows = [...RECORDS, ...more].map(cells)
  return {
    identity: JSON.stringify(rows),
    tables: [
      {
        name: 'Tasks', key: ['id'], origin, rows,
        columns: ['id', 'createdTime', ...TASK_FIELDS.map(({ name }) => name), '_errors'],
        types: { id: 'text', createdTime: 'text', _errors: 'json', ...Object.fromEntries(TASK_FIELDS.map(({ name, column }) => [name, column])) },
        times: { created: 'createdTime', modified: 'Seen' },
      },
      {
        name: 'People/№ 1', key: ['_id'], origin: people, types: { Tasks: 'json' },
        columns: ['_id', 'id', 'Tasks'],
        rows: [['recAnn00000000001', 'Ann', ['recTask0000000001']]],
      },
    ],
  } // prettier-ignore
}

export interface AirtableServer extends RealServer {
  list(path: string): Promise<AirtableList>
  /** A list asked for in a body. */
  post(path: string, body: object): Promise<Response>
}

/** A server whose source `crm` mirrors such a base. */
export async function serveBase(t: TestContext, options: RealOptions = {}): Promise<AirtableServer> {
  const server = await serveReal(t, { ...options, site: { sources: ['crm'], ...options.site } })
  await server.site.sync(airtableBase(), { source: 'crm' })
  server.mounts.look()
  return withLists(server)
}

export function withLists(server: RealServer): AirtableServer {
  return {
    ...server,
    list: async (path) => await server.json<AirtableList>(path),
    post: async (path, body) =>
      await fetch(server.url + path, {
        method: 'POST',
        headers: { ...AUTH, 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      }),
  }
}
