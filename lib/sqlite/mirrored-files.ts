import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { toFailure, type FailureCode } from '../errors.ts'
import { fileName, type FileCounts, type FileState, type FileTrouble, type MirroredFiles } from '../files.ts'
import { isBusy, openOwn, type Database } from './database.ts'
import { fileIndexPath, filesFolder } from './file-index-database.ts'
import type { SourceFolder } from './pointer.ts'

/** The folder that the files of a source are kept in. `storagePath`: where those of all sources are, if it is not here. */
export function storageFolder(folder: SourceFolder, source: string, storagePath: string | null): string {
  return storagePath === null ? filesFolder(folder) : join(storagePath, source)
}

/** What the indexes of all sources say, for a thread that serves. */
export class SqliteMirroredFiles implements MirroredFiles, Disposable {
  readonly #folders: ReadonlyMap<string, SourceFolder>
  readonly #storagePath: string | null
  readonly #readers = new Map<string, IndexReader>()

  constructor(folders: ReadonlyMap<string, SourceFolder>, storagePath: string | null) {
    this.#folders = folders
    this.#storagePath = storagePath
  }

  /** Whether the source ever had files. */
  isKnown(source: string): boolean {
    const folder = this.#folders.get(source)
    return folder !== undefined && existsSync(fileIndexPath(folder))
  }

  find(source: string, id: string): FileState {
    return this.#reader(source)?.find(id) ?? { kind: 'waiting' }
  }

  counts(source: string): FileCounts | undefined {
    try {
      return this.#reader(source)?.counts()
    } catch (error) {
      // Who fetches says what is wrong with the index; that it cannot be read must not keep back all else there is to tell.
      if (toFailure(error).code !== 'disk_failed') throw error
      return undefined
    }
  }

  [Symbol.dispose](): void {
    for (const reader of this.#readers.values()) reader[Symbol.dispose]()
    this.#readers.clear()
  }

  #reader(source: string): IndexReader | undefined {
    const known = this.#readers.get(source)
    const folder = this.#folders.get(source)
    if (known !== undefined || folder === undefined) return known
    const path = fileIndexPath(folder)
    if (!existsSync(path)) return undefined
    try {
      const reader = new IndexReader(path, storageFolder(folder, source, this.#storagePath))
      this.#readers.set(source, reader)
      return reader
    } catch (error) {
      // Somebody is just making it, or closing it.
      if (isBusy(error) || /no such table/.test(String(error))) return undefined
      throw error
    }
  }
}

class IndexReader implements Disposable {
  readonly #db: Database
  readonly #storage: string
  readonly #file
  readonly #failure
  readonly #summary

  constructor(path: string, storage: string) {
    this.#storage = storage
    this.#db = openOwn(path, { mustExist: true, timeoutMs: 0 })
    try {
      this.#db.pragma('query_only = ON')
      this.#file = this.#db.prepare<[string], { bytes: number; sha256: string }>(
        'SELECT bytes, sha256 FROM files WHERE id = ?',
      )
      this.#failure = this.#db.prepare<[string], { code: FailureCode; message: string }>(
        'SELECT code, message FROM failures WHERE id = ? AND is_final = 1',
      )
      this.#summary = this.#db.prepare<[], SummaryRow>(
        'SELECT mirrored, waiting, failed, at, trouble, next_at FROM summary WHERE at IS NOT NULL',
      )
    } catch (error) {
      this.#db.close()
      throw error
    }
  }

  find(id: string): FileState | undefined {
    return this.#read(() => {
      const file = this.#file.get(id)
      if (file !== undefined) return { kind: 'mirrored', path: join(this.#storage, fileName(id)), ...file }
      const failure = this.#failure.get(id)
      return failure && { kind: 'failed', ...failure }
    })
  }

  counts(): FileCounts | undefined {
    return this.#read(() => {
      const row = this.#summary.get()
      if (row === undefined) return undefined
      const { next_at: nextAt, trouble, ...counts } = row
      return { ...counts, nextAt, trouble: trouble === null ? null : (JSON.parse(trouble) as FileTrouble) }
    })
  }

  [Symbol.dispose](): void {
    this.#db.close()
  }

  /** In WAL mode only the rare recovery of another connection can be in the way: then nothing is known for a moment. */
  #read<T>(read: () => T | undefined): T | undefined {
    try {
      return read()
    } catch (error) {
      if (isBusy(error)) return undefined
      throw error
    }
  }
}

interface SummaryRow {
  mirrored: number
  waiting: number
  failed: number
  at: number
  trouble: string | null
  next_at: number | null
}
