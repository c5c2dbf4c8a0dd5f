import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { describe, test, type TestContext } from 'node:test'
import type { ZodObject } from 'zod'
import { compile, schemasOf, workshop } from '../support/workshop.ts'
import { everything, HOSTILE_NAMES, SAMPLES } from '../support/everything.ts'
import { ask, assertProblem } from './raw.ts'
import { KEY } from './fakes.ts'
import { serveReal, type RealServer } from './real.ts'
import { storedKeys } from './stored-keys.ts'

const PLACE = Object.keys(SAMPLES)
const idOf = (column: string) => `fld${PLACE.indexOf(column)}`
/** Names that all want to be one identifier, beside those that are taken. */
const TABLES = [
  'Everything',
  'every thing',
  'EVERYTHING',
  'Airtable Attachment',
  'airtable_attachment_schema',
  ...HOSTILE_NAMES.slice(0, 12).filter(Boolean),
]

interface Mirrored extends RealServer {
  readonly keys: ReturnType<typeof storedKeys>
}

/** A server of one base with a table of each name, and beside it a file without ids. */
async function mirrored(t: TestContext, names: readonly string[] = ['Everything']): Promise<Mirrored> {
  const keys = storedKeys(t)
  const server = await serveReal(t, { ...keys.parts, site: { sources: ['crm', 'file'] } })
  const tables = names.map((name, at) => everything(name, { id: `tbl${at}`, name: `${name} up there` }))
  const run = await server.site.sync({ identity: 'base', tables }, { source: 'crm' })
  assert.equal(run.error, null)
  await server.site.sync(
    { identity: 'file', tables: [{ name: 'plain', key: ['id'], columns: ['id', 'more'], rows: [[1, { a: 1 }]] }] },
    { source: 'file' },
  )
  server.mounts.look()
  return { ...server, keys }
}

const textOf = async (server: RealServer, headers: Record<string, string> = {}) =>
  await (await server.get('/api/types', headers)).text()

describe('the types of a base', () => {
  test('compile, whatever it is called, take the rows that are there, and no others', async (t) => {
    const server = await mirrored(t, TABLES)
    using folder = workshop(await textOf(server))
    writeFileSync(folder.file('use.ts'), USE)
    assert.equal(await compile(folder), '')

    const schemas = await schemasOf(folder)
    assert.deepEqual(Object.keys(schemas), [...TABLES, 'plain'])
    const { records } = await server.json<{ records: Record<string, unknown>[] }>('/api/tables/tbl0')
    const rows = await server.json<Record<string, unknown>[]>('/rest/v1/Everything')
    assert.equal(records.length, rows.length)
    const schema = schemas['Everything'] as ZodObject
    for (const row of rows) {
      // Zod checks a member of this name and does not hand it on.
      const { ['__proto__']: _, ...others } = row
      assert.deepEqual(schema.strict().parse(row), others)
    }
    for (const record of records) assert.ok(schema.safeParse(record).success)

    const [row = {}] = rows
    for (const [column, { wrong }] of Object.entries(SAMPLES)) {
      for (const cell of wrong) {
        const found = schema.safeParse({ ...row, [column]: cell })
        assert.equal(found.success, false, `${column} takes ${JSON.stringify(cell)}`)
        assert.deepEqual(
          found.error?.issues.map(({ path }) => path[0]),
          [column],
        )
      }
    }
    assert.equal(schema.safeParse({ ...row, id: null }).success, false)
    assert.equal(schema.safeParse({ ...row, _errors: 'x' }).success, false)
  })

  test('say which field a column is, in comments that nothing ends', async (t) => {
    const server = await mirrored(t)
    const text = await textOf(server)
    assert.match(
      text,
      /\/\*\* "Everything": "Everything up there", "tbl0" of "appAbCdEfGhIjKlMn": "\*\\\/ ends\\n" \*\//,
    )
    assert.ok(
      text.includes(`  /** "whole upstream", "${idOf('whole')}", "number" */\n  "whole": number | string | null\n`),
    )
    assert.ok(text.includes(`  "rating": number | null\n`))
    assert.ok(text.includes(`  "formula of a select": "a" | "b" | null\n`))
    assert.ok(text.includes(`  "multipleAttachments": AirtableAttachment[] | null\n`))
    assert.ok(text.includes(`  "lookup": (number | AirtableCellError | null)[] | null\n`))
    assert.ok(text.includes(`  "lookup of lookups": (boolean | AirtableCellError | null)[] | null\n`))
    assert.ok(text.includes(`  "formula of links": string[] | AirtableCellError | null\n`))
    assert.ok(text.includes(`  "lookup of selects": ("a" | "b | c" | null)[] | null\n`))
  })

  test('are those of its columns where the upstream has no names of its own', async (t) => {
    const server = await mirrored(t)
    const text = await textOf(server)
    assert.ok(
      text.includes('/** "plain" */\nexport interface Plain {\n  "id": number | string\n  "more": unknown\n}\n'),
    )
    const file = await server.keys.make({ limits: ['file'] })
    assert.doesNotMatch(await textOf(server, file.headers), /Airtable/, 'shared types are there where they are used')
  })

  test('as data tell ids, names, types and columns', async (t) => {
    const server = await mirrored(t)
    const { tables } = await server.json<{ tables: { fields: { column: string }[] }[] }>('/api/types?format=json')
    const { fields, ...head } = tables[0]!
    assert.deepEqual(head, {
      tableId: 'tbl0',
      source: 'crm',
      table: 'Everything',
      baseId: 'appAbCdEfGhIjKlMn',
      originalName: 'Everything up there',
      normalizedName: 'everything',
      primaryFieldId: 'fld0',
    })
    assert.deepEqual(
      fields.find(({ column }) => column === 'multipleRecordLinks'),
      {
        id: idOf('multipleRecordLinks'),
        name: 'multipleRecordLinks upstream',
        column: 'multipleRecordLinks',
        type: 'multipleRecordLinks',
        tsType: 'string[] | null',
      },
    )
    assert.deepEqual(fields[0], { id: 'id', name: 'id', column: 'id', type: 'text', tsType: 'string' })
    assert.deepEqual(
      fields.find(({ column }) => column === 'untold'),
      { id: idOf('untold'), name: 'untold upstream', column: 'untold', type: 'text', tsType: 'string | null' },
    )
  })
})

const USE = `
  import { schemas, type AirtableAttachment, type Everything, type EveryThing_2, type Tables } from './tables.ts'
  declare const row: Everything
  const select: 'it\\'s' | 'a[]' | '__proto__' | (string & {}) | null = row.singleSelect
  // @ts-expect-error no such choice
  const other: Everything['singleSelect'] = 'other'
  const choice: Everything['singleSelect'] = '*/ evil() /*'
  const links: readonly string[] = row.multipleRecordLinks ?? []
  const name: string | undefined = row.multipleAttachments?.[0]?.filename
  const file: AirtableAttachment = { id: 'att1', filename: 'x', size: undefined }
  const state: 'empty' | 'loading' | 'generated' | 'error' | undefined = row.aiText?.state
  // @ts-expect-error may be an error, or nothing
  const sum: number[] | null = row.lookup
  const rating: number | null = row.rating
  const failed: unknown = row._errors?.['rollup']
  const same: EveryThing_2['id'] = 'rec1'
  const parsed: Tables['Everything'] = schemas['Everything'].parse(row)
  console.log(select, other, choice, links, name, file, state, sum, rating, failed, same, parsed)
`

describe('the mappings of a base', () => {
  test('lead from ids to names and columns, and back', async (t) => {
    const server = await mirrored(t)
    const { fields, ...head } = await server.json<{ fields: Record<string, object>; tableId: string }>(
      '/api/mappings/tbl0',
    )
    assert.equal(head.tableId, 'tbl0')
    assert.deepEqual(fields['fld0'], {
      id: 'fld0',
      name: 'singleLineText upstream',
      column: 'singleLineText',
      type: 'singleLineText',
    })
    assert.deepEqual(fields['id'], { id: 'id', name: 'id', column: 'id', type: 'text' })
    assert.equal(Object.keys(fields).length, PLACE.length + HOSTILE_NAMES.length - 1 + 2)
  })

  test('a column that is called as an id of the upstream’s does not hide the field', async (t) => {
    const server = await serveReal(t)
    const table = everything('wares', { id: 'tbl0' })
    const columns = [...table.columns, 'fld3']
    const rows = table.rows.map((row) => [...row, 'x'])
    await server.site.sync({ identity: 'odd', tables: [{ ...table, columns, rows }] })
    server.mounts.look()
    const { fields } = await server.json<{ fields: Record<string, { column: string }> }>('/api/mappings/wares')
    assert.equal(fields['fld3']?.column, PLACE[3])
  })
})

describe('a table of a base', () => {
  test('is found by its id, its upstream name, and either with its source', async (t) => {
    const server = await mirrored(t, ['Orders', 'tbl0', 'Größe'])
    for (const [path, table] of [
      ['tbl1', 'tbl0'],
      ['crm.tbl1', 'tbl0'],
      // What it is called here counts before what others are called there.
      ['tbl0', 'tbl0'],
      ['Orders', 'Orders'],
      ['Orders up there', 'Orders'],
      ['crm.Orders up there', 'Orders'],
      ['ordersupthere', 'Orders'],
      ['crm.ORDERS', 'Orders'],
      ['tbl2', 'Größe'],
    ] as const) {
      const answer = await server.json(`/api/mappings/${encodeURIComponent(path)}`)
      assert.equal(answer.table, table, path)
      const response = await server.get(`/api/tables/${encodeURIComponent(path)}?pageSize=1`)
      assert.equal(response.status, 200, path)
    }
    for (const path of ['tbl3', 'TBL1', 'crm.', 'crm.数', 'file.tbl1', 'app0']) {
      assert.equal((await server.get(`/api/tables/${encodeURIComponent(path)}`)).status, 404, path)
    }
  })

  test('of which two sources have one of an id is told apart by the source', async (t) => {
    const server = await serveReal(t, { site: { sources: ['one', 'two'] } })
    for (const source of ['one', 'two']) {
      await server.site.sync({ identity: source, tables: [everything(`of ${source}`, { id: 'tblSame' })] }, { source })
    }
    server.mounts.look()
    const headers = { 'X-API-Key': KEY }
    const several = assertProblem(await ask(server.port, '/api/tables/tblSame', { headers }), 400, 'bad_parameter')
    assert.deepEqual(several.known, ['one.of one', 'two.of two'])
    assert.equal((await server.json('/api/mappings/two.tblSame')).table, 'of two')
  })

  test('is not found by a key that does not see it, and shows no field that the key does not see', async (t) => {
    const server = await mirrored(t, ['Orders', 'People'])
    const other = await server.keys.make({ limits: ['crm.People'] })
    for (const path of ['tbl0', 'crm.tbl0', 'Orders up there', 'ordersupthere']) {
      const url = `/api/tables/${encodeURIComponent(path)}`
      assert.equal((await server.get(url, other.headers)).status, 404, path)
    }
    assert.equal((await server.get('/api/tables/tbl1', other.headers)).status, 200)

    const hidden = ['singleLineText', 'singleSelect', 'rollup of people']
    const narrow = await server.keys.make({ limits: ['crm'], rules: { 'crm.Orders': { hidden, filter: null } } })
    const told = [
      await textOf(server, narrow.headers),
      JSON.stringify(await server.json('/api/types?format=json', narrow.headers)),
      JSON.stringify(await server.json('/api/mappings/tbl0', narrow.headers)),
    ]
    const before = (text: string) => text.split('"People"')[0]!
    for (const text of told.map(before)) {
      assert.doesNotMatch(
        text,
        /^ {2}"singleSelect": |"singleSelect upstream"|"column":"singleSelect"|singleLineText upstream|"fld0"|rollup of people/m,
      )
    }
    const { primaryFieldId } = await server.json('/api/mappings/tbl0', narrow.headers)
    assert.equal(primaryFieldId, null)
    assert.equal((await server.json('/api/mappings/tbl1', narrow.headers)).primaryFieldId, 'fld0')
  })
})
