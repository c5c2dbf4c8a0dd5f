import type { BigIntStats } from 'node:fs'
import type { FileSourceOptions } from '../../settings.ts'
import type { FileFormat } from './file-format.ts'

/**
 * Names one state of the file, and all that decides how it is read. Without the ctime: renaming another file over
 * the path changes it, while what is read through a handle that is open stays the same.
 */
export function identityOf(stats: BigIntStats, options: FileSourceOptions, format: FileFormat): string {
  const { dev, ino, size, mtimeNs } = stats
  return JSON.stringify({
    file: [dev, ino, size, mtimeNs].map(String),
    format: [format.name, format.isGzip, ...format.nulls],
    table: [options.table ?? null, options.key ?? null, options.types ?? null],
  })
}

/** Whether the content can have been written to between the two. */
export function isRewritten(before: BigIntStats, after: BigIntStats): boolean {
  return before.size !== after.size || before.mtimeNs !== after.mtimeNs
}
