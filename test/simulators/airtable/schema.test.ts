import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FIELD_TYPES } from '../../../simulators/airtable/field.ts'
import { generateBase } from '../../../simulators/airtable/generate.ts'
import { Base } from '../../../simulators/airtable/base.ts'
import { ask, list, listAll, start } from './asking.ts'

interface FieldJson {
  readonly id: string
  readonly name: string
  readonly type: string
  readonly description?: string
  readonly options?: Record<string, unknown>
}
interface TableJson {
  readonly id: string
  readonly name: string
  readonly primaryFieldId: string
  readonly fields: readonly FieldJson[]
  readonly views: readonly { id: string; name: string; type: string; visibleFieldIds?: string[] }[]
}

const schemaOf = async (sim: Awaited<ReturnType<typeof start>>, query = '') =>
  (await ask<{ tables: TableJson[] }>(sim, `/v0/meta/bases/${sim.base.id}/tables${query}`)).tables

describe('the schema', () => {
  test('has tables, fields of every type, and views', async () => {
    await using sim = await start(generateBase({ records: 200 }))
    const tables = await schemaOf(sim)
    assert.deepEqual(
      tables.map(({ name }) => name),
      ['Orders', 'Customers', 'Products', 'Everything / one of each', 'Drafts'],
    )
    const types = new Set(tables[3]?.fields.map(({ type }) => type))
    assert.deepEqual(
      FIELD_TYPES.filter((type) => !types.has(type)),
      [],
    )
    assert.ok(types.has('hologram'), 'no type that nobody knows')
    for (const { primaryFieldId, fields } of tables) assert.equal(fields[0]?.id, primaryFieldId)
    assert.deepEqual(
      tables[0]?.views.map(({ name, type, visibleFieldIds }) => [name, type, visibleFieldIds]),
      [
        ['All orders', 'grid', undefined],
        ['To be shipped', 'grid', undefined],
        ['By status', 'kanban', undefined],
      ],
    )
    const seen = (await schemaOf(sim, '?include[]=visibleFieldIds'))[0]?.views.map(
      (view) => view.visibleFieldIds?.length,
    )
    assert.deepEqual(seen, [tables[0]?.fields.length, 3, undefined])
  })

  test('names fields by id where it refers to them, and links in both directions', async () => {
    await using sim = await start(generateBase({ tables: 3, records: 20 }))
    const [orders, customers] = await schemaOf(sim)
    const field = (name: string) => orders?.fields.find((one) => one.name === name)
    const amount = field('Amount')?.options
    const [quantity, price, discount] = ['Quantity', 'Unit price', 'Discount'].map((name) => field(name)?.id)
    assert.equal(amount?.['formula'], `ROUND({${quantity}} * {${price}} * (1 - {${discount}}), 2)`)
    assert.deepEqual(amount?.['referencedFieldIds'], [quantity, price, discount])
    const link = field('Customer')
    const inverse = customers?.fields.find(({ name }) => name === 'Orders')
    assert.equal(link?.options?.['inverseLinkFieldId'], inverse?.id)
    assert.equal(inverse?.options?.['inverseLinkFieldId'], link?.id)
    assert.equal(inverse?.options?.['linkedTableId'], orders?.id)
  })

  test('lists the bases that a token is good for, and says whose it is', async () => {
    const second = new Base({ seed: 2, name: 'Second', permissionLevel: 'read' })
    await using sim = await start(generateBase({ tables: 1, records: 10 }), {})
    const { bases } = await ask<{ bases: object[] }>(sim, '/v0/meta/bases')
    assert.deepEqual(bases, [{ id: sim.base.id, name: 'Shop', permissionLevel: 'create' }])
    assert.deepEqual(await ask(sim, '/v0/meta/whoami').then((one) => (one as { id: string }).id), sim.base.owner.id)

    await using both = await start(sim.base, { bases: [sim.base, second] })
    const { text } = both.addToken({ bases: [second.id] })
    const answer = await both.fetch('/v0/meta/bases', { token: text })
    assert.deepEqual(await answer.json(), { bases: [{ id: second.id, name: 'Second', permissionLevel: 'read' }] })
  })

  test('changes as the base does: fields and tables come, go and are renamed', async () => {
    await using sim = await start(generateBase({ tables: 2, records: 20 }))
    const orders = sim.base.table('Orders')
    orders.renameField('Status', 'State')
    orders.rename('Sales')
    orders.createField({ name: 'Extra', type: 'hologram', description: 'new' })
    orders.deleteField('Quantity')
    sim.base.createTable({ name: 'Fresh', fields: [{ name: 'Name', type: 'singleLineText' }] })

    const [sales, customers, fresh] = await schemaOf(sim)
    assert.deepEqual([sales?.name, customers?.name, fresh?.name], ['Sales', 'Customers', 'Fresh'])
    const names = sales?.fields.map(({ name }) => name) ?? []
    assert.ok(
      names.includes('State') && names.includes('Extra') && !names.includes('Status') && !names.includes('Quantity'),
    )
    assert.equal(sales?.fields.find(({ name }) => name === 'Amount')?.options?.['isValid'], false)
    const [record] = (await list(sim, 'Sales')).records
    assert.deepEqual(record?.fields['Amount'], { error: '#ERROR!' })

    const linked = sim.base
      .table('Sales')
      .readAll()
      .find(({ fields }) => 'Customer' in fields)
    const [customerId] = (linked?.fields['Customer'] ?? []) as string[]
    const name = sim.base.table('Customers').read(customerId ?? '').fields['Name']
    sim.base.deleteTable('Customers')
    const [left] = await schemaOf(sim)
    const field = (wanted: string) => left?.fields.find((one) => one.name === wanted)
    assert.equal(field('Customer')?.type, 'singleLineText')
    assert.equal(field('Customer country')?.options?.['isValid'], false)
    assert.equal(sim.base.table('Sales').read(linked?.id ?? '').fields['Customer'], name)
    assert.equal(sim.base.table('Sales').read(linked?.id ?? '').fields['Customer country'], undefined)
    assert.equal((await sim.fetch(`/v0/${sim.base.id}/Customers`)).status, 403)
  })
})

test('a link field that is deleted leaves a text on the other side', async () => {
  await using sim = await start(generateBase({ tables: 2, records: 20 }))
  const [orders, customers] = [sim.base.table('Orders'), sim.base.table('Customers')]
  const { id } = customers.create({ Name: 'ACME' })
  orders.create({ Number: 'N-1', Customer: [id] })
  orders.create({ Number: 'N-2', Customer: [id] })
  orders.deleteField('Customer')
  assert.equal(customers.field('Orders').type, 'singleLineText')
  assert.equal(customers.read(id).fields['Orders'], 'N-1, N-2')
})

describe('computed cells', () => {
  test('follow what they are computed from', async () => {
    await using sim = await start(generateBase({ tables: 3, records: 20 }))
    const { base } = sim
    const product = base.table('Products').create({ Name: 'Lamp', Price: 19.99, 'Weight (kg)': 2 })
    const other = base.table('Products').create({ Name: 'Rug', Price: 0.01 })
    const customer = base.table('Customers').create({ Name: 'ACME', Country: 'Japan' })
    const order = base.table('Orders').create({
      Quantity: 3,
      'Unit price': 10.1,
      Discount: 0.5,
      Customer: [customer.id],
      Products: [product.id, other.id],
    })
    const orders = await listAll(sim, 'Orders')
    assert.partialDeepStrictEqual(orders.find(({ id }) => id === order.id)?.fields, {
      Amount: 15.15,
      'List price': 20,
      'Customer country': ['Japan'],
    })
    const fields = (await listAll(sim, 'Customers')).find(({ id }) => id === customer.id)?.fields
    assert.partialDeepStrictEqual(fields, { Orders: [order.id], 'Order count': 1, Turnover: 15.15 })
    assert.equal(base.table('Products').read(product.id).fields['Price per kg'], 9.995)

    base.table('Orders').delete(order.id)
    assert.deepEqual(base.table('Customers').read(customer.id).fields['Orders'], undefined)
    assert.equal(base.table('Customers').read(customer.id).fields['Order count'], 0)
  })

  test('that fail are objects that say how', async () => {
    await using sim = await start(generateBase({ tables: 4, records: 20 }))
    const products = sim.base.table('Products')
    const perKg = (cells: Record<string, number>) => products.read(products.create(cells).id).fields['Price per kg']
    assert.deepEqual(perKg({ Price: 1 }), { specialValue: 'Infinity' })
    assert.deepEqual(perKg({}), { specialValue: 'NaN' })
    const records = await listAll(sim, 'Everything / one of each')
    const failing = records.filter(({ fields }) => fields['checkbox'] === true)
    assert.ok(failing.length > 0)
    for (const { fields } of failing) assert.deepEqual(fields['formula that fails'], { error: '#ERROR!' })
  })

  test('do not touch the time of modification; an edit does, and that of the field', async () => {
    await using sim = await start(generateBase({ tables: 4, records: 20 }))
    const table = sim.base.table('Everything / one of each')
    const [record, linked] = table.records.filter(({ modifiedAt }) => modifiedAt === undefined)
    assert.ok(record && linked)
    assert.equal(table.read(record.id).fields['lastModifiedTime'], undefined)
    await sim.clock.sleep(5000)
    table.update(record.id, { email: 'new@example.com', multipleRecordLinks: [linked.id] })
    const edited = new Date(sim.clock.now()).toISOString()
    await sim.clock.sleep(5000)
    table.update(linked.id, { number: 5 })

    assert.partialDeepStrictEqual(table.read(record.id).fields, {
      lastModifiedTime: edited,
      lastModifiedBy: { id: sim.base.owner.id },
      rollup: 5,
    })
    assert.equal(table.read(record.id).fields['number modified'], undefined)
    assert.equal(table.read(linked.id).fields['number modified'], new Date(sim.clock.now()).toISOString())
  })
})

describe('a generated base', () => {
  test('is the same for the same seed, another one for another', () => {
    const dump = (seed: number) =>
      JSON.stringify(generateBase({ seed, records: 60 }).tables.map((table) => table.readAll()))
    assert.equal(dump(5), dump(5))
    assert.notEqual(dump(5), dump(6))
  })

  test('has as many orders and tables as are asked for, a cell of each type, and records without any', () => {
    const base = generateBase({ records: 321, tables: 7 })
    assert.equal(base.table('Orders').size, 321)
    assert.equal(base.tables.length, 7)
    const everything = base.table('Everything / one of each')
    const filled = new Set(everything.readAll().flatMap(({ fields }) => Object.keys(fields)))
    assert.deepEqual(
      everything.fields.map(({ name }) => name).filter((name) => !filled.has(name)),
      [],
    )
    assert.ok(
      base
        .table('Drafts')
        .readAll()
        .some(({ fields }) => Object.keys(fields).length === 0),
    )
  })
})
