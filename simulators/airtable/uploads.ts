import type { PendingAttachment } from './attachment-store.ts'
import type { Base } from './base.ts'
import { isObject, type Json } from './json.ts'

/** Reads files that requests named by URL, after these were answered; what cannot be read vanishes without a word. */
export class Uploads {
  readonly #ending = new AbortController()
  readonly #going = new Set<Promise<void>>()

  /** Whatever is promised in the base by now. */
  start(base: Base): void {
    for (const pending of base.attachments.takePending()) {
      const upload = this.#upload(base, pending).finally(() => this.#going.delete(upload))
      this.#going.add(upload)
    }
  }

  /** Resolves when all that were started have ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#going)
  }

  async close(): Promise<void> {
    this.#ending.abort()
    await this.settled()
  }

  async #upload(base: Base, pending: PendingAttachment): Promise<void> {
    try {
      const response = await fetch(pending.url, { signal: this.#ending.signal })
      if (!response.ok) throw new Error(`answered ${response.status}`)
      const content = Buffer.from(await response.arrayBuffer())
      const type = response.headers.get('content-type') ?? 'application/octet-stream'
      base.attachments.complete(pending, { type, content })
    } catch {
      base.attachments.drop(pending)
    }
    if (!this.#ending.signal.aborted) storeAgain(base, pending.id)
  }
}

/** The cells that have it get it as it is now. */
function storeAgain(base: Base, attachmentId: string): void {
  base.transaction(
    () => {
      for (const table of base.tables) {
        const fields = table.fields.filter(({ type }) => type === 'multipleAttachments')
        for (const record of table.records) {
          const holding = fields.filter(({ id }) => hasAttachment(record.cells[id], attachmentId))
          for (const { id } of holding) table.update(record.id, { [id]: record.cells[id] ?? null })
        }
      }
    },
    { source: 'system' },
  )
}

function hasAttachment(cell: Json | undefined, id: string): boolean {
  return Array.isArray(cell) && (cell as readonly Json[]).some((item) => isObject(item) && item['id'] === id)
}
