import type { ColumnType } from './column.ts'

/** What every source can be told, whatever its kind. */
export interface SourceOptions {
  /** A cron expression (UTC), `off`, or seconds between runs; the default schedule without one. */
  readonly every?: string | number
  readonly guard?: Partial<GuardSettings>
  /** How its tables are kept here, by name. A name that the upstream does not have is told as a warning. */
  readonly tables?: Readonly<Record<string, TableOptions>>
}

/** What a mirrored table has beside its rows. */
export interface TableOptions {
  /** Columns to be found and sorted by: one by its name, several together as a list. */
  readonly indexes?: readonly (string | readonly string[])[]
  /** Text columns that `q=` and `fts` search by words. */
  readonly search?: readonly string[]
  /** Columns that hold the upstream's own times of a row: ISO 8601, or seconds or milliseconds since 1970. */
  readonly times?: { readonly created?: string; readonly modified?: string }
}

/** The publish guard's limits; shares are 0 to 1. */
export interface GuardSettings {
  /** Refuse a table that lost more than this share of its rows. */
  readonly maxLostShare: number
  /** Refuse a schema that lost a column. */
  readonly freezeColumns: boolean
}

export interface FileSourceOptions extends SourceOptions {
  readonly path: string
  /** The table's name; the source's own without one. */
  readonly table?: string
  /** Guessed from the file's name without one: `.json`, `.ndjson`, `.jsonl`, `.csv`, `.tsv`, each also with `.gz`. */
  readonly format?: 'json' | 'ndjson' | 'csv' | 'tsv'
  readonly key?: readonly string[]
  readonly types?: Readonly<Record<string, ColumnType>>
  /** CSV and TSV: unquoted cells that mean NULL. Default: the empty one. A quoted cell is always text. */
  readonly nulls?: readonly string[]
}

export const AIRTABLE_MODES = ['polling', 'webhook', 'manual'] as const
/**
 * How a base is followed: by what was modified since the last look; by webhook payloads, pushed where there is a public
 * URL and polled where there is none; or only when somebody asks.
 */
export type AirtableMode = (typeof AIRTABLE_MODES)[number]

export interface AirtableSourceOptions extends SourceOptions {
  readonly baseId: string
  readonly token: string
  /** Where the API is, without `/v0`; Airtable's own without one. */
  readonly endpointUrl?: string
  /** Names or ids of the tables to mirror; all without one. */
  readonly only?: readonly string[]
  /** Default: polling. */
  readonly mode?: AirtableMode
  /** Whether the files of attachments are mirrored too. Default: yes. */
  readonly attachments?: boolean
  /** All records are read at least this often, which finds deletions and computed cells. Milliseconds; default: a day. */
  readonly sweepEveryMs?: number
  /** How far a look at what was modified reaches back behind the one before. Milliseconds; default: two minutes. */
  readonly overlapMs?: number
  /** Calls the base allows in a second. Default: 5. */
  readonly callsPerSecond?: number
  /** Calls the workspace allows in a month; counted only without one. */
  readonly callsPerMonth?: number
  /** Tables that are read at a time, under one limiter. Default: 2. */
  readonly cursors?: number
}

export interface AirtableDescriptor {
  readonly kind: 'airtable'
  readonly options: AirtableSourceOptions
}

/** A source as the configuration declares it: data only, so that reading a configuration loads nothing heavy. */
export interface FileDescriptor {
  readonly kind: 'file'
  readonly options: FileSourceOptions
}

/** Grows by one member with each folder in `lib/sources/`. */
export type SourceDescriptor = FileDescriptor | AirtableDescriptor

/** Everything that can be set, checked and complete. Entry files make it; `lib/` is handed what it needs. */
export interface Settings {
  readonly host: string
  readonly port: number
  /** Absolute. */
  readonly dataDir: string
  /** Keys from the environment; empty when one has to be made. */
  readonly apiKeys: readonly string[]
  /** Cron expression in UTC or `off`. */
  readonly schedule: string
  readonly syncInServer: boolean
  readonly logLevel: string
  readonly readyMaxAgeMs: number | null
  readonly bodyCacheBytes: number
  /** Full answers beyond this are not kept on disk: they are written from the rows each time. */
  readonly bodyFileBytes: number
  readonly sseMaxBytes: number
  readonly maxStreams: number
  /** Serving processes. */
  readonly webConcurrency: number
  /** Most rows in one answer of a table, and most bytes; more bytes are refused. */
  readonly maxRows: number
  readonly answerMaxBytes: number
  /** Answers to queries kept in memory, for each process. */
  readonly answerCacheBytes: number
  /** Exports beyond this are not made. */
  readonly exportFileBytes: number
  /** How long a query may take, and how many processes there are for those that no index bounds. */
  readonly queryDeadlineMs: number
  readonly queryReaders: number
  /** For each key that has no rate of its own; null: none. */
  readonly rateLimit: { readonly limit: number; readonly windowMs: number } | null
  /** Web origins whose pages may read answers; `*` alone: all. */
  readonly corsOrigins: readonly string[]
  readonly otlpEndpoint: string | null
  readonly leaseTtlMs: number
  readonly alertWebhookUrl: string | null
  /** The URL that clients reach this server by, without a slash at its end; null: not known. */
  readonly publicUrl: string | null
  /** Where mirrored files lie, a folder for each source. Absolute; null: with the rest of the source. */
  readonly storagePath: string | null
  readonly guard: GuardSettings
  readonly changeLog: {
    readonly maxAgeMs: number
    readonly maxEntries: number
    readonly maxBytes: number
    readonly maxBatch: number
  }
  /** In the order of the configuration; the first is the default of `/fetch-data`. `schedule` is resolved. */
  readonly sources: ReadonlyMap<
    string,
    { readonly descriptor: SourceDescriptor; readonly schedule: string; readonly guard: GuardSettings }
  >
}
