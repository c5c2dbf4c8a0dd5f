import { systemClock } from '../../lib/base/clock.ts'
import { Base } from './base.ts'
import { Random } from './random.ts'
import { countOrders, createCustomers, fillCustomers } from './shop/customers.ts'
import { createDrafts, fillDrafts } from './shop/drafts.ts'
import { createEverything, fillEverything } from './shop/everything.ts'
import { createOrders, fillOrders, linkOrders } from './shop/orders.ts'
import { createProducts, fillProducts } from './shop/products.ts'
import { ShopClock } from './shop/shop.ts'

export interface GenerateOptions {
  /** The same seed gives the same base, ids and all. */
  readonly seed?: number
  readonly name?: string
  /** In this order: Orders, Customers, Products, one with a field of each type, and as many of drafts as remain; 5. */
  readonly tables?: number
  /** Of the orders; the other tables have fewer. 250. */
  readonly records?: number
}

/** A shop: orders of customers for products, with the gaps and oddities that bases have. */
export function generateBase(options: GenerateOptions = {}): Base {
  const { seed = 1, name = 'Shop', tables = 5, records = 250 } = options
  const base = new Base({ seed, name })
  const shop = { base, random: new Random(seed + 1), clock: new ShopClock() }
  base.useClock(shop.clock)
  const smaller = (divisor: number) => Math.max(10, Math.floor(records / divisor))
  base.transaction(() => {
    const orders = createOrders(shop)
    const customers = tables > 1 ? createCustomers(shop) : undefined
    const products = tables > 2 ? createProducts(shop) : undefined
    linkOrders(orders, { customers, products })
    if (customers !== undefined) {
      countOrders(customers)
      fillCustomers(customers, smaller(10), shop)
    }
    if (products !== undefined) fillProducts(products, smaller(50), shop)
    fillOrders(orders, records, shop)
    if (tables > 3) fillEverything(createEverything(shop), smaller(100), shop)
    for (let number = 1; number <= tables - 4; number += 1) {
      fillDrafts(createDrafts(shop, number === 1 ? 'Drafts' : `Drafts ${number}`), smaller(20), shop)
    }
  })
  base.useClock(systemClock)
  return base
}
