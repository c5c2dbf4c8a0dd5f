import { existsSync, readdirSync, statSync } from 'node:fs'
import type { Lease } from '../control.ts'
import { Failure } from '../errors.ts'
import type { Pointer } from '../snapshot.ts'
import { CODINGS } from '../snapshot.ts'
import type { Plan, Published, TablePlan } from '../source.ts'
import type { Stage, Store } from '../store.ts'
import { openSnapshot } from './database.ts'
import { exportNames } from './export-names.ts'
import type { SourceFolder } from './pointer.ts'
import type { Publisher } from './publish.ts'
import { readActive } from './readable.ts'
import { render } from './render.ts'
import { readBases, readSqlTables, type RowBase } from './snapshot-schema.ts'
import { keptForReaders } from './reading-marks.ts'
import { MEMORY_FILE } from './source-memory.ts'
import { SqliteStage, type StoreSettings } from './stage.ts'
import { Staged } from './staged.ts'

/** Files that nobody names any more are kept this long: somebody may just be about to open them. */
const GRACE_MS = 10_000

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

  published(source: string): Published | undefined {
    const active = readActive(this.#folder(source))
    if (active === undefined || this.#isUncertain(source, active.pointer)) return undefined
    const { pointer } = active
    const db = openSnapshot(active.path)
    try {
      const pull = db
        .prepare<[], { plan: string; cursor: string | null }>('SELECT plan, cursor FROM _hf_checkpoint')
        .get()
      if (pull === undefined) return undefined
      const { control, table } = this.#publisher
      const { tables, ...plan } = JSON.parse(pull.plan) as Plan
      const isThere = ({ name }: TablePlan) => pointer.tables.some((info) => info.name === name)
      return control.read(() => ({
        plan: { ...plan, tables: tables.filter(isThere) },
        seen: this.seenIdentity(source),
        cursor: table.position(source, pointer.snapshot) ?? pull.cursor ?? undefined,
        checkedAt: table.peekSource(source)?.checked_at ?? pointer.checkedAt,
        kept: pointer.tables.filter(({ kept }) => kept !== undefined).map(({ name }) => name),
      }))
    } finally {
      db.close()
    }
  }

  seenIdentity(source: string): string | undefined {
    const active = readActive(this.#folder(source))
    if (active === undefined || this.#isUncertain(source, active.pointer)) return undefined
    const { control, table } = this.#publisher
    return control.read(() => table.peekSource(source)?.seen ?? undefined)
  }

  /** Whether it takes a look at all that the upstream has to know how what is published differs from it. */
  #isUncertain(source: string, pointer: Pointer): boolean {
    if (!this.#isReadAlike(source, pointer)) return true
    if (!pointer.isRolledBack) return false
    const { control, table } = this.#publisher
    const row = control.read(() => table.peekSource(source))
    // A rollback forgets what was seen; one that was killed, or is older than this, did not.
    return row?.seen == null || row.published !== pointer.watermark || (row.checked_at ?? 0) <= pointer.publishedAt
  }

  /** Read otherwise, it may be something else; but what was read so and found to be the same is the same. */
  #isReadAlike(source: string, pointer: Pointer): boolean {
    const { control, table } = this.#publisher
    return control.read(() => table.seenShape(source) ?? pointer.shape) === this.shape(source)
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
      active: readActive(folder),
      now: this.#publisher.control.clock.now(),
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
          isRendered: (index) =>
            CODINGS.every((coding) => existsSync(folder.file(folder.bodyName(pointer.snapshot, index, coding)))),
          ...options,
        },
      )
    } catch (error) {
      // What was published meanwhile may have taken its files away: whoever asked for that one is to render it.
      if (options.signal.aborted || folder.readPointer()?.snapshot === pointer.snapshot) throw error
    } finally {
      db.close()
    }
  }

  collect(lease: Lease): void {
    const folder = this.#folder(lease.source)
    // Names first: whoever stands still between the two must not take what was published meanwhile for a leftover.
    const names = readdirSync(folder.path)
    const pointer = folder.readPointer()
    /** Who renders behind the publish may be silent for long; whoever makes an export is not. */
    const isBeingRendered = (name: string) =>
      pointer !== undefined && name.startsWith(`${pointer.snapshot}.`) && /^(?!.*\.export\.).*\.part$/.test(name)
    const keep = new Set(['active.json', MEMORY_FILE, 'files', folder.stagedName(lease.generation)])
    for (const published of [pointer, pointer?.previous]) {
      if (!published) continue
      keep.add(published.file)
      for (const index of published.tables.keys()) {
        for (const coding of CODINGS) keep.add(folder.bodyName(published.snapshot, index, coding))
      }
      for (const name of exportNames(published)) keep.add(name)
    }
    for (const name of keptForReaders(folder, names)) keep.add(name)
    const newestRejected = names
      .filter((name) => /^rejected-.*\.sqlite$/.test(name))
      .toSorted()
      .at(-1)
    if (newestRejected !== undefined) keep.add(newestRejected)
    for (const name of names) {
      if (keep.has(name.replace(/-(?:wal|shm|journal)$/, '')) || isBeingRendered(name)) continue
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
