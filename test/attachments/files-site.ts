import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { FileFolder } from '../../lib/attachments/file-folder.ts'
import { mirrorFiles, type MirrorParts } from '../../lib/attachments/mirror-files.ts'
import { systemClock, type Clock } from '../../lib/base/clock.ts'
import type { Files } from '../../lib/base/files.ts'
import { fileName, type FileCounts } from '../../lib/files.ts'
import { filesFolder } from '../../lib/sqlite/file-index-database.ts'
import { SqliteFileIndex } from '../../lib/sqlite/file-index.ts'
import { SqliteMirroredFiles } from '../../lib/sqlite/mirrored-files.ts'
import { TestSite, wares, type SiteOptions } from '../sqlite/site.ts'
import { FileHost } from './file-host.ts'

/** As a cell of a mirrored row has it. */
export interface Attachment {
  readonly id: string
  readonly filename?: string
  readonly type?: string
  readonly size?: number
}

/** A clock that waits no longer than a moment, and whose time a test can move. */
export class HastyClock implements Clock {
  #ahead = 0
  readonly #since = performance.now()
  now(): number {
    return Math.floor(Date.now() + this.#ahead)
  }
  monotonic(): number {
    return performance.now() - this.#since + this.#ahead
  }
  move(ms: number): void {
    this.#ahead += ms
  }
  /** Time goes by as if it had been slept through. */
  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await systemClock.sleep(Math.min(ms, 5), signal)
    this.#ahead += ms
  }
}

/** A source with files: its snapshots, its index, its folder, and the host they come from. */
export class FilesSite implements Disposable {
  readonly site: TestSite
  readonly host: FileHost
  readonly clock = new HastyClock()
  readonly index: SqliteFileIndex
  readonly path: string
  /** Rows whose offers were asked for, one list for each call. */
  readonly renewals: string[][] = []

  private constructor(host: FileHost, options: SiteOptions) {
    this.host = host
    this.site = new TestSite(options)
    this.path = filesFolder(this.site.folder())
    this.index = new SqliteFileIndex(this.site.folder(), this.clock)
  }

  static async open(t: TestContext, options: SiteOptions = {}): Promise<FilesSite> {
    const site = new FilesSite(await FileHost.open(t), options)
    t.after(() => site[Symbol.dispose]())
    return site
  }

  /** Publishes a row for each list of files: `w1`, `w2`, … */
  async publish(...rows: readonly (readonly Attachment[])[]): Promise<void> {
    const sized = (files: readonly Attachment[]) =>
      files.map((file) => ({ filename: `${file.id}.txt`, type: 'text/plain', ...file }))
    const upstream = wares(
      rows.map((files, index) => ({ sku: `w${index + 1}`, files: sized(files) as never })),
      { columns: ['sku', 'files'], types: { files: 'json' }, fileColumns: ['files'] },
    )
    const run = await this.site.sync(upstream)
    if (run.status !== 'completed') throw new Error(`not published: ${run.error?.message}`)
  }

  /** A file that is there, as a row speaks of it. */
  file(id: string, content: Buffer | string = `content of ${id}`): Attachment {
    this.host.put(id, content)
    return { id, size: Buffer.byteLength(content) }
  }

  offer(...ids: string[]): void {
    this.index.add(ids.map((id) => this.host.offer(id)))
  }

  async mirror(parts: Partial<MirrorParts> & { readonly files?: Files } = {}): Promise<FileCounts> {
    return await mirrorFiles({
      index: this.index,
      folder: new FileFolder(this.path, parts.files),
      clock: this.clock,
      signal: new AbortController().signal,
      renew: (rows) => {
        this.renewals.push(rows.map(({ key }) => key))
        const published = this.site.published('wares')
        const wanted = rows.flatMap(({ key }) => published.find(({ sku }) => sku === key)?.files as Attachment[])
        return Promise.resolve(wanted.filter(({ id }) => this.host.has(id)).map(({ id }) => this.host.offer(id)))
      },
      random: () => 0.5,
      ...parts,
    })
  }

  /** What lies there: names without what SQLite has beside. */
  names(): string[] {
    return readdirSync(this.path)
      .filter((name) => !name.startsWith('index.sqlite'))
      .toSorted()
  }

  content(id: string): string | undefined {
    const path = join(this.path, fileName(id))
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined
  }

  mirrored(): SqliteMirroredFiles {
    return new SqliteMirroredFiles(this.site.publisher.folders, null)
  }

  [Symbol.dispose](): void {
    this.index[Symbol.dispose]()
    this.site[Symbol.dispose]()
  }
}
