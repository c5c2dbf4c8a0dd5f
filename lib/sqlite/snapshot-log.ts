import type { Change } from '../change-feed.ts'
import type { Pointer } from '../snapshot.ts'
import { BEGINNING, type Watermark } from '../watermark.ts'
import type { Database } from './database.ts'
import { UNSEEN } from './sql-fragment.ts'

/** A batch with more text than this is told as `resync` of its tables: a reader gets it in one piece. */
const MAX_BATCH_BYTES = 8 * 1024 * 1024
const PAGE = 64

/** One batch of a source's log, without its changes. */
export interface LoggedBatch {
  readonly batch: number
  readonly watermark: Watermark
  readonly at: number
  readonly bytes: number
}

interface BatchRow {
  readonly batch: number
  readonly watermark: string | null
  readonly at: number
  readonly bytes: number
}

/** The change log that one active snapshot carries. Every statement is bounded by a primary key. */
export class SnapshotLog {
  readonly pointer: Pointer
  readonly #from
  readonly #changes
  readonly #touched

  constructor(db: Database, pointer: Pointer) {
    this.pointer = pointer
    this.#from = db.prepare<[number, number], BatchRow>(
      `SELECT batch, watermark, at, bytes FROM _hf_batches WHERE batch >= ${UNSEEN} ORDER BY batch LIMIT ${UNSEEN}`,
    )
    this.#changes = db.prepare<[number], Change>(
      'SELECT table_name AS "table", key, op, row FROM _hf_log WHERE batch = ? ORDER BY table_name, key',
    )
    this.#touched = db
      .prepare<[number, string], number>('SELECT 1 FROM _hf_log WHERE batch = ? AND table_name = ? LIMIT 1')
      .pluck()
  }

  /**
   * Who knows less than this has to fetch the tables again. A log that begins with the newest batch holds the
   * differences to the snapshot before it; the first snapshot of all, and one that is back, differ from anything.
   */
  get start(): Watermark {
    const { logFrom, watermark, previous, isRolledBack } = this.pointer
    if (isRolledBack || logFrom !== watermark) return isRolledBack ? BEGINNING : logFrom
    return previous?.watermark ?? BEGINNING
  }

  /** All tables that a reader may have of this source: those that have gone are among them. */
  get tables(): string[] {
    const { tables, previous, goneTables = [] } = this.pointer
    const names = [...tables, ...(previous?.tables ?? [])].map(({ name }) => name)
    return [...new Set([...names, ...goneTables])]
  }

  /** Batches after a watermark, oldest first. */
  *after(watermark: Watermark): Generator<LoggedBatch, void> {
    const { pointer } = this
    if (watermark >= pointer.watermark) return
    if (pointer.isRolledBack) {
      return void (yield { batch: pointer.batch, watermark: pointer.watermark, at: pointer.publishedAt, bytes: 0 })
    }
    let next = this.#firstAfter(watermark)
    for (;;) {
      const rows = this.#from.all(next, PAGE)
      for (const row of rows) yield { ...row, watermark: this.#watermarkOf(row) }
      if (rows.length < PAGE) return
      next = rows.at(-1)!.batch + 1
    }
  }

  changes({ batch, bytes }: LoggedBatch): Change[] {
    // The log in the file of a snapshot that is back tells of rows that are no longer so.
    if (this.pointer.isRolledBack) return this.tables.map(resync)
    if (bytes <= MAX_BATCH_BYTES) return this.#changes.all(batch)
    return this.tables.filter((table) => this.#touched.get(batch, table) !== undefined).map(resync)
  }

  /** The number of the first batch after a watermark: numbers and watermarks grow together. */
  #firstAfter(watermark: Watermark): number {
    let low = this.#from.get(0, 1)?.batch ?? this.pointer.batch
    let high = this.pointer.batch
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      const row = this.#from.get(middle, 1)
      if (row !== undefined && this.#watermarkOf(row) <= watermark) low = row.batch + 1
      else high = middle
    }
    return low
  }

  /** The newest batch was written before its watermark was known: the pointer has it. */
  #watermarkOf(row: BatchRow): Watermark {
    return row.watermark ?? this.pointer.watermark
  }
}

function resync(table: string): Change {
  return { table, key: '', op: 'resync', row: null }
}
