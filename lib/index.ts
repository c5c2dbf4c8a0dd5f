import type { AirtableSourceOptions, FileDescriptor, FileSourceOptions } from './settings.ts'

/** What `holdfast.config.ts` exports. The first source is the default of `/fetch-data`. */
export interface HoldfastConfig {
  readonly sources: Readonly<Record<string, DeclaredSource>>
}

/** A source as the configuration file writes it down, to be checked before anything is made of it. */
export type DeclaredSource = FileDescriptor | DeclaredAirtable

export interface DeclaredAirtable {
  readonly kind: 'airtable'
  readonly options: AirtableOptions
}

/** Durations are `90s`, `5m`, `12h`, `7d`, or a number of seconds. */
export interface AirtableOptions extends Omit<
  AirtableSourceOptions,
  'baseId' | 'token' | 'sweepEveryMs' | 'overlapMs'
> {
  /** `app…`. As variables of the environment are: what is not set is told when the configuration is checked. */
  readonly baseId: string | undefined
  /** A personal access token. */
  readonly token: string | undefined
  /** All records are read at least this often, which finds deletions and computed cells. Default: a day. */
  readonly sweepEvery?: string | number
  /** How far a look at what was modified reaches back behind the one before. Default: two minutes. */
  readonly overlap?: string | number
}

/** Gives the configuration back as it is; there for the types. */
export function defineConfig(config: HoldfastConfig): HoldfastConfig {
  return config
}

/** A file of JSON, NDJSON, CSV or TSV, plain or gzipped; a relative path starts from the configuration file. */
export function file(options: FileSourceOptions): FileDescriptor {
  return { kind: 'file', options }
}

/** All tables of an Airtable base, or some of them. */
export function airtable(options: AirtableOptions): DeclaredAirtable {
  return { kind: 'airtable', options }
}

export type { ColumnType } from './column.ts'
export type {
  AirtableMode,
  FileDescriptor,
  FileSourceOptions,
  GuardSettings,
  SourceOptions,
  TableOptions,
} from './settings.ts'
