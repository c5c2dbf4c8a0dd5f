import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import Airtable from 'airtable'
import { recordIdOf } from '../../lib/record-id.ts'
import { KEY } from './fakes.ts'
import { serveReal } from './real.ts'
import { BASE_ID, idOf, RECORDS, serveBase, TASKS_ID } from './v0-site.ts'

type Failed = { readonly error: string; readonly message: string; readonly statusCode: number }

/** Airtable's own client, with nothing changed but where it asks. */
const clientOf = ({ url }: { readonly url: string }, apiKey = KEY) =>
  new Airtable({ apiKey, endpointUrl: url, noRetryIfRateLimited: true })

const CITIES = Array.from({ length: 321 }, (_, index) => ({
  code: `c ${index}/ü`,
  name: `City ${index % 100}`,
  people: index * 1000,
  capital: index % 50 === 0,
}))

async function cities(t: TestContext) {
  const server = await serveReal(t, { site: { sources: ['world'] } })
  const columns = Object.keys(CITIES[0]!)
  const rows = CITIES.map((city) => Object.values(city))
  await server.site.sync(
    { identity: 'cities', tables: [{ name: 'Cities & towns', key: ['code'], columns, rows }] },
    { source: 'world' },
  )
  server.mounts.look()
  return { ...server, table: clientOf(server).base('world')('Cities & towns') }
}

/** What the client rejects with is no `Error`. */
async function failureOf(asked: Promise<unknown>): Promise<Failed> {
  return await asked.then(
    () => assert.fail('nothing was refused'),
    (error: unknown) => error as Failed,
  )
}

const raw = (record: { readonly id: string; readonly fields: object }) => ({ id: record.id, fields: record.fields })

describe("Airtable's client over a file", () => {
  test('all() gives every record once', async (t) => {
    const { table, errors } = await cities(t)
    const records = await table.select().all()
    assert.deepEqual(
      records.map(raw),
      CITIES.map(({ code, name, people, capital }) => ({
        id: recordIdOf(code),
        fields: { code, name, people, ...(capital && { capital }) },
      })),
    )
    assert.deepEqual(errors, [])
  })

  test('eachPage() comes page by page', async (t) => {
    const { table } = await cities(t)
    const sizes: number[] = []
    const seen: unknown[] = []
    await table.select({ pageSize: 50, fields: ['people'] }).eachPage((records, next) => {
      sizes.push(records.length)
      seen.push(...records.map((record) => record.get('people')))
      next()
    })
    assert.deepEqual(sizes, [50, 50, 50, 50, 50, 50, 21])
    assert.deepEqual(
      seen,
      CITIES.map(({ people }) => people),
    )
  })

  test('firstPage() and find()', async (t) => {
    const { table } = await cities(t)
    const page = await table.select({ maxRecords: 5, sort: [{ field: 'people', direction: 'desc' }] }).firstPage()
    assert.deepEqual(
      page.map(({ fields }) => fields.people),
      [320_000, 319_000, 318_000, 317_000, 316_000],
    )
    for (const { id, fields } of page) assert.deepEqual((await table.find(id)).fields, fields)
  })

  test('select() with a formula, a view, several sorts', async (t) => {
    const { table } = await cities(t)
    const found = await table
      .select({
        filterByFormula: "AND({people} >= 100000, OR({capital}, FIND('City 7', {name}) = 1))",
        sort: [{ field: 'name' }, { field: 'people', direction: 'desc' }],
        view: 'Grid view',
        pageSize: 7,
      })
      .all()
    const expected = CITIES.filter(({ people, capital, name }) => people >= 100_000 && (capital || name.startsWith('City 7')))
      .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : b.people - a.people))
      .map(({ people }) => people) // prettier-ignore
    assert.deepEqual(
      found.map(({ fields }) => fields.people),
      expected,
    )
    assert.ok(expected.length > 14)
  })

  test('asks in a body where the URL would be too long, or where it is told to', async (t) => {
    const { table } = await cities(t)
    const ids = CITIES.slice(0, 300).map(({ code }) => `RECORD_ID() = '${recordIdOf(code)}'`)
    const filterByFormula = `OR(${ids.join(', ')})`
    const found = await table.select({ filterByFormula, pageSize: 80 }).all()
    assert.equal(found.length, 300)
    const posted = await table.select({ method: 'post', fields: ['name'], maxRecords: 150 }).all()
    assert.deepEqual(
      posted.map(({ fields }) => fields.name),
      CITIES.slice(0, 150).map(({ name }) => name),
    )
    assert.equal((await table.select({ method: 'get', maxRecords: 1 }).all()).length, 1)
  })

  test('understands what it is refused', async (t) => {
    const server = await cities(t)
    const { table } = server
    const of = async (asked: Promise<unknown>) => {
      const { error, statusCode } = await failureOf(asked)
      return [error, statusCode]
    }
    assert.deepEqual(await of(table.find('recNobody12345678')), ['NOT_FOUND', 404])
    assert.deepEqual(await of(table.select({ filterByFormula: 'NOPE({name})' }).all()), ['INVALID_FILTER_BY_FORMULA', 422])
    assert.match((await failureOf(table.select({ filterByFormula: 'NOPE({name})' }).all())).message, /NOPE\(\)/)
    assert.deepEqual(await of(table.select({ view: 'Other' }).all()), ['VIEW_NAME_NOT_FOUND', 422])
    assert.deepEqual(await of(table.select({ fields: ['nope'] }).all()), ['UNKNOWN_FIELD_NAME', 422])
    assert.deepEqual(await of(clientOf(server).base('world')('nope').select().all()), ['NOT_AUTHORIZED', 403])
    assert.deepEqual(await of(clientOf(server, 'wrong').base('world')('x').select().all()), ['AUTHENTICATION_REQUIRED', 401])
    assert.deepEqual(await of(table.create({ name: 'new' })), ['NOT_FOUND', 404])
    const update = table.update(recordIdOf(CITIES[0]!.code), { name: 'new' })
    assert.deepEqual(await of(update), ['METHOD_NOT_ALLOWED', 405])
  }) // prettier-ignore
})

describe("Airtable's client over a mirrored base", () => {
  test('reads it as it would read the base itself', async (t) => {
    const server = await serveBase(t)
    const base = clientOf(server).base(BASE_ID)
    for (const table of ['Tasks', TASKS_ID]) {
      const records = await base(table).select().all()
      assert.deepEqual(
        records.map((record) => (record as unknown as { _rawJson: object })._rawJson),
        RECORDS,
      )
      assert.deepEqual((await base(table).find(RECORDS[0]!.id)).fields, RECORDS[0]!.fields)
    }
    const byId = await base('Tasks').select({ returnFieldsByFieldId: true, maxRecords: 1 }).firstPage()
    assert.equal(byId[0]?.get(idOf('Name')), 'Write')
    assert.equal((await base('People/№ 1').select().all())[0]?.get('id'), 'Ann')
  })

  test('reaches its schema', async (t) => {
    const server = await serveBase(t)
    const { body } = (await clientOf(server)
      .base('meta')
      .makeRequest({ path: `/bases/${BASE_ID}/tables` })) as { body: { tables: { name: string }[] } }
    assert.deepEqual(
      body.tables.map(({ name }) => name),
      ['Tasks', 'People/№ 1'],
    )
  })
})
