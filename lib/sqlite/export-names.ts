import type { ExportFormat, Pointer } from '../snapshot.ts'

/** What an export's record says; it stands beside the file and is there only when the file is complete. */
export interface ExportRecord {
  /** Name of the file with the bytes, in the same folder. */
  readonly file: string
  readonly bytes: number
  readonly sha256: string
  readonly rows: number
}

type Published = Pick<Pointer, 'snapshot' | 'file' | 'tables'>

/** The n-th table of a snapshot in a format, where it is made as a file of its own. */
export function exportName({ snapshot }: Published, table: number, format: ExportFormat): string {
  return `${snapshot}.${table}.export.${format}`
}

/** What is known of an export; `table` is null for the snapshot file, which a rollback brings back under its own name. */
export function recordName(published: Published, table: number | null, format: ExportFormat): string {
  return `${table === null ? published.file : exportName(published, table, format)}.record`
}

/** All files that exports of a snapshot may consist of. */
export function exportNames(published: Published): string[] {
  const tables = [...published.tables.keys()]
  const ofTables = (['json', 'ndjson', 'csv'] as const).flatMap((format) =>
    tables.flatMap((table) => [exportName(published, table, format), recordName(published, table, format)]),
  )
  return [recordName(published, null, 'sqlite'), ...ofTables]
}
