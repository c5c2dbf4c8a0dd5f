/**
 * The text form of a row's key, used in URLs and in the change log. One column: its value as text. Several: the
 * values, percent-encoded as by `encodeURIComponent`, joined by commas.
 */
export function keyText(cells: readonly unknown[]): string {
  if (cells.length === 1) return String(cells[0])
  return cells.map((cell) => encodeURIComponent(String(cell))).join(',')
}

/** The parts of a key's text form, or undefined if it cannot be one of `columns` columns. */
export function parseKeyText(text: string, columns: number): string[] | undefined {
  if (columns === 1) return [text]
  const parts = text.split(',')
  if (parts.length !== columns) return undefined
  try {
    return parts.map((part) => decodeURIComponent(part))
  } catch {
    return undefined
  }
}
