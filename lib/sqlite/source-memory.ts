import { readFileSync } from 'node:fs'
import { disk, type Files } from '../base/files.ts'
import type { JsonValue } from '../column.ts'
import { Failure } from '../errors.ts'
import type { SourceMemory } from '../source-parts.ts'
import type { SourceFolder } from './pointer.ts'

export const MEMORY_FILE = 'source.json'
const OWNER_ONLY = 0o600

/**
 * What a source keeps, as one file of its folder that only its owner can read. Whoever reads it sees the old value or the
 * new, whole, also after a crash. `read` throws Failure `disk_failed` when the file is damaged.
 */
export function sourceMemory(folder: SourceFolder, files: Files = disk): SourceMemory {
  const path = folder.file(MEMORY_FILE)
  return {
    read() {
      let text: string
      try {
        text = readFileSync(path, 'utf8')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        throw error
      }
      try {
        return JSON.parse(text) as JsonValue
      } catch {
        // Without its cause: that would quote what may be a secret.
        throw new Failure('disk_failed', `${MEMORY_FILE} of a source is damaged. Remove it to have it made anew.`)
      }
    },
    write(value) {
      files.replace('memory:replace', path, `${JSON.stringify(value)}\n`, OWNER_ONLY)
      files.sync('memory:sync-folder', folder.path)
    },
  }
}
