import { selectColumns, type Selection } from './fetch-data-query.ts'
import type { RowView } from './row-text.ts'
import type { Target } from './target.ts'

/** A selection, cut to the rows there are. */
export function viewOf({ source, table }: Target, selection: Selection): RowView {
  const { from, format, isWhole } = selection
  const to = Math.max(from - 1, Math.min(selection.to, table.rows))
  return { source, table, columns: selectColumns(table, selection.fields), from, to, format, isWhole }
}
