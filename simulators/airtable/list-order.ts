import { ApiError } from './api-error.ts'
import { readCell } from './cell-read.ts'
import { choicesOf, type Field } from './field.ts'
import { compileFormula, recordIdsAskedFor, type Evaluate } from './formula.ts'
import { InvalidFormula } from './formula-parser.ts'
import { isTruthy, toText, valueOfCell } from './formula-value.ts'
import type { ListQuery } from './list-query.ts'
import type { StoredRecord } from './record.ts'
import type { Table } from './table.ts'
import type { Sort } from './view.ts'

type Rank = number | string | undefined

/** The records of a list in their order, as they are now. Throws 422 for a formula that makes no sense. */
export function orderRecords(table: Table, query: ListQuery): readonly StoredRecord[] {
  let records = table.records
  if (query.formula !== undefined) records = filter(table, records, query.formula)
  const { filter: viewFilter, sort: viewSort = [] } = query.view ?? {}
  if (viewFilter !== undefined) records = records.filter((record) => isTruthy(viewFilter(record)))
  // A view goes on without a field that it was ordered by.
  const sort = query.sort ?? viewSort.filter(({ field }) => table.findField(field) !== undefined)
  if (sort.length > 0) records = sortRecords(table, records, sort)
  return records.length > query.maxRecords ? records.slice(0, query.maxRecords) : records
}

function filter(table: Table, records: readonly StoredRecord[], formula: string): readonly StoredRecord[] {
  const { evaluate, ids } = compile(table, formula)
  // A hundred ids compared with each of a hundred thousand records take a second.
  if (ids !== undefined) return records.filter(({ id }) => ids.has(id))
  return records.filter((record) => isTruthy(evaluate(record)))
}

function compile(table: Table, formula: string): { evaluate: Evaluate; ids: ReadonlySet<string> | undefined } {
  try {
    return { evaluate: compileFormula(formula, table.formulas), ids: recordIdsAskedFor(formula) }
  } catch (error) {
    if (!(error instanceof InvalidFormula)) throw error
    throw new ApiError(
      422,
      'INVALID_FILTER_BY_FORMULA',
      `The formula for filtering records is invalid: ${error.message}`,
    )
  }
}

function sortRecords(table: Table, records: readonly StoredRecord[], sort: readonly Sort[]): StoredRecord[] {
  const keys = sort.map(({ field, direction }) => ({
    rankOf: ranker(table, table.field(field)),
    sign: direction === 'desc' ? -1 : 1,
  }))
  const ranked = records.map((record) => ({ record, ranks: keys.map(({ rankOf }) => rankOf(record)) }))
  ranked.sort((a, b) => {
    for (const [at, { sign }] of keys.entries()) {
      const order = sign * compareRanks(a.ranks[at], b.ranks[at])
      if (order !== 0) return order
    }
    return 0
  })
  return ranked.map(({ record }) => record)
}

/** Choices come in the order of the field's options, not of their names. */
function ranker(table: Table, field: Field): (record: StoredRecord) => Rank {
  const choices = new Map(choicesOf(field).map(({ name }, at) => [name, at]))
  return (record) => {
    const cell = readCell(table, field, record)
    if (cell === undefined) return undefined
    if (typeof cell === 'number') return cell
    if (typeof cell === 'boolean') return Number(cell)
    const shown = toText(valueOfCell(cell, false))
    return field.type === 'singleSelect' ? choices.get(shown) : shown.toLowerCase()
  }
}

/** Empty cells come first. */
function compareRanks(a: Rank, b: Rank): number {
  if (a === b) return 0
  if (a === undefined) return -1
  if (b === undefined) return 1
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return String(a) < String(b) ? -1 : 1
}
