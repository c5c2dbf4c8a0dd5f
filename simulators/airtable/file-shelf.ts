import { notFound } from './api-error.ts'
import type { Base } from './base.ts'
import type { Answer } from './delivery.ts'
import type { FileUrls } from './file-urls.ts'

/** Where the bytes behind signed URLs come from. */
export class FileShelf {
  readonly #bases: readonly Base[]
  readonly #urls: FileUrls

  constructor(bases: readonly Base[], urls: FileUrls) {
    this.#bases = bases
    this.#urls = urls
  }

  /** Throws 403, 404 or 410. */
  fetch(path: string, isWrongSize: boolean): Answer {
    const id = this.#urls.verify(path)
    const bytes = this.bytesOf(id)
    const type = this.#base(id)?.attachments.find(id)?.type
    if (bytes === undefined || type === undefined) throw notFound()
    const body = isWrongSize ? bytes.subarray(0, Math.floor(bytes.length / 2)) : bytes
    return { status: 200, headers: { 'content-type': type }, body }
  }

  bytesOf(id: string): Buffer | undefined {
    return this.#base(id)?.attachments.bytesOf({ id })
  }

  #base(attachmentId: string): Base | undefined {
    return this.#bases.find(({ attachments }) => attachments.find(attachmentId) !== undefined)
  }
}
