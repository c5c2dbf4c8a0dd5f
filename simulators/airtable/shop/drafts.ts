import type { Table } from '../table.ts'
import { fill, perhaps, type Shop } from './shop.ts'
import { remark } from './words.ts'

/** A table without computed fields, so that a record can have no cell at all. */
export function createDrafts({ base }: Shop, name: string): Table {
  return base.createTable({
    name,
    fields: [
      { name: 'Title', type: 'singleLineText' },
      { name: 'createdTime', type: 'singleLineText' },
      { name: 'Body', type: 'multilineText' },
      { name: 'Never used', type: 'number', options: { precision: 0 } },
    ],
  })
}

export function fillDrafts(table: Table, count: number, shop: Shop): void {
  const { random } = shop
  fill(shop, count, (_, index) =>
    table.create({
      Title: perhaps(random, index === 0 ? 0 : 0.5, () => `Draft ${index}`),
      createdTime: perhaps(random, index === 0 ? 0 : 0.2, () => 'yesterday'),
      Body: perhaps(random, index === 0 ? 0 : 0.5, () => remark(random)),
    }),
  )
}
