import { closeSync, constants, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import writeFileAtomic from 'write-file-atomic'

/**
 * The disk operations whose order decides what survives a crash. Each call names its step, so that a test can stop
 * or fail at every one of them.
 */
export interface Files {
  /** Returns when the content of a file or the entries of a folder are on disk. */
  sync(step: string, path: string): void
  rename(step: string, from: string, to: string): void
  /** Replaces the file in one step: a reader sees the old or the new text, whole. `mode`: who may read the new file. */
  replace(step: string, path: string, text: string, mode?: number): void
  remove(step: string, path: string): void
}

export const disk: Files = {
  sync(_step, path) {
    const descriptor = openSync(path, constants.O_RDONLY)
    try {
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
  },
  rename(_step, from, to) {
    renameSync(from, to)
  },
  replace(_step, path, text, mode) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileAtomic.sync(path, text, mode === undefined ? {} : { mode })
  },
  remove(_step, path) {
    rmSync(path, { force: true })
  },
}
