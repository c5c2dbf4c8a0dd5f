import type { Column } from '../../column.ts'
import type { Answer, RecordNames } from '../../query.ts'
import { isoTime } from '../../record-json.ts'
import type { TableInfo } from '../../snapshot.ts'

/** `_id`, `_created_at`, `_modified_at`; with one more `_` for each column that is called so already. */
export function recordNames({ columns }: TableInfo): RecordNames {
  const taken = new Set(columns.map(({ name }) => name))
  const free = (name: string): string => (taken.has(name) ? free(`_${name}`) : name)
  return { id: free('_id'), created: free('_created_at'), modified: free('_modified_at') }
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
