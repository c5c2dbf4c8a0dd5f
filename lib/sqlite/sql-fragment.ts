import type { Cell } from '../query.ts'

/** A piece of SQL with what is bound to its question marks, in their order. */
export interface Fragment {
  readonly sql: string
  readonly params: readonly Cell[]
}

/** With what it costs to work it out for one row, next to finding the row. */
export interface Weighted extends Fragment {
  readonly weight: number
}

/**
 * Stands for a value that ends a range or limits how many rows there are. SQLite looks at such a value while it plans, and
 * plans the statement anew whenever another one is bound; with the sign it does not, and the comparison is the same.
 */
export const UNSEEN = '+?'

const MAX_TERMS = 100

/** Bracketed so that a thousand of them nest no deeper than SQLite allows. */
export function joinTerms(terms: readonly string[], operator: ' AND ' | ' OR ' | ' + '): string {
  if (terms.length <= MAX_TERMS) return terms.join(operator)
  const size = Math.ceil(terms.length / MAX_TERMS)
  const groups = Array.from({ length: Math.ceil(terms.length / size) }, (_, index) =>
    terms.slice(index * size, (index + 1) * size),
  )
  return groups.map((group) => `(${joinTerms(group, operator)})`).join(operator)
}
