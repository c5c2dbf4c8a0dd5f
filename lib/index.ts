import type { FileDescriptor, FileSourceOptions, SourceDescriptor } from './settings.ts'

/** What `holdfast.config.ts` exports. The first source is the default of `/fetch-data`. */
export interface HoldfastConfig {
  readonly sources: Readonly<Record<string, SourceDescriptor>>
}

/** Gives the configuration back as it is; there for the types. */
export function defineConfig(config: HoldfastConfig): HoldfastConfig {
  return config
}

/** A file of JSON, NDJSON, CSV or TSV, plain or gzipped; a relative path starts from the configuration file. */
export function file(options: FileSourceOptions): FileDescriptor {
  return { kind: 'file', options }
}

export type { ColumnType } from './column.ts'
export type {
  FileDescriptor,
  FileSourceOptions,
  GuardSettings,
  SourceDescriptor,
  SourceOptions,
  TableOptions,
} from './settings.ts'
