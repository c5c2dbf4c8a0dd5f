import { existsSync } from 'node:fs'
import { bootId } from '../base/boot.ts'
import type { Files } from '../base/files.ts'
import { Failure } from '../errors.ts'
import type { Cursor, Page, Plan } from '../source.ts'
import { literal, openOwn, type Database } from './database.ts'
import { sqlNames } from './names.ts'
import type { SourceFolder } from './pointer.ts'
import { undoCompare } from './compare.ts'
import { checkFormat, createSnapshotSchema, type RowBase, type SqlTable } from './snapshot-schema.ts'
import { addStagingFunctions, StagedTable, type StagedTableState } from './staged-table.ts'

interface CheckpointRow {
  plan: string
  shape: string
  boot: string
  cursor: string | null
  is_done: 0 | 1
  tables: string
}

const NO_BASE: RowBase = { version: 1, at: 0, createdAt: 0 }

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
  #cursor: Cursor | undefined
  #isPulled: boolean

  private constructor(
    db: Database,
    path: string,
    plan: Plan,
    checkpoint: CheckpointRow,
    bases?: ReadonlyMap<string, RowBase>,
  ) {
    this.db = db
    this.path = path
    this.plan = plan
    this.shape = checkpoint.shape
    this.#cursor = checkpoint.cursor ?? undefined
    this.#isPulled = checkpoint.is_done === 1
    const states = new Map((JSON.parse(checkpoint.tables) as StagedTableState[]).map((state) => [state.name, state]))
    const names = sqlNames(plan.tables.map((table) => table.name))
    this.#tables = new Map(
      plan.tables.map((table, index) => {
        const place = { position: index + 1, sqlName: names[index] as string, base: bases?.get(table.name) ?? NO_BASE }
        return [table.name, new StagedTable(db, table, place, states.get(table.name))]
      }),
    )
    this.#saveCheckpoint = db.prepare('UPDATE _hf_checkpoint SET cursor = ?, is_done = ?, tables = ?')
  }

  /**
   * Goes on from what an earlier generation left of the same upstream state, in a copy of its file, or starts afresh.
   */
  static open(
    folder: SourceFolder,
    files: Files,
    options: {
      generation: number
      plan: Plan
      shape: string
      leftovers: readonly string[]
      /** The versions that unchanged rows will have, as far as that is known. */
      bases?: ReadonlyMap<string, RowBase>
    },
  ): Staged {
    const path = folder.file(folder.stagedName(options.generation))
    for (const name of options.leftovers) {
      const resumed = Staged.#resume(folder.file(name), path, files, options)
      if (resumed !== undefined) return resumed
    }
    removeDatabase(files, path)
    const db = openStagedFile(path)
    db.transaction(() => {
      createSnapshotSchema(db)
      const insert = db.prepare('INSERT INTO _hf_checkpoint (id, plan, shape, boot) VALUES (1, ?, ?, ?)')
      insert.run(JSON.stringify(options.plan), options.shape, bootId())
    })()
    return new Staged(db, path, options.plan, checkpointOf(db) as CheckpointRow, options.bases)
  }

  static #resume(
    left: string,
    path: string,
    files: Files,
    options: { plan: Plan; shape: string; bases?: ReadonlyMap<string, RowBase> },
  ): Staged | undefined {
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
        isWhole && checkpoint.shape === options.shape && isSamePull(JSON.parse(checkpoint.plan) as Plan, options.plan)
      if (!isSame || db.pragma('quick_check(1)', { simple: true }) !== 'ok') {
        db.close()
        return undefined
      }
      const staged = new Staged(db, path, options.plan, checkpoint, options.bases)
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
    return new Staged(db, path, plan, checkpoint)
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
    return this.#tables.get(table)?.state.rows ?? 0
  }

  /** Adds the page and moves the checkpoint behind it, in one transaction. */
  write(page: Page): void {
    const table = this.#tables.get(page.table)
    if (table === undefined)
      throw new Failure('internal', `A page came for table ${page.table}, which was not planned.`)
    this.#transaction(() => {
      table.write(page)
      this.#cursor = page.next
      this.#checkpoint()
    })
  }

  /** Marks the pull as complete and indexes the keys. @throws Failure `upstream_malformed`, `snapshot_rejected` */
  finishPull(): void {
    for (const [name, table] of this.#tables) {
      if (!table.isAnnounced) throw new Failure('upstream_malformed', `The upstream ended without table ${name}.`)
    }
    if (this.#isPulled) return
    this.#transaction(() => {
      for (const table of this.#tables.values()) table.indexKey()
      this.#isPulled = true
      this.#checkpoint()
    })
  }

  /** The tables as they are, in order of the plan. */
  get tables(): SqlTable[] {
    return [...this.#tables.values()].map((table) => table.table)
  }

  /** The versions its rows were written with, by table. */
  get bases(): Map<string, RowBase> {
    return new Map([...this.#tables].map(([name, table]) => [name, table.state.base]))
  }

  /** Closes the file for good: complete, without a `-wal`, and on disk. */
  seal(files: Files): void {
    this.close()
    files.sync('stage:sync-file', this.path)
  }

  close(): void {
    if (!this.db.open) return
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

function checkpointOf(db: Database): CheckpointRow | undefined {
  return db.prepare<[], CheckpointRow>('SELECT plan, shape, boot, cursor, is_done, tables FROM _hf_checkpoint').get()
}
