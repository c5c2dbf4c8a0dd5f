import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, mkdirSync, readdirSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { disk, type Files } from '../base/files.ts'
import { Failure } from '../errors.ts'
import { fileName, type FileFacts } from '../files.ts'

const PART = /\.[0-9a-f]{12}\.part$/
/** So much of a volume is left to snapshots, which must not fail because files took all the room. */
const RESERVED_SHARE = 0.05
const RESERVED_BYTES = 2 ** 30

/** Where the files of a source are kept. What is there under a file's name is all of it. */
export class FileFolder {
  readonly #path: string
  readonly #files: Files

  constructor(path: string, files: Files = disk) {
    this.#path = path
    this.#files = files
  }

  /**
   * Makes it where it is not there, and removes what those who were killed have left. Only for whoever has the lease:
   * others may be at work on theirs.
   *
   * @throws Failure `disk_failed`
   */
  prepare(): void {
    try {
      mkdirSync(this.#path, { recursive: true })
      for (const name of readdirSync(this.#path)) if (PART.test(name)) this.drop(join(this.#path, name))
    } catch (cause) {
      const { code = 'unknown' } = cause as NodeJS.ErrnoException
      const message = `The folder of the files cannot be used (${code}). Make it one that can be written to, or set STORAGE_PATH.`
      throw new Failure('disk_failed', message, { facts: { cause: code }, cause })
    }
  }

  path(id: string): string {
    return join(this.#path, fileName(id))
  }

  /** A name, never used before, for a file that is on its way. */
  partPath(id: string): string {
    return `${this.path(id)}.${randomBytes(6).toString('hex')}.part`
  }

  /** How large a file is that is here. */
  size(id: string): number | undefined {
    return statSync(this.path(id), { throwIfNoEntry: false })?.size
  }

  /** Gives a file that is complete and on disk its name. */
  keep(part: string, id: string): void {
    this.#files.rename('files:rename', part, this.path(id))
    this.#files.sync('files:sync-folder', this.#path)
  }

  /** What the bytes are of a file that is here, read as a stream. */
  async facts(id: string, signal: AbortSignal): Promise<FileFacts> {
    const digest = createHash('sha256')
    let bytes = 0
    for await (const chunk of createReadStream(this.path(id), { signal }) as AsyncIterable<Buffer>) {
      digest.update(chunk)
      bytes += chunk.length
    }
    return { bytes, sha256: digest.digest('base64') }
  }

  remove(id: string): void {
    this.#files.remove('files:remove', this.path(id))
  }

  drop(part: string): void {
    this.#files.remove('files:drop-part', part)
  }

  /** Why so many bytes more cannot be kept; undefined where they can. */
  lackOfRoom(bytes: number): Failure | undefined {
    const { bavail, blocks, bsize } = statfsSync(this.#path)
    const reserved = Math.min(RESERVED_BYTES, blocks * bsize * RESERVED_SHARE)
    const left = bavail * bsize - reserved
    if (bytes <= left) return undefined
    return new Failure(
      'disk_failed',
      `The volume of the files is nearly full: ${Math.max(0, Math.floor(left))} bytes can be used, beside what is left to snapshots, and ${bytes} are needed.`,
      { facts: { bytes, left: Math.max(0, Math.floor(left)) } },
    )
  }
}
