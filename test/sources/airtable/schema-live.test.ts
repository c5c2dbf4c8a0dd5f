import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { AirtableMode } from '../../../lib/settings.ts'
import type { Plan } from '../../../lib/source.ts'
import { Base } from '../../../simulators/airtable/base.ts'
import { choicesOf } from '../../../simulators/airtable/field.ts'
import { generateBase } from '../../../simulators/airtable/generate.ts'
import type { Table } from '../../../simulators/airtable/table.ts'
import { Replica } from './replica.ts'
import { upstreamOf, type Upstream } from './upstream.ts'

const QUIET = { webhooks: { ping: false } }

interface Scene {
  readonly upstream: Upstream
  readonly base: Base
  readonly orders: Table
  readonly replica: Replica
  sync(options?: { cursors?: number; only?: readonly string[] }): ReturnType<Replica['sync']>
}

async function scene(
  t: TestContext,
  mode: AirtableMode,
  base = generateBase({ seed: 9, tables: 3, records: 350 }),
): Promise<Scene> {
  const upstream = await upstreamOf(t, base, { sim: QUIET })
  const replica = new Replica()
  const sync: Scene['sync'] = (options = {}) => replica.sync(upstream.source({ mode, ...options }))
  return { upstream, base, orders: base.tables[0]!, replica, sync }
}

/** Names of the tables that a plan reads in full. */
function wholeTables({ tables }: Plan): string[] {
  return tables.filter(({ from }) => from === 'nothing').map(({ name }) => name)
}

for (const mode of ['polling', 'webhook'] satisfies AirtableMode[]) {
  describe(`a schema that changes (${mode})`, () => {
    for (const [name, change, read] of [
      ['a field is added', ({ orders }: Scene) => orders.createField({ name: 'New', type: 'number' }), ['Orders']],
      ['a field is renamed', ({ orders }: Scene) => orders.renameField('Notes', 'Remarks'), ['Orders']],
      ['a field is deleted', ({ orders }: Scene) => orders.deleteField('Notes'), ['Orders']],
      ['two fields change their names', swapNames, ['Orders']],
      ['a field gets another type', ({ orders }: Scene) => orders.retypeField('Notes', 'singleLineText'), ['Orders']],
      ['a table is renamed', ({ orders }: Scene) => orders.rename('Sales'), ['Sales']],
      ['a table is added', addTable, ['Notes']],
      ['a choice is renamed', renameChoice, ['Orders']],
    ] as const) {
      test(`${name}: only the table concerned is read in full`, async (t) => {
        const one = await scene(t, mode)
        const { base, replica, sync } = one
        await sync()
        change(one)
        const customers = base.table('Customers')
        customers.update(customers.records[0]!.id, { Name: 'changed' })
        const { plan } = await sync()
        assert.deepEqual(wholeTables(plan), read)
        replica.assertMirrors(base)
        assert.deepEqual(replica.names.toSorted(), base.tables.map((table) => table.name).toSorted())
        assert.deepEqual(wholeTables((await sync()).plan), [])
      })
    }

    test('a table is deleted: it goes, and its links with it', async (t) => {
      const { base, replica, sync } = await scene(t, mode)
      await sync()
      base.deleteTable('Products')
      await sync()
      assert.deepEqual(replica.names, ['Orders', 'Customers'])
      replica.assertMirrors(base)
    })

    test('what is only shown otherwise is told without reading a record', async (t) => {
      const { upstream, base, orders, replica, sync } = await scene(t, mode)
      await sync()
      await upstream.clock.advance(600_000)
      orders.updateField('Unit price', { options: { symbol: '¥' }, description: 'In yen' })
      const { plan, pages } = await sync()
      assert.deepEqual(wholeTables(plan), [])
      assert.ok(pages.every(({ rows }) => rows.length === 0))
      const origin = replica.published?.plan.tables[0]?.origin
      assert.equal(origin?.fields.find(({ name }) => name === 'Unit price')?.description, 'In yen')
      replica.assertMirrors(base)
    })

    for (const [name, change] of [
      ['a field is renamed', ({ orders }: Scene) => orders.renameField('Notes', 'Remarks')],
      ['a field is added', ({ orders }: Scene) => orders.createField({ name: 'New', type: 'number' })],
      ['a field is deleted', ({ orders }: Scene) => orders.deleteField('Notes')],
      ['a table is renamed', ({ orders }: Scene) => orders.rename('Sales')],
      ['a table is added', addTable],
      ['a table is deleted', ({ base, orders }: Scene) => base.deleteTable(orders.name)],
    ] as const) {
      test(`${name} while everything is read: what was planned is published, the next run brings the rest`, async (t) => {
        const one = await scene(t, mode)
        const { upstream, base, orders, replica, sync } = one
        const during = upstream.sim.fault({
          match: ({ table, isPaged }) => table === orders.id && isPaged,
          kind: 'call',
          skip: 1,
          run: () => void change(one),
        })
        const { plan } = await sync({ cursors: 1 })
        assert.equal(during.fired, 1)
        assert.deepEqual(
          plan.tables.map((table) => table.name),
          ['Orders', 'Customers', 'Products'],
        )
        replica.assertMirrors(base, ['Customers', 'Products'])
        await sync()
        replica.assertMirrors(base)
        assert.deepEqual(replica.names.toSorted(), base.tables.map((table) => table.name).toSorted())
      })
    }
  })
}

describe('tables', () => {
  test('are chosen by name or id, and one that is not there is told', async (t) => {
    const { base, replica, sync } = await scene(t, 'polling')
    const { plan } = await sync({ only: ['Orders', base.table('Products').id, 'Nowhere'] })
    assert.deepEqual(replica.names, ['Orders', 'Products'])
    assert.match(plan.warnings?.join() ?? '', /"Nowhere"/)
  })

  test('and fields may be called anything', async (t) => {
    const base = new Base({ seed: 10 })
    const names = [
      'id',
      'ID',
      '_id',
      'createdTime',
      '_errors',
      '__proto__',
      'constructor',
      '🙂',
      `a'b"c\`d`,
      'x'.repeat(300),
      ' ',
      'rowid',
      '_hf_row',
      '2',
      '1',
      'né',
      'né'.normalize('NFD'),
    ]
    const fields = names.map((name) => ({ name, type: 'singleLineText' }))
    const records = Array.from({ length: 120 }, (_, row) =>
      Object.fromEntries(names.map((name) => [name, `${row} ${name}`])),
    )
    base.createTable({ name: `Robert'); DROP TABLE "x"; --`, fields, records })
    base.createTable({ name: '__proto__', fields: [{ name: 'a', type: 'number' }], records: [{ a: 1 }] })
    base.createTable({ name: '../🙂/?x=1&y[]=%2F#', fields: [{ name: 'a', type: 'number' }], records: [{ a: 2 }] })
    const { upstream, replica, sync } = await scene(t, 'webhook', base)
    await sync()
    replica.assertMirrors(base)
    for (const table of base.tables)
      table.update(table.records[0]!.id, { [table.fields.at(-1)!.name]: table.records.length === 1 ? 9 : 'changed' })
    await sync()
    replica.assertMirrors(base)
    upstream.sim.assertLimitKept()
  })
})

describe('a cell that does not fit what its field says', () => {
  test('has a place of its own from the next attempt on', async (t) => {
    const base = new Base({ seed: 11 })
    const table = base.createTable({
      name: 'Odd',
      fields: [
        { name: 'Name', type: 'singleLineText' },
        { name: 'Count', type: 'number' },
      ],
      records: Array.from({ length: 150 }, (_, row) => ({ Name: `row ${row}`, Count: row })),
    })
    const { upstream, replica } = await scene(t, 'polling', base)
    table.update(table.records[120]!.id, { Count: { specialValue: 'NaN' } })
    const source = upstream.source()
    await assert.rejects(replica.sync(source), { code: 'upstream_changed' })
    await replica.sync(source)
    replica.assertMirrors(base)
    const { plan } = await replica.sync(upstream.source())
    assert.equal(plan.tables[0]?.origin?.errorsColumn, '_errors')
    replica.assertMirrors(base)
  })
})

function swapNames({ orders, base }: Scene): void {
  base.transaction(() => {
    orders.renameField('Number', 'x')
    orders.renameField('Notes', 'Number')
    orders.renameField('x', 'Notes')
  })
}

function addTable({ base }: Scene): void {
  base.createTable({
    name: 'Notes',
    fields: [{ name: 'Text', type: 'singleLineText' }],
    records: Array.from({ length: 130 }, (_, row) => ({ Text: `note ${row}` })),
  })
}

function renameChoice({ orders, base }: Scene): void {
  const status = orders.field('Status')
  const choices = choicesOf(status).map(({ id, name }) => ({ id, name: name === 'New' ? 'Fresh' : name }))
  base.transaction(() => {
    orders.updateField('Status', { options: { choices } })
    // As Airtable shows them from then on: no record counts as modified.
    for (const record of orders.records) if (record.cells[status.id] === 'New') record.cells[status.id] = 'Fresh'
  })
}
