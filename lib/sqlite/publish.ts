import { existsSync } from 'node:fs'
import type { Files } from '../base/files.ts'
import type { Lease, Timings } from '../control.ts'
import { advance } from '../sync-run.ts'
import { Failure } from '../errors.ts'
import type { Pointer } from '../snapshot.ts'
import { decodeWatermark, encodeWatermark, type Watermark } from '../watermark.ts'
import type { ControlDatabase } from './control-database.ts'
import { newSnapshotId, type SourceFolder } from './pointer.ts'
import { assertHeld, markRolledBack } from './run-record.ts'
import { stateOf, type RunTable } from './run-table.ts'
import { isKnownFormat } from './snapshot-schema.ts'

const MAX_GONE_TABLES = 1000

/** What publishing works with, made once for each process or thread. */
export interface Publisher {
  readonly control: ControlDatabase
  readonly table: RunTable
  readonly folders: ReadonlyMap<string, SourceFolder>
  readonly files: Files
}

/** Everything a pointer says that is known before the lock is taken. */
export type Draft = Omit<Pointer, 'watermark' | 'logFrom' | 'previous' | 'generation' | 'format' | 'checkedAt'> & {
  readonly logFrom: Watermark | null
}

/**
 * Makes a finished snapshot the active one, in one step that readers see whole or not at all. Under the control lock:
 * check that the lease is still ours, assign the watermark, give the file its final name, replace the pointer; the
 * control database commits last, so whatever is killed here is finished or undone by the next who looks.
 *
 * @throws Failure `lease_lost`, `control_busy`
 */
export function publish(
  parts: Publisher,
  options: { lease: Lease; draft: Draft; stagedPath: string; checkedAt: number; timings: () => Timings },
): Pointer {
  const { control, table, files } = parts
  const { lease, draft } = options
  const folder = folderOf(parts, lease.source)
  return control.writeWaiting(() => {
    assertHeld(table, lease)
    const { pointer, sequence } = complete(parts, lease, { ...draft, checkedAt: options.checkedAt })
    files.rename('publish:rename', options.stagedPath, folder.file(draft.file))
    files.sync('publish:sync-name', folder.path)
    folder.writePointer(files, pointer)
    const { run, snapshot } = draft
    table.setSequence(sequence)
    table.end(run, 'completed', { at: control.clock.now(), result: 'published', snapshot, timings: options.timings() })
    table.setChecked(lease.source, options.checkedAt, draft)
    table.setPublished(lease.source, pointer.watermark)
    const to = advance(stateOf(table.source(lease.source)), { kind: 'finished' })
    if (to !== undefined) table.setState(lease.source, to)
    return pointer
  })
}

/**
 * Publishes the previous snapshot again, under a new id and watermark, and pauses the source.
 *
 * @throws Failure `no_previous_snapshot`, `run_active`, `lease_lost`; `disk_failed` after it was done
 */
export async function rollback(parts: Publisher, lease: Lease): Promise<Pointer> {
  const { control, table, files } = parts
  const folder = folderOf(parts, lease.source)
  const done = await control.write(() => {
    assertHeld(table, lease)
    const active = folder.readPointer()
    const previous = active?.previous
    const path = previous && folder.file(previous.file)
    if (active === undefined || !previous || !path || !existsSync(path) || !isKnownFormat(path)) {
      throw new Failure('no_previous_snapshot', `${lease.source} has no snapshot before the active one.`)
    }
    const now = control.clock.now()
    if (advance(stateOf(table.source(lease.source)), { kind: 'rolled_back' }) === undefined)
      throw new Failure('run_active', `A run of ${lease.source} is active. Stop it first.`)
    const { pointer, sequence } = complete(parts, lease, {
      ...previous,
      snapshot: newSnapshotId(now),
      batch: active.batch + 1,
      logFrom: null,
      isRolledBack: true,
      publishedAt: now,
    })
    let trouble: unknown
    try {
      folder.writePointer(files, pointer)
    } catch (error) {
      // What failed behind the replaced pointer cannot undo it: it counts, and must not be rolled back again.
      if (folder.readPointer()?.watermark !== pointer.watermark) throw error
      trouble = error
    }
    table.setSequence(sequence)
    markRolledBack(table, lease.source, pointer, now)
    return { pointer, trouble }
  })
  if (done.trouble !== undefined) {
    throw new Failure(
      'disk_failed',
      `${lease.source} was rolled back, but the disk did not confirm it. Look at the volume.`,
      { cause: done.trouble },
    )
  }
  return done.pointer
}

function complete(
  parts: Publisher,
  lease: Lease,
  draft: Draft & Pick<Pointer, 'checkedAt'>,
): { pointer: Pointer; sequence: number } {
  // Pointers may know more than control: whoever replaced one may have been killed before the commit.
  const known = [...parts.folders.values()].map(sequenceOf)
  const sequence = Math.max(parts.table.sequence(), ...known) + 1
  const watermark = encodeWatermark(sequence)
  const active = folderOf(parts, lease.source).readPointer()
  const { previous: _, ...last } = active ?? { previous: null }
  const pointer: Pointer = {
    ...draft,
    format: 1,
    watermark,
    logFrom: draft.logFrom ?? watermark,
    previous: active === undefined ? null : (last as Omit<Pointer, 'previous'>),
    goneTables: goneTables(active, draft.tables),
    generation: lease.generation,
  }
  return { pointer, sequence }
}

/** Those that went last come last; of very many the newest are remembered. */
function goneTables(active: Pointer | undefined, tables: Pointer['tables']): string[] {
  const there = new Set(tables.map(({ name }) => name))
  const known = new Set([...(active?.goneTables ?? []), ...(active?.tables ?? []).map(({ name }) => name)])
  return [...known].filter((name) => !there.has(name)).slice(-MAX_GONE_TABLES)
}

/** Of a pointer that cannot be read only control knows: it must not hold up the other sources. */
function sequenceOf(folder: SourceFolder): number {
  try {
    return decodeWatermark(folder.readPointer()?.watermark ?? '') ?? 0
  } catch {
    return 0
  }
}

function folderOf(parts: Publisher, source: string): SourceFolder {
  const folder = parts.folders.get(source)
  if (folder === undefined) throw new Failure('source_not_found', `There is no source ${source}.`)
  return folder
}
