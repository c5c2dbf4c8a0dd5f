import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { generateBase } from '../../../simulators/airtable/generate.ts'
import type { Simulator } from '../../../simulators/airtable/simulator.ts'
import { VirtualClock } from '../../../simulators/airtable/virtual-clock.ts'
import { ask, refusal, start } from './asking.ts'

const DAY_MS = 86_400_000

interface Created {
  readonly id: string
  readonly macSecretBase64: string
  readonly expirationTime: string
}
interface TableChangesJson {
  readonly createdRecordsById?: Record<string, { createdTime: string; cellValuesByFieldId: Record<string, unknown> }>
  readonly changedRecordsById?: Record<string, Record<string, { cellValuesByFieldId: Record<string, unknown> }>>
  readonly destroyedRecordIds?: string[]
  readonly [more: string]: unknown
}
interface PayloadJson {
  readonly timestamp: string
  readonly baseTransactionNumber: number
  readonly actionMetadata: { source: string; sourceMetadata?: { user: { id: string } } }
  readonly changedTablesById?: Record<string, TableChangesJson>
  readonly createdTablesById?: Record<string, { metadata: object; recordsById: Record<string, unknown> }>
  readonly destroyedTableIds?: string[]
  readonly error?: true
  readonly code?: string
}
interface Listed {
  readonly payloads: readonly PayloadJson[]
  readonly cursor: number
  readonly mightHaveMore: boolean
}
interface Described {
  readonly id: string
  readonly isHookEnabled: boolean
  readonly areNotificationsEnabled: boolean
  readonly cursorForNextPayload: number
  readonly expirationTime: string
}

const path = (sim: Simulator, rest = '') => `/v0/bases/${sim.base.id}/webhooks${rest}`

function create(sim: Simulator, filters: object = {}, includes: object = {}): Promise<Created> {
  const specification = { options: { filters: { dataTypes: ['tableData'], ...filters }, includes } }
  return ask<Created>(sim, path(sim), 'POST', { specification })
}

const payloads = (sim: Simulator, id: string, query = '') => ask<Listed>(sim, path(sim, `/${id}/payloads${query}`))

async function describe_(sim: Simulator, id: string): Promise<Described | undefined> {
  const { webhooks } = await ask<{ webhooks: Described[] }>(sim, path(sim))
  return webhooks.find((one) => one.id === id)
}

/** Without changes of computed cells, so that a test sees its own changes alone. */
const plain = { webhooks: { computed: 'none' } } as const
const shop = () => generateBase({ records: 40 })

describe('the payloads of a webhook', () => {
  test('tell each change since it was made, with cursor and transaction number', async () => {
    await using sim = await start(shop(), plain)
    const orders = sim.base.table('Orders')
    const [first, second] = orders.records
    assert.ok(first && second)
    orders.update(first.id, { Notes: 'before anybody listened' })
    const { id } = await create(sim)
    const number = sim.base.transactionNumber

    orders.update(first.id, { Notes: 'changed', Gift: null })
    const added = orders.create({ Number: 'A-1' })
    sim.base.transaction(() => {
      orders.delete(second.id)
      orders.update(added.id, { Number: 'A-2' })
    })

    const listed = await payloads(sim, id)
    assert.equal(listed.cursor, 4)
    assert.equal(listed.mightHaveMore, false)
    const notes = orders.field('Notes').id
    assert.partialDeepStrictEqual(listed.payloads[0], {
      timestamp: new Date(sim.clock.now()).toISOString(),
      baseTransactionNumber: number + 1,
      payloadFormat: 'v0',
      actionMetadata: { source: 'client', sourceMetadata: { user: { id: sim.base.owner.id } } },
    })
    const changes = listed.payloads.map((payload) => payload.changedTablesById?.[orders.id])
    assert.deepEqual(changes[0], {
      changedRecordsById: { [first.id]: { current: { cellValuesByFieldId: { [notes]: 'changed' } } } },
    })
    assert.deepEqual(changes[1]?.createdRecordsById?.[added.id]?.cellValuesByFieldId[orders.field('Number').id], 'A-1')
    assert.deepEqual(changes[2]?.destroyedRecordIds, [second.id])
    assert.deepEqual(Object.keys(changes[2]?.changedRecordsById ?? {}), [added.id])
  })

  test('show cells as webhooks do, and what was cleared as null', async () => {
    await using sim = await start(shop())
    const table = sim.base.table('Everything / one of each')
    const linked = table.records.find(({ cells }) => table.field('multipleSelects').id in cells)
    const record = table.create({ singleLineText: 'x', email: 'gone@example.com' })
    assert.ok(linked)
    const name = linked.cells[table.primaryField.id]
    const { id } = await create(sim, {}, { includePreviousCellValues: true, includeCellValuesInFieldIds: 'all' })
    table.update(record.id, {
      email: null,
      singleSelect: 'red',
      multipleSelects: ['green'],
      singleCollaborator: { ...sim.base.owner },
      multipleRecordLinks: [linked.id],
      multipleAttachments: [sim.base.attachments.create({ filename: 'a.txt', type: 'text/plain' })],
      externalSyncSource: 'Jira',
    })
    const [payload] = (await payloads(sim, id)).payloads
    const { current, previous, unchanged } =
      payload?.changedTablesById?.[table.id]?.changedRecordsById?.[record.id] ?? {}
    const cell = (field: string) => current?.cellValuesByFieldId[table.field(field).id]
    assert.equal(cell('email'), null)
    assert.deepEqual(previous?.cellValuesByFieldId[table.field('email').id], 'gone@example.com')
    assert.equal(unchanged?.cellValuesByFieldId[table.field('singleLineText').id], 'x')
    assert.partialDeepStrictEqual(cell('singleSelect'), { name: 'red' })
    assert.match((cell('singleSelect') as { id: string }).id, /^sel\w{14}$/)
    assert.partialDeepStrictEqual(cell('multipleSelects'), [{ name: 'green' }])
    assert.partialDeepStrictEqual(cell('singleCollaborator'), { id: sim.base.owner.id, permissionLevel: 'create' })
    assert.deepEqual(cell('multipleRecordLinks'), [{ id: linked.id, name }])
    assert.partialDeepStrictEqual(cell('multipleAttachments'), [{ filename: 'a.txt' }])
    assert.match((cell('multipleAttachments') as { url: string }[])[0]?.url ?? '', /^http:/)
    assert.partialDeepStrictEqual(cell('externalSyncSource'), { name: 'Jira' })
    const lookup = cell('multipleLookupValues') as { linkedRecordIds: string[]; valuesByLinkedRecordId: object }
    assert.deepEqual(lookup.linkedRecordIds, [linked.id])
    assert.deepEqual(Object.keys(lookup.valuesByLinkedRecordId), [linked.id])
    assert.equal(cell('count'), 1)
    assert.equal(cell('lastModifiedTime'), new Date(sim.clock.now()).toISOString())
  })

  test('tell of both sides of a link', async () => {
    await using sim = await start(shop(), plain)
    const [orders, customers] = [sim.base.table('Orders'), sim.base.table('Customers')]
    const order = orders.create({ Number: 'A-1' })
    const customer = customers.create({ Name: 'ACME' })
    const { id } = await create(sim)
    orders.update(order.id, { Customer: [customer.id] })
    const [payload] = (await payloads(sim, id)).payloads
    assert.deepEqual(
      payload?.changedTablesById?.[customers.id]?.changedRecordsById?.[customer.id]?.['current']?.cellValuesByFieldId,
      { [customers.field('Orders').id]: [{ id: order.id, name: 'A-1' }] },
    )
    assert.deepEqual(Object.keys(payload?.changedTablesById ?? {}).toSorted(), [orders.id, customers.id].toSorted())
  })

  test('leave out what its filters leave out', async () => {
    await using sim = await start(shop(), plain)
    const [orders, customers] = [sim.base.table('Orders'), sim.base.table('Customers')]
    const [one] = orders.records
    const view = orders.views.find(({ name }) => name === 'To be shipped')
    assert.ok(one && view)
    const hooks = {
      all: await create(sim),
      orders: await create(sim, { recordChangeScope: orders.id }),
      view: await create(sim, { recordChangeScope: view.id }),
      status: await create(sim, { recordChangeScope: orders.id, watchDataInFieldIds: [orders.field('Status').id] }),
      removals: await create(sim, { changeTypes: ['remove'] }),
      automation: await create(sim, { fromSources: ['automation'] }),
      fields: await create(sim, { dataTypes: ['tableFields', 'tableMetadata'] }),
    }
    orders.update(one.id, { Status: 'Paid' })
    orders.update(one.id, { Status: 'New' })
    orders.update(one.id, { Notes: 'x' })
    customers.create({ Name: 'ACME' })
    sim.base.transaction(() => void customers.create({ Name: 'Robot' }), { source: 'automation' })
    orders.create({ Number: 'A-9', Status: 'New' })
    orders.delete(one.id)
    orders.renameField('Notes', 'Remarks')
    orders.rename('Sales')

    const counts: Record<string, number> = {}
    for (const [name, { id }] of Object.entries(hooks)) counts[name] = (await payloads(sim, id)).payloads.length
    // The deleted order's customer and products lose their links in the same transaction.
    assert.deepEqual(counts, { all: 7, orders: 5, view: 2, status: 4, removals: 1, automation: 1, fields: 2 })
  })

  test('tell of fields and tables', async () => {
    await using sim = await start(shop(), plain)
    const dataTypes = ['tableData', 'tableFields', 'tableMetadata']
    const { id } = await create(sim, { dataTypes }, { includePreviousFieldDefinitions: true })
    const orders = sim.base.table('Orders')
    const [extra] = [orders.createField({ name: 'Extra', type: 'number' })]
    orders.renameField('Extra', 'More')
    orders.deleteField('More')
    orders.rename('Sales')
    const fresh = sim.base.createTable({
      name: 'Fresh',
      fields: [{ name: 'Name', type: 'singleLineText' }],
      records: [{ Name: 'x' }],
    })
    sim.base.deleteTable('Fresh')
    const listed = (await payloads(sim, id)).payloads
    const changes = listed.map((payload) => payload.changedTablesById?.[orders.id])
    assert.deepEqual(changes.slice(0, 4), [
      { createdFieldsById: { [extra.id]: { name: 'Extra', type: 'number' } } },
      {
        changedFieldsById: {
          [extra.id]: { current: { name: 'More', type: 'number' }, previous: { name: 'Extra', type: 'number' } },
        },
      },
      { destroyedFieldIds: [extra.id] },
      {
        changedMetadata: {
          current: { name: 'Sales', description: orders.description },
          previous: { name: 'Orders', description: orders.description },
        },
      },
    ])
    const table = listed[4]?.createdTablesById?.[fresh.id]
    assert.partialDeepStrictEqual(table, {
      metadata: { name: 'Fresh' },
      fieldsById: { [fresh.primaryField.id]: { name: 'Name' } },
    })
    assert.equal(Object.keys(table?.recordsById ?? {}).length, 1)
    assert.equal(listed[4]?.changedTablesById, undefined)
    assert.deepEqual(listed[5]?.destroyedTableIds, [fresh.id])
  })

  test('are read in pages, as often as somebody likes', async () => {
    await using sim = await start(shop(), plain)
    const { id } = await create(sim)
    for (let count = 0; count < 120; count += 1) sim.base.table('Drafts').create({ Title: `t${count}` })
    const pages = [await payloads(sim, id)]
    while (pages.at(-1)?.mightHaveMore === true) pages.push(await payloads(sim, id, `?cursor=${pages.at(-1)?.cursor}`))
    assert.deepEqual(
      pages.map((page) => [page.payloads.length, page.cursor, page.mightHaveMore]),
      [
        [50, 51, true],
        [50, 101, true],
        [20, 121, false],
      ],
    )
    assert.deepEqual(await payloads(sim, id, '?cursor=121'), { ...pages[2], payloads: [] })
    assert.deepEqual((await payloads(sim, id, '?cursor=119&limit=1')).payloads, pages[2]?.payloads.slice(18, 19))
    for (const query of ['?cursor=122', '?cursor=0', '?limit=51']) {
      assert.partialDeepStrictEqual(await refusal(sim, path(sim, `/${id}/payloads${query}`)), { status: 422 })
    }
  })
})

describe('a webhook', () => {
  test('tells its secret once, and then only how it is', async () => {
    await using sim = await start(shop(), plain)
    const { id, macSecretBase64, expirationTime } = await create(sim)
    assert.equal(Buffer.from(macSecretBase64, 'base64').length, 32)
    assert.equal(Date.parse(expirationTime), sim.clock.now() + 7 * DAY_MS)
    sim.base.table('Drafts').create({ Title: 'x' })
    assert.deepEqual(await describe_(sim, id), {
      id,
      areNotificationsEnabled: true,
      isHookEnabled: true,
      cursorForNextPayload: 2,
      notificationUrl: null,
      expirationTime,
      lastSuccessfulNotificationTime: null,
      lastNotificationResult: null,
      specification: { options: { filters: { dataTypes: ['tableData'] }, includes: {} } },
    })
    await ask(sim, path(sim, `/${id}`), 'DELETE')
    assert.equal(await describe_(sim, id), undefined)
    assert.partialDeepStrictEqual(await refusal(sim, path(sim, `/${id}/payloads`)), { status: 404 })
  })

  test('lives for seven days, longer when it is refreshed or its payloads are read; then they stay for seven more', async () => {
    const clock = new VirtualClock()
    await using sim = await start(shop(), { ...plain, clock })
    const change = () => sim.base.table('Drafts').create({ Title: 'x' })
    const { id } = await create(sim)
    await clock.sleep(5 * DAY_MS)
    await ask(sim, path(sim, `/${id}/refresh`), 'POST')
    await clock.sleep(5 * DAY_MS)
    change()
    assert.equal((await payloads(sim, id)).payloads.length, 1)
    await clock.sleep(6 * DAY_MS)
    change()
    await clock.sleep(2 * DAY_MS)
    change()
    assert.partialDeepStrictEqual(await describe_(sim, id), { isHookEnabled: false, cursorForNextPayload: 3 })
    assert.partialDeepStrictEqual(await refusal(sim, path(sim, `/${id}/refresh`), { method: 'POST' }), { status: 422 })

    // The first payload is older than seven days: the cursor that comes back is further on than it should be.
    const listed = await payloads(sim, id, '?cursor=1')
    assert.equal(listed.payloads.length, 1)
    assert.equal(listed.cursor, 3)
    await clock.sleep(7 * DAY_MS)
    assert.equal(await describe_(sim, id), undefined)
  })

  test('dies of the loss of what it watches, and says so in its last payload', async () => {
    for (const [watch, lose] of [
      ['field', 'field'],
      ['table', 'table'],
      ['view', 'view'],
      ['view', 'table'],
    ] as const) {
      await using sim = await start(shop(), plain)
      const orders = sim.base.table('Orders')
      const view = orders.views[1]
      const filters = {
        field: { watchDataInFieldIds: [orders.field('Notes').id] },
        table: { recordChangeScope: orders.id },
        view: { recordChangeScope: view?.id },
      }
      const { id } = await create(sim, filters[watch])
      const other = await create(sim)
      if (lose === 'field') orders.deleteField('Notes')
      if (lose === 'view') orders.deleteView(view?.id ?? '')
      if (lose === 'table') sim.base.deleteTable('Orders')
      sim.base.table('Drafts').create({ Title: 'x' })

      const listed = (await payloads(sim, id)).payloads
      assert.equal(listed.length, 1, `${watch}, ${lose}`)
      assert.partialDeepStrictEqual(listed[0], { error: true, code: 'INVALID_HOOK' })
      assert.equal((await describe_(sim, id))?.isHookEnabled, false)
      assert.equal((await describe_(sim, other.id))?.isHookEnabled, true)
    }
  })

  test('is one of ten at most, and asks for what is there', async () => {
    await using sim = await start(shop(), plain)
    for (let count = 0; count < 10; count += 1) await create(sim)
    const wanted = (filters: object, more: object = {}) => ({
      method: 'POST',
      body: JSON.stringify({ specification: { options: { filters } }, ...more }),
    })
    const full = await refusal(sim, path(sim), wanted({ dataTypes: ['tableData'] }))
    assert.partialDeepStrictEqual(full, { status: 422, type: 'TOO_MANY_WEBHOOKS_IN_BASE' })
    for (const init of [
      wanted({}),
      wanted({ dataTypes: ['everything'] }),
      wanted({ dataTypes: ['tableData'], changeTypes: ['explode'] }),
      wanted({ dataTypes: ['tableData'], recordChangeScope: 'tblAAAAAAAAAAAAAA' }),
      wanted({ dataTypes: ['tableData'] }, { notificationUrl: 'nowhere' }),
    ]) {
      assert.partialDeepStrictEqual(await refusal(sim, path(sim), init), {
        status: 422,
        type: 'INVALID_REQUEST_UNKNOWN',
      })
    }
    const reader = sim.addToken({ scopes: ['data.records:read', 'schema.bases:read'] }).text
    assert.partialDeepStrictEqual(await refusal(sim, path(sim), { token: reader }), { status: 403 })
  })

  test('counts against the limit of its base in all that it is asked', async () => {
    await using sim = await start(shop(), { limiter: { perBase: 5 } })
    const { id } = await create(sim)
    for (let count = 0; count < 4; count += 1) await payloads(sim, id)
    assert.equal((await sim.fetch(`/v0/${sim.base.id}/Orders`)).status, 429)
  })
})
