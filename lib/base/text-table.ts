/** Lines of cells in columns as wide as they need to be, the first line their heads. */
export function textTable(lines: readonly (readonly string[])[]): string {
  const [head = []] = lines
  const widths = head.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)))
  const padded = lines.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return `${padded.join('\n')}\n`
}
