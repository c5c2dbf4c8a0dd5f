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

/** A file that a request named by a URL, which is still to be read. */
export interface PendingAttachment extends JsonObject {
  readonly id: string
  readonly filename: string
  readonly url: string
}

export interface NewFile {
  readonly filename: string
  readonly type: string
  /** Of made-up content; 1024. */
  readonly size?: number
  readonly content?: Buffer
  readonly width?: number
  readonly height?: number
}

/** The files of a base, by id of the attachment. Contents are made of id, type and size when somebody wants them. */
export class AttachmentStore {
  readonly #random: Random
  readonly #contents = new Map<string, Buffer>()
  readonly #known = new Map<string, StoredAttachment | PendingAttachment>()
  #pending: PendingAttachment[] = []

  constructor(random: Random) {
    this.#random = random
  }

  /** A new file, for a cell. */
  create(file: NewFile): StoredAttachment {
    return this.#keep(this.#random.id('att'), file)
  }

  /** A file that is to be read from a URL some time later. */
  promise(filename: string, url: string): PendingAttachment {
    const pending = { id: this.#random.id('att'), filename, url }
    this.#known.set(pending.id, pending)
    this.#pending.push(pending)
    return pending
  }

  /** Those that nobody has begun to read yet; from now on somebody has. */
  takePending(): readonly PendingAttachment[] {
    const taken = this.#pending
    this.#pending = []
    return taken
  }

  /** What was promised is there. */
  complete({ id, filename }: PendingAttachment, file: { type: string; content: Buffer }): void {
    this.#keep(id, { filename, ...file })
  }

  /** What was promised cannot be had. */
  drop({ id }: PendingAttachment): void {
    this.#known.delete(id)
  }

  /** Undefined also where it is not there yet. */
  find(id: string): StoredAttachment | undefined {
    const known = this.#known.get(id)
    return known !== undefined && isStored(known) ? known : undefined
  }

  has(id: string): boolean {
    return this.#known.has(id)
  }

  /** A cell as it is stored: attachments that are kept are named by their id alone, those that are gone left out. */
  adopt(cell: Json): Json {
    if (!Array.isArray(cell)) return null
    return (cell as readonly Json[]).flatMap((item) => {
      const id = isObject(item) ? item['id'] : undefined
      return (typeof id === 'string' ? this.#known.get(id) : undefined) ?? []
    })
  }

  bytesOf(attachment: { readonly id: string }): Buffer {
    const known = this.find(attachment.id)
    if (known === undefined) throw new Error(`no attachment ${attachment.id}`)
    return this.#contents.get(known.id) ?? fileContent(known)
  }

  /** Hex SHA-256 of what a download must give. */
  digestOf(attachment: { readonly id: string }): string {
    return createHash('sha256').update(this.bytesOf(attachment)).digest('hex')
  }

  #keep(id: string, { content, size = content?.length ?? 1024, ...rest }: NewFile): StoredAttachment {
    const attachment: StoredAttachment = { id, ...rest, size }
    if (content !== undefined) this.#contents.set(id, content)
    this.#known.set(id, attachment)
    return attachment
  }
}

function isStored(attachment: StoredAttachment | PendingAttachment): attachment is StoredAttachment {
  return typeof attachment['size'] === 'number'
}
