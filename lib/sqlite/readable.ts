import { existsSync } from 'node:fs'
import type { Pointer } from '../snapshot.ts'
import type { SourceFolder } from './pointer.ts'
import { isKnownFormat } from './snapshot-schema.ts'

/** The file of a snapshot that can be read. */
export interface Readable {
  readonly pointer: Pointer
  readonly path: string
}

/** A published snapshot, or undefined where its file is gone or of another format: then it is made anew. */
export function readable(folder: SourceFolder, pointer: Pointer): Readable | undefined {
  const path = folder.file(pointer.file)
  return existsSync(path) && isKnownFormat(path) ? { pointer, path } : undefined
}

/** Likewise the active one. */
export function readActive(folder: SourceFolder): Readable | undefined {
  const pointer = folder.readPointer()
  return pointer && readable(folder, pointer)
}
