import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { Failure } from '../errors.ts'
import type { Files } from '../base/files.ts'
import type { Coding, Pointer } from '../snapshot.ts'

const SUFFIX: Record<Coding, string> = { identity: '.json', zstd: '.json.zst', br: '.json.br', gzip: '.json.gz' }

/** The folder of one source, and the names of what lies in it. */
export class SourceFolder {
  readonly path: string

  constructor(dataDir: string, source: string) {
    this.path = join(dataDir, 'sources', source)
    mkdirSync(this.path, { recursive: true })
  }

  file(name: string): string {
    return join(this.path, name)
  }

  get pointerFile(): string {
    return this.file('active.json')
  }

  stagedName(generation: number): string {
    return `staged-${generation}.sqlite`
  }

  rejectedName(run: string): string {
    return `rejected-${run}.sqlite`
  }

  snapshotName(snapshot: string): string {
    return `${snapshot}.sqlite`
  }

  /** The full answer of the n-th table of a snapshot. */
  bodyName(snapshot: string, table: number, coding: Coding): string {
    return `${snapshot}.${table}${SUFFIX[coding]}`
  }

  /** Drops what was being built: only where nobody has the lease. */
  removeStaged(): void {
    for (const name of readdirSync(this.path)) if (/^staged-\d+\./.test(name)) rmSync(this.file(name), { force: true })
  }

  /** The active pointer, or undefined before the first publish. */
  readPointer(): Pointer | undefined {
    let text: string
    try {
      text = readFileSync(this.pointerFile, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
    const pointer = parsePointer(text)
    if (pointer.format !== 1) {
      throw new Failure('format_unknown', `active.json has format ${String(pointer.format)}; this Holdfast knows 1.`, {
        facts: { format: String(pointer.format), known: 1 },
      })
    }
    return pointer
  }

  writePointer(files: Files, pointer: Pointer): void {
    files.replace('publish:replace-pointer', this.pointerFile, `${JSON.stringify(pointer, null, 1)}\n`)
    files.sync('publish:sync-folder', this.path)
  }
}

function parsePointer(text: string): Pointer {
  try {
    const pointer = JSON.parse(text) as Pointer | null
    if (pointer !== null && typeof pointer === 'object') return pointer
  } catch (cause) {
    throw unreadable(cause)
  }
  throw unreadable(undefined)
}

function unreadable(cause: unknown): Failure {
  return new Failure(
    'disk_failed',
    'active.json is damaged. Restore it, or remove it to have the source pulled anew.',
    { cause },
  )
}

/** A snapshot id: never given out before, sorts by time. */
export function newSnapshotId(at: number): string {
  return `s${at.toString(36).padStart(9, '0')}${randomBytes(4).toString('hex')}`
}
