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

/** The same without the closing brace, for more members to follow. */
export function rowToOpenJson(columns: readonly Column[]): (cells: readonly unknown[]) => string {
  // Names that read as array indexes come first in every object, so they do here.
  const order = Object.values(Object.fromEntries(columns.map((column, index) => [column.name, index])))
  const names = order.map((index, at) => `${at === 0 ? '{' : ','}${JSON.stringify(columns[index]?.name)}:`)
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
