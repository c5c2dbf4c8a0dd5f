import type { Base } from '../base.ts'
import type { Json } from '../json.ts'
import type { Random } from '../random.ts'
import { STATUS } from './orders.ts'
import { cents, remark } from './words.ts'

/** Something that somebody did in a generated base. */
export interface Happening {
  /** As a sentence without its end: `A-000017 is now Shipped`. */
  readonly what: string
  readonly table: string
  readonly recordId: string
  /** What the record has since then; undefined where it is gone. */
  readonly cells: Readonly<Record<string, Json>> | undefined
}

/** An ordinary day: most of the time an order is edited, now and then one comes or goes. */
export function happen(base: Base, random: Random): Happening {
  const chance = random.next()
  if (chance < 0.15) return create(base, random)
  if (chance < 0.25) return remove(base, random)
  return chance < 0.5 ? annotate(base, random) : advance(base, random)
}

function pickOrder(base: Base, random: Random) {
  const orders = base.table('Orders')
  const record = random.pick(orders.records)
  const number = record.cells[orders.primaryField.id]
  return { orders, record, name: typeof number === 'string' ? number : 'an order without a number' }
}

function create(base: Base, random: Random): Happening {
  const orders = base.table('Orders')
  const number = `A-${String(orders.size + 1).padStart(6, '0')}`
  const cells = { Number: number, Status: 'New', Quantity: random.whole(1, 12), 'Unit price': cents(random, 500) }
  const { id } = orders.create(cells)
  return { what: `${number} was ordered`, table: 'Orders', recordId: id, cells }
}

function remove(base: Base, random: Random): Happening {
  const { orders, record, name } = pickOrder(base, random)
  orders.delete(record.id)
  return { what: `${name} was deleted`, table: 'Orders', recordId: record.id, cells: undefined }
}

function annotate(base: Base, random: Random): Happening {
  const { orders, record, name } = pickOrder(base, random)
  const cells = { Notes: `${remark(random)} (${random.whole(1, 9999)})` }
  orders.update(record.id, cells)
  return { what: `${name} has another note`, table: 'Orders', recordId: record.id, cells }
}

function advance(base: Base, random: Random): Happening {
  const { orders, record, name } = pickOrder(base, random)
  const status = record.cells[orders.field('Status').id]
  const cells = { Status: random.pick(STATUS.filter((other) => other !== status)) }
  orders.update(record.id, cells)
  return { what: `${name} is now ${cells.Status}`, table: 'Orders', recordId: record.id, cells }
}
