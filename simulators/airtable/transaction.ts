import type { Json, JsonObject } from './json.ts'

/** Where a change came from, in the words of webhook payloads. */
export type ChangeSource =
  | 'client'
  | 'publicApi'
  | 'formSubmission'
  | 'formPageSubmission'
  | 'automation'
  | 'system'
  | 'sync'
  | 'anonymousUser'
  | 'unknown'

export interface ChangeOrigin {
  readonly source?: ChangeSource
  /** Id of a collaborator. */
  readonly user?: string
}

/** Cells of one record, by field id, as webhooks show them; an empty cell is not in it. */
export type CellSet = ReadonlyMap<string, Json>

export interface RecordChange {
  readonly before: CellSet
  readonly after: CellSet
}

/** What one transaction did to one table. */
export interface TableChanges {
  readonly created: Map<string, { readonly createdTime: string; readonly cells: CellSet }>
  readonly changed: Map<string, RecordChange>
  readonly destroyed: Set<string>
  readonly createdFields: Map<string, JsonObject>
  readonly changedFields: Map<string, { readonly current: JsonObject; readonly previous: JsonObject }>
  readonly destroyedFields: Set<string>
  /** Name and description before and after, where they changed. */
  metadata: { readonly current: JsonObject; readonly previous: JsonObject } | undefined
}

export interface Transaction {
  readonly number: number
  readonly at: number
  readonly source: ChangeSource
  readonly user: string | undefined
  readonly tables: ReadonlyMap<string, TableChanges>
  readonly createdTables: ReadonlySet<string>
  readonly destroyedTables: ReadonlySet<string>
  /** Ids of all tables, fields and views that are gone. */
  readonly lost: ReadonlySet<string>
}
