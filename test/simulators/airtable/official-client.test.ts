import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import Airtable from 'airtable'
import { generateBase } from '../../../simulators/airtable/generate.ts'
import type { Simulator } from '../../../simulators/airtable/simulator.ts'
import { VirtualClock } from '../../../simulators/airtable/virtual-clock.ts'
import { start } from './asking.ts'

const client = (sim: Simulator, options: Airtable.AirtableOptions = {}) =>
  new Airtable({ apiKey: sim.token, endpointUrl: sim.url, noRetryIfRateLimited: true, ...options }).base(sim.base.id)

const shownBy = (records: Airtable.Records<Airtable.FieldSet>) => records.map(({ id, fields }) => ({ id, fields }))

const truthOf = (sim: Simulator, table: string) =>
  sim.base
    .table(table)
    .readAll()
    .map(({ id, fields }) => ({ id, fields }))

/** What it rejects with is no `Error`. */
async function rejection(promise: Promise<unknown>): Promise<Airtable.Error> {
  try {
    await promise
  } catch (error) {
    return error as Airtable.Error
  }
  return assert.fail('it was answered')
}

describe('the official client', () => {
  test('reads a whole table, page by page or at once', async () => {
    await using sim = await start(generateBase({ records: 250 }))
    const base = client(sim)
    for (const { name } of sim.base.tables.filter(
      (table) => !['Products', 'Everything / one of each'].includes(table.name),
    )) {
      assert.deepEqual(shownBy([...(await base(name).select().all())]), truthOf(sim, name))
    }
    const sizes: number[] = []
    await base('Orders')
      .select({ pageSize: 60 })
      .eachPage((records, next) => {
        sizes.push(records.length)
        next()
      })
    assert.deepEqual(sizes, [60, 60, 60, 60, 10])
  })

  test('filters, sorts, chooses fields and counts comments, by GET and by POST', async () => {
    await using sim = await start(generateBase({ records: 250 }))
    for (const method of ['get', 'post']) {
      const records = await client(sim)('Orders')
        .select({
          fields: ['Number', 'Quantity'],
          filterByFormula: 'AND({Quantity} > 6, {Status} != "New")',
          sort: [{ field: 'Quantity', direction: 'desc' }, { field: 'Number' }],
          maxRecords: 20,
          recordMetadata: ['commentCount'],
          method,
        })
        .all()
      const expected = sim.base
        .table('Orders')
        .readAll()
        .map(({ id, fields }) => ({
          id,
          number: fields['Number'] as string,
          quantity: (fields['Quantity'] ?? 0) as number,
          status: fields['Status'],
        }))
        .filter(({ quantity, status }) => quantity > 6 && status !== 'New')
        .toSorted((a, b) => b.quantity - a.quantity || (a.number < b.number ? -1 : 1))
      assert.deepEqual(
        shownBy([...records]),
        expected
          .slice(0, 20)
          .map(({ id, number, quantity }) => ({ id, fields: { Number: number, Quantity: quantity } })),
      )
      assert.equal(records[0]?.commentCount, 0)
    }
    assert.deepEqual([...new Set(sim.requests.map((request) => request.method))], ['GET', 'POST'])
  })

  test('finds, creates, updates, replaces and deletes', async () => {
    await using sim = await start(generateBase({ tables: 1, records: 10 }))
    const table = client(sim)('Orders')
    const created = await table.create([{ fields: { Number: 'N-1', Quantity: 2 } }, { fields: { Number: 'N-2' } }])
    const id = created[0]?.id ?? ''
    assert.deepEqual((await table.find(id)).get('Quantity'), 2)
    await table.update(id, { Quantity: 3 })
    assert.partialDeepStrictEqual(sim.base.table('Orders').read(id).fields, { Number: 'N-1', Quantity: 3 })
    await table.replace([{ id, fields: { Number: 'N-3' } }])
    assert.equal(sim.base.table('Orders').read(id).fields['Quantity'], undefined)
    await table.destroy(created.map((record) => record.id))
    assert.equal(sim.base.table('Orders').size, 10)
  })

  test('reaches schema and webhooks by makeRequest', async () => {
    await using sim = await start(generateBase({ tables: 2, records: 10 }))
    const airtable = new Airtable({ apiKey: sim.token, endpointUrl: sim.url })
    const meta = airtable.base('meta')
    const schema = (await meta.makeRequest({ path: `/bases/${sim.base.id}/tables` })) as {
      body: { tables: { name: string }[] }
    }
    assert.deepEqual(
      schema.body.tables.map(({ name }) => name),
      ['Orders', 'Customers'],
    )
    const hooks = airtable.base(`bases/${sim.base.id}`)
    const specification = { options: { filters: { dataTypes: ['tableData'] } } }
    const made = (await hooks.makeRequest({ method: 'POST', path: '/webhooks', body: { specification } })) as {
      body: { id: string }
    }
    sim.base.table('Orders').create({ Number: 'x' })
    const listed = (await hooks.makeRequest({ path: `/webhooks/${made.body.id}/payloads` })) as {
      body: { payloads: object[] }
    }
    assert.equal(listed.body.payloads.length, 1)
  })

  test('is told what is wrong in its own words', async () => {
    await using sim = await start(generateBase({ tables: 1, records: 150 }))
    const orders = client(sim)('Orders')
    const all = (options: Airtable.SelectOptions<Airtable.FieldSet>) => orders.select(options).all()
    const codes = [
      await rejection(all({ fields: ['Nmae'] })),
      await rejection(all({ view: 'Nobody' })),
      await rejection(all({ filterByFormula: 'AND(' })),
      await rejection(orders.find('recAAAAAAAAAAAAAA')),
      await rejection(client(sim)('Nothing').select().all()),
      await rejection(client(sim, { apiKey: 'patWrong' })('Orders').select().all()),
    ].map(({ error, statusCode }) => [statusCode, error])
    assert.deepEqual(codes, [
      [422, 'UNKNOWN_FIELD_NAME'],
      [422, 'VIEW_NAME_NOT_FOUND'],
      [422, 'INVALID_FILTER_BY_FORMULA'],
      [404, 'NOT_FOUND'],
      [403, 'NOT_AUTHORIZED'],
      [401, 'AUTHENTICATION_REQUIRED'],
    ])
    sim.fault({ kind: 'iterator', match: { isPaged: true } })
    assert.partialDeepStrictEqual(await rejection(orders.select().all()), {
      statusCode: 422,
      error: 'LIST_RECORDS_ITERATOR_NOT_AVAILABLE',
    })
    sim.fault({ kind: 'quota' })
    assert.partialDeepStrictEqual(await rejection(orders.select().all()), {
      statusCode: 429,
      error: 'TOO_MANY_REQUESTS',
    })
  })

  test('runs into the limit when nobody paces it', async () => {
    await using sim = await start(generateBase({ tables: 1, records: 1000 }), {
      clock: new VirtualClock({ isAutomatic: false }),
      limiter: {},
    })
    const refused = await rejection(client(sim)('Orders').select().all())
    assert.equal(refused.statusCode, 429)
    assert.equal(sim.requests.length, 6)
    assert.throws(() => sim.assertLimitKept(), /6 requests of base/)
  })
})
