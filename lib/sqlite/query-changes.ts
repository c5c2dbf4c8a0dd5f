import { quote, type Database } from './database.ts'
import { CHANGED_AT, readBases, VERSION, type RowBase, type SqlTable } from './snapshot-schema.ts'

const MAX_VERSIONS = 500

/** When the rows of a table changed: all at the base, except those of a few later versions. */
export interface ChangeTimes {
  readonly base: number
  readonly baseAt: number
  /** Undefined: too many to know one by one. */
  readonly versions: readonly { readonly version: number; readonly at: number }[] | undefined
}

/** One step through the index for each version, however many rows have it. */
export function readChangeTimes(db: Database, table: SqlTable): ChangeTimes {
  const { version: base, at: baseAt } = readBases(db).get(table.name) as RowBase
  const next = db.prepare<[number], { version: number; at: number }>(
    `SELECT ${VERSION} AS version, ${CHANGED_AT} AS at FROM ${quote(table.sqlName)} INDEXED BY ${table.changedIndex}
      WHERE ${VERSION} > ${base} AND ${VERSION} > ? ORDER BY ${VERSION} LIMIT 1`,
  )
  const versions: { version: number; at: number }[] = []
  for (let change = next.get(base); change !== undefined; change = next.get(change.version)) {
    if (versions.length >= MAX_VERSIONS) return { base, baseAt, versions: undefined }
    versions.push(change)
  }
  return { base, baseAt, versions }
}
