import { hash } from 'node:crypto'
import type { FailureCode } from './errors.ts'

/** A file that rows speak of, and where it can be fetched for a while. */
export interface FileOffer {
  /** The upstream's id of it: its bytes never change under that id. */
  readonly id: string
  /** Good for some hours; whoever has it can read the file, so it goes into no log, row or answer. */
  readonly url: string
  /** Epoch milliseconds. */
  readonly expiresAt: number
  /** As the upstream says; null where it does not. */
  readonly bytes: number | null
}

/** Keeps where the files of a source can be fetched. */
export interface FileOffers {
  /** Later offers of a file take the place of earlier ones. */
  add(offers: readonly FileOffer[]): void
}

/** A row that speaks of a file, by its key as text: see `row-key.ts`. */
export interface FileRow {
  readonly table: string
  readonly key: string
}

/** A file that the active snapshot speaks of and that is not here yet. */
export interface MissingFile {
  readonly id: string
  /** As its row says; null where it does not. */
  readonly bytes: number | null
  /** The first of the rows that speak of it: another offer is asked for by it. */
  readonly row: FileRow
  /** Undefined where there is none. */
  readonly offer: FileOffer | undefined
  /** How often it could not be fetched so far. */
  readonly attempts: number
}

/** What is known of the bytes of a file that is here. */
export interface FileFacts {
  readonly bytes: number
  /** Base64. */
  readonly sha256: string
}

/** Why a file, or any, could not be fetched. It holds no URL. */
export interface FileTrouble {
  readonly code: FailureCode
  readonly message: string
}

/** How far the files are mirrored that the active snapshot speaks of. Times are epoch milliseconds. */
export interface FileCounts {
  readonly mirrored: number
  /** They come, now or after another try. */
  readonly waiting: number
  /** The upstream refuses them, or they failed too often: they are tried again less and less often. */
  readonly failed: number
  readonly at: number
  /** What keeps them all from being fetched; null: nothing does. */
  readonly trouble: FileTrouble | null
  /** When there is something to do again; null: when there is another snapshot. */
  readonly nextAt: number | null
}

/**
 * What is known of the files of a source, and which of them its active snapshot speaks of. One holder of the lease of
 * these files writes to it; beside it, sync runs add offers. Lists are in the order of ids and begin behind the id
 * `after`.
 */
export interface FileIndex extends FileOffers {
  /** Goes over to the snapshot that is active by now; false where it is the same. */
  follow(): boolean
  /** Files that the snapshot speaks of, that are not here and that may be tried now. */
  missing(options: { readonly after: string; readonly limit: number }): MissingFile[]
  /** It is here now. */
  mirrored(id: string, facts: FileFacts): void
  /** It could not be fetched, and may be tried again at `nextAt`. `isFinal`: until then it counts as failed. */
  failed(id: string, trouble: FileTrouble, next: { readonly nextAt: number; readonly isFinal: boolean }): void
  /** What was offered is no good any more. */
  dropOffer(id: string): void
  /** Files that are here. */
  held(options: { readonly after: string; readonly limit: number }): { readonly id: string; readonly bytes: number }[]
  /** It is not here any more. */
  forget(id: string): void
  /** Whether so much time has gone by since all that is here was last seen on disk, or `verified` was called. */
  isVerifyDue(everyMs: number): boolean
  verified(): void
  /** Files that are here and that neither the snapshot nor the one before has spoken of for longer than this. */
  unwanted(options: { readonly graceMs: number }): string[]
  /** Drops what helps nobody: offers that have expired, and what failed but is not wanted any more. */
  tidy(): void
  /** The first time, from this one on, at which a file that failed may be tried again; null: there is none. */
  nextTryAt(from: number): number | null
  /** Counts, for everybody to see. */
  count(state: Pick<FileCounts, 'trouble' | 'nextAt'>): FileCounts
}

/** What became of a file, as whoever serves it sees it. */
export type FileState =
  | ({ readonly kind: 'mirrored'; readonly path: string } & FileFacts)
  | { readonly kind: 'waiting' }
  | ({ readonly kind: 'failed' } & FileTrouble)

/** The mirrored files of all sources, as one process sees them. Nothing here waits for a lock. */
export interface MirroredFiles {
  /** What became of a file. Whether somebody may see it is another question. */
  find(source: string, id: string): FileState
  /** Undefined where files were never looked for. */
  counts(source: string): FileCounts | undefined
}

/** The name that a file is kept under: made of its id alone, and never that of another. */
export function fileName(id: string): string {
  // No plain id has a dash.
  return /^[A-Za-z0-9]{1,64}$/.test(id) ? id : `sha256-${hash('sha256', id, 'hex')}`
}
