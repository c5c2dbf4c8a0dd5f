import { toFailure } from '../errors.ts'
import type { FileOffer, FileOffers } from '../files.ts'
import { isBusy, type Database } from './database.ts'
import { openFileIndex } from './file-index-database.ts'
import type { SourceFolder } from './pointer.ts'

/** Offers in the index of a source's files. Of files that are here none is kept. */
export class SqliteFileOffers implements FileOffers {
  readonly #add: (offers: readonly FileOffer[]) => void

  constructor(db: Database) {
    const insert = db.prepare<[string, string, number, number | null, string]>(
      `INSERT INTO offers (id, url, expires_at, bytes)
         SELECT ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM files WHERE id = ?)
       ON CONFLICT (id) DO UPDATE SET url = excluded.url, expires_at = excluded.expires_at, bytes = excluded.bytes`,
    )
    // What was refused under the URL before may be given under this one.
    const retry = db.prepare<[string]>(`UPDATE failures SET next_at = 0 WHERE id = ? AND code = 'upstream_refused'`)
    this.#add = db.transaction((offers: readonly FileOffer[]) => {
      for (const { id, url, expiresAt, bytes } of offers) {
        insert.run(id, url, expiresAt, bytes, id)
        retry.run(id)
      }
    })
  }

  add(offers: readonly FileOffer[]): void {
    if (offers.length > 0) this.#add(offers)
  }
}

/**
 * The offers of a sync run. Without any nothing is opened or made; one that cannot be kept is asked for again by whoever
 * wants the file, so a disk that refuses does not keep the rows away.
 */
export class RunOffers implements FileOffers, Disposable {
  readonly #folder: SourceFolder
  #db: Database | undefined
  #offers: SqliteFileOffers | undefined

  constructor(folder: SourceFolder) {
    this.#folder = folder
  }

  add(offers: readonly FileOffer[]): void {
    if (offers.length === 0) return
    try {
      this.#db ??= openFileIndex(this.#folder)
      this.#offers ??= new SqliteFileOffers(this.#db)
      this.#offers.add(offers)
    } catch (error) {
      if (!isBusy(error) && toFailure(error).code === 'internal') throw error
    }
  }

  [Symbol.dispose](): void {
    this.#db?.close()
  }
}
