import { existsSync, readdirSync, statSync } from 'node:fs'
import type { Lease, Timings } from '../control.ts'
import { Failure } from '../errors.ts'
import { isSameLayout, layoutsOf, type Layout } from '../layout.ts'
import { snapshotDigest } from '../row-digest.ts'
import type { Settings } from '../settings.ts'
import type { Pointer, TableInfo } from '../snapshot.ts'
import { CODINGS } from '../snapshot.ts'
import type { Page, Plan } from '../source.ts'
import type { PulledTable, Stage, Store } from '../store.ts'
import { compare, logStart } from './compare.ts'
import { openSnapshot } from './database.ts'
import { exportNames } from './export-names.ts'
import { indexing } from './indexes.ts'
import { newSnapshotId, type SourceFolder } from './pointer.ts'
import { publish, type Draft, type Publisher } from './publish.ts'
import { render, type RenderedTable } from './render.ts'
import { isKnownFormat, readBases, readSqlTables, type RowBase } from './snapshot-schema.ts'
import { Staged } from './staged.ts'

/** Files that nobody names any more are kept this long: somebody may just be about to open them. */
const GRACE_MS = 10_000

export type StoreSettings = Pick<Settings, 'changeLog' | 'bodyFileBytes' | 'sources'>

/** Builds and publishes snapshots as SQLite files. */
export class SqliteStore implements Store {
  readonly #publisher: Publisher
  readonly #settings: StoreSettings
  readonly #shapes: ReadonlyMap<string, string>

  /** `shapes` fingerprints how each source is configured: data read otherwise is not the same data. */
  constructor(publisher: Publisher, settings: StoreSettings, shapes: ReadonlyMap<string, string>) {
    this.#publisher = publisher
    this.#settings = settings
    this.#shapes = shapes
  }

  active(source: string): Pointer | undefined {
    return this.#folder(source).readPointer()
  }

  seenIdentity(source: string): string | undefined {
    const active = readActive(this.#folder(source))
    if (active === undefined || active.pointer.isRolledBack) return undefined
    const { control, table } = this.#publisher
    return control.read(() => {
      // Read otherwise, it may be something else, even if it was the same when the snapshot was made.
      const shape = table.seenShape(source) ?? active.pointer.shape
      return shape === this.shape(source) ? (table.peekSource(source)?.seen ?? undefined) : undefined
    })
  }

  shape(source: string): string {
    return this.#shapes.get(source) ?? ''
  }

  stage(options: { lease: Lease; run: string; plan: Plan }): Stage {
    const { lease, plan } = options
    const folder = this.#folder(lease.source)
    const shape = this.shape(lease.source)
    const leftovers = this.#leftovers(folder, lease.generation)
    const staged = Staged.open(folder, this.#publisher.files, {
      generation: lease.generation,
      plan,
      shape,
      leftovers,
      bases: this.#bases(folder, plan),
    })
    return this.#newStage({ staged, folder, ...options })
  }

  stageRejected(options: { lease: Lease; run: string; rejected: string }): Stage {
    const { lease, rejected } = options
    const folder = this.#folder(lease.source)
    const path = folder.file(folder.rejectedName(rejected))
    if (!existsSync(path)) {
      throw new Failure('nothing_to_publish', `What run ${rejected} pulled is no longer kept.`, {
        facts: { run: rejected },
      })
    }
    const staged = Staged.reopen(folder, this.#publisher.files, { generation: lease.generation, from: path })
    return this.#newStage({ staged, folder, ...options })
  }

  async renderActive(source: string, options: { signal: AbortSignal; onProgress: () => void }): Promise<void> {
    const folder = this.#folder(source)
    const active = readActive(folder)
    if (active === undefined) return
    const { pointer } = active
    const db = openSnapshot(active.path)
    try {
      await render(
        db,
        readSqlTables(db),
        { folder, files: this.#publisher.files },
        {
          source,
          snapshot: pointer.snapshot,
          publishedAt: pointer.publishedAt,
          maxBytes: this.#settings.bodyFileBytes,
          ...options,
        },
      )
    } finally {
      db.close()
    }
  }

  collect(lease: Lease): void {
    const folder = this.#folder(lease.source)
    // Names first: whoever stands still between the two must not take what was published meanwhile for a leftover.
    const names = readdirSync(folder.path)
    const pointer = folder.readPointer()
    const keep = new Set(['active.json', 'files', folder.stagedName(lease.generation)])
    for (const published of [pointer, pointer?.previous]) {
      if (!published) continue
      keep.add(published.file)
      for (const index of published.tables.keys()) {
        for (const coding of CODINGS) keep.add(folder.bodyName(published.snapshot, index, coding))
      }
      for (const name of exportNames(published)) keep.add(name)
    }
    const newestRejected = names
      .filter((name) => /^rejected-.*\.sqlite$/.test(name))
      .toSorted()
      .at(-1)
    if (newestRejected !== undefined) keep.add(newestRejected)
    for (const name of names) {
      if (keep.has(name.replace(/-(?:wal|shm|journal)$/, ''))) continue
      const leftover = /^staged-(\d+)\./.exec(name)
      // A later generation's file is not ours to judge: then we are the one who is late.
      if (leftover !== null ? Number(leftover[1]) > lease.generation : !this.#isOld(folder.file(name))) continue
      this.#removeIfPossible(folder.file(name))
    }
  }

  /** What is left over harms nobody, and the next collection tries again: not worth failing a run for. */
  #removeIfPossible(path: string): void {
    try {
      this.#publisher.files.remove('collect:remove', path)
    } catch (error) {
      if (typeof (error as NodeJS.ErrnoException).code !== 'string') throw error
    }
  }

  #newStage(parts: { staged: Staged; folder: SourceFolder; lease: Lease; run: string }): Stage {
    return new SqliteStage(this.#publisher, this.#settings, parts)
  }

  /** The versions that rows will have that are as they are in the active snapshot, if it is still that one then. */
  #bases(folder: SourceFolder, plan: Plan): Map<string, RowBase> {
    const active = readActive(folder)
    if (active === undefined) {
      const now = this.#publisher.control.clock.now()
      const first = { version: (folder.readPointer()?.batch ?? 0) + 1, at: now, createdAt: now }
      return new Map(plan.tables.map((table) => [table.name, first]))
    }
    const db = openSnapshot(active.path)
    try {
      return readBases(db)
    } finally {
      db.close()
    }
  }

  /** Staged files of earlier generations, newest first. */
  #leftovers(folder: SourceFolder, generation: number): string[] {
    return readdirSync(folder.path)
      .map((name) => ({ name, generation: Number(/^staged-(\d+)\.sqlite$/.exec(name)?.[1]) }))
      .filter((file) => file.generation < generation)
      .toSorted((a, b) => b.generation - a.generation)
      .map((file) => file.name)
  }

  #isOld(path: string): boolean {
    const stat = statSync(path, { throwIfNoEntry: false })
    return stat !== undefined && this.#publisher.control.clock.now() - stat.mtimeMs > GRACE_MS
  }

  #folder(source: string): SourceFolder {
    const folder = this.#publisher.folders.get(source)
    if (folder === undefined) throw new Failure('source_not_found', `There is no source ${source}.`)
    return folder
  }
}

/** A published snapshot, or undefined where its file is gone or of another format: then it is made anew. */
function readable(folder: SourceFolder, pointer: Pointer): { pointer: Pointer; path: string } | undefined {
  const path = folder.file(pointer.file)
  return existsSync(path) && isKnownFormat(path) ? { pointer, path } : undefined
}

function readActive(folder: SourceFolder): { pointer: Pointer; path: string } | undefined {
  const pointer = folder.readPointer()
  return pointer && readable(folder, pointer)
}

function completed(
  table: RenderedTable,
  layout: Layout,
  { isKeyGenerated }: { readonly isKeyGenerated: boolean },
): TableInfo {
  return { ...table, ...layout, ...(isKeyGenerated && { isKeyGenerated }) }
}

interface StageParts {
  readonly staged: Staged
  readonly folder: SourceFolder
  readonly lease: Lease
  readonly run: string
}

class SqliteStage implements Stage {
  readonly #publisher: Publisher
  readonly #settings: StoreSettings
  readonly #parts: StageParts
  readonly #active: Pointer | undefined
  readonly #snapshot: string
  /** Fixed when all is pulled: the rendered answers say it. */
  #publishedAt: number
  #draft: Draft | undefined

  constructor(publisher: Publisher, settings: StoreSettings, parts: StageParts) {
    this.#publisher = publisher
    this.#settings = settings
    this.#parts = parts
    this.#active = parts.folder.readPointer()
    this.#publishedAt = publisher.control.clock.now()
    this.#snapshot = newSnapshotId(this.#publishedAt)
  }

  get plan(): Plan {
    return this.#parts.staged.plan
  }

  get shape(): string {
    return this.#parts.staged.shape
  }

  get cursor(): string | undefined {
    return this.#parts.staged.cursor
  }

  get isPulled(): boolean {
    return this.#parts.staged.isPulled
  }

  rows(table: string): number {
    return this.#parts.staged.rows(table)
  }

  write(page: Page): void {
    this.#parts.staged.write(page)
  }

  finishPull(): PulledTable[] {
    const { staged } = this.#parts
    staged.finishPull()
    return staged.tables.map((table) => ({
      name: table.name,
      rows: staged.rows(table.name),
      columns: table.columns.map((column) => column.name),
    }))
  }

  compare(): { isChanged: boolean; puts: number; deletes: number } {
    const { staged, folder } = this.#parts
    this.#publishedAt = this.#publisher.control.clock.now()
    // Without its file there is nothing to compare with: readers fetch everything again.
    const active = this.#active && readable(folder, this.#active)
    return compare(staged.db, staged.tables, {
      active,
      isLaidOutAnew: active !== undefined && !this.#isLaidOut(active.pointer),
      batch: this.#batch,
      bases: staged.bases,
      at: this.#publishedAt,
      bounds: this.#settings.changeLog,
    })
  }

  async finish(options: Parameters<Stage['finish']>[0]): Promise<void> {
    const { staged, folder, lease, run } = this.#parts
    const { files } = this.#publisher
    const { layouts, warnings } = this.#layout
    for (const table of staged.tables) {
      for (const step of indexing(staged.db, table, layouts.get(table.name) as Layout)) {
        options.busy(step)
        options.onProgress()
        options.signal.throwIfAborted()
      }
    }
    const rendered = await render(
      staged.db,
      staged.tables,
      { folder, files },
      {
        source: lease.source,
        snapshot: this.#snapshot,
        publishedAt: this.#publishedAt,
        maxBytes: this.#settings.bodyFileBytes,
        ...options,
      },
    )
    const keyed = new Set(staged.plan.tables.flatMap(({ name, key }) => (key === undefined ? [] : [name])))
    const tables = rendered.map((table) =>
      completed(table, layouts.get(table.name) as Layout, { isKeyGenerated: !keyed.has(table.name) }),
    )
    this.#draft = {
      source: lease.source,
      snapshot: this.#snapshot,
      file: folder.snapshotName(this.#snapshot),
      batch: this.#batch,
      logFrom: logStart(staged.db, this.#batch),
      isRolledBack: false,
      digest: snapshotDigest(tables),
      identity: staged.plan.identity,
      shape: staged.shape,
      tables,
      ...(warnings.length > 0 && { warnings }),
      publishedAt: this.#publishedAt,
      run,
    }
    staged.seal(files)
  }

  publish(options: { checkedAt: number; timings: () => Timings }): Pointer {
    const { staged, lease } = this.#parts
    if (this.#draft === undefined) throw new Failure('internal', 'A stage is published before it is finished.')
    return publish(this.#publisher, { lease, draft: this.#draft, stagedPath: staged.path, ...options })
  }

  /** What the tables get of what is configured for them, now that their columns are known. */
  get #layout() {
    const { staged, lease } = this.#parts
    return layoutsOf(staged.tables, this.#settings.sources.get(lease.source)?.descriptor.options.tables)
  }

  #isLaidOut(pointer: Pointer): boolean {
    const { layouts, warnings } = this.#layout
    const isSame = pointer.tables.every((info) => {
      const layout = layouts.get(info.name)
      return layout !== undefined && isSameLayout(layout, info)
    })
    return isSame && JSON.stringify(warnings) === JSON.stringify(pointer.warnings ?? [])
  }

  get #batch(): number {
    return (this.#active?.batch ?? 0) + 1
  }

  reject(): void {
    const { staged, folder, run } = this.#parts
    staged.close()
    this.#publisher.files.rename('reject:rename', staged.path, folder.file(folder.rejectedName(run)))
  }

  discard(): void {
    this.#parts.staged.discard(this.#publisher.files)
  }

  [Symbol.dispose](): void {
    this.#parts.staged[Symbol.dispose]()
  }
}
