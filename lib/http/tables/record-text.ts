import type { Column } from '../../column.ts'
import type { Answer, RowFacts } from '../../query.ts'
import { rowToOpenJson } from '../../row-json.ts'
import type { TableInfo } from '../../snapshot.ts'

/** The members by which every record says which row it is, and since when. */
export interface RecordNames {
  readonly id: string
  readonly created: string
  readonly modified: string
}

/** `_id`, `_created_at`, `_modified_at`; with one more `_` for each column that is called so already. */
export function recordNames({ columns }: TableInfo): RecordNames {
  const taken = new Set(columns.map(({ name }) => name))
  const free = (name: string): string => (taken.has(name) ? free(`_${name}`) : name)
  return { id: free('_id'), created: free('_created_at'), modified: free('_modified_at') }
}

/** Makes the function that writes a row as a record: its fields, then which row it is. */
export function recordToJson(
  columns: readonly Column[],
  names: RecordNames,
): (cells: readonly unknown[], facts: RowFacts) => string {
  const row = rowToOpenJson(columns)
  const id = `${columns.length === 0 ? '' : ','}${JSON.stringify(names.id)}:`
  const [created, modified] = [names.created, names.modified].map((name) => `,${JSON.stringify(name)}:"`)
  return (cells, facts) =>
    `${row(cells)}${id}${JSON.stringify(facts.id)}${created}${isoTime(facts.createdAt)}"${modified}${isoTime(facts.modifiedAt)}"}`
}

/** An answer whose rows have what names them as columns of their own, for formats that are tables. */
export function withFacts(
  { columns, rows, facts }: Answer,
  names: RecordNames,
): { columns: Column[]; rows: unknown[][] } {
  const added = [names.id, names.created, names.modified].map((name): Column => ({ name, type: 'text' }))
  return {
    columns: [...columns, ...added],
    rows: rows.map((row, index) => {
      const { id, createdAt, modifiedAt } = facts[index]!
      return [...row, id, isoTime(createdAt), isoTime(modifiedAt)]
    }),
  }
}

let last = { at: NaN, text: '' }

/** Most rows of a page share their times. */
function isoTime(at: number): string {
  if (at !== last.at) last = { at, text: new Date(at).toISOString() }
  return last.text
}
