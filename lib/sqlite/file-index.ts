import { statSync } from 'node:fs'
import type { Clock } from '../base/clock.ts'
import type { FileCounts, FileFacts, FileIndex, FileOffer, FileTrouble, MissingFile } from '../files.ts'
import { literal, type Database } from './database.ts'
import { openFileIndex } from './file-index-database.ts'
import { fileStatements, type FileStatements } from './file-statements.ts'
import { SqliteFileOffers } from './file-offers.ts'
import type { SourceFolder } from './pointer.ts'

/** A failure is never put off for longer: if it seems so, the clock was set back. */
const LONGEST_WAIT_MS = 2 * 86_400_000

/** The index of a source's files, over its active snapshot and the one before. For a thread that may wait. */
export class SqliteFileIndex implements FileIndex, Disposable {
  readonly #folder: SourceFolder
  readonly #clock: Clock
  readonly #db: Database
  readonly #offers: SqliteFileOffers
  readonly #verification
  /** Of the pointer, when it was last read. */
  #stamp = ''
  #snapshot = ''
  #attached: readonly string[] = []
  #sql: FileStatements | undefined

  constructor(folder: SourceFolder, clock: Clock) {
    this.#folder = folder
    this.#clock = clock
    this.#db = openFileIndex(folder)
    try {
      this.#offers = new SqliteFileOffers(this.#db)
      this.#verification = {
        at: this.#db.prepare<[], number>(`SELECT verified_at FROM summary`).pluck(),
        set: this.#db.prepare<[number]>(`UPDATE summary SET verified_at = ?`),
      }
      this.follow()
    } catch (error) {
      this.#db.close()
      throw error
    }
  }

  /** Before the first snapshot, or where it has another format, no file is spoken of. */
  follow(): boolean {
    const stat = statSync(this.#folder.pointerFile, { bigint: true, throwIfNoEntry: false })
    const stamp = stat === undefined ? '' : `${stat.ino}:${stat.mtimeNs}:${stat.size}`
    if (this.#sql !== undefined && stamp === this.#stamp) return false
    const pointer = stamp === '' ? undefined : this.#folder.readPointer()
    this.#stamp = stamp
    if (this.#sql !== undefined && pointer?.snapshot === this.#snapshot) return false
    this.#snapshot = pointer?.snapshot ?? ''
    this.#detach()
    const active = pointer === undefined ? null : this.#attach('active', pointer.file)
    const previous = pointer?.previous ? this.#attach('previous', pointer.previous.file) : null
    this.#sql = fileStatements(this.#db, { active, previous })
    return true
  }

  add(offers: readonly FileOffer[]): void {
    this.#offers.add(offers)
  }

  missing({ after, limit }: { after: string; limit: number }): MissingFile[] {
    const now = this.#clock.now()
    return this.#statements.missing.all(after, now, now + LONGEST_WAIT_MS, limit).map((row) => ({
      id: row.id,
      bytes: row.bytes,
      row: { table: row.table_name, key: row.key },
      offer:
        row.url === null || row.expires_at === null
          ? undefined
          : { id: row.id, url: row.url, expiresAt: row.expires_at, bytes: row.bytes },
      attempts: row.attempts,
    }))
  }

  mirrored(id: string, { bytes, sha256 }: FileFacts): void {
    const { hold, dropOffer, dropFailure } = this.#statements
    this.#db.transaction(() => {
      hold.run(id, bytes, sha256, this.#clock.now())
      dropOffer.run(id)
      dropFailure.run(id)
    })()
  }

  failed(id: string, { code, message }: FileTrouble, { nextAt, isFinal }: { nextAt: number; isFinal: boolean }): void {
    this.#statements.fail.run(id, code, message, isFinal ? 1 : 0, this.#clock.now(), nextAt)
  }

  dropOffer(id: string): void {
    this.#statements.dropOffer.run(id)
  }

  held({ after, limit }: { after: string; limit: number }): { id: string; bytes: number }[] {
    return this.#statements.held.all(after, limit)
  }

  forget(id: string): void {
    this.#statements.forget.run(id)
  }

  isVerifyDue(everyMs: number): boolean {
    return Math.abs(this.#clock.now() - (this.#verification.at.get() ?? 0)) > everyMs
  }

  verified(): void {
    this.#verification.set.run(this.#clock.now())
  }

  unwanted({ graceMs }: { graceMs: number }): string[] {
    const { unmark, mark, unwanted } = this.#statements
    const now = this.#clock.now()
    this.#db.transaction(() => {
      unmark.run(now)
      mark.run(now)
    })()
    return unwanted.all(now - graceMs)
  }

  tidy(): void {
    this.#statements.dropExpired.run(this.#clock.now())
    this.#statements.dropUnwantedFailures.run()
  }

  nextTryAt(from: number): number | null {
    return this.#statements.nextTryAt.get(from) ?? null
  }

  count({ trouble, nextAt }: Pick<FileCounts, 'trouble' | 'nextAt'>): FileCounts {
    const { counts, setSummary } = this.#statements
    const { mirrored = 0, waiting = 0, failed = 0 } = counts.get() ?? {}
    const at = this.#clock.now()
    setSummary.run(mirrored, waiting, failed, at, trouble && JSON.stringify(trouble), nextAt)
    return { mirrored, waiting, failed, at, trouble, nextAt }
  }

  [Symbol.dispose](): void {
    this.#db.close()
  }

  get #statements(): FileStatements {
    if (this.#sql === undefined) throw new Error('The index of files is used before it follows a snapshot.')
    return this.#sql
  }

  /** Where a snapshot's list of files can be read; null where it has none that is known here. */
  #attach(schema: string, file: string): string | null {
    this.#db.exec(`ATTACH ${literal(this.#folder.file(file))} AS ${schema}`)
    this.#attached = [...this.#attached, schema]
    const isThere = this.#db.prepare(`SELECT 1 FROM ${schema}.sqlite_schema WHERE name = '_hf_files'`).get()
    return isThere === undefined ? null : `${schema}._hf_files`
  }

  #detach(): void {
    for (const schema of this.#attached) this.#db.exec(`DETACH ${schema}`)
    this.#attached = []
  }
}
