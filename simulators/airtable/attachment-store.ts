import { createHash } from 'node:crypto'
import { fileContent } from './file-content.ts'
import { isObject, type Json, type JsonObject } from './json.ts'
import type { Random } from './random.ts'

/** A file as it is stored; the API adds URLs, new ones at each read. */
export interface StoredAttachment extends JsonObject {
  readonly id: string
  readonly filename: string
  readonly size: number
  readonly type: string
}

/** The files of a base, by id of the attachment. Contents are made of id, type and size when somebody wants them. */
export class AttachmentStore {
  readonly #random: Random
  readonly #contents = new Map<string, Buffer>()
  readonly #known = new Map<string, StoredAttachment>()

  constructor(random: Random) {
    this.#random = random
  }

  /** A new file, for a cell. With `content` it is exactly that; else it is made up, `size` bytes of it. */
  create(file: {
    filename: string
    type: string
    size?: number
    content?: Buffer
    width?: number
    height?: number
  }): StoredAttachment {
    const { content, size = content?.length ?? 1024, ...rest } = file
    const attachment: StoredAttachment = { id: this.#random.id('att'), ...rest, size }
    if (content !== undefined) this.#contents.set(attachment.id, content)
    this.#known.set(attachment.id, attachment)
    return attachment
  }

  find(id: string): StoredAttachment | undefined {
    return this.#known.get(id)
  }

  /** A cell as it is stored: attachments that are kept are named by their id alone. */
  adopt(cell: Json): Json {
    if (!Array.isArray(cell)) return null
    return (cell as readonly Json[]).flatMap((item) => {
      const id = isObject(item) ? item['id'] : undefined
      return (typeof id === 'string' ? this.#known.get(id) : undefined) ?? []
    })
  }

  bytesOf(attachment: { readonly id: string }): Buffer {
    const known = this.#known.get(attachment.id)
    if (known === undefined) throw new Error(`no attachment ${attachment.id}`)
    return this.#contents.get(known.id) ?? fileContent(known)
  }

  /** Hex SHA-256 of what a download must give. */
  digestOf(attachment: { readonly id: string }): string {
    return createHash('sha256').update(this.bytesOf(attachment)).digest('hex')
  }
}
