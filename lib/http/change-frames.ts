import { encodeCursor, type Batch } from '../change-feed.ts'
import type { Watermark } from '../watermark.ts'
import type { ChangeLens } from './change-lens.ts'

/** Why a reader has to fetch tables again. */
export type ResyncReason = 'beginning' | 'too_old' | 'foreign'

/** Writes what event streams say of the log. The id of each frame is the position behind it. */
export class ChangeFrames {
  readonly #epoch: string

  constructor(epoch: string) {
    this.#epoch = epoch
  }

  /** A batch as a reader sees it; undefined where there is nothing to see. */
  batch(batch: Batch, lens: ChangeLens): Buffer | undefined {
    const changes = lens.changes(batch)
    if (changes.length === 0) return undefined
    const { watermark, source, at } = batch
    const head = { type: 'batch', watermark, source, at: new Date(at).toISOString() }
    return this.#frame(watermark, `${JSON.stringify(head).slice(0, -1)},"changes":[{${changes.join('},{')}}]}`)
  }

  /** These tables are to be fetched again, then it goes on behind the watermark. */
  resync(watermark: Watermark, reason: ResyncReason, tables: readonly string[]): Buffer {
    return this.#frame(watermark, JSON.stringify({ type: 'resync', watermark, reason, tables }))
  }

  /** Nothing to see up to here. */
  position(watermark: Watermark): Buffer {
    return this.#frame(watermark, JSON.stringify({ type: 'position', watermark }))
  }

  #frame(watermark: Watermark, data: string): Buffer {
    return Buffer.from(`id: ${encodeCursor(this.#epoch, watermark)}\ndata: ${data}\n\n`)
  }
}
