import Database from 'better-sqlite3'

export type { Database } from 'better-sqlite3'

/** A name as an SQL identifier, whatever it holds. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A text as an SQL literal: only for places that take no parameter, such as ATTACH and DEFAULT. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

const MAX_TERMS = 100

/** All of the conditions, bracketed so that a thousand of them nest no deeper than SQLite allows. */
export function every(conditions: readonly string[]): string {
  if (conditions.length <= MAX_TERMS) return conditions.join(' AND ') || 'TRUE'
  const size = Math.ceil(conditions.length / MAX_TERMS)
  const groups = Array.from({ length: Math.ceil(conditions.length / size) }, (_, index) =>
    conditions.slice(index * size, (index + 1) * size),
  )
  return every(groups.map((group) => `(${every(group)})`))
}

export function sqliteCode(error: unknown): string | undefined {
  return error instanceof Database.SqliteError ? error.code : undefined
}

/** Whether another connection is in the way and the same call can succeed later. */
export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error)
  return code !== undefined && (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED'))
}

/** Opens a published file: it must exist, is never written, and whoever writes to it is not waited for. */
export function openSnapshot(path: string): Database.Database {
  return new Database(path, { readonly: true, fileMustExist: true, timeout: 0 })
}

/** Opens a file that only this process writes. */
export function openOwn(path: string, options: { mustExist?: boolean; timeoutMs?: number } = {}): Database.Database {
  return new Database(path, { fileMustExist: options.mustExist ?? false, timeout: options.timeoutMs ?? 5000 })
}
