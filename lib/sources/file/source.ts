import type { BigIntStats } from 'node:fs'
import { open, stat, type FileHandle } from 'node:fs/promises'
import { Failure } from '../../errors.ts'
import type { FileSourceOptions } from '../../settings.ts'
import type { Cursor, Page, Plan, PlanOptions, Source, TablePlan } from '../../source.ts'
import { GzipReader, PlainReader, type ByteReader } from './byte-reader.ts'
import { decodeCursor, type FileCursor } from './cursor.ts'
import { fileFormat, newFormat, type FileFormat } from './file-format.ts'
import { identityOf, isRewritten } from './file-state.ts'
import { FILE_LIMITS, readPages, type FileLimits } from './pages.ts'
import { TextWindow } from './text-window.ts'
import { watchFile } from './watch.ts'

/**
 * A file as a source of one table. Throws `config_invalid` when neither the options nor the name tell its format.
 *
 * JSON numbers stay exact: see `exact-number.ts`. Names that are whole numbers come first among the columns that a
 * row brings, as JavaScript orders them.
 */
export function fileSource(id: string, options: FileSourceOptions, limits: Partial<FileLimits> = {}): Source {
  return new FileSource(id, options, { ...FILE_LIMITS, ...limits })
}

class FileSource implements Source {
  readonly id: string
  readonly #options: FileSourceOptions
  readonly #format: FileFormat
  readonly #limits: FileLimits

  constructor(id: string, options: FileSourceOptions, limits: FileLimits) {
    this.id = id
    this.#options = options
    this.#format = fileFormat(id, options)
    this.#limits = limits
  }

  async plan({ signal }: PlanOptions): Promise<Plan> {
    signal.throwIfAborted()
    const stats = await this.#reach(() => stat(this.#options.path, { bigint: true }))
    signal.throwIfAborted()
    this.#checkKind(stats)
    return { identity: identityOf(stats, this.#options, this.#format), tables: [this.#tablePlan()] }
  }

  async *pull({
    plan,
    resumeFrom,
    signal,
  }: {
    plan: Plan
    resumeFrom?: Cursor
    signal: AbortSignal
  }): AsyncGenerator<Page, void> {
    signal.throwIfAborted()
    const cursor = resumeFrom === undefined ? undefined : decodeCursor(resumeFrom)
    await using handle = await this.#reach(() => open(this.#options.path))
    const stats = await this.#reach(() => handle.stat({ bigint: true }))
    this.#checkKind(stats)
    if (identityOf(stats, this.#options, this.#format) !== plan.identity) throw this.#changed('since it was planned')

    try {
      yield* this.#pages(handle, Number(stats.size), cursor, signal)
    } catch (error) {
      if (signal.aborted) throw signal.reason
      // Whatever went wrong in a file that is being written to, went wrong because of that.
      await this.#checkUnchanged(handle, stats, error)
      throw error instanceof Failure ? error : this.#unavailable(error)
    }
    await this.#checkUnchanged(handle, stats)
  }

  watch(onChange: () => void): Disposable {
    return watchFile(this.#options.path, onChange)
  }

  async *#pages(
    handle: FileHandle,
    size: number,
    cursor: FileCursor | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<Page, void> {
    const offset = cursor?.offset ?? 0
    using reader = this.#format.isGzip ? new GzipReader(handle, size) : new PlainReader(handle, size, offset)
    if (this.#format.isGzip) await skip(reader, offset, this.#limits.chunkBytes, signal)
    const window = new TextWindow(reader, { offset, chunkBytes: this.#limits.chunkBytes })
    const bytesDone = () => (this.#format.isGzip ? reader.fileBytes : window.offset)
    yield* readPages(window, newFormat(this.#format, cursor?.state), {
      source: this.id,
      path: this.#options.path,
      table: this.#tablePlan().name,
      limits: this.#limits,
      isResumed: cursor !== undefined,
      done: () => (size === 0 ? 1 : bytesDone() / size),
      signal,
    })
  }

  #tablePlan(): TablePlan {
    const { table, key, types } = this.#options
    const untyped = this.#format.name === 'csv' || this.#format.name === 'tsv'
    return { name: table ?? this.id, ...(key && { key }), ...(types && { types }), ...(untyped && { untyped }) }
  }

  #checkKind(stats: BigIntStats): void {
    if (stats.isFile()) return
    const kind = stats.isDirectory() ? 'a directory' : 'not a regular file'
    throw new Failure('upstream_unavailable', `${this.#options.path} is ${kind}. Set \`path\` to a file.`, {
      facts: { source: this.id },
    })
  }

  /** Through the handle: another file renamed over the path meanwhile is the next run's. */
  async #checkUnchanged(handle: FileHandle, before: BigIntStats, cause?: unknown): Promise<void> {
    const after = await this.#reach(() => handle.stat({ bigint: true }))
    if (isRewritten(before, after)) throw this.#changed('while it was read', cause)
  }

  async #reach<T>(access: () => Promise<T>): Promise<T> {
    try {
      return await access()
    } catch (error) {
      throw this.#unavailable(error)
    }
  }

  #changed(when: string, cause?: unknown): Failure {
    const message = `${this.#options.path} was changed ${when}. Pull it again from the start.`
    return new Failure('upstream_changed', message, { facts: { source: this.id }, cause })
  }

  #unavailable(error: unknown): Failure {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    const reason =
      code === 'ENOENT' ? 'does not exist' : code === 'EACCES' ? 'may not be read' : `cannot be read (${code})`
    return new Failure('upstream_unavailable', `${this.#options.path} ${reason}.`, {
      facts: { source: this.id },
      cause: error,
    })
  }
}

/** gzip cannot be entered in the middle: what was read before is read again. */
async function skip(reader: ByteReader, bytes: number, chunkBytes: number, signal: AbortSignal): Promise<void> {
  const into = Buffer.allocUnsafe(chunkBytes)
  for (let left = bytes; left > 0;) {
    signal.throwIfAborted()
    const length = await reader.read(left < chunkBytes ? into.subarray(0, left) : into)
    if (length === 0) return
    left -= length
  }
}
