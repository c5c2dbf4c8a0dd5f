import type { Table } from '../table.ts'
import { choices, daysAfter, edit, fill, isoDay, perhaps, some, type Shop } from './shop.ts'
import { cents, remark } from './words.ts'

export const STATUS = ['New', 'Paid', 'Packed', 'Shipped', 'Returned', 'Cancelled']
const CHANNEL = ['Web', 'Phone', 'Store', 'Market place']

export function createOrders({ base }: Shop): Table {
  return base.createTable({
    name: 'Orders',
    description: 'What was sold; one record for each order',
    fields: [
      { name: 'Number', type: 'singleLineText', description: 'Printed on the invoice' },
      { name: 'Status', type: 'singleSelect', options: choices(STATUS) },
      { name: 'Channels', type: 'multipleSelects', options: choices(CHANNEL) },
      { name: 'Quantity', type: 'number', options: { precision: 0 } },
      { name: 'Unit price', type: 'currency', options: { precision: 2, symbol: '€' } },
      { name: 'Discount', type: 'percent', options: { precision: 1 } },
      {
        name: 'Ordered at',
        type: 'dateTime',
        options: {
          timeZone: 'utc',
          dateFormat: { name: 'iso', format: 'YYYY-MM-DD' },
          timeFormat: { name: '24hour', format: 'HH:mm' },
        },
      },
      { name: 'Ship by', type: 'date', options: { dateFormat: { name: 'iso', format: 'YYYY-MM-DD' } } },
      { name: 'Gift', type: 'checkbox', options: { icon: 'check', color: 'greenBright' } },
      { name: 'Notes', type: 'multilineText' },
      {
        name: 'Amount',
        type: 'formula',
        options: {
          formula: 'ROUND({Quantity} * {Unit price} * (1 - {Discount}), 2)',
          result: { type: 'number', options: { precision: 2 } },
        },
      },
      {
        name: 'Modified',
        type: 'lastModifiedTime',
        options: { isValid: true, referencedFieldIds: [], result: { type: 'dateTime' } },
      },
    ],
    views: [
      { name: 'All orders' },
      {
        name: 'To be shipped',
        filter: 'OR({Status} = "Paid", {Status} = "Packed")',
        sort: [{ field: 'Ordered at', direction: 'asc' }],
        visible: ['Number', 'Status', 'Ship by'],
      },
      { name: 'By status', type: 'kanban' },
    ],
  })
}

export function linkOrders(orders: Table, to: { customers: Table | undefined; products: Table | undefined }): void {
  if (to.customers !== undefined) {
    orders.createField({
      name: 'Customer',
      type: 'multipleRecordLinks',
      options: { linkedTableId: to.customers.id, isReversed: false, prefersSingleRecordLink: true },
    })
    orders.createField({
      name: 'Customer country',
      type: 'multipleLookupValues',
      options: { recordLinkFieldId: 'Customer', fieldIdInLinkedTable: 'Country', result: { type: 'singleSelect' } },
    })
  }
  if (to.products === undefined) return
  orders.createField({
    name: 'Products',
    type: 'multipleRecordLinks',
    options: { linkedTableId: to.products.id, isReversed: false, prefersSingleRecordLink: false },
  })
  orders.createField({
    name: 'List price',
    type: 'rollup',
    aggregate: 'SUM',
    options: { recordLinkFieldId: 'Products', fieldIdInLinkedTable: 'Price', result: { type: 'number' } },
  })
}

export function fillOrders(orders: Table, count: number, shop: Shop): void {
  const { random } = shop
  const customers = linkedIds(orders, 'Customer')
  const products = linkedIds(orders, 'Products')
  fill(shop, count, (at, index) =>
    orders.create({
      Number: `A-${String(index + 1).padStart(6, '0')}`,
      Status: random.pick(STATUS),
      Channels: some(random, CHANNEL, 2),
      Quantity: perhaps(random, 0.97, () => random.whole(1, 12)),
      'Unit price': perhaps(random, 0.97, () => cents(random, 500)),
      Discount: perhaps(random, 0.2, () => random.whole(1, 400) / 1000),
      'Ordered at': new Date(at).toISOString(),
      'Ship by': perhaps(random, 0.8, () => isoDay(daysAfter(at, random.whole(1, 21)))),
      Gift: random.isTrue(0.1),
      Notes: perhaps(random, 0.15, () => remark(random)),
      ...(customers.length > 0 && { Customer: random.isTrue(0.98) ? [random.pick(customers)] : [] }),
      ...(products.length > 0 && { Products: some(random, products, 4) }),
    }),
  )
  edit(shop, orders, 0.2, () => ({ Notes: remark(random) }))
}

function linkedIds(table: Table, name: string): readonly string[] {
  const link = table.findField(name)?.options?.['linkedTableId']
  return typeof link === 'string' ? table.base.table(link).records.map(({ id }) => id) : []
}
