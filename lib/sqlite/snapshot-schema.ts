import { statSync } from 'node:fs'
import { Failure } from '../errors.ts'
import type { Column } from '../column.ts'
import type { TableOrigin } from '../origin.ts'
import type { Database } from './database.ts'
import { openSnapshot, quote, sqliteCode } from './database.ts'
import { sqlNames } from './names.ts'

/** Format of staged files and snapshots, in `user_version`. */
const FORMAT = 3

/** Position of a row in upstream order, from 1. */
export const POSITION = '_hf_row'
/** Batch that last changed the row, and when that was (epoch ms). */
export const VERSION = '_hf_version'
export const CHANGED_AT = '_hf_changed_at'
/** When the row was first seen under its key (epoch ms). */
export const CREATED_AT = '_hf_created_at'
/** Begins the names of the columns that decimals are compared by. */
const DECIMAL = '_hf_decimal_'

/** What all rows of a table have in these columns that have not changed since it was published as a whole. */
export interface RowBase {
  readonly version: number
  /** Epoch ms. */
  readonly at: number
  /** Epoch ms. */
  readonly createdAt: number
}

/**
 * What a snapshot file holds beside the mirrored tables.
 *
 * - `_hf_tables`: the tables in order; `key`, `columns` and `origin` are JSON. Rows unchanged since `base_version` have it as
 *   their version, by the default of the column; likewise the times.
 * - `_hf_batches`, `_hf_log`: the change log. The newest batch has no watermark here: the pointer has it.
 * - `_hf_files`: which rows speak of which files.
 * - `_hf_checkpoint`: how it was pulled, and how far while it is staged; `basis` is the snapshot whose rows it began with.
 */
const SCHEMA = `
  CREATE TABLE _hf_tables (
    position        INTEGER PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    key             TEXT NOT NULL,
    columns         TEXT NOT NULL,
    rows            INTEGER NOT NULL DEFAULT 0,
    base_version    INTEGER NOT NULL DEFAULT 0,
    base_at         INTEGER NOT NULL DEFAULT 0,
    base_created_at INTEGER NOT NULL DEFAULT 0,
    origin          TEXT
  ) STRICT;

  CREATE TABLE _hf_files (
    id          TEXT NOT NULL,
    table_name  TEXT NOT NULL,
    key         TEXT NOT NULL,
    column_name TEXT NOT NULL,
    name        TEXT NOT NULL,
    type        TEXT,
    bytes       INTEGER,
    PRIMARY KEY (id, table_name, key, column_name)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE _hf_batches (
    batch     INTEGER PRIMARY KEY,
    watermark TEXT,
    at        INTEGER NOT NULL,
    entries   INTEGER NOT NULL,
    bytes     INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE _hf_log (
    batch      INTEGER NOT NULL,
    table_name TEXT NOT NULL,
    key        TEXT NOT NULL,
    op         TEXT NOT NULL CHECK (op IN ('put', 'delete', 'resync')),
    row        TEXT CHECK ((op = 'put') = (row IS NOT NULL)),
    PRIMARY KEY (batch, table_name, key)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE _hf_checkpoint (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    plan     TEXT NOT NULL,
    shape    TEXT NOT NULL,
    basis    TEXT,
    boot     TEXT NOT NULL,
    cursor   TEXT,
    is_done  INTEGER NOT NULL DEFAULT 0,
    tables   TEXT NOT NULL DEFAULT '[]'
  ) STRICT;
`

export function createSnapshotSchema(db: Database): void {
  db.exec(SCHEMA)
  db.pragma(`user_version = ${FORMAT}`)
}

/** Whether the snapshot was written by a Holdfast of the same format, and is a whole file as far as can be told at once. */
export function isKnownFormat(path: string): boolean {
  const db = openSnapshot(path)
  try {
    if (db.pragma('user_version', { simple: true }) !== FORMAT) return false
    const pages = db.prepare<[], number>('SELECT page_count * page_size FROM pragma_page_count, pragma_page_size')
    return pages.pluck().get() === statSync(path).size
  } catch (error) {
    if (/^SQLITE_(?:CORRUPT|NOTADB)/.test(sqliteCode(error) ?? '')) return false
    throw error
  } finally {
    db.close()
  }
}

/** @throws Failure `format_unknown` */
export function checkFormat(db: Database, file: string): void {
  const format = db.pragma('user_version', { simple: true }) as number
  if (format === FORMAT) return
  const advice = format < FORMAT ? 'The next sync run replaces it.' : 'Start the Holdfast that wrote it.'
  throw new Failure('format_unknown', `${file} has format ${format}; this Holdfast knows ${FORMAT}. ${advice}`, {
    facts: { format, known: FORMAT },
  })
}

/** The SQL condition of the rows that deviate from the base, as the index of changed rows has it. */
export function deviates(base: RowBase, alias = ''): string {
  return `${alias}${VERSION} > ${base.version} OR ${alias}${CREATED_AT} <> ${base.createdAt}`
}

/** A mirrored table and the SQL names it goes by. */
export class SqlTable {
  readonly name: string
  readonly sqlName: string
  readonly position: number
  readonly key: readonly string[]
  readonly columns: readonly Column[]
  readonly #sqlNames: ReadonlyMap<string, string>
  readonly #decimalColumns: ReadonlySet<string>

  constructor(options: {
    name: string
    sqlName: string
    position: number
    key: readonly string[]
    columns: readonly Column[]
    /** Which of its `decimalColumn`s the table has. */
    decimalColumns?: ReadonlySet<string>
  }) {
    this.name = options.name
    this.sqlName = options.sqlName
    this.position = options.position
    this.key = options.key
    this.columns = options.columns
    this.#decimalColumns = options.decimalColumns ?? new Set()
    const names = options.columns.map((column) => column.name)
    this.#sqlNames = new Map(sqlNames(names).map((sqlName, index) => [names[index] as string, sqlName]))
  }

  /** Finds the rows that deviate from the base (by `_hf_version`), and costs nothing for all others. */
  get changedIndex(): string {
    return `_hf_changed_${this.position}`
  }

  /** Of the n-th index in `TableInfo.indexes`, from 0. `_hf_row` comes last in each, as in every SQLite index. */
  indexName(n: number): string {
    return `_hf_index_${this.position}_${n}`
  }

  /** Of another one beside it, over the cells as they are stored: made where decimals of the key are among them. */
  storedIndexName(n: number): string {
    return `${this.indexName(n)}_stored`
  }

  /**
   * Holds the `decimalKey` of each cell of a decimal column: digits sort as text, and an index over a function of ours
   * would keep the file from other programs. There only if an index has it.
   */
  decimalColumn(column: string): string {
    return `${DECIMAL}${this.columns.findIndex(({ name }) => name === column) + 1}`
  }

  /** The SQL name of what the cells of a column compare and sort by; null: it has to be worked out of each. */
  compared(column: Column): string | null {
    if (column.type === 'json') return null
    if (column.type !== 'decimal') return this.sql(column.name)
    const name = this.decimalColumn(column.name)
    return this.#decimalColumns.has(name) ? name : null
  }

  /**
   * FTS5 over the columns in `TableInfo.search`; the i-th is called `c<i>` there, since FTS5 refuses some names that a
   * column may have (`rank`, two that differ in case only). Without content: a search gives row ids, which are
   * `_hf_row`. Words are found whatever their case and diacritics; there are no sizes, so `bm25` has nothing to rank by.
   */
  get searchTable(): string {
    return `_hf_search_${this.position}`
  }

  get keyIndex(): string {
    return `_hf_key_${this.position}`
  }

  /** The quoted SQL name of a column. */
  sql(column: string): string {
    return quote(this.#sqlNames.get(column) as string)
  }

  /** SQL that reads a column so that nothing is lost on the way to JavaScript. */
  read(column: Column, alias = ''): string {
    const sql = alias + this.sql(column.name)
    if (column.type !== 'integer') return sql
    const max = Number.MAX_SAFE_INTEGER
    return `iif(${sql} BETWEEN -${max} AND ${max}, ${sql}, CAST(${sql} AS TEXT))`
  }

  keySql(alias = ''): string {
    return this.key.map((column) => alias + this.sql(column)).join(', ')
  }
}

/** The mirrored tables of a snapshot file, in order. */
export function readSqlTables(db: Database): SqlTable[] {
  const rows = db
    .prepare<[], { position: number; name: string; key: string; columns: string }>(
      'SELECT position, name, key, columns FROM _hf_tables ORDER BY position',
    )
    .all()
  const names = sqlNames(rows.map((row) => row.name))
  const decimalColumns = db
    .prepare<[string], string>(`SELECT name FROM pragma_table_info(?) WHERE name GLOB '${DECIMAL}*'`)
    .pluck()
  return rows.map(
    (row, index) =>
      new SqlTable({
        name: row.name,
        sqlName: names[index] as string,
        position: row.position,
        key: JSON.parse(row.key) as string[],
        columns: JSON.parse(row.columns) as Column[],
        decimalColumns: new Set(decimalColumns.all(names[index] as string)),
      }),
  )
}

/** What the upstream calls each table of a snapshot file, where it has names of its own. */
export function readOrigins(db: Database): Map<string, TableOrigin> {
  const rows = db
    .prepare<[], { name: string; origin: string }>('SELECT name, origin FROM _hf_tables WHERE origin IS NOT NULL')
    .all()
  return new Map(rows.map(({ name, origin }) => [name, JSON.parse(origin) as TableOrigin]))
}

/** The base of each table of a snapshot file. */
export function readBases(db: Database): Map<string, RowBase> {
  const rows = db
    .prepare<[], RowBase & { name: string }>(
      'SELECT name, base_version AS version, base_at AS at, base_created_at AS createdAt FROM _hf_tables',
    )
    .all()
  return new Map(rows.map(({ name, ...base }) => [name, base]))
}
