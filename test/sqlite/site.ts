import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../lib/base/clock.ts'
import { disk, type Files } from '../../lib/base/files.ts'
import type { ColumnType, Value } from '../../lib/column.ts'
import type { Claim } from '../../lib/control.ts'
import { rowToJson } from '../../lib/row-json.ts'
import type { TableOrigin } from '../../lib/origin.ts'
import type { FileSourceOptions, GuardSettings, Settings } from '../../lib/settings.ts'
import type { Pointer } from '../../lib/snapshot.ts'
import type { Page, Plan, Source } from '../../lib/source.ts'
import { ControlDatabase } from '../../lib/sqlite/control-database.ts'
import { SqliteControl } from '../../lib/sqlite/control.ts'
import { openSnapshot, quote, type Database } from '../../lib/sqlite/database.ts'
import { SourceFolder } from '../../lib/sqlite/pointer.ts'
import type { Publisher } from '../../lib/sqlite/publish.ts'
import { RunTable } from '../../lib/sqlite/run-table.ts'
import { POSITION, readSqlTables, type SqlTable } from '../../lib/sqlite/snapshot-schema.ts'
import { SqliteStore } from '../../lib/sqlite/store.ts'
import type { Run, Trigger } from '../../lib/sync-run.ts'
import { runSync } from '../../lib/sync/run-sync.ts'
import { tempFolder } from '../support/temp.ts'

export const TTL_MS = 30_000

/** A clock that moves only when told to; whoever sleeps is woken soon, whatever time it is. */
export class TestClock implements Clock {
  #now: number
  constructor(now = Date.now()) {
    this.#now = now
  }
  now(): number {
    return this.#now
  }
  monotonic(): number {
    return this.#now
  }
  /** Negative: the clock is set back. */
  move(ms: number): void {
    this.#now += ms
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const timer = setTimeout(done, Math.min(ms, 2))
      function done() {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      signal?.addEventListener('abort', done, { once: true })
    })
  }
}

export interface UpstreamTable {
  readonly name: string
  readonly key?: readonly string[]
  readonly types?: Readonly<Record<string, ColumnType>>
  readonly untyped?: boolean
  readonly expectedRows?: number
  readonly origin?: TableOrigin
  readonly fileColumns?: readonly string[]
  readonly times?: { readonly created?: string; readonly modified?: string }
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Value[])[]
}

/** An upstream in memory: everything it has, under one identity. */
export interface Upstream {
  readonly identity: string
  readonly tables: readonly UpstreamTable[]
  readonly pageRows?: number
}

export function sourceOf(id: string, upstream: Upstream): Source {
  const pages = pagesOf(upstream)
  const plan: Plan = {
    identity: upstream.identity,
    tables: upstream.tables.map(({ columns: _columns, rows: _rows, ...table }) => table),
  }
  return {
    id,
    plan: () => Promise.resolve(plan),
    async *pull({ resumeFrom, signal }) {
      for (const page of pages.slice(resumeFrom === undefined ? 0 : Number(resumeFrom))) {
        signal.throwIfAborted()
        yield page
      }
    },
  }
}

export function pagesOf(upstream: Upstream): Page[] {
  const size = upstream.pageRows ?? 100
  const pages: Page[] = []
  for (const { name, columns, rows } of upstream.tables) {
    for (let from = 0; from === 0 || from < rows.length; from += size) {
      pages.push({ table: name, columns, rows: rows.slice(from, from + size), next: String(pages.length + 1) })
    }
  }
  return pages
}

export const NO_LIMITS: GuardSettings = { maxLostShare: 1, freezeColumns: false }
export const WIDE_LOG: Settings['changeLog'] = { maxAgeMs: 1e12, maxEntries: 1e6, maxBytes: 1e9, maxBatch: 1e5 }

export interface SiteOptions {
  readonly sources?: readonly string[]
  readonly clock?: TestClock
  readonly files?: Files
  readonly changeLog?: Settings['changeLog']
  readonly bodyFileBytes?: number
  readonly dataDir?: string
  /** How each source is configured; one that is configured otherwise has another fingerprint. */
  readonly tables?: FileSourceOptions['tables']
  readonly shape?: string
}

/** What one process has of a data directory: control, store and folders, on real files. */
export class TestSite implements Disposable {
  readonly clock: TestClock
  readonly dataDir: string
  readonly publisher: Publisher
  readonly control: SqliteControl
  readonly store: SqliteStore
  readonly #database: ControlDatabase
  readonly #temp: Disposable | undefined

  constructor(options: SiteOptions = {}) {
    const temp = options.dataDir === undefined ? tempFolder() : undefined
    this.#temp = temp
    this.dataDir = options.dataDir ?? (temp?.path as string)
    this.clock = options.clock ?? new TestClock()
    const sources = options.sources ?? ['wares']
    const folders = new Map(sources.map((id) => [id, new SourceFolder(this.dataDir, id)]))
    this.#database = new ControlDatabase(join(this.dataDir, 'control.sqlite'), this.clock)
    this.control = new SqliteControl(this.#database, folders)
    this.publisher = {
      control: this.#database,
      table: new RunTable(this.#database),
      folders,
      files: options.files ?? disk,
    }
    const { tables, shape = tables ? JSON.stringify(tables) : 'shape' } = options
    const descriptor = { kind: 'file', options: { path: '', ...(tables && { tables }) } } as const
    const settings = {
      changeLog: options.changeLog ?? WIDE_LOG,
      bodyFileBytes: options.bodyFileBytes ?? 1e7,
      sources: new Map(sources.map((id) => [id, { descriptor, schedule: 'off', guard: NO_LIMITS }])),
    }
    this.store = new SqliteStore(this.publisher, settings, new Map(sources.map((id) => [id, `${shape} of ${id}`])))
  }

  get database(): ControlDatabase {
    return this.#database
  }

  folder(source = 'wares'): SourceFolder {
    return this.publisher.folders.get(source) as SourceFolder
  }

  pointer(source = 'wares'): Pointer {
    const pointer = this.folder(source).readPointer()
    if (pointer === undefined) throw new Error('nothing is published')
    return pointer
  }

  /** Names in a source's folder, sorted. */
  list(source = 'wares'): string[] {
    return readdirSync(this.folder(source).path).toSorted()
  }

  async claim(source = 'wares', options: { trigger?: Trigger; ttlMs?: number; holder?: string } = {}): Promise<Claim> {
    await this.control.request(source, options.trigger ?? 'refresh')
    const claim = await this.control.claim(source, options.holder ?? 'holder', options.ttlMs ?? TTL_MS)
    if (claim === undefined) throw new Error('there was nothing to claim')
    return claim
  }

  /** Runs one claimed sync to its end, as a thread does, and gives the lease back. */
  async work(
    claim: Claim,
    upstream: Upstream | Source,
    options: { limits?: GuardSettings; signal?: AbortSignal } = {},
  ): Promise<Run> {
    try {
      await runSync({
        source: 'pull' in upstream ? upstream : sourceOf(claim.run.source, upstream),
        store: this.store,
        record: this.control.record(claim),
        limits: options.limits ?? NO_LIMITS,
        clock: this.clock,
        signal: options.signal ?? new AbortController().signal,
        onBeat: () => {},
        busy: (work) => work(),
      })
    } finally {
      await this.control.release(claim.lease)
    }
    return this.control.run(claim.run.id) as Run
  }

  async sync(
    upstream: Upstream | Source,
    options: { source?: string; limits?: GuardSettings; trigger?: Trigger } = {},
  ): Promise<Run> {
    this.clock.move(1000)
    return this.work(await this.claim(options.source ?? 'wares', options), upstream, options)
  }

  /** What is published, as a client gets it. */
  published(table: string, source = 'wares'): Record<string, unknown>[] {
    return withSnapshot(this.folder(source).file(this.pointer(source).file), (db, tables) =>
      rowsOf(db, tableNamed(tables, table)),
    )
  }

  [Symbol.dispose](): void {
    this.#database.close()
    this.#temp?.[Symbol.dispose]()
  }
}

export function withSnapshot<T>(path: string, look: (db: Database, tables: SqlTable[]) => T): T {
  const db = openSnapshot(path)
  try {
    return look(db, readSqlTables(db))
  } finally {
    db.close()
  }
}

export function tableNamed(tables: readonly SqlTable[], name: string): SqlTable {
  const table = tables.find((candidate) => candidate.name === name)
  if (table === undefined) throw new Error(`there is no table ${name}`)
  return table
}

/** The JSON texts of all rows, in order of their positions. */
export function jsonOf(db: Database, table: SqlTable): string[] {
  const cells = table.columns.map((column) => table.read(column)).join(', ')
  const rows = db
    .prepare<[], unknown[]>(`SELECT ${cells} FROM ${quote(table.sqlName)} ORDER BY ${POSITION}`)
    .raw()
    .all()
  return rows.map(rowToJson(table.columns))
}

export function rowsOf(db: Database, table: SqlTable): Record<string, unknown>[] {
  return jsonOf(db, table).map((text) => JSON.parse(text) as Record<string, unknown>)
}

/** A one-table upstream of objects; its identity is what it holds. */
export function wares(
  rows: readonly Readonly<Record<string, Value>>[],
  options: Partial<UpstreamTable> = {},
): Upstream {
  const columns = options.columns ?? [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const cells = rows.map((row) => columns.map((name) => row[name] ?? null))
  const identity = JSON.stringify([columns, cells, options], (_, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value,
  )
  return { identity, tables: [{ name: 'wares', key: ['sku'], ...options, columns, rows: cells }] }
}

/** Passes everything on to the disk, and tells of each step before it is done. */
export function tapped(onStep: (step: string, index: number) => void): Files {
  let index = 0
  const tap = (step: string) => onStep(step, index++)
  return {
    sync: (step, path) => (tap(step), disk.sync(step, path)),
    rename: (step, from, to) => (tap(step), disk.rename(step, from, to)),
    replace: (step, path, text, mode) => (tap(step), disk.replace(step, path, text, mode)),
    remove: (step, path) => (existsSync(path) ? tap(step) : undefined, disk.remove(step, path)),
  }
}
