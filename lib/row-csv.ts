import type { Column } from './column.ts'

/** The line that names the columns. */
export function csvHeader(columns: readonly Column[]): string {
  return `${columns.map(({ name }) => csvCell(name)).join(',')}\r\n`
}

/** Makes the function that writes one stored row as a line of CSV (RFC 4180). */
export function rowToCsv(columns: readonly Column[]): (cells: readonly unknown[]) => string {
  return (cells) => `${columns.map((column, index) => csvValue(column, cells[index])).join(',')}\r\n`
}

/** NULL is nothing at all, the empty text is `""`: the two stay apart. */
function csvValue(column: Column, cell: unknown): string {
  if (cell === null || cell === undefined) return ''
  if (column.type === 'boolean') return cell === 1 ? 'true' : 'false'
  return csvCell(typeof cell === 'string' ? cell : JSON.stringify(cell))
}

function csvCell(text: string): string {
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
