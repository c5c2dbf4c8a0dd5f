import type { Lease, Timings } from '../control.ts'
import { Failure } from '../errors.ts'
import { isSameLayout, layoutsOf, type Layout } from '../layout.ts'
import { snapshotDigest } from '../row-digest.ts'
import type { Settings, TableOptions } from '../settings.ts'
import { envelopeStart, type Pointer, type TableInfo } from '../snapshot.ts'
import type { Page, Plan, TablePlan } from '../source.ts'
import type { PulledTable, Stage } from '../store.ts'
import { compare, logStart } from './compare.ts'
import type { DigestedRows } from './digest-changes.ts'
import { writeFileReferences } from './file-references.ts'
import { indexing } from './indexes.ts'
import { newSnapshotId, type SourceFolder } from './pointer.ts'
import { publish, type Draft, type Publisher } from './publish.ts'
import { readable } from './readable.ts'
import { render, type RenderedTable } from './render.ts'
import type { SqlTable } from './snapshot-schema.ts'
import type { Staged } from './staged.ts'

export type StoreSettings = Pick<Settings, 'changeLog' | 'bodyFileBytes' | 'sources'>

interface StageParts {
  readonly staged: Staged
  readonly folder: SourceFolder
  readonly lease: Lease
  readonly run: string
}

/** A snapshot that is being built as an SQLite file. */
export class SqliteStage implements Stage {
  readonly #publisher: Publisher
  readonly #settings: StoreSettings
  readonly #parts: StageParts
  readonly #active: Pointer | undefined
  readonly #snapshot: string
  /** Fixed when all is pulled: the rendered answers say it. */
  #publishedAt: number
  #draft: Draft | undefined
  #digested: ReadonlyMap<string, DigestedRows> = new Map()

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

  get isSame(): boolean {
    return this.#parts.staged.isSame
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
      isKept: staged.kept.has(table.name),
    }))
  }

  compare(): { isChanged: boolean; puts: number; deletes: number } {
    const { staged, folder } = this.#parts
    this.#publishedAt = this.#publisher.control.clock.now()
    // Without its file there is nothing to compare with: readers fetch everything again.
    const active = this.#active && readable(folder, this.#active)
    const isThere = new Set(staged.tables.map(({ name }) => name))
    const comparison = compare(staged.db, staged.tables, {
      active,
      gone: this.#active?.tables.flatMap(({ name }) => (isThere.has(name) ? [] : [name])) ?? [],
      digests: this.#rendersLater,
      origins: staged.origins,
      isLaidOutAnew: active !== undefined && !this.#isLaidOut(active.pointer),
      batch: this.#batch,
      bases: staged.bases,
      at: this.#publishedAt,
      bounds: this.#settings.changeLog,
    })
    this.#digested = comparison.digested
    return comparison
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
    const filesIn = fileColumns(staged.plans)
    options.busy(() => writeFileReferences(staged.db, staged.tables, filesIn))
    const rendersLater = this.#rendersLater
    const facts = { source: lease.source, snapshot: this.#snapshot, publishedAt: this.#publishedAt }
    const rendered = await render(
      staged.db,
      staged.tables,
      { folder, files },
      {
        ...facts,
        maxBytes: this.#settings.bodyFileBytes,
        ...(rendersLater && { digestOnly: (table: SqlTable) => this.#knownOf(table) }),
        ...options,
      },
    )
    const { kept, origins } = staged
    const keyed = new Set(staged.plans.flatMap(({ name, key }) => (key === undefined ? [] : [name])))
    const tables = rendered.map((table) =>
      completed(table, layouts.get(table.name) as Layout, {
        isKeyGenerated: !keyed.has(table.name),
        errorsColumn: origins.get(table.name)?.errorsColumn,
        fileColumns: jsonColumns(table, filesIn.get(table.name)),
        kept: kept.get(table.name),
      }),
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
      ...(rendersLater && { rendersLater }),
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

  /** Full answers of changes are rendered behind the publish: who waits for a change waits for nothing else. */
  get #rendersLater(): boolean {
    return this.#parts.staged.plan.tables.some(({ from }) => from === 'active')
  }

  /** What is known of a table by the active snapshot and what changed since; undefined where its rows must be read. */
  #knownOf({ name, key, columns }: SqlTable): RenderedTable | undefined {
    const digested = this.#digested.get(name)
    const before = this.#active?.tables.find((table) => table.name === name)
    if (digested === undefined || before === undefined || this.#active === undefined) return undefined
    const { rows, digest, addedBytes, largestPut } = digested
    const frame = (count: number, of: { snapshot: string; publishedAt: number }) =>
      Buffer.byteLength(envelopeStart({ source: this.#parts.lease.source, count, ...of })) + Math.max(0, count - 1)
    const now = { snapshot: this.#snapshot, publishedAt: this.#publishedAt }
    const { snapshot, publishedAt } = this.#active
    const bytes = before.bodyBytes + addedBytes + frame(rows, now) - frame(before.rows, { snapshot, publishedAt })
    const isKept = before.bodyBytes > 0 && bytes <= this.#settings.bodyFileBytes
    return {
      name,
      rows,
      key,
      columns,
      digest,
      bodyBytes: isKept ? bytes : 0,
      // It may have gone, or become smaller: then this is more than there is.
      ...(before.largestRow !== undefined && { largestRow: Math.max(before.largestRow, largestPut) }),
    }
  }

  /** What the tables get of what is configured for them, now that their columns are known. */
  get #layout() {
    const { staged, lease } = this.#parts
    const configured = this.#settings.sources.get(lease.source)?.descriptor.options.tables
    return layoutsOf(staged.tables, withTimes(configured, staged.plans))
  }

  #isLaidOut(pointer: Pointer): boolean {
    const { layouts, warnings } = this.#layout
    const { kept } = this.#parts.staged
    const isSame = pointer.tables.every((info) => {
      const layout = layouts.get(info.name)
      return layout !== undefined && isSameLayout(layout, info) && isSameKept(kept.get(info.name), info.kept)
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

/** What the plan and the pull say of a table. */
interface Completion {
  readonly isKeyGenerated: boolean
  readonly fileColumns: readonly string[]
  readonly errorsColumn: string | null | undefined
  readonly kept: TableInfo['kept']
}

function completed(
  table: RenderedTable,
  layout: Layout,
  { isKeyGenerated, errorsColumn, fileColumns: filesIn, kept }: Completion,
): TableInfo {
  return {
    ...table,
    ...layout,
    ...(isKeyGenerated && { isKeyGenerated }),
    ...(errorsColumn != null && { errorsColumn }),
    ...(filesIn.length > 0 && { fileColumns: filesIn }),
    ...(kept && { kept: { code: kept.code, message: kept.message, since: kept.since } }),
  }
}

/** Since when is no difference: it is told of the first time. */
function isSameKept(a: TableInfo['kept'], b: TableInfo['kept']): boolean {
  return a?.code === b?.code && a?.message === b?.message
}

/** What is configured for tables, with the upstream's own times where no others are named. */
function withTimes(configured: Readonly<Record<string, TableOptions>> | undefined, plans: readonly TablePlan[]) {
  const told = plans.flatMap(({ name, times }) => {
    const own = configured && Object.hasOwn(configured, name) ? configured[name] : undefined
    return times && own?.times === undefined ? [[name, { ...own, times }] as const] : []
  })
  // Without a prototype, for tables of any name.
  return Object.assign(Object.create(null), configured, Object.fromEntries(told)) as Record<string, TableOptions>
}

function fileColumns(plans: readonly TablePlan[]): Map<string, readonly string[]> {
  return new Map(plans.map(({ name, fileColumns: columns = [] }) => [name, columns]))
}

/** Those of these columns that a table has, as JSON. */
function jsonColumns({ columns }: RenderedTable, names: readonly string[] = []): string[] {
  return columns.flatMap(({ name, type }) => (type === 'json' && names.includes(name) ? [name] : []))
}
