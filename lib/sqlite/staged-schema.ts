import { sqliteType, type ColumnState } from '../typing.ts'
import { quote, type Database } from './database.ts'
import { CHANGED_AT, CREATED_AT, deviates, POSITION, VERSION, type RowBase, type SqlTable } from './snapshot-schema.ts'

/** Makes a staged table, without rows and without the index of its key. */
export function createTable(db: Database, table: SqlTable, states: readonly ColumnState[], base: RowBase): void {
  const name = quote(table.sqlName)
  const key = new Set(table.key)
  const columns = states.map(
    (state) => `${table.sql(state.name)} ${sqliteType(state.kind)}${key.has(state.name) ? ' NOT NULL' : ''}`,
  )
  // The version columns are there from the start: SQLite reads a whole STRICT table to add one later.
  columns.push(
    `${VERSION} INTEGER NOT NULL DEFAULT ${base.version}`,
    `${CHANGED_AT} INTEGER NOT NULL DEFAULT ${base.at}`,
    `${CREATED_AT} INTEGER NOT NULL DEFAULT ${base.createdAt}`,
  )
  db.exec(
    `CREATE TABLE ${name} (${POSITION} INTEGER PRIMARY KEY, ${columns.join(', ')}) STRICT;
     CREATE INDEX ${table.changedIndex} ON ${name} (${VERSION}) WHERE ${deviates(base)}`,
  )
}
