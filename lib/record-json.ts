import type { Column } from './column.ts'
import type { RecordNames, RowFacts } from './query.ts'
import { rowToOpenJson } from './row-json.ts'

/** The members behind the fields of a record, each with the text up to its value; the values are strings. */
export function nameStarts(columns: readonly Column[], { id, created, modified }: RecordNames): RecordNames {
  return {
    id: `${columns.length === 0 ? '' : ','}${JSON.stringify(id)}:`,
    created: `,${JSON.stringify(created)}:`,
    modified: `,${JSON.stringify(modified)}:`,
  }
}

/** Makes the function that writes a row as a record: its fields, then which row it is. */
export function recordToJson(
  columns: readonly Column[],
  names: RecordNames,
): (cells: readonly unknown[], facts: RowFacts) => string {
  const row = rowToOpenJson(columns)
  const { id, created, modified } = nameStarts(columns, names)
  return (cells, facts) =>
    `${row(cells)}${id}${JSON.stringify(facts.id)}${created}"${isoTime(facts.createdAt)}"${modified}"${isoTime(facts.modifiedAt)}"}`
}

let last = { at: NaN, text: '' }

/** RFC 3339, in UTC, with milliseconds. Most rows of a page share their times. */
export function isoTime(at: number): string {
  if (at !== last.at) last = { at, text: new Date(at).toISOString() }
  return last.text
}
