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
