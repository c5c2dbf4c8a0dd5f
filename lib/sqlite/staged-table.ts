import type { Value } from '../column.ts'
import { Failure } from '../errors.ts'
import { rowIdOf } from '../row-id.ts'
import type { TableInfo } from '../snapshot.ts'
import type { Page, TablePlan } from '../source.ts'
import {
  columnOf,
  kindFor,
  newColumnState,
  sqliteType,
  storedCell,
  storesAlike,
  toCell,
  type Cell,
  type ColumnState,
  type Kind,
} from '../typing.ts'
import { isSameShape, keptAs, type Basis, type BasisTable, type KeptAs } from './basis.ts'
import { quote, sqliteCode, type Database } from './database.ts'
import { KeyedRows } from './keyed-rows.ts'
import { RowFailure, RowInserts } from './row-inserts.ts'
import { POSITION, SqlTable, type RowBase } from './snapshot-schema.ts'
import { freeIdName, indexKey, missingKey } from './staged-key.ts'
import { createTable } from './staged-schema.ts'

const MAX_COLUMNS = 1900

/** What a checkpoint keeps of a table that is being filled. */
export interface StagedTableState {
  readonly name: string
  readonly columns: ColumnState[]
  idColumn: string | null
  rows: number
  /** What the version columns of its rows hold until they are compared. */
  readonly base: RowBase
  /** Whether its key is indexed: from then on rows are put. */
  isKeyed: boolean
  /** Whether it has the rows of the active snapshot that it begins with. */
  isLoaded: boolean
  kept: (Kept & { isAbsent: boolean; as?: KeptAs }) | null
}

/** Why a table stayed as it was: see `Page.keeps`. Epoch milliseconds. */
export type Kept = NonNullable<TableInfo['kept']>

/** One table while it is pulled: grows columns and widens types as pages arrive, without losing a value. */
export class StagedTable {
  readonly #db: Database
  readonly #plan: TablePlan
  readonly #position: number
  #sqlName: string
  readonly state: StagedTableState
  #inserts: RowInserts | undefined
  #keyed: KeyedRows | undefined
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
    this.state = state ?? {
      name: plan.name,
      columns: [],
      idColumn: null,
      rows: 0,
      base: place.base,
      isKeyed: false,
      isLoaded: false,
      kept: null,
    }
  }

  get isAnnounced(): boolean {
    return this.state.columns.length > 0
  }

  get key(): readonly string[] {
    return this.plan.key ?? [this.state.idColumn as string]
  }

  /** What is planned for it, or was for the rows that it keeps. */
  get plan(): TablePlan {
    const { as } = this.state.kept ?? {}
    if (as === undefined) return this.#plan
    const { key: _key, times: _times, fileColumns: _files, origin: _origin, ...rest } = this.#plan
    return { ...rest, ...as }
  }

  /** Whether the plan tells of its columns, so that no page need announce it. */
  get isToldBefore(): boolean {
    return this.#plan.columns !== undefined
  }

  /** Whether its rows still have to be taken over from the active snapshot. */
  get isToLoad(): boolean {
    return this.#plan.from === 'active' && !this.state.isLoaded
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
   * Does to the rows what a page says; belongs inside a transaction.
   *
   * @throws Failure `upstream_malformed` when a value does not fit its declared type or a key cell is missing;
   *   `snapshot_rejected` when a key repeats with different content and that is refused; `internal` where rows without a
   *   key are to be put or deleted
   */
  write(page: Page): void {
    const { state } = this
    if (this.#plan.key === undefined && (page.put || page.deleted?.length))
      throw new Failure('internal', `Rows of table ${this.#plan.name} are to be found by a key, and it has none.`)
    if (page.restarts) this.#restart()
    this.announce()
    if (page.deleted?.length && this.isAnnounced) this.#deleteRows(page.deleted)
    const layout = this.#prepareLayout(page)
    if (page.put) this.indexKey()
    this.#settleKinds(page, layout.from)
    const { columns } = state
    const keyed = state.isKeyed ? this.#keyedRows() : undefined
    const takesPlace = page.put === true || this.#plan.repeats === 'latest'
    const inserts = keyed === undefined ? (this.#inserts ??= new RowInserts(this.#db, this.table)) : undefined
    const cells: Cell[] = Array.from({ length: columns.length })
    try {
      for (const row of page.rows) {
        for (let index = 0; index < columns.length; index++) {
          const at = layout.from[index] as number
          const value = at < 0 ? null : (row[at] ?? null)
          const kind = (columns[index] as ColumnState).kind
          cells[index] = typeof value === 'string' && kind === 'text' ? value : toCell(kind, value)
        }
        if (layout.idOf !== null) cells[0] = layout.idOf(row)
        if (keyed !== undefined) state.rows += Number(takesPlace ? keyed.put(cells) : keyed.add(cells))
        else {
          state.rows++
          inserts!.add(cells)
        }
      }
      inserts?.flush()
    } catch (error) {
      throw this.#rowFailure(error, cells)
    }
  }

  #deleteRows(keys: readonly (readonly Value[])[]): void {
    this.indexKey()
    const keyed = this.#keyedRows()
    const columns = this.key.map((name) => this.state.columns.find((column) => column.name === name) as ColumnState)
    for (const key of keys) {
      const cells = columns.flatMap((column, index) => storedCell(column, key[index] ?? null) ?? [])
      if (cells.length === columns.length && keyed.delete(cells)) this.state.rows--
    }
  }

  /** Nothing of it is left: its columns and what they hold is what comes from now on. */
  #restart(): void {
    if (this.isAnnounced) this.#db.exec(`DROP TABLE ${quote(this.#sqlName)}`)
    Object.assign(this.state, { columns: [], idColumn: null, rows: 0, isKeyed: false, isLoaded: true })
    this.#forget()
  }

  #keyedRows(): KeyedRows {
    return (this.#keyed ??= new KeyedRows(this.#db, this.table))
  }

  /** Statements and layouts are made for columns and indexes as they were. */
  #forget(): void {
    this.#inserts = undefined
    this.#keyed = undefined
    this.#layout = undefined
  }

  /**
   * Indexes the key, once all rows are there or rows have to be found by it.
   *
   * @throws Failure `snapshot_rejected` when a key repeats with different content and that is refused
   */
  indexKey(): void {
    const { state } = this
    if (state.isKeyed) return
    const repeats = state.idColumn === null ? (this.#plan.repeats ?? 'refused') : 'numbered'
    state.rows -= indexKey(this.#db, this.table, repeats)
    state.isKeyed = true
  }

  /** Makes the columns that the plan tells of, before any page has come. */
  announce(): void {
    const { columns } = this.#plan
    if (columns !== undefined && !this.isAnnounced) this.#prepareLayout({ columns, rows: [] })
  }

  /**
   * Begins with the rows of the active snapshot.
   *
   * @throws Failure `internal` where the plan tells of other columns or another key
   */
  load(basis: Basis, from: BasisTable): void {
    this.announce()
    const { state } = this
    const before = state.columns.map(({ kind }) => kind)
    for (const column of state.columns) {
      const known = column.declared === null ? from.states.get(column.name) : undefined
      if (known !== undefined) Object.assign(column, { kind: known.kind, wide: known.wide })
    }
    this.#rebuildFrom(before)
    const { table } = this
    if (!isSameShape(from.table, table)) {
      throw new Failure(
        'internal',
        `Table ${this.#plan.name} cannot begin with rows that have another key or other columns.`,
      )
    }
    basis.copy(from, table)
    // Equal rows get their numbers anew, when all are there.
    const id = table.keySql()
    if (state.idColumn !== null)
      this.#db.exec(`UPDATE ${quote(this.#sqlName)} SET ${id} = hf_bare_id(${id}) WHERE ${id} <> hf_bare_id(${id})`)
    state.rows = from.info.rows
    state.isLoaded = true
  }

  /** Becomes what it is in the active snapshot; gone where it is not there. */
  keep(basis: Basis | undefined, kept: Kept): void {
    const { state } = this
    const from = basis?.table(this.#plan.name)
    this.#restart()
    state.kept = { ...kept, isAbsent: from === undefined, since: from?.info.kept?.since ?? kept.since }
    if (basis === undefined || from === undefined) return
    for (const { name, type } of from.info.columns)
      state.columns.push({ ...(from.states.get(name) ?? newColumnState(name, { declared: type })) })
    state.kept.as = keptAs(from)
    if (from.info.isKeyGenerated) state.idColumn = from.info.key[0] as string
    createTable(this.#db, this.table, state.columns, state.base)
    basis.copy(from, this.table)
    state.rows = from.info.rows
  }

  rename(sqlName: string): void {
    if (sqlName === this.#sqlName) return
    this.#db.exec(`ALTER TABLE ${quote(this.#sqlName)} RENAME TO ${quote(sqlName)}`)
    this.#sqlName = sqlName
    this.#forget()
  }

  #prepareLayout(page: Pick<Page, 'columns' | 'rows'>) {
    if (this.#layout?.columns === page.columns) return this.#layout
    this.#addColumns(page)
    const idOf = this.state.idColumn === null ? null : rowIdOf(page.columns)
    this.#layout = { columns: page.columns, from: this.#fromOf(page), idOf }
    return this.#layout
  }

  #addColumns(page: Pick<Page, 'columns' | 'rows'>): void {
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
    this.#inserts = undefined
    this.#keyed = undefined
    this.#widen(page, this.#fromOf(page), state.columns.length - added.length)
    if (isFirst) {
      createTable(this.#db, this.table, state.columns, state.base)
    } else {
      const { table } = this
      for (const column of added) {
        this.#db.exec(
          `ALTER TABLE ${quote(this.#sqlName)} ADD COLUMN ${table.sql(column.name)} ${sqliteType(column.kind)}`,
        )
      }
    }
  }

  #fromOf(page: Pick<Page, 'columns'>): Int32Array {
    const place = new Map(page.columns.map((name, index) => [name, index]))
    return Int32Array.from(this.state.columns, (column) => place.get(column.name) ?? -1)
  }

  #chooseKey(known: ReadonlySet<string>, added: ColumnState[], page: Pick<Page, 'columns' | 'rows'>): void {
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
  #renameIdColumn(page: Pick<Page, 'columns'>): void {
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
  #settleKinds(page: Pick<Page, 'rows'>, from: Int32Array): void {
    const before = this.state.columns.map((column) => column.kind)
    this.#widen(page, from, 0)
    this.#rebuildFrom(before)
  }

  #rebuildFrom(before: readonly Kind[]): void {
    if (this.state.columns.some((column, index) => !storesAlike(before[index] as Kind, column.kind)))
      this.#rebuild(before, this.table)
  }

  /** The same from the column at `first` on, where none of them holds a cell yet. */
  #widen(page: Pick<Page, 'rows'>, from: Int32Array, first: number): void {
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

  /** Makes the table anew from `before`, which has as many columns, by whatever names and kinds. */
  #rebuild(kinds: readonly Kind[], before: SqlTable): void {
    const old = quote('_hf_rebuild')
    const cells = this.state.columns.map(({ kind }, index) => {
      const from = kinds[index] as Kind
      const cell = before.sql(before.columns[index]?.name as string)
      return storesAlike(from, kind) ? cell : `hf_widen('${from}', '${kind}', ${cell})`
    })
    this.#db.exec(`DROP INDEX ${before.changedIndex}; ALTER TABLE ${quote(this.#sqlName)} RENAME TO ${old}`)
    const { table } = this
    createTable(this.#db, table, this.state.columns, this.state.base)
    const names = table.columns.map(({ name }) => table.sql(name))
    this.#db.exec(
      `INSERT INTO ${quote(this.#sqlName)} (${[POSITION, ...names].join(', ')})
         SELECT ${[POSITION, ...cells].join(', ')} FROM ${old}; DROP TABLE ${old}`,
    )
    this.#inserts = undefined
    this.#keyed = undefined
    if (!this.state.isKeyed) return
    this.state.isKeyed = false
    this.indexKey()
  }

  #rowFailure(error: unknown, last: readonly Cell[]): unknown {
    const failure = error instanceof RowFailure ? error : new RowFailure(last, 0, error)
    if (sqliteCode(failure.cause) !== 'SQLITE_CONSTRAINT_NOTNULL') return failure.cause
    const missing = this.key.filter((name) => {
      const index = this.state.columns.findIndex((column) => column.name === name)
      return failure.cells[index] === null
    })
    return missingKey(this.#plan.name, missing, this.state.rows + 1 - failure.missing)
  }
}
