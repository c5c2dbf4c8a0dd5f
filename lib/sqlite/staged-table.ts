import type { Statement } from 'better-sqlite3'
import type { Value } from '../column.ts'
import { Failure } from '../errors.ts'
import { occurrenceId, rowIdOf } from '../row-id.ts'
import type { Page, TablePlan } from '../source.ts'
import {
  columnOf,
  fromCell,
  kindFor,
  newColumnState,
  sqliteType,
  storesAlike,
  toCell,
  type Cell,
  type ColumnState,
  type Kind,
} from '../typing.ts'
import { every, quote, sqliteCode, type Database } from './database.ts'
import { decimalKey } from './sql-decimal.ts'
import { CHANGED_AT, CREATED_AT, deviates, POSITION, SqlTable, VERSION, type RowBase } from './snapshot-schema.ts'

const MAX_COLUMNS = 1900

/** What a checkpoint keeps of a table that is being filled. */
export interface StagedTableState {
  readonly name: string
  readonly columns: ColumnState[]
  idColumn: string | null
  rows: number
  /** What the version columns of its rows hold until they are compared. */
  readonly base: RowBase
}

/** One table while it is pulled: grows columns and widens types as pages arrive, without losing a value. */
export class StagedTable {
  readonly #db: Database
  readonly #plan: TablePlan
  readonly #position: number
  readonly #sqlName: string
  readonly state: StagedTableState
  #insert: Statement | undefined
  #layout:
    | { columns: readonly string[]; from: Int32Array; idOf: ((row: readonly Value[]) => string) | null }
    | undefined

  constructor(
    db: Database,
    plan: TablePlan,
    place: { position: number; sqlName: string; base: RowBase },
    state?: StagedTableState,
  ) {
    this.#db = db
    this.#plan = plan
    this.#position = place.position
    this.#sqlName = place.sqlName
    this.state = state ?? { name: plan.name, columns: [], idColumn: null, rows: 0, base: place.base }
  }

  get isAnnounced(): boolean {
    return this.state.columns.length > 0
  }

  get key(): readonly string[] {
    return this.#plan.key ?? [this.state.idColumn as string]
  }

  get table(): SqlTable {
    return new SqlTable({
      name: this.#plan.name,
      sqlName: this.#sqlName,
      position: this.#position,
      key: this.key,
      columns: this.state.columns.map(columnOf),
    })
  }

  /**
   * Adds the rows of a page; belongs inside a transaction.
   *
   * @throws Failure `upstream_malformed` when a value does not fit its declared type or a key cell is missing
   */
  write(page: Page): void {
    const layout = this.#prepareLayout(page)
    this.#settleKinds(page, layout.from)
    const insert = (this.#insert ??= this.#prepareInsert())
    const { columns } = this.state
    const cells: Cell[] = Array.from({ length: columns.length })
    for (const row of page.rows) {
      for (let index = 0; index < columns.length; index++) {
        const at = layout.from[index] as number
        const value = at < 0 ? null : (row[at] ?? null)
        const kind = (columns[index] as ColumnState).kind
        cells[index] = typeof value === 'string' && kind === 'text' ? value : toCell(kind, value)
      }
      if (layout.idOf !== null) cells[0] = layout.idOf(row)
      this.#insertRow(insert, cells)
      this.state.rows++
    }
  }

  /**
   * Indexes the key, once all rows are there: far cheaper than keeping it in order meanwhile. Repeated rows are
   * numbered where the key is generated, and dropped where it was given and they are equal.
   *
   * @throws Failure `snapshot_rejected` when a key repeats with different content
   */
  indexKey(): void {
    const table = this.table
    const create = `CREATE UNIQUE INDEX ${table.keyIndex} ON ${quote(table.sqlName)} (${table.keySql()})`
    try {
      this.#db.exec(create)
      return
    } catch (error) {
      if (!sqliteCode(error)?.startsWith('SQLITE_CONSTRAINT')) throw error
    }
    this.#db.exec(`CREATE INDEX ${table.keyIndex} ON ${quote(table.sqlName)} (${table.keySql()})`)
    if (this.state.idColumn === null) this.#dropEqualRows(table)
    else this.#numberEqualRows(table)
    this.#db.exec(`DROP INDEX ${table.keyIndex}; ${create}`)
  }

  #prepareLayout(page: Page) {
    if (this.#layout?.columns === page.columns) return this.#layout
    this.#addColumns(page)
    const idOf = this.state.idColumn === null ? null : rowIdOf(page.columns)
    this.#layout = { columns: page.columns, from: this.#fromOf(page), idOf }
    return this.#layout
  }

  #addColumns(page: Page): void {
    const { state } = this
    const isFirst = state.columns.length === 0
    if (state.idColumn !== null && page.columns.includes(state.idColumn)) this.#renameIdColumn(page)
    const known = new Set(state.columns.map((column) => column.name))
    const added: ColumnState[] = []
    for (const name of page.columns) {
      if (known.has(name)) continue
      known.add(name)
      const declared = this.#plan.types?.[name]
      added.push(newColumnState(name, { untyped: this.#plan.untyped ?? false, ...(declared && { declared }) }))
    }
    if (isFirst) this.#chooseKey(known, added, page)
    if (added.length === 0) return
    if (state.columns.length + added.length > MAX_COLUMNS) {
      throw new Failure('upstream_malformed', `Table ${this.#plan.name} has more than ${MAX_COLUMNS} columns.`)
    }
    state.columns.push(...added)
    this.#insert = undefined
    this.#widen(page, this.#fromOf(page), state.columns.length - added.length)
    if (isFirst) {
      this.#createTable(quote(this.#sqlName))
    } else {
      const { table } = this
      for (const column of added) {
        this.#db.exec(
          `ALTER TABLE ${quote(this.#sqlName)} ADD COLUMN ${table.sql(column.name)} ${sqliteType(column.kind)}`,
        )
      }
    }
  }

  #fromOf(page: Page): Int32Array {
    const place = new Map(page.columns.map((name, index) => [name, index]))
    return Int32Array.from(this.state.columns, (column) => place.get(column.name) ?? -1)
  }

  #chooseKey(known: ReadonlySet<string>, added: ColumnState[], page: Page): void {
    const { key } = this.#plan
    if (key !== undefined) {
      const missing = page.rows.length === 0 && page.columns.length === 0 ? [] : key.filter((name) => !known.has(name))
      if (missing.length > 0) throw missingKey(this.#plan.name, missing)
      // A table announced without any column still has its key.
      for (const name of key)
        if (!known.has(name)) added.push(newColumnState(name, { declared: this.#plan.types?.[name] ?? 'text' }))
      return
    }
    const name = freeIdName(known)
    this.state.idColumn = name
    added.unshift(newColumnState(name, { declared: 'text' }))
  }

  /** The upstream has a column by the name of the generated key after all: the key gives way. */
  #renameIdColumn(page: Page): void {
    const { columns } = this.state
    const old = this.table
    const name = freeIdName(new Set([...columns.map((column) => column.name), ...page.columns]))
    this.state.idColumn = name
    columns[0] = newColumnState(name, { declared: 'text' })
    this.#rebuild(
      columns.map((column) => column.kind),
      old,
    )
  }

  /** Widens columns until they hold every cell of the page, and rebuilds the table if stored cells change by it. */
  #settleKinds(page: Page, from: Int32Array): void {
    const before = this.state.columns.map((column) => column.kind)
    this.#widen(page, from, 0)
    if (this.state.columns.some((column, index) => !storesAlike(before[index] as Kind, column.kind))) {
      this.#rebuild(before, this.table)
    }
  }

  /** The same from the column at `first` on, where none of them holds a cell yet. */
  #widen(page: Page, from: Int32Array, first: number): void {
    for (const [index, column] of this.state.columns.entries()) {
      const at = from[index] as number
      if (at < 0 || index < first) continue
      for (const row of page.rows) {
        const value = row[at] ?? null
        if (typeof value === 'string' && column.kind === 'text') continue
        column.kind = kindFor(column, value)
      }
    }
  }

  #createTable(name: string): void {
    const { table } = this
    const key = new Set(this.key)
    const columns = this.state.columns.map(
      (column) => `${table.sql(column.name)} ${sqliteType(column.kind)}${key.has(column.name) ? ' NOT NULL' : ''}`,
    )
    // The version columns are there from the start: SQLite reads a whole STRICT table to add one later.
    const { base } = this.state
    columns.push(
      `${VERSION} INTEGER NOT NULL DEFAULT ${base.version}`,
      `${CHANGED_AT} INTEGER NOT NULL DEFAULT ${base.at}`,
      `${CREATED_AT} INTEGER NOT NULL DEFAULT ${base.createdAt}`,
    )
    this.#db.exec(
      `CREATE TABLE ${name} (${POSITION} INTEGER PRIMARY KEY, ${columns.join(', ')}) STRICT;
       CREATE INDEX ${table.changedIndex} ON ${name} (${VERSION}) WHERE ${deviates(base)}`,
    )
  }

  /** Makes the table anew from `before`, which has as many columns, by whatever names and kinds. */
  #rebuild(kinds: readonly Kind[], before: SqlTable): void {
    const old = quote('_hf_rebuild')
    const cells = this.state.columns.map(({ kind }, index) => {
      const from = kinds[index] as Kind
      const cell = before.sql(before.columns[index]?.name as string)
      return storesAlike(from, kind) ? cell : `hf_widen('${from}', '${kind}', ${cell})`
    })
    this.#db.exec(`DROP INDEX ${before.changedIndex}; ALTER TABLE ${quote(this.#sqlName)} RENAME TO ${old}`)
    this.#createTable(quote(this.#sqlName))
    this.#db.exec(`${this.#insertInto} SELECT ${POSITION}, ${cells.join(', ')} FROM ${old}; DROP TABLE ${old}`)
    this.#insert = undefined
  }

  #prepareInsert(): Statement {
    const slots = this.state.columns.map(() => '?').join(', ')
    return this.#db.prepare(`${this.#insertInto} VALUES (NULL, ${slots})`)
  }

  get #insertInto(): string {
    const { table } = this
    const names = this.state.columns.map((column) => table.sql(column.name))
    return `INSERT INTO ${quote(this.#sqlName)} (${POSITION}, ${names.join(', ')})`
  }

  #insertRow(insert: Statement, cells: Cell[]): void {
    try {
      insert.run(cells)
    } catch (error) {
      if (sqliteCode(error) !== 'SQLITE_CONSTRAINT_NOTNULL') throw error
      const missing = this.key.filter((name) => {
        const index = this.state.columns.findIndex((column) => column.name === name)
        return cells[index] === null
      })
      throw missingKey(this.#plan.name, missing, this.state.rows + 1)
    }
  }

  #dropEqualRows(table: SqlTable): void {
    const name = quote(table.sqlName)
    const same = every(this.state.columns.map((column) => `a.${table.sql(column.name)} IS b.${table.sql(column.name)}`))
    const sameKey = table.key.map((column) => `a.${table.sql(column)} = b.${table.sql(column)}`).join(' AND ')
    const firstKey = table.key.map((column) => `f.${table.sql(column)} = b.${table.sql(column)}`).join(' AND ')
    // Each with the first of its key: each with each would take forever where one repeats often.
    const first = `(SELECT f.${POSITION} FROM ${name} f WHERE ${firstKey} ORDER BY f.${POSITION} LIMIT 1)`
    const clash = this.#db
      .prepare<[], Record<string, unknown>>(
        `SELECT ${table.key.map((column) => `b.${table.sql(column)}`).join(', ')}, a.${POSITION} AS "_hf_a", b.${POSITION} AS "_hf_b"
           FROM ${name} b CROSS JOIN ${name} a ON a.${POSITION} = ${first} WHERE a.${POSITION} < b.${POSITION} AND NOT (${same}) LIMIT 1`,
      )
      .raw()
      .get() as unknown[] | undefined
    if (clash !== undefined) {
      const key = clash.slice(0, table.key.length).map(String).join(', ')
      const [one, other] = clash.slice(-2).map(Number)
      throw new Failure(
        'snapshot_rejected',
        `Table ${table.name}: the key ${JSON.stringify(key.slice(0, 60))} repeats with different content (rows ${one} and ${other}).`,
        { facts: { reason: 'duplicate_key', table: table.name, key: key.slice(0, 60) } },
      )
    }
    const dropped = this.#db
      .prepare(
        `DELETE FROM ${name} AS b WHERE EXISTS (SELECT 1 FROM ${name} a WHERE ${sameKey} AND a.${POSITION} < b.${POSITION})`,
      )
      .run().changes
    this.state.rows -= dropped
    // Positions stay without gaps: a range of rows is a range of positions.
    this.#db.exec(
      `CREATE TEMP TABLE _hf_order AS SELECT ${POSITION} AS old, row_number() OVER (ORDER BY ${POSITION}) AS new FROM ${name};
       DELETE FROM _hf_order WHERE old = new;
       UPDATE ${name} SET ${POSITION} = -o.new FROM _hf_order o WHERE ${POSITION} = o.old;
       UPDATE ${name} SET ${POSITION} = -${POSITION} WHERE ${POSITION} < 0;
       DROP TABLE _hf_order`,
    )
  }

  #numberEqualRows(table: SqlTable): void {
    const id = table.keySql()
    const name = quote(table.sqlName)
    this.#db.exec(
      `CREATE TEMP TABLE _hf_repeats AS
         SELECT ${POSITION} AS position, row_number() OVER (PARTITION BY ${id} ORDER BY ${POSITION}) AS n FROM ${name}
          WHERE ${id} IN (SELECT ${id} FROM ${name} GROUP BY ${id} HAVING count(*) > 1);
       UPDATE ${name} SET ${id} = hf_occurrence(${id}, r.n) FROM _hf_repeats r WHERE ${POSITION} = r.position AND r.n > 1;
       DROP TABLE _hf_repeats`,
    )
  }
}

/** The SQL functions that staged tables need. */
export function addStagingFunctions(db: Database): void {
  db.function('hf_widen', { deterministic: true, safeIntegers: true }, (from: unknown, to: unknown, cell: unknown) =>
    toCell(to as Kind, fromCell(from as Kind, cell as Cell)),
  )
  db.function('hf_occurrence', { deterministic: true }, (id: unknown, n: unknown) =>
    occurrenceId(id as string, n as number),
  )
  db.function('hf_decimal', { deterministic: true }, (cell: unknown) =>
    cell === null ? null : decimalKey(cell as string),
  )
}

function freeIdName(taken: ReadonlySet<string>): string {
  let name = 'id'
  while (taken.has(name)) name = `_${name}`
  return name
}

function missingKey(table: string, columns: readonly string[], row?: number): Failure {
  const names = columns.map((name) => JSON.stringify(name)).join(', ')
  const where = row === undefined ? 'has no column' : `row ${row} has no value in the column`
  return new Failure('snapshot_rejected', `Table ${table}: ${where} ${names} of its key.`, {
    facts: { reason: 'missing_key', table, columns: [...columns] },
  })
}
