import type { Layout } from '../layout.ts'
import { quote, type Database } from './database.ts'
import { POSITION, type SqlTable } from './snapshot-schema.ts'

/** With these, the widest table that is taken keeps below SQLite's 2000 columns. */
const MAX_DECIMALS = 90

/**
 * Builds what a table is configured to be found by, one step a call: each may take long where there are many
 * rows. Belongs behind the comparison, which would have to keep all of it current.
 */
export function indexing(db: Database, table: SqlTable, layout: Layout): (() => void)[] {
  const name = quote(table.sqlName)
  const decimals = decimalsOf(table, layout)
  const index = (indexName: string, columns: readonly string[]) => () => {
    db.exec(`CREATE INDEX ${indexName} ON ${name} (${columns.join(', ')})`)
  }
  const indexes = layout.indexes.flatMap((columns, n) => {
    const stored = columns.map((column) => table.sql(column))
    const compared = columns.map((column, at) => (decimals.has(column) ? table.decimalColumn(column) : stored[at]!))
    const steps = [index(table.indexName(n), compared)]
    // Pages in order of the key go by its cells as they are stored.
    const hasKeyDecimal = columns.some((column) => decimals.has(column) && table.key.includes(column))
    const isKey = JSON.stringify(columns) === JSON.stringify(table.key)
    if (hasKeyDecimal && !isKey) steps.push(index(table.storedIndexName(n), stored))
    return steps
  })
  if (decimals.size > 0) indexes.unshift(() => addDecimals(db, table, [...decimals]))
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

/** The decimal columns that indexes have; as many as a table has room for. */
function decimalsOf(table: SqlTable, layout: Layout): Set<string> {
  const indexed = new Set(layout.indexes.flat())
  const found = table.columns.filter(({ name, type }) => type === 'decimal' && indexed.has(name))
  return new Set(found.slice(0, MAX_DECIMALS).map(({ name }) => name))
}

/** Whole or not at all: a query believes what it finds in these columns. */
function addDecimals(db: Database, table: SqlTable, columns: readonly string[]): void {
  const name = quote(table.sqlName)
  const cells = columns.map((column) => `${table.decimalColumn(column)} = hf_decimal(${table.sql(column)})`)
  db.transaction(() => {
    for (const column of columns) db.exec(`ALTER TABLE ${name} ADD COLUMN ${table.decimalColumn(column)} TEXT`)
    db.exec(`UPDATE ${name} SET ${cells.join(', ')}`)
  })()
}

/** Drops whatever of it is there. */
export function dropIndexes(db: Database, tables: readonly SqlTable[]): void {
  const found = db
    .prepare<[], string>(
      `SELECT iif(type = 'index', 'DROP INDEX ', 'DROP TABLE ') || name FROM sqlite_schema
        WHERE type = 'index' AND name GLOB '_hf_index_*' OR name GLOB '_hf_search_*' AND sql LIKE 'CREATE VIRTUAL%'`,
    )
    .pluck()
    .all()
  for (const drop of found) db.exec(drop)
  const columnsOf = db.prepare<[string], string>('SELECT name FROM pragma_table_info(?)').pluck()
  for (const table of tables) {
    const there = new Set(columnsOf.all(table.sqlName))
    for (const { name } of table.columns) {
      const column = table.decimalColumn(name)
      if (there.has(column)) db.exec(`ALTER TABLE ${quote(table.sqlName)} DROP COLUMN ${column}`)
    }
  }
}
