import type { Cell, ResolvedQuery } from '../query.ts'
import { keyOfValue, type ConditionCompiler, type Conjunct } from './sql-condition.ts'
import { UNSEEN } from './sql-fragment.ts'
import { POSITION, type SqlTable } from './snapshot-schema.ts'

/** One thing that rows are sorted by. The last one is different for every row. */
export interface OrderTerm {
  readonly sql: string
  readonly params: readonly Cell[]
  readonly weight: number
  /** The SQL name of the column whose cells are sorted by, as an index may have them. */
  readonly column: string | null
  readonly descending: boolean
  readonly nulls: 'first' | 'last'
  /** False: no row has NULL here. */
  readonly isNullable: boolean
  /** Where the row that an answer goes on behind stands, as what `sql` yields; undefined: from the start. */
  readonly after: Cell | undefined
}

/** Rows that follow on those of the part before: what they meet, and what they are yet to be sorted by. */
export interface OrderPart {
  readonly conjuncts: readonly Conjunct[]
  readonly order: readonly OrderTerm[]
}

/**
 * What rows are sorted by, without what is the same for all of them. Ties are settled by position or, for answers that
 * must go on across snapshots, by the key's cells as they are stored.
 */
export function orderTerms(
  query: ResolvedQuery,
  options: {
    table: SqlTable
    compiler: ConditionCompiler
    /** SQL names of columns that have one value in all rows that are asked for. */
    fixed: ReadonlySet<string>
    isNullable(column: string): boolean
  },
): OrderTerm[] {
  const { table, compiler, fixed } = options
  const terms: OrderTerm[] = []
  const known = new Set<string>()
  for (const [index, { operand, descending, nulls }] of query.order.entries()) {
    // Rows that come to it a second time are equal in it.
    const name = JSON.stringify([operand.column.name, operand.asText, operand.path])
    if (known.has(name)) continue
    known.add(name)
    const column = operand.path.length === 0 ? table.compared(operand.column) : null
    if (column !== null && fixed.has(column)) continue
    const isNullable = column === null || options.isNullable(column)
    const cell = query.after?.[index]
    const after = cell === undefined ? undefined : keyOfValue(operand.type, cell)
    terms.push({ ...compiler.key(operand), column, descending, nulls, isNullable, after })
  }
  const tie = { params: [], weight: 0, descending: false, nulls: 'last', isNullable: false } as const
  const names = query.byKey ? table.key.map((name) => table.sql(name)) : [POSITION]
  for (const [index, name] of names.entries()) {
    if (fixed.has(name)) continue
    terms.push({ ...tie, sql: `n.${name}`, column: name, after: query.after?.[query.order.length + index] })
  }
  return terms
}

/**
 * The rows behind where the answer goes on, in parts that an index can serve one after the other: first those that are
 * equal in all but the last term, at last those that are behind in the first one; and NULLs apart where they are not at
 * the end that an index has them at.
 */
export function orderParts(terms: readonly OrderTerm[]): OrderPart[] {
  const [first] = terms
  if (first === undefined) return [{ conjuncts: [], order: [] }]
  if (first.after === undefined) return splitNulls(first, terms.slice(1))
  const parts: OrderPart[] = []
  for (let index = terms.length - 1; index >= 0; index--) {
    const same = terms.slice(0, index).map(isSame)
    const term = terms[index]!
    const rest = terms.slice(index + 1)
    for (const part of behind(term, rest)) parts.push({ ...part, conjuncts: [...same, ...part.conjuncts] })
  }
  return parts
}

/** The same as one condition, for where the rows are sorted anyway. */
export function orderWhole(terms: readonly OrderTerm[]): OrderPart {
  if (terms[0]?.after === undefined) return { conjuncts: [], order: terms }
  const parts = orderParts(terms).map(({ conjuncts }) => conjuncts)
  if (parts.length === 1) return { conjuncts: parts[0]!, order: terms }
  const sql = parts.map((conjuncts) => `(${conjuncts.map((conjunct) => conjunct.sql).join(' AND ')})`).join(' OR ')
  const params = parts.flatMap((conjuncts) => conjuncts.flatMap((conjunct) => conjunct.params))
  const weight = terms.reduce((sum, term) => sum + 2 * term.weight, 0)
  return {
    conjuncts: [{ sql: parts.length === 0 ? 'FALSE' : sql, params, weight, column: null, bound: null }],
    order: terms,
  }
}

export function orderSql(order: readonly OrderTerm[]): string {
  return order
    .map(({ sql, descending, nulls, isNullable }) => {
      // SQLite takes NULL for the least of all.
      const isNatural = (nulls === 'first') !== descending
      return `${sql}${descending ? ' DESC' : ''}${isNullable && !isNatural ? ` NULLS ${nulls.toUpperCase()}` : ''}`
    })
    .join(', ')
}

function splitNulls(first: OrderTerm, rest: readonly OrderTerm[]): OrderPart[] {
  const isNatural = (first.nulls === 'first') !== first.descending
  if (!first.isNullable || isNatural) return [{ conjuncts: [], order: [first, ...rest] }]
  const parts: OrderPart[] = [
    { conjuncts: [isNotNull(first)], order: [{ ...first, isNullable: false }, ...rest] },
    { conjuncts: [isNull(first)], order: rest },
  ]
  return first.nulls === 'last' ? parts : parts.toReversed()
}

function behind(term: OrderTerm, rest: readonly OrderTerm[]): OrderPart[] {
  const order = [{ ...term, isNullable: false }, ...rest]
  if (term.after === null) return term.nulls === 'first' ? [{ conjuncts: [isNotNull(term)], order }] : []
  const beyond: OrderPart = {
    conjuncts: [
      {
        sql: `${term.sql} ${term.descending ? '<' : '>'} ${UNSEEN}`,
        params: [...term.params, term.after!],
        weight: term.weight,
        column: term.column,
        bound: term.descending ? 'upper' : 'lower',
      },
    ],
    order,
  }
  if (!term.isNullable || term.nulls === 'first') return [beyond]
  return [beyond, { conjuncts: [isNull(term)], order: rest }]
}

/** The other way round. */
export function backwards(term: OrderTerm): OrderTerm {
  return { ...term, descending: !term.descending, nulls: term.nulls === 'first' ? 'last' : 'first' }
}

/** The same, for what goes on behind a row that has this. */
export function standingAt(term: OrderTerm, after: Cell): OrderTerm {
  return { ...term, after }
}

/** The rows that stand, in this term, where the answer goes on. */
export function isSame(term: OrderTerm): Conjunct {
  if (term.after === null) return isNull(term)
  const { sql, params, weight, column } = term
  return { sql: `${sql} = ?`, params: [...params, term.after!], weight, column, bound: 'eq' }
}

function isNull({ sql, params, weight, column }: OrderTerm): Conjunct {
  return { sql: `${sql} IS NULL`, params, weight, column, bound: 'eq' }
}

function isNotNull({ sql, params, weight, column }: OrderTerm): Conjunct {
  return { sql: `${sql} IS NOT NULL`, params, weight, column, bound: column === null ? null : 'lower' }
}
