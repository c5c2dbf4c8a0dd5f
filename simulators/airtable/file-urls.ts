import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../lib/base/clock.ts'
import { ApiError } from './api-error.ts'
import type { StoredAttachment } from './attachment-store.ts'
import { isObject, type Json, type JsonObject } from './json.ts'

const PREFIX = '/files/'
const THUMBNAILS = { small: 36, large: 512, full: 3000 }
const SIGNATURE = /^\/files\/v3\/u\/(\d+)\/(\d+)\/([0-9a-f]{32})\/(att[A-Za-z0-9]{14})\//

/** URLs of files: signed, another one at each read, and good for some time only. */
export class FileUrls {
  readonly #clock: Clock
  readonly #origin: () => string
  readonly #ttlMs: number
  readonly #expiredStatus: number
  readonly #secret: string
  #reads = 0

  constructor(options: { clock: Clock; origin: () => string; ttlMs: number; expiredStatus: number; secret: string }) {
    this.#clock = options.clock
    this.#origin = options.origin
    this.#ttlMs = options.ttlMs
    this.#expiredStatus = options.expiredStatus
    this.#secret = options.secret
  }

  /** The attachments of a cell as the API shows them. */
  present(cell: Json): Json {
    if (!Array.isArray(cell)) return cell
    return (cell as readonly Json[]).map((item) => (isObject(item) ? this.#present(item as StoredAttachment) : item))
  }

  /** Id of the attachment that a URL leads to. Throws 403 for a signature that is not ours, 410 when it is too old. */
  verify(path: string): string {
    const [, read = '', expiresAt = '', signature = '', id = ''] = SIGNATURE.exec(path) ?? []
    const expected = Buffer.from(this.#sign(id, read, expiresAt))
    const given = Buffer.from(signature)
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw new ApiError(403, 'FORBIDDEN')
    if (Number(expiresAt) < this.#clock.now()) throw new ApiError(this.#expiredStatus, 'EXPIRED')
    return id
  }

  #present(attachment: StoredAttachment): JsonObject {
    // Not read yet: all there is to tell is where it is to be read from.
    if ('url' in attachment) return attachment
    const { width, height } = attachment
    if (typeof width !== 'number' || typeof height !== 'number') return { ...attachment, url: this.#url(attachment) }
    const thumbnails = Object.entries(THUMBNAILS).map(([name, most]): [string, Json] => {
      const scale = Math.min(1, most / Math.max(width, height))
      const sizes = { width: Math.round(width * scale), height: Math.round(height * scale) }
      return [name, { url: this.#url(attachment), ...sizes }]
    })
    return { ...attachment, url: this.#url(attachment), thumbnails: Object.fromEntries(thumbnails) }
  }

  #url(attachment: StoredAttachment): string {
    this.#reads += 1
    const expiresAt = Math.ceil(this.#clock.now() + this.#ttlMs)
    const signature = this.#sign(attachment.id, String(this.#reads), String(expiresAt))
    const name = encodeURIComponent(attachment.filename)
    return `${this.#origin()}${PREFIX}v3/u/${this.#reads}/${expiresAt}/${signature}/${attachment.id}/${name}`
  }

  #sign(id: string, read: string, expiresAt: string): string {
    return createHmac('sha256', this.#secret).update(`${id} ${read} ${expiresAt}`).digest('hex').slice(0, 32)
  }
}
