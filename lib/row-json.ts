import type { Column } from './column.ts'

/** A cell as it is stored, to what JSON shows of it. Shape: `null | string | number | boolean | JSON`. */
export function cellToJson(column: Column, cell: unknown): unknown {
  if (cell === null) return null
  if (column.type === 'boolean') return cell === 1
  if (column.type === 'json') return JSON.parse(cell as string) as unknown
  return cell
}

/**
 * Makes the function that writes one stored row as a JSON object. Its text is what `JSON.stringify` gives for the
 * parsed object, so a reader can check a row's digest without knowing anything of its columns.
 */
export function rowToJson(columns: readonly Column[]): (cells: readonly unknown[]) => string {
  const open = rowToOpenJson(columns)
  return (cells) => `${open(cells)}}`
}

/** A member of an object that is written piece by piece: the column it is of, and the text up to its value. */
export interface Member {
  /** Its place in the list of columns. */
  readonly index: number
  readonly start: string
}

/** The members of a row's object in their order. */
export function membersOf(columns: readonly Column[]): Member[] {
  // Names that read as array indexes come first in every object, so they do here.
  const order = Object.values(Object.fromEntries(columns.map((column, index) => [column.name, index])))
  return order.map((index, at) => ({
    index,
    start: `${at === 0 ? '{' : ','}${JSON.stringify(columns[index]?.name)}:`,
  }))
}

/** The same without the closing brace, for more members to follow. */
export function rowToOpenJson(columns: readonly Column[]): (cells: readonly unknown[]) => string {
  const members = membersOf(columns)
  const order = members.map(({ index }) => index)
  const names = members.map(({ start }) => start)
  const types = order.map((index) => columns[index]?.type)
  return (cells) => {
    let text = names.length === 0 ? '{' : ''
    for (let at = 0; at < names.length; at++) {
      const cell = cells[order[at] as number]
      text += names[at]
      if (cell === null || cell === undefined) text += 'null'
      else if (types[at] === 'json') text += cell as string
      else if (types[at] === 'boolean') text += cell === 1 ? 'true' : 'false'
      else text += JSON.stringify(cell)
    }
    return text
  }
}
