import { existsSync, statSync } from 'node:fs'
import type { Column } from '../column.ts'
import { Failure, toFailure } from '../errors.ts'
import type { TableOrigin } from '../origin.ts'
import type { Answer, QueryOptions, ResolvedQuery } from '../query.ts'
import type {
  Coding,
  ExportFile,
  ExportRequest,
  FileReference,
  FileSizes,
  MountedSnapshot,
  Pointer,
  RowReader,
  Snapshots,
  TableInfo,
} from '../snapshot.ts'
import { openSnapshot, quote, sqliteCode, type Database } from './database.ts'
import { Exports } from './exports.ts'
import { FileReferences } from './file-references.ts'
import { fileSizes } from './file-sizes.ts'
import type { SourceFolder } from './pointer.ts'
import { QueryEngine } from './query-engine.ts'
import type { QueryReaders } from './reader-pool.ts'
import { lastReading, markReading } from './reading-marks.ts'
import { UNSEEN } from './sql-fragment.ts'
import { checkFormat, POSITION, readOrigins, readSqlTables, type SqlTable } from './snapshot-schema.ts'

/** Watching a folder is a hint only (network volumes): the pointer is also looked at this often. */
const LOOK_MS = 100
const MAX_ROWS = 10_000
const DEFAULT_MAX_BYTES = 2 ** 26
/** Of rows that are read in one go, the last one of them may be beyond it. */
const MAX_TURN_BYTES = 4 * 1024 * 1024
/** How much larger than the average some rows may be. */
const UNEVEN = 8
/** A body file that is not there yet is looked for again after this time. */
const MISSING_BODY_MS = 1000

export interface QuerySettings {
  /** Who answers the queries that no index bounds; without, those fail. */
  readonly readers?: QueryReaders
  readonly answerMaxBytes?: number
}

/** What all mounted snapshots share. */
interface MountParts {
  readonly exports: Exports
  readonly queries: QuerySettings
}

/** The active snapshots of all sources, kept current by looking at their pointers. */
export class Mounts implements Snapshots, Disposable {
  readonly #folders: ReadonlyMap<string, SourceFolder>
  readonly #mounted = new Map<string, { stamp: string; snapshot: Mounted }>()
  /** The snapshots before the active ones, as far as somebody has them or asks for them. */
  readonly #previous = new Map<string, Mounted>()
  readonly #listeners = new Set<(source: string, pointer: Pointer) => void>()
  readonly #onTrouble: (source: string, failure: Failure) => void
  /** What is wrong with a source's pointer or file, said once. */
  readonly #troubles = new Map<string, string>()
  readonly #exports = new Exports()
  readonly #parts: MountParts
  #timer: NodeJS.Timeout | undefined
  #watcher: { close(): Promise<void> } | undefined

  /** `onTrouble` hears of a pointer or file that cannot be used; what is mounted is served on. */
  constructor(
    folders: ReadonlyMap<string, SourceFolder>,
    onTrouble: (source: string, failure: Failure) => void = () => {},
    queries: QuerySettings = {},
  ) {
    this.#folders = folders
    this.#parts = { queries, exports: this.#exports }
    this.#onTrouble = onTrouble
    this.look()
  }

  /** Begins to follow the pointers; until then only `look` mounts anything new. */
  follow(): void {
    this.#timer ??= setInterval(() => this.look(), LOOK_MS).unref()
    void this.#watch()
  }

  /** Mounts what the pointers name now. */
  look(): void {
    for (const [source, folder] of this.#folders) {
      try {
        this.#lookAt(source, folder)
        this.#troubles.delete(source)
      } catch (error) {
        const failure = toFailure(error)
        if (this.#troubles.get(source) === failure.message) continue
        this.#troubles.set(source, failure.message)
        this.#onTrouble(source, failure)
      }
    }
  }

  active(source: string): MountedSnapshot | undefined {
    return this.#mounted.get(source)?.snapshot
  }

  /** The database of the active snapshot, for its change log: good until something newer is mounted. */
  opened(source: string): { readonly pointer: Pointer; readonly db: Database } | undefined {
    return this.#mounted.get(source)?.snapshot
  }

  find(source: string, snapshot: string): MountedSnapshot | undefined {
    const active = this.#mounted.get(source)?.snapshot
    if (active === undefined || active.pointer.snapshot === snapshot) return active
    const { previous } = active.pointer
    if (previous === null || previous.snapshot !== snapshot) return undefined
    const folder = this.#folders.get(source)
    const known = this.#previous.get(source) ?? (folder && mount(folder, { ...previous, previous: null }, this.#parts))
    if (known !== undefined) this.#previous.set(source, known)
    return known
  }

  onPublish(listener: (source: string, pointer: Pointer) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  tellReading({ source, snapshot }: Pick<Pointer, 'source' | 'snapshot'>): void {
    const folder = this.#folders.get(source)
    if (folder !== undefined) markReading(folder, snapshot)
  }

  lastReading({ source, snapshot }: Pick<Pointer, 'source' | 'snapshot'>): number | undefined {
    const folder = this.#folders.get(source)
    return folder && lastReading(folder, snapshot)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    void this.#watcher?.close()
    this.#exports[Symbol.dispose]()
    for (const { snapshot } of this.#mounted.values()) snapshot.unmount()
    for (const snapshot of this.#previous.values()) snapshot.unmount()
    this.#mounted.clear()
    this.#previous.clear()
  }

  #lookAt(source: string, folder: SourceFolder): void {
    const stat = statSync(folder.pointerFile, { bigint: true, throwIfNoEntry: false })
    const before = this.#mounted.get(source)
    const stamp = stat === undefined ? '' : `${stat.ino}:${stat.mtimeNs}:${stat.size}`
    if (stat === undefined || before?.stamp === stamp) return
    const pointer = folder.readPointer()
    if (pointer === undefined) return
    const snapshot = mount(folder, pointer, this.#parts)
    // Gone already: a newer pointer has taken its place, which the next look finds.
    if (snapshot === undefined) return
    this.#mounted.set(source, { stamp, snapshot })
    // The one before stays for those who read on in it, until the next publish.
    this.#previous.get(source)?.unmount()
    this.#previous.delete(source)
    if (before?.snapshot.pointer.snapshot === pointer.previous?.snapshot && before) {
      this.#previous.set(source, before.snapshot)
    } else before?.snapshot.unmount()
    for (const listener of this.#listeners) listener(source, pointer)
  }

  async #watch(): Promise<void> {
    const { watch } = await import('chokidar')
    if (this.#timer === undefined) return
    const files = [...this.#folders.values()].map((folder) => folder.pointerFile)
    this.#watcher = watch(files, { ignoreInitial: true })
      .on('all', () => this.look())
      .on('error', () => {})
  }
}

function mount(folder: SourceFolder, pointer: Pointer, parts: MountParts): Mounted | undefined {
  if (!existsSync(folder.file(pointer.file))) return undefined
  try {
    return new Mounted(folder, pointer, parts)
  } catch (error) {
    if (sqliteCode(error) === 'SQLITE_CANTOPEN') return undefined
    throw error
  }
}

/** Rows up to a bound on what their texts take. */
function someOf(rows: Iterable<unknown[]>): unknown[][] {
  const some: unknown[][] = []
  let bytes = 0
  for (const row of rows) {
    some.push(row)
    for (const cell of row) if (typeof cell === 'string') bytes += cell.length
    if (bytes >= MAX_TURN_BYTES) break
  }
  return some
}

class Mounted implements MountedSnapshot {
  readonly pointer: Pointer
  readonly #folder: SourceFolder
  readonly #parts: MountParts
  readonly db: Database
  readonly #readers = new Map<string, RowReader>()
  readonly #bodies = new Map<string, { path: string | undefined; lookAgainAt: number }>()
  #engine: QueryEngine | undefined
  #tables: Map<string, SqlTable> | undefined
  #origins: Map<string, TableOrigin> | undefined
  #files: FileReferences | undefined
  #pins = 1

  constructor(folder: SourceFolder, pointer: Pointer, parts: MountParts) {
    this.pointer = pointer
    this.#parts = parts
    this.#folder = folder
    // Open from the start: a file that is open stays readable when its name is collected.
    this.db = openSnapshot(folder.file(pointer.file))
    try {
      // One read transaction for as long as it is mounted: nobody writes to a published file, and a statement that need
      // not take and give back its lock costs a third less.
      this.db.exec('BEGIN')
      checkFormat(this.db, pointer.file)
    } catch (error) {
      this.db.close()
      throw error
    }
  }

  table(name: string): TableInfo | undefined {
    return this.pointer.tables.find((table) => table.name === name)
  }

  reader(table: string, columns: readonly Column[]): RowReader {
    const key = JSON.stringify([table, ...columns.map((column) => column.name)])
    let reader = this.#readers.get(key)
    if (reader === undefined) {
      reader = this.#newReader(table, columns)
      if (this.#readers.size >= 100) this.#readers.clear()
      this.#readers.set(key, reader)
    }
    return reader
  }

  bodyFile(table: string, coding: Coding): string | undefined {
    const key = `${coding} ${table}`
    const known = this.#bodies.get(key)
    if (known !== undefined && (known.path !== undefined || performance.now() < known.lookAgainAt)) return known.path
    const index = this.pointer.tables.findIndex((info) => info.name === table)
    const path = this.#folder.file(this.#folder.bodyName(this.pointer.snapshot, index, coding))
    const found = existsSync(path) ? path : undefined
    this.#bodies.set(key, { path: found, lookAgainAt: performance.now() + MISSING_BODY_MS })
    return found
  }

  origin(table: string): TableOrigin | undefined {
    this.#origins ??= readOrigins(this.db)
    return this.#origins.get(table)
  }

  fileReferences(id: string, after?: FileReference): FileReference[] {
    this.#files ??= new FileReferences(this.db)
    return this.#files.of(id, after)
  }

  record(table: string, columns: readonly Column[], id: string): ReturnType<MountedSnapshot['record']> {
    return this.#queries.record(table, columns, id)
  }

  async query(query: ResolvedQuery, options: QueryOptions): Promise<Answer> {
    options.signal.throwIfAborted()
    const { readers, answerMaxBytes = DEFAULT_MAX_BYTES } = this.#parts.queries
    const answer = this.#queries.answer(query, { maxBytes: answerMaxBytes, isBounded: true })
    if (answer !== undefined) return answer
    const table = this.table(query.table)
    if (readers === undefined || table === undefined) {
      throw new Failure('internal', `No index bounds the query of ${query.table}, and there are no reader processes.`)
    }
    return readers.run({ path: this.#folder.file(this.pointer.file), table, query }, options)
  }

  exportFile(wanted: ExportRequest): Promise<ExportFile> {
    return this.#parts.exports.file(this.#folder, this.pointer, wanted)
  }

  fileSizes(): Promise<FileSizes> {
    return fileSizes(this.#folder, this.pointer)
  }

  pin(): Disposable {
    this.#pins++
    let isPinned = true
    return {
      [Symbol.dispose]: () => {
        if (isPinned) this.unmount()
        isPinned = false
      },
    }
  }

  /** Gives up one pin; the last one closes the file. */
  unmount(): void {
    if (--this.#pins === 0) this.db.close()
  }

  get #queries(): QueryEngine {
    return (this.#engine ??= new QueryEngine(this.db, this.pointer.tables))
  }

  #newReader(name: string, columns: readonly Column[]): RowReader {
    this.#tables ??= new Map(readSqlTables(this.db).map((table) => [table.name, table]))
    const table = this.#tables.get(name)
    if (table === undefined) throw new Failure('table_not_found', `There is no table ${name}.`)
    const cells = columns.map((column) => table.read(column)).join(', ') || 'NULL'
    const statement = this.db
      .prepare<[number, number], unknown[]>(
        `SELECT ${cells} FROM ${quote(table.sqlName)} WHERE ${POSITION} BETWEEN ${UNSEEN} AND ${UNSEEN} ORDER BY ${POSITION} LIMIT ${MAX_ROWS}`,
      )
      .raw()
    const { bodyBytes = 0, rows: count = 0, largestRow } = this.table(name) ?? {}
    const most = largestRow ?? UNEVEN * (bodyBytes / Math.max(1, count))
    return {
      rows(from, to) {
        // All at once is faster, where it cannot be too much.
        const isSmall = most > 0 && (to - from + 1) * most < MAX_TURN_BYTES
        return isSmall ? statement.all(from, to) : someOf(statement.iterate(from, to))
      },
    }
  }
}
