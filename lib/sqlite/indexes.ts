import type { Layout } from '../layout.ts'
import { quote, type Database } from './database.ts'
import { POSITION, type SqlTable } from './snapshot-schema.ts'

/**
 * Builds what a table is configured to be found by, one statement a call: each may take long where there are many
 * rows. Belongs behind the comparison, which would have to keep all of it current.
 */
export function indexing(db: Database, table: SqlTable, layout: Layout): (() => void)[] {
  const name = quote(table.sqlName)
  const indexes = layout.indexes.map((columns, n) => {
    const list = columns.map((column) => table.sql(column)).join(', ')
    return () => void db.exec(`CREATE INDEX ${table.indexName(n)} ON ${name} (${list})`)
  })
  if (layout.search.length === 0) return indexes
  const { searchTable } = table
  const names = layout.search.map((_, n) => `c${n}`).join(', ')
  const cells = layout.search.map((column) => table.sql(column)).join(', ')
  const search = db.transaction(() =>
    db.exec(
      `CREATE VIRTUAL TABLE ${searchTable}
         USING fts5(${names}, content = '', columnsize = 0, tokenize = 'unicode61 remove_diacritics 2');
       INSERT INTO ${searchTable} (rowid, ${names}) SELECT ${POSITION}, ${cells} FROM ${name};
       INSERT INTO ${searchTable} (${searchTable}) VALUES ('optimize')`,
    ),
  )
  return [...indexes, () => void search()]
}

/** Drops whatever of it is there. */
export function dropIndexes(db: Database): void {
  const found = db
    .prepare<[], string>(
      `SELECT iif(type = 'index', 'DROP INDEX ', 'DROP TABLE ') || name FROM sqlite_schema
        WHERE type = 'index' AND name GLOB '_hf_index_*' OR name GLOB '_hf_search_*' AND sql LIKE 'CREATE VIRTUAL%'`,
    )
    .pluck()
    .all()
  for (const drop of found) db.exec(drop)
}
