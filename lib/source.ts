import type { ColumnType, Value } from './column.ts'

/** Where a pull can continue: opaque JSON text that only the source that made it can read. */
export type Cursor = string

/** One table of a plan. */
export interface TablePlan {
  readonly name: string
  /** The columns of the primary key, in order. Without one, `id` is made of a hash of the row's raw values. */
  readonly key?: readonly string[]
  /** Declared types win over inference; a value that does not fit its declared type fails the run. */
  readonly types?: Readonly<Record<string, ColumnType>>
  /** Cells arrive as bare text (CSV): numbers are recognised over the whole table, if that loses nothing. */
  readonly untyped?: boolean
  /** How many rows the upstream says there are: an exact promise that the guard checks. */
  readonly expectedRows?: number
  /** An estimate, for progress and ETA only. */
  readonly estimatedRows?: number
}

export interface Plan {
  /**
   * Names the exact upstream state that cursors of this plan point into, such as a file's inode, size and time.
   * Staged data of another identity is dropped, never mixed; equal to the published one, there is nothing to do.
   */
  readonly identity: string
  readonly tables: readonly TablePlan[]
}

/**
 * Some rows of one table, in upstream order. `rows[i][j]` belongs to `columns[j]`. A page may bring columns that
 * earlier pages of the table did not have. A table without rows is announced by one page without rows.
 */
export interface Page {
  readonly table: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Value[])[]
  /** Where the pull continues after this page; committed together with the page's rows. */
  readonly next: Cursor
  /** How much of the whole pull is done after this page, 0 to 1, where the source can tell. */
  readonly done?: number
}

export interface Source {
  /** The name it has in the configuration, such as `cities`. Appears in URLs, logs, errors and file names. */
  readonly id: string

  /** Looks at the upstream: which tables, how many rows. Throws only `upstream_*` failures. */
  plan(signal: AbortSignal): Promise<Plan>

  /**
   * Yields every row of every planned table, page by page, and returns when all were yielded and the upstream was
   * seen to be the one planned until the end. Resuming continues exactly behind the page that carried the cursor.
   * Stops promptly when `signal` aborts, by throwing its reason. Throws nothing else but `upstream_*` failures;
   * `upstream_changed` when the upstream is no longer the one of `plan`. Whoever iterates must finish or `return()` the iterator: that frees the upstream.
   */
  pull(options: { plan: Plan; resumeFrom?: Cursor; signal: AbortSignal }): AsyncIterable<Page>

  /**
   * Calls `onChange` when the upstream seems to have changed (a hint; may be late, early or repeated), until
   * disposed. Absent where the upstream cannot tell.
   */
  watch?(onChange: () => void): Disposable
}
