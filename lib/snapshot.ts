import type { Column } from './column.ts'
import type { FailureCode } from './errors.ts'
import type { TableOrigin } from './origin.ts'
import type { Answer, QueryOptions, ResolvedQuery, RowFacts } from './query.ts'
import type { Watermark } from './watermark.ts'

/** A published table, as `active.json` describes it. */
export interface TableInfo {
  readonly name: string
  readonly rows: number
  readonly key: readonly string[]
  /** There where the upstream has no key: the one column of this one is made of all others, see `row-id.ts`. */
  readonly isKeyGenerated?: true
  readonly columns: readonly Column[]
  /** There where one of the columns holds cells of others: see `TableOrigin.errorsColumn`. */
  readonly errorsColumn?: string
  /** Digest of all rows, whatever their order: see `row-digest.ts`. Hexadecimal. */
  readonly digest: string
  /** Byte length of the full answer as JSON, without content coding. 0 until it is rendered. */
  readonly bodyBytes: number
  /** No row has more bytes as JSON. Not there in snapshots that are older than this. */
  readonly largestRow?: number
  /** Columns that are indexed together, in order, beside the key. */
  readonly indexes: readonly (readonly string[])[]
  /** Text columns that can be searched by words. */
  readonly search: readonly string[]
  /** Columns that hold the upstream's own times of a row (ISO 8601 or epoch), where it has such. */
  readonly times: { readonly created: string | null; readonly modified: string | null }
  /** The JSON columns whose cells are lists of files, where it has such. */
  readonly fileColumns?: readonly string[]
  /** There where the upstream did not give the table, and it stayed as it was: why, and since when. Epoch milliseconds. */
  readonly kept?: { readonly code: FailureCode; readonly message: string; readonly since: number }
}

/** A row that speaks of a file, and what it says of it. */
export interface FileReference {
  readonly table: string
  /** The row's key as text: see `row-key.ts`. */
  readonly key: string
  readonly column: string
  readonly id: string
  readonly name: string
  readonly type: string | null
  readonly bytes: number | null
}

/** The pointer: what `active.json` holds. It alone decides which file is served. */
export interface Pointer {
  readonly format: 1
  readonly source: string
  /** Never used before and never used again. */
  readonly snapshot: string
  /** File name inside the source's folder. */
  readonly file: string
  /** What a rollback goes back to. */
  readonly previous: Omit<Pointer, 'previous'> | null
  readonly watermark: Watermark
  /** Local number of the newest batch in the file; the pointer gives this one its watermark. */
  readonly batch: number
  /**
   * Changes after this watermark are in the log; a reader that knows less has to fetch the tables again. The own
   * watermark when the log begins with this snapshot.
   */
  readonly logFrom: Watermark
  /** The file was published before and is back: its log tells of rows that are no longer so. */
  readonly isRolledBack: boolean
  /** Digest over all tables: equal digests mean equal tables, columns and rows. Hexadecimal. */
  readonly digest: string
  /** The upstream state that was pulled (`Plan.identity`) and a fingerprint of the configuration it was read with. */
  readonly identity: string
  readonly shape: string
  readonly tables: readonly TableInfo[]
  /** Names of tables that earlier snapshots had: whoever reads the log from too far back may have a copy of them. */
  readonly goneTables?: readonly string[]
  /** What was configured for the tables and could not be done; one sentence each. */
  readonly warnings?: readonly string[]
  /** Its full answers are rendered behind the publish: until then they are written from the rows. */
  readonly rendersLater?: true
  /** Epoch milliseconds. */
  readonly publishedAt: number
  /** When its rows were read: what the upstream had is known up to here. Epoch milliseconds. */
  readonly checkedAt: number
  readonly generation: number
  readonly run: string
}

export const CODINGS = ['identity', 'zstd', 'br', 'gzip'] as const
/** A content coding in which full answers are kept ready. */
export type Coding = (typeof CODINGS)[number]

/** Reads rows of one table in a mounted snapshot; every statement it runs is bounded by an index. */
export interface RowReader {
  /**
   * The rows at positions `from` to `to` (1-based, inclusive, upstream order) as arrays of cells in the order of
   * `columns`; cells are as stored, integers beyond 2^53 as text. At most 10,000 rows a call, and no more of them than
   * some megabytes: fewer than were asked for, one at least, where rows are large.
   */
  rows(from: number, to: number): unknown[][]
}

export const EXPORT_FORMATS = ['json', 'ndjson', 'csv', 'sqlite'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

export interface ExportRequest {
  /** Null: the snapshot as it is, which is what `sqlite` means and nothing else. */
  readonly table: string | null
  readonly format: ExportFormat
  readonly maxBytes: number
  readonly waitMs: number
}

/** All of a table or of a snapshot as one file, whose bytes never change. */
export interface ExportFile {
  readonly path: string
  readonly bytes: number
  /** Of all bytes, base64. */
  readonly sha256: string
  readonly rows: number
}

/** Bytes on disk. */
export interface FileSizes {
  readonly snapshot: number
  /** The snapshot before. */
  readonly previous: number
  /** Full answers in all codings, of both. */
  readonly bodies: number
  readonly exports: number
}

/** A snapshot that this process has open. Stays readable until `using` ends, whatever is published meanwhile. */
export interface MountedSnapshot {
  readonly pointer: Pointer
  table(name: string): TableInfo | undefined
  reader(table: string, columns: readonly Column[]): RowReader
  /** One row by its key's text form (`row-key.ts`), or undefined. Bounded by the key's index. */
  record(
    table: string,
    columns: readonly Column[],
    id: string,
  ): { readonly cells: readonly unknown[]; readonly facts: RowFacts } | undefined
  /** What the upstream calls a table; undefined where it has no names of its own. */
  origin(table: string): TableOrigin | undefined
  /** The rows that speak of a file, behind `after` in order of table, key and column. Bounded by an index; at most 1000. */
  fileReferences(id: string, after?: FileReference): FileReference[]
  /**
   * Answers a query: here where an index bounds the work, else in a process of its own that is killed at the deadline.
   * Throws `query_deadline`, `readers_busy`, `answer_too_large`, or the signal's reason.
   */
  query(query: ResolvedQuery, options: QueryOptions): Promise<Answer>
  /**
   * Path of the full answer of a table (the JSON envelope of `/fetch-data`) in a coding, kept beside the snapshot;
   * undefined where there is none (it is then streamed from the rows).
   */
  bodyFile(table: string, coding: Coding): string | undefined
  /**
   * The file of an export, made beside the snapshot where it is not there yet: by a thread, one at a time, once for all
   * who wait. Throws `export_building` when it takes longer than the request waits (it is made all the same),
   * `answer_too_large`, or `snapshot_not_found` where the files have been collected meanwhile.
   */
  exportFile(wanted: ExportRequest): Promise<ExportFile>
  /** What its files take on disk. */
  fileSizes(): Promise<FileSizes>
  /** Keeps the snapshot's files until released, beyond the next publishes. */
  pin(): Disposable
}

/** The snapshots of all sources, as one process sees them. */
export interface Snapshots {
  /** The active snapshot, or undefined before the first publish. Never waits. */
  active(source: string): MountedSnapshot | undefined
  /** The active snapshot or the one before it, if it is the one named. Never waits. */
  find(source: string, snapshot: string): MountedSnapshot | undefined
  /** Calls `listener` after this process has mounted a new snapshot. */
  onPublish(listener: (source: string, pointer: Pointer) => void): Disposable
  /**
   * Tells all processes that somebody reads on in a snapshot, page by page: for `READING_MS` its file stays, unless there
   * are too many such. Costs a call to the file system; never throws.
   */
  tellReading(pointer: Pick<Pointer, 'source' | 'snapshot'>): void
  /** When any process last told so, in epoch milliseconds; undefined: nobody did. */
  lastReading(pointer: Pick<Pointer, 'source' | 'snapshot'>): number | undefined
}

/** So long a snapshot can be gone on in after the last page that was read from it. */
export const READING_MS = 120_000

/** How the full answer of `/fetch-data` begins: the rows' JSON, separated by commas, and `ENVELOPE_END` follow. */
export function envelopeStart(facts: { source: string; snapshot: string; count: number; publishedAt: number }): string {
  const head = {
    status: 'success',
    source: facts.source,
    snapshot: facts.snapshot,
    count: facts.count,
    last_updated: new Date(facts.publishedAt).toISOString(),
  }
  return `${JSON.stringify(head).slice(0, -1)},"data":[`
}

export const ENVELOPE_END = ']}'
