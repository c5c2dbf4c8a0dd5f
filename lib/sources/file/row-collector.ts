import type { Value } from '../../column.ts'
import { Malformed } from './format.ts'

/** Turns objects into rows that all have the same columns: those of all objects, in the order they were first seen. */
export class RowCollector {
  readonly columns: string[] = []
  readonly rows: Value[][] = []
  readonly #indexes = new Map<string, number>()

  add(record: Record<string, Value>, index: number, name: () => string): void {
    let seen = 0
    for (const column in record) {
      if (column !== this.columns[seen]) return this.#addInOtherOrder(record, index, name)
      seen++
    }
    if (seen !== this.columns.length) return this.#addInOtherOrder(record, index, name)
    this.rows.push(Object.values(record))
  }

  /** Rows from before a column was first seen have NULL there. */
  finish(): Value[][] {
    for (const row of this.rows) {
      while (row.length < this.columns.length) row.push(null)
    }
    return this.rows
  }

  #addInOtherOrder(record: Record<string, Value>, index: number, name: () => string): void {
    const row: Value[] = this.columns.map(() => null)
    for (const [column, value] of Object.entries(record)) row[this.#indexOf(column, index, name)] = value
    this.rows.push(row)
  }

  #indexOf(column: string, index: number, name: () => string): number {
    const known = this.#indexes.get(column)
    if (known !== undefined) return known
    if (column === '') throw new Malformed(`${name()} with an empty column name`, 'names for all columns', { index })
    this.#indexes.set(column, this.columns.length)
    return this.columns.push(column) - 1
  }
}
