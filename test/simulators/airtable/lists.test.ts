import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Base } from '../../../simulators/airtable/base.ts'
import { generateBase } from '../../../simulators/airtable/generate.ts'
import { VirtualClock } from '../../../simulators/airtable/virtual-clock.ts'
import { list, listAll, refusal, start, type ListBody } from './asking.ts'

function people(): Base {
  const base = new Base({ seed: 7 })
  base.createTable({
    name: 'People',
    fields: [
      { name: 'Name', type: 'singleLineText' },
      { name: 'Age', type: 'number', options: { precision: 0 } },
      {
        name: 'Size',
        type: 'singleSelect',
        options: { choices: [{ name: 'small' }, { name: 'large' }, { name: 'huge' }] },
      },
      { name: 'Member', type: 'checkbox' },
    ],
    views: [
      { name: 'Grid view' },
      { name: 'Members by age', filter: '{Member}', sort: [{ field: 'Age', direction: 'desc' }], visible: ['Name'] },
    ],
    records: [
      { Name: 'Ada', Age: 36, Size: 'large', Member: true },
      { Name: 'Bo', Age: 0, Size: 'small', Member: false },
      { Name: 'Cy', Age: 71, Size: 'huge', Member: true },
      { Name: '', Age: null, Size: null },
    ],
  })
  return base
}

const numberOf = ({ fields }: { fields: Record<string, unknown> }) => fields['Number'] as string
const names = (records: ListBody['records']) => records.map(({ fields }) => fields['Name'])

describe('a list', () => {
  test('has every record once, page by page, and the last page has no offset', async () => {
    await using sim = await start(generateBase({ tables: 1, records: 250 }))
    const pages = [await list(sim, 'Orders')]
    for (let { offset } = pages[0] ?? {}; offset !== undefined; offset = pages.at(-1)?.offset) {
      assert.match(offset, /^itr\w{14}\/rec\w{14}$/)
      pages.push(await list(sim, 'Orders', { offset }))
    }
    assert.deepEqual(
      pages.map(({ records }) => records.length),
      [100, 100, 50],
    )
    assert.deepEqual(
      pages.flatMap(({ records }) => records),
      sim.base.table('Orders').readAll(),
    )
  })

  test('leaves empty cells out, whatever empty means, and keeps 0', async () => {
    await using sim = await start(people())
    const records = await listAll(sim, 'People')
    const fields = Object.fromEntries(records.map((record) => [record.fields['Name'], record.fields]))
    assert.deepEqual(fields['Bo'], { Name: 'Bo', Age: 0, Size: 'small' })
    assert.deepEqual(fields['undefined'], {})
  })

  test('keeps the order of its first page, and shows each cell as it is when its page is read', async () => {
    await using sim = await start(generateBase({ tables: 1, records: 250 }))
    const orders = sim.base.table('Orders')
    const order = orders.records.map(({ id }) => id)
    const first = await list(sim, 'Orders', { 'sort[0][field]': 'Number' })
    const byNumber = orders.readAll().toSorted((a, b) => (numberOf(a) < numberOf(b) ? -1 : 1))
    const [edited, deleted] = [byNumber[150], byNumber[151]]
    assert.ok(edited && deleted)
    orders.update(edited.id, { Number: 'A-000000' })
    orders.delete(deleted.id)
    const created = orders.create({ Number: 'A-999999' })

    const rest = []
    for (let { offset } = first; offset !== undefined;) {
      const page = await list(sim, 'Orders', { offset })
      rest.push(...page.records)
      offset = page.offset
    }
    const seen = [...first.records, ...rest].map(({ id }) => id)
    assert.deepEqual(
      seen,
      byNumber.map(({ id }) => id).filter((id) => id !== deleted.id),
    )
    assert.equal(rest.find(({ id }) => id === edited.id)?.fields['Number'], 'A-000000')
    assert.ok(!seen.includes(created.id))
    assert.equal(order.length, 250)
  })

  test('a page can be read again with the offset that led to it', async () => {
    await using sim = await start(generateBase({ tables: 1, records: 250 }))
    const { offset = '' } = await list(sim, 'Orders', { pageSize: '30' })
    const once = await list(sim, 'Orders', { pageSize: '30', offset })
    assert.deepEqual(await list(sim, 'Orders', { pageSize: '30', offset }), once)
  })

  test('cannot be continued when nobody did for too long, or the server was started again', async () => {
    const clock = new VirtualClock()
    await using sim = await start(generateBase({ tables: 1, records: 250 }), { clock, iteratorTtlMs: 60_000 })
    const path = (offset = '') => `/v0/${sim.base.id}/Orders?pageSize=10&offset=${encodeURIComponent(offset)}`
    const { offset } = await list(sim, 'Orders', { pageSize: '10' })
    await clock.sleep(50_000)
    const next = await list(sim, 'Orders', { pageSize: '10', ...(offset !== undefined && { offset }) })
    await clock.sleep(50_000)
    assert.equal((await sim.fetch(path(next.offset))).status, 200)
    await clock.sleep(60_001)
    assert.partialDeepStrictEqual(await refusal(sim, path(next.offset)), {
      status: 422,
      type: 'LIST_RECORDS_ITERATOR_NOT_AVAILABLE',
    })

    const other = await list(sim, 'Orders', { pageSize: '10' })
    sim.dropIterators()
    assert.partialDeepStrictEqual(await refusal(sim, path(other.offset)), {
      status: 422,
      type: 'LIST_RECORDS_ITERATOR_NOT_AVAILABLE',
    })
    assert.partialDeepStrictEqual(await refusal(sim, path('nonsense')), { status: 422, type: 'INVALID_OFFSET_VALUE' })
  })

  test('sorts by several fields, choices in their own order and empty cells first', async () => {
    await using sim = await start(people())
    const sorted = async (query: string) => names((await list(sim, 'People', query)).records)
    assert.deepEqual(await sorted('sort[0][field]=Size'), [undefined, 'Bo', 'Ada', 'Cy'])
    assert.deepEqual(await sorted('sort[0][field]=Size&sort[0][direction]=desc'), ['Cy', 'Ada', 'Bo', undefined])
    assert.deepEqual(await sorted('sort[0][field]=Member&sort[1][field]=Age&sort[1][direction]=desc'), [
      'Bo',
      undefined,
      'Cy',
      'Ada',
    ])
  })

  test('a view filters and orders; its hidden fields are there all the same; a sort overrides its order', async () => {
    await using sim = await start(people())
    const byAge = await list(sim, 'People', { view: 'Members by age' })
    assert.deepEqual(names(byAge.records), ['Cy', 'Ada'])
    assert.equal(byAge.records[0]?.fields['Age'], 71)
    const view = sim.base.table('People').views[1]?.id ?? ''
    assert.deepEqual(names((await list(sim, 'People', { view, 'sort[0][field]': 'Name' })).records), ['Ada', 'Cy'])
  })

  test('fields are chosen by name or id, and named by id if that is wanted', async () => {
    await using sim = await start(people())
    const people_ = sim.base.table('People')
    const age = people_.field('Age').id
    const query = new URLSearchParams([
      ['fields[]', 'Name'],
      ['fields[]', age],
      ['maxRecords', '1'],
      ['sort[0][field]', 'Name'],
      ['sort[0][direction]', 'desc'],
    ])
    assert.deepEqual((await list(sim, 'People', query.toString())).records[0]?.fields, { Name: 'Cy', Age: 71 })
    query.set('returnFieldsByFieldId', 'true')
    assert.deepEqual((await list(sim, people_.id, query.toString())).records[0]?.fields, {
      [people_.field('Name').id]: 'Cy',
      [age]: 71,
    })
  })

  test('maxRecords counts over all pages; comments are counted when asked for', async () => {
    await using sim = await start(generateBase({ tables: 1, records: 250 }))
    const records = await listAll(sim, 'Orders', {
      maxRecords: '120',
      pageSize: '50',
      'recordMetadata[]': 'commentCount',
    })
    assert.equal(records.length, 120)
    assert.equal(records[0]?.commentCount, 0)
  })

  test('POST listRecords answers as GET does, and takes what is too long for a URL', async () => {
    await using sim = await start(generateBase({ tables: 1, records: 1500 }))
    const ids = sim.base.table('Orders').records.map(({ id }) => id)
    const filterByFormula = `OR(${ids
      .slice(0, 900)
      .map((id) => `RECORD_ID()='${id}'`)
      .join(',')})`
    const path = `/v0/${sim.base.id}/Orders`
    const url = `${path}?filterByFormula=${encodeURIComponent(filterByFormula)}`
    assert.ok(url.length > 16_000)
    assert.equal((await sim.fetch(url)).status, 414)

    const post = async (body: object) => {
      const response = await sim.fetch(`${path}/listRecords`, { method: 'POST', body: JSON.stringify(body) })
      return (await response.json()) as ListBody
    }
    const seen: string[] = []
    let page = await post({ filterByFormula, pageSize: 100, fields: ['Number'] })
    for (;;) {
      seen.push(...page.records.map(({ id }) => id))
      if (page.offset === undefined) break
      page = await post({ offset: page.offset, pageSize: 100, fields: ['Number'] })
    }
    assert.deepEqual(seen, ids.slice(0, 900))
    assert.deepEqual(Object.keys(page.records[0]?.fields ?? {}), ['Number'])
    assert.equal(sim.requests.at(-1)?.isPaged, true)
  })

  test('a body can be too large', async () => {
    await using sim = await start(people())
    const init = { method: 'POST', body: JSON.stringify({ filterByFormula: ' '.repeat(10_000_000) }) }
    assert.equal((await sim.fetch(`/v0/${sim.base.id}/People/listRecords`, init)).status, 413)
  })

  test('a record is found by its id, also through another table of the base', async () => {
    await using sim = await start(generateBase({ tables: 2, records: 20 }))
    const [record] = sim.base.table('Customers').readAll()
    for (const table of ['Customers', 'Orders']) {
      const response = await sim.fetch(`/v0/${sim.base.id}/${table}/${record?.id}`)
      assert.deepEqual(await response.json(), record)
    }
    assert.partialDeepStrictEqual(await refusal(sim, `/v0/${sim.base.id}/Orders/recAAAAAAAAAAAAAA`), {
      status: 404,
      type: 'NOT_FOUND',
    })
  })

  const REFUSED: [string, number, string, string?][] = [
    ['pageSize=101', 422, 'INVALID_REQUEST_UNKNOWN'],
    ['pageSize=0', 422, 'INVALID_REQUEST_UNKNOWN'],
    ['maxRecords=x', 422, 'INVALID_REQUEST_UNKNOWN'],
    ['fields[]=Nmae', 422, 'UNKNOWN_FIELD_NAME', 'Unknown field name: "Nmae"'],
    ['sort[0][field]=Nmae', 422, 'UNKNOWN_FIELD_NAME', 'Unknown field name: "Nmae"'],
    ['sort[0][field]=Name&sort[0][direction]=up', 422, 'INVALID_REQUEST_UNKNOWN'],
    ['view=Nobody', 422, 'VIEW_NAME_NOT_FOUND'],
    ['view=viwAAAAAAAAAAAAAA', 422, 'VIEW_ID_NOT_FOUND'],
    ['filterByFormula={Nmae}=1', 422, 'INVALID_FILTER_BY_FORMULA'],
    ['filterByFormula=AND(', 422, 'INVALID_FILTER_BY_FORMULA'],
    ['filterByFormula=SPELL(1)', 422, 'INVALID_FILTER_BY_FORMULA'],
    ['offset=5', 422, 'INVALID_OFFSET_VALUE'],
    ['cellFormat=string', 422, 'INVALID_REQUEST_UNKNOWN'],
    ['recordMetadata[]=likes', 422, 'INVALID_REQUEST_UNKNOWN'],
  ]
  for (const [query, status, type, message] of REFUSED) {
    test(`refuses ${query} with ${status} ${type}`, async () => {
      await using sim = await start(people())
      const refused = await refusal(sim, `/v0/${sim.base.id}/People?${query}`)
      assert.partialDeepStrictEqual(refused, { status, type, ...(message !== undefined && { message }) })
    })
  }

  test('wrong tokens, scopes, bases, tables and routes are refused as Airtable does', async () => {
    await using sim = await start(people())
    const path = `/v0/${sim.base.id}/People`
    const blind = sim.addToken({ scopes: ['schema.bases:read'] }).text
    const elsewhere = sim.addToken({ bases: ['appAAAAAAAAAAAAAA'] }).text
    const forbidden = { status: 403, type: 'INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND' }
    assert.equal((await fetch(`${sim.url}${path}`)).status, 401)
    assert.partialDeepStrictEqual(await refusal(sim, path, { token: 'patNobody' }), { status: 401 })
    assert.partialDeepStrictEqual(await refusal(sim, path, { token: blind }), forbidden)
    assert.partialDeepStrictEqual(await refusal(sim, path, { token: elsewhere }), forbidden)
    assert.partialDeepStrictEqual(await refusal(sim, `/v0/${sim.base.id}/Persons`), forbidden)
    assert.partialDeepStrictEqual(await refusal(sim, '/v0/appAAAAAAAAAAAAAA/People'), forbidden)
    assert.deepEqual(await refusal(sim, '/v1/something'), { status: 404, type: 'NOT_FOUND' })
    sim.revokeToken(sim.token)
    assert.partialDeepStrictEqual(await refusal(sim, path), { status: 401, type: 'UNAUTHORIZED' })
  })
})
