import type { Cell } from '../query.ts'
import type { Conjunct } from './sql-condition.ts'
import { UNSEEN } from './sql-fragment.ts'

/**
 * Leaves at most one value or one range for each column: of two lower ends the higher one, of a value and a range the
 * value. An index takes one of each; rows that only the other would have kept apart would be looked at in vain.
 * Undefined where no row can meet them all.
 */
export function tighten(conjuncts: readonly Conjunct[]): Conjunct[] | undefined {
  const kept: Conjunct[] = []
  for (const conjunct of conjuncts) {
    if (conjunct.isNever) return undefined
    if (!isSimple(conjunct)) {
      kept.push(conjunct)
      continue
    }
    const others = kept.filter((other) => isSimple(other) && other.column === conjunct.column)
    let isNeeded = true
    for (const other of others) {
      const needed = choose(other, conjunct)
      if (needed === 'neither') return undefined
      if (needed === 'second') kept.splice(kept.indexOf(other), 1)
      if (needed === 'first') isNeeded = false
    }
    if (isNeeded) kept.push(conjunct)
  }
  return kept
}

/** Compares a column's own cells with one value, or with NULL. */
function isSimple({ column, bound, params }: Conjunct): boolean {
  return column !== null && (bound === 'eq' || bound === 'lower' || bound === 'upper') && params.length <= 1
}

type Needed = 'both' | 'first' | 'second' | 'neither'

function choose(first: Conjunct, second: Conjunct): Needed {
  if (first.bound === 'eq') return meets(first, second) ? 'first' : 'neither'
  if (second.bound === 'eq') return meets(second, first) ? 'second' : 'neither'
  if (first.bound !== second.bound) return 'both'
  // IS NOT NULL follows from every other.
  if (first.params.length === 0) return 'second'
  if (second.params.length === 0) return 'first'
  const order = compareCells(first.params[0]!, second.params[0]!) * (first.bound === 'lower' ? 1 : -1)
  if (order === 0) return isStrict(first) ? 'first' : 'second'
  return order > 0 ? 'first' : 'second'
}

/** Whether the one value that `equal` leaves meets the other condition. */
function meets(equal: Conjunct, other: Conjunct): boolean {
  const [value] = equal.params
  const [end] = other.params
  if (value === undefined) return other.bound === 'eq' && end === undefined
  if (end === undefined) return other.bound !== 'eq'
  const order = compareCells(value!, end!)
  if (other.bound === 'eq') return order === 0
  if (order === 0) return !isStrict(other)
  return other.bound === 'lower' ? order > 0 : order < 0
}

function isStrict({ sql }: Conjunct): boolean {
  return sql.endsWith(`> ${UNSEEN}`) || sql.endsWith(`< ${UNSEEN}`)
}

/** As SQLite does: numbers by value, texts by code point. */
function compareCells(a: Exclude<Cell, null>, b: Exclude<Cell, null>): number {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b))
  return a < b ? -1 : a > b ? 1 : 0
}
