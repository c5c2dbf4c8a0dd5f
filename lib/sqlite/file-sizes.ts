import { readdir, stat } from 'node:fs/promises'
import { CODINGS, type FileSizes, type Pointer } from '../snapshot.ts'
import { exportNames } from './export-names.ts'
import type { SourceFolder } from './pointer.ts'

/** What a snapshot and the one before it take on disk. */
export async function fileSizes(folder: SourceFolder, pointer: Pointer): Promise<FileSizes> {
  const { previous } = pointer
  const kept = previous === null ? [pointer] : [pointer, previous]
  const bodies = kept.flatMap(({ snapshot, tables }) =>
    [...tables.keys()].flatMap((table) => CODINGS.map((coding) => folder.bodyName(snapshot, table, coding))),
  )
  const present = new Set(await readdir(folder.path))
  const sum = async (names: readonly string[]): Promise<number> => {
    let bytes = 0
    for (const name of new Set(names)) if (present.has(name)) bytes += await sizeOf(folder.file(name))
    return bytes
  }
  return {
    snapshot: await sum([pointer.file]),
    previous: previous === null ? 0 : await sum([previous.file]),
    bodies: await sum(bodies),
    exports: await sum(kept.flatMap(exportNames)),
  }
}

/** 0 where it was removed just now. */
async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch {
    return 0
  }
}
