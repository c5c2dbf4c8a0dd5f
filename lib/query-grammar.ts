import { GrammarBudget } from './grammar-bounds.ts'
import { parseFilter } from './grammar-filter.ts'
import { LOGIC, parseLogic, type Logic } from './grammar-logic.ts'
import type { Condition } from './query.ts'

/**
 * The grammar in which questions arrive: PostgREST's, as far as it reads. What it cannot read is `bad_filter` and says
 * where; what it can read but nothing here can do is `not_supported`. Cost and depth are bounded whatever the text.
 */
export { parseFilter } from './grammar-filter.ts'
export { LOGIC, parseLogic } from './grammar-logic.ts'
export { parseOrder } from './grammar-order.ts'
export { parseSelect } from './grammar-select.ts'

/** Parameters that are filters or `and`, `or` and their negations, as one condition: all of them hold. */
export function parseConditions(parameters: Iterable<readonly [name: string, value: string]>): Condition | null {
  const budget = new GrammarBudget()
  const of = Array.from(parameters, ([name, value]) =>
    isLogic(name) ? parseLogic(name, value, budget) : parseFilter(name, value, budget),
  )
  return of.length > 1 ? { kind: 'and', of } : (of[0] ?? null)
}

function isLogic(name: string): name is Logic {
  return (LOGIC as readonly string[]).includes(name)
}
