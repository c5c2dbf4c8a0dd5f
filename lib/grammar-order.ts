import { MAX_ORDERS } from './grammar-bounds.ts'
import { GrammarText } from './grammar-text.ts'
import type { Order } from './query.ts'

interface OrderOptions {
  readonly parameter?: string
  /** A `-` in front means descending. */
  readonly allowMinus?: boolean
}

const SUFFIXES = '.asc or .desc, then .nullsfirst or .nullslast, a comma or the end'

/** `a.desc.nullslast,b->c`. NULL counts as the largest value, as in PostgreSQL, unless it is said where it goes. */
export function parseOrder(text: string, options: OrderOptions = {}): readonly Order[] {
  const reader = new GrammarText(options.parameter ?? 'order', text)
  const orders: Order[] = []
  do {
    if (orders.length >= MAX_ORDERS) throw reader.exceeds(`at most ${MAX_ORDERS} columns to order by`)
    reader.skipSpaces()
    orders.push(readOrder(reader, options.allowMinus ?? false))
    reader.skipSpaces()
  } while (reader.take(','))
  reader.expectEnd(SUFFIXES)
  return orders
}

function readOrder(reader: GrammarText, allowMinus: boolean): Order {
  const hasMinus = allowMinus && reader.take('-')
  const operand = reader.operand('a column to order by')
  if (reader.sees('(')) throw reader.notSupported('Rows are not ordered by columns of other tables here.')
  const hasDirection = !hasMinus && (reader.sees('.asc') || reader.sees('.desc'))
  const descending = hasDirection ? reader.match(/\.(?:asc|desc)/y) === '.desc' : hasMinus
  const nulls = reader.match(/\.nulls(?:first|last)/y)
  if (!reader.isAtEnd && !/[\s,]/.test(reader.text[reader.at]!)) {
    throw reader.fail(hasMinus ? '.nullsfirst or .nullslast, a comma or the end' : SUFFIXES)
  }
  const natural = descending ? 'first' : 'last'
  return { operand, descending, nulls: nulls === '' ? natural : nulls === '.nullsfirst' ? 'first' : 'last' }
}
