import { existsSync } from 'node:fs'
import { bootId } from '../base/boot.ts'
import type { Files } from '../base/files.ts'
import { Failure } from '../errors.ts'
import type { TableOrigin } from '../origin.ts'
import type { Pointer } from '../snapshot.ts'
import type { Cursor, Page, Plan, TablePlan } from '../source.ts'
import { Basis } from './basis.ts'
import { literal, openOwn, type Database } from './database.ts'
import { sqlNames } from './names.ts'
import type { SourceFolder } from './pointer.ts'
import { undoCompare } from './compare.ts'
import { checkFormat, createSnapshotSchema, type RowBase, type SqlTable } from './snapshot-schema.ts'
import { StagedTable, type StagedTableState } from './staged-table.ts'
import { addStagingFunctions } from './staging-functions.ts'

interface CheckpointRow {
  plan: string
  shape: string
  basis: string | null
  boot: string
  cursor: string | null
  is_done: 0 | 1
  tables: string
}

const NO_BASE: RowBase = { version: 1, at: 0, createdAt: 0 }

interface OpenOptions {
  readonly generation: number
  readonly plan: Plan
  readonly shape: string
  readonly leftovers: readonly string[]
  /** The versions that unchanged rows will have, as far as that is known. */
  readonly bases?: ReadonlyMap<string, RowBase>
  /** The active snapshot, for tables that begin with its rows. */
  readonly active?: { readonly pointer: Pointer; readonly path: string } | undefined
  /** Epoch milliseconds. */
  readonly now?: number
}

/**
 * A snapshot being built by the holder of one lease generation, who alone ever writes this file. Rows and checkpoint
 * commit together, page by page.
 */
export class Staged implements Disposable {
  readonly db: Database
  readonly path: string
  readonly plan: Plan
  /** How the source was configured when it was pulled. */
  readonly shape: string
  readonly #tables: Map<string, StagedTable>
  readonly #saveCheckpoint
  readonly #now: number
  /** While rows of it may be wanted: until all is pulled. */
  #basis: Basis | undefined
  #cursor: Cursor | undefined
  #isPulled: boolean

  private constructor(
    file: { db: Database; path: string },
    plan: Plan,
    checkpoint: CheckpointRow,
    { bases, active, now = 0 }: Pick<OpenOptions, 'bases' | 'active' | 'now'> = {},
  ) {
    const { db } = file
    this.db = db
    this.path = file.path
    this.plan = plan
    this.shape = checkpoint.shape
    this.#now = now
    this.#cursor = checkpoint.cursor ?? undefined
    this.#isPulled = checkpoint.is_done === 1
    this.#basis = active === undefined || this.#isPulled ? undefined : Basis.attach(db, active)
    const states = new Map((JSON.parse(checkpoint.tables) as StagedTableState[]).map((state) => [state.name, state]))
    // Once all is pulled, tables that are not there have no name: see `#takeFinalNames`.
    const isNamed = ({ name }: TablePlan) => !this.#isPulled || !states.get(name)?.kept?.isAbsent
    const names = namesOf(plan.tables.filter(isNamed))
    this.#tables = new Map(
      plan.tables.map((table, index) => {
        const sqlName = names.get(table.name) ?? ''
        const place = { position: index + 1, sqlName, base: bases?.get(table.name) ?? NO_BASE }
        return [table.name, new StagedTable(db, table, place, states.get(table.name))]
      }),
    )
    this.#saveCheckpoint = db.prepare('UPDATE _hf_checkpoint SET cursor = ?, is_done = ?, tables = ?')
  }

  /**
   * Goes on from what an earlier generation left of the same upstream state, in a copy of its file, or starts afresh.
   */
  static open(folder: SourceFolder, files: Files, options: OpenOptions): Staged {
    const path = folder.file(folder.stagedName(options.generation))
    for (const name of options.leftovers) {
      const resumed = Staged.#resume(folder.file(name), path, files, options)
      if (resumed !== undefined) return resumed
    }
    removeDatabase(files, path)
    const db = openStagedFile(path)
    db.transaction(() => {
      createSnapshotSchema(db)
      const insert = db.prepare('INSERT INTO _hf_checkpoint (id, plan, shape, basis, boot) VALUES (1, ?, ?, ?, ?)')
      insert.run(JSON.stringify(options.plan), options.shape, basisOf(options), bootId())
    })()
    return new Staged({ db, path }, options.plan, checkpointOf(db) as CheckpointRow, options)
  }

  static #resume(left: string, path: string, files: Files, options: OpenOptions): Staged | undefined {
    if (!existsSync(left)) return undefined
    let db: Database | undefined
    try {
      removeDatabase(files, path)
      copyDatabase(left, path)
      db = openStagedFile(path)
      checkFormat(db, path)
      const checkpoint = checkpointOf(db)
      const isWhole = checkpoint?.boot === bootId()
      const isSame =
        isWhole &&
        checkpoint.shape === options.shape &&
        isSamePull(JSON.parse(checkpoint.plan) as Plan, options.plan) &&
        (checkpoint.basis === basisOf(options) ||
          !takesOver(options.plan, JSON.parse(checkpoint.tables) as StagedTableState[]))
      if (!isSame || db.pragma('quick_check(1)', { simple: true }) !== 'ok') {
        db.close()
        return undefined
      }
      const staged = new Staged({ db, path }, options.plan, checkpoint, options)
      undoCompare(db, staged.tables, staged.bases)
      return staged
    } catch {
      // Whatever is wrong with the leftover: starting afresh is always right.
      db?.close()
      return undefined
    }
  }

  /** Goes on, in a copy, with a file whose pull is complete but was refused. */
  static reopen(folder: SourceFolder, files: Files, options: { generation: number; from: string }): Staged {
    const path = folder.file(folder.stagedName(options.generation))
    removeDatabase(files, path)
    copyDatabase(options.from, path)
    const db = openStagedFile(path)
    checkFormat(db, path)
    const checkpoint = checkpointOf(db) as CheckpointRow
    const plan = JSON.parse(checkpoint.plan) as Plan
    return new Staged({ db, path }, plan, checkpoint)
  }

  /** Where the pull continues; undefined at its beginning. */
  get cursor(): Cursor | undefined {
    return this.#cursor
  }

  /** Whether the last page is in: there is nothing left to pull. */
  get isPulled(): boolean {
    return this.#isPulled
  }

  /** Rows so far, by table. */
  rows(table: string): number {
    const staged = this.#tables.get(table)
    if (staged === undefined) return 0
    return staged.isToLoad ? (this.#basis?.table(table)?.info.rows ?? 0) : staged.state.rows
  }

  /** Whether all pages said nothing: every table is, as far as can be told, that of the active snapshot. */
  get isSame(): boolean {
    const basis = this.#basis
    if (basis === undefined || basis.names.length !== this.#tables.size) return false
    return [...this.#tables].every(([name, { isToLoad, plan }]) => {
      const from = basis.table(name)
      return isToLoad && from !== undefined && from.info.kept === undefined && isSameOrigin(plan.origin, from.origin)
    })
  }

  /** Does what the page says and moves the checkpoint behind it, in one transaction. */
  write(page: Page): void {
    const table = this.#tables.get(page.table)
    if (table === undefined)
      throw new Failure('internal', `A page came for table ${page.table}, which was not planned.`)
    this.#transaction(() => {
      const isAnnouncement = page.rows.length === 0 && !page.deleted?.length && !page.restarts
      if (!page.restarts && !page.keeps && !isAnnouncement) this.#load(page.table, table)
      if (!isAnnouncement || !table.isToLoad) table.write(page)
      if (page.keeps) table.keep(this.#basis, { ...page.keeps, since: this.#now })
      this.#cursor = page.next
      this.#checkpoint()
    })
  }

  /** Marks the pull as complete and indexes the keys. @throws Failure `upstream_malformed`, `snapshot_rejected` */
  finishPull(): void {
    for (const [name, table] of this.#tables) {
      if (!table.isAnnounced && table.state.kept === null && !table.isToldBefore)
        throw new Failure('upstream_malformed', `The upstream ended without table ${name}.`)
    }
    if (this.#isPulled) return
    this.#transaction(() => {
      for (const [name, table] of this.#present) {
        this.#load(name, table)
        table.announce()
        table.indexKey()
      }
      this.#takeFinalNames()
      this.#isPulled = true
      this.#checkpoint()
    })
    this.#detach()
  }

  /** The tables as they are, in order of the plan. */
  get tables(): SqlTable[] {
    return this.#present.map(([, table]) => table.table)
  }

  /** What is planned for each of them, or was for the rows that it keeps. */
  get plans(): TablePlan[] {
    return this.#present.map(([, { plan }]) => plan)
  }

  /** What the upstream calls the tables, where it has names of its own. */
  get origins(): Map<string, TableOrigin> {
    return new Map(this.plans.flatMap(({ name, origin }) => (origin === undefined ? [] : [[name, origin]])))
  }

  /** Why tables are as they were in the active snapshot; absent ones are those that are not there either. */
  get kept(): Map<string, NonNullable<StagedTableState['kept']>> {
    return new Map([...this.#tables].flatMap(([name, { state }]) => (state.kept === null ? [] : [[name, state.kept]])))
  }

  /** The versions its rows were written with, by table. */
  get bases(): Map<string, RowBase> {
    return new Map([...this.#tables].map(([name, table]) => [name, table.state.base]))
  }

  get #present(): [string, StagedTable][] {
    return [...this.#tables].filter(([, { state }]) => !state.kept?.isAbsent)
  }

  #load(name: string, table: StagedTable): void {
    if (!table.isToLoad) return
    const from = this.#basis?.table(name)
    if (this.#basis === undefined || from === undefined)
      throw new Failure('internal', `Table ${name} was planned to begin with rows of a snapshot that does not have it.`)
    table.load(this.#basis, from)
  }

  /** Readers know only the tables that are there, and give them their names in order: each gets one that is free by then. */
  #takeFinalNames(): void {
    const names = namesOf(this.#present.map(([name]) => ({ name })))
    for (const [name, table] of this.#present) table.rename(names.get(name) as string)
  }

  #detach(): void {
    this.#basis?.detach()
    this.#basis = undefined
  }

  /** Closes the file for good: complete, without a `-wal`, and on disk. */
  seal(files: Files): void {
    this.close()
    files.sync('stage:sync-file', this.path)
  }

  close(): void {
    if (!this.db.open) return
    this.#detach()
    this.db.pragma('journal_mode = DELETE')
    this.db.close()
  }

  discard(files: Files): void {
    if (this.db.open) this.db.close()
    removeDatabase(files, this.path)
  }

  /** Leaves the file as it is, to be resumed. */
  [Symbol.dispose](): void {
    if (this.db.open) this.db.close()
  }

  #transaction(work: () => void): void {
    const states = [...this.#tables.values()].map((table) => structuredClone(table.state))
    const cursor = this.#cursor
    this.db.exec('BEGIN')
    try {
      work()
      this.db.exec('COMMIT')
    } catch (error) {
      if (this.db.inTransaction) this.db.exec('ROLLBACK')
      // The file went back, so what is remembered of it must too; nobody goes on after this but to look.
      this.#cursor = cursor
      for (const [index, table] of [...this.#tables.values()].entries()) Object.assign(table.state, states[index])
      throw error
    }
  }

  #checkpoint(): void {
    const states = [...this.#tables.values()].map((table) => table.state)
    this.#saveCheckpoint.run(this.#cursor ?? null, this.#isPulled ? 1 : 0, JSON.stringify(states))
  }
}

/** A consistent copy of a database that another process may have open, and may even be stopped in the midst of. */
function copyDatabase(from: string, to: string): void {
  // Whoever is in the midst of a commit may be stopped there: not waited for.
  const source = openOwn(from, { mustExist: true, timeoutMs: 100 })
  try {
    source.exec(`VACUUM INTO ${literal(to)}`)
  } finally {
    source.close()
  }
}

function removeDatabase(files: Files, path: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) files.remove('collect:remove', path + suffix)
}

function openStagedFile(path: string): Database {
  const db = openOwn(path)
  db.pragma('page_size = 8192')
  // Rows outlive a killed process; not a power failure, which the checkpoint's boot id tells of. The file is synced
  // once, when it is complete.
  db.pragma('journal_mode = TRUNCATE')
  db.pragma('synchronous = OFF')
  db.pragma('cache_size = -65536')
  db.pragma('temp_store = FILE')
  addStagingFunctions(db)
  return db
}

/** Whether cursors of one plan can be used with the other: the same upstream state, read into the same tables. */
function isSamePull(a: Plan, b: Plan): boolean {
  const facts = (plan: Plan) => JSON.stringify(plan.tables.map(({ estimatedRows: _estimate, ...table }) => table))
  return a.identity === b.identity && facts(a) === facts(b)
}

/** The snapshot whose rows a pull takes over. */
function basisOf({ active }: OpenOptions): string | null {
  return active?.pointer.snapshot ?? null
}

/** Whether rows were taken over, or will be: another active snapshot makes another pull then. */
function takesOver(plan: Plan, states: readonly StagedTableState[]): boolean {
  return plan.tables.some(({ from }) => from === 'active') || states.some(({ kept }) => kept !== null)
}

function namesOf(tables: readonly { readonly name: string }[]): Map<string, string> {
  const names = sqlNames(tables.map(({ name }) => name))
  return new Map(tables.map(({ name }, index) => [name, names[index] as string]))
}

function isSameOrigin(a: TableOrigin | undefined, b: TableOrigin | undefined): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null)
}

function checkpointOf(db: Database): CheckpointRow | undefined {
  return db
    .prepare<[], CheckpointRow>('SELECT plan, shape, basis, boot, cursor, is_done, tables FROM _hf_checkpoint')
    .get()
}
