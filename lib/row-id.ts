import { hash } from 'node:crypto'
import { ExactNumber, type Value } from './column.ts'

const ID_LENGTH = 20

/**
 * Makes the function that names a row without a key: the first 80 bits of SHA-256 over its cells that are not NULL,
 * by column name, as they came. The order of rows and columns does not matter. Equal rows get equal names: the
 * occurrence number that tells them apart is added when the whole table is there.
 */
export function rowIdOf(columns: readonly string[]): (row: readonly Value[]) => string {
  const order = columns.map((name, index) => ({ name: `${name.length}:${name}`, index }))
  order.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  return (row) => {
    let text = ''
    for (const { name, index } of order) {
      const value = row[index]
      if (value === null || value === undefined) continue
      if (typeof value === 'string') text += `${name}s${value.length}:${value}`
      else text += `${name}${taggedText(value)}`
    }
    return hash('sha256', text, 'hex').slice(0, ID_LENGTH)
  }
}

function taggedText(value: Exclude<Value, null | string>): string {
  // Numbers end with a mark: the length of the next column's name follows.
  if (value instanceof ExactNumber) return `n${value.digits};`
  if (typeof value === 'object') return `j${JSON.stringify(value)}`
  return typeof value === 'boolean' ? `b${value}` : `n${value};`
}

/** The name of equal rows without the number that tells them apart. */
export function bareId(id: string): string {
  return id.slice(0, ID_LENGTH)
}

/** The name of the n-th of several equal rows; the first keeps the bare one. */
export function occurrenceId(id: string, occurrence: number): string {
  return occurrence === 1 ? id : `${id}-${occurrence}`
}
