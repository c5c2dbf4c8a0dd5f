import type { Batch, Change, ChangeLog, ChangePage, Missed } from '../../lib/change-feed.ts'
import { encodeWatermark, type Watermark } from '../../lib/watermark.ts'

/** A change log in memory: batches come when the test says so. */
export class FakeChangeLog implements ChangeLog {
  readonly epoch: string = 'e1'
  readonly batches: Batch[] = []
  #sequence = 0
  /** Positions before this one have missed all tables in `gone`. */
  #start: Watermark = encodeWatermark(0)
  #gone: readonly Missed[] = []
  reads = 0

  head(): Watermark {
    return encodeWatermark(this.#sequence)
  }

  now(): Watermark {
    return this.head()
  }

  read(after: Watermark, { sources, maxBytes }: { sources: readonly string[]; maxBytes: number }): ChangePage {
    this.reads++
    const missed = after < this.#start ? this.#gone.filter(({ source }) => sources.includes(source)) : []
    if (missed.length > 0) return { batches: [], through: this.#start, isAtHead: this.#start >= this.head(), missed }
    const batches: Batch[] = []
    let bytes = 0
    for (const batch of this.batches) {
      if (batch.watermark <= after || !sources.includes(batch.source)) continue
      bytes += batch.changes.reduce((sum, { key, row }) => sum + key.length + (row?.length ?? 0), 0)
      if (batches.length > 0 && bytes > maxBytes) {
        return { batches, through: batches.at(-1)!.watermark, isAtHead: false, missed: [] }
      }
      batches.push(batch)
    }
    return { batches, through: this.head() > after ? this.head() : after, isAtHead: true, missed: [] }
  }

  commit(source: string, changes: readonly Change[]): Watermark {
    const watermark = encodeWatermark(++this.#sequence)
    this.batches.push({ watermark, source, at: Date.now(), changes })
    return watermark
  }

  /** Drops what there is, as the bounds of a real log do. */
  prune(missed: readonly Missed[]): void {
    this.#start = this.head()
    this.#gone = missed
    this.batches.length = 0
  }
}

export function put(table: string, key: string, row: object = { id: key }): Change {
  return { table, key, op: 'put', row: JSON.stringify(row) }
}
