import type { CallUsage } from './call-limiter.ts'
import type { ColumnType, Value } from './column.ts'
import type { FailureCode } from './errors.ts'
import type { FileOffer } from './files.ts'
import type { TableOrigin } from './origin.ts'
import type { Trigger } from './sync-run.ts'

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
  /**
   * What its rows begin with: none, or those of the active snapshot, which pages then change (`put`, `deleted`). A table
   * that is not there, or has another key or other columns than its `columns`, cannot begin so: that is a bug of the plan.
   */
  readonly from?: 'nothing' | 'active'
  /** All columns, in order, where the upstream tells: then no page brings others, and none is needed to announce them. */
  readonly columns?: readonly string[]
  /** What becomes of two rows with one key: `refused` if they differ (the default), or the later one counts. */
  readonly repeats?: 'refused' | 'latest'
  /** Columns that hold the upstream's own times of a row, unless the configuration names others. */
  readonly times?: { readonly created?: string; readonly modified?: string }
  readonly origin?: TableOrigin
  /** JSON columns whose cells are lists of files: `[{ id, filename, type, size, … }]`. */
  readonly fileColumns?: readonly string[]
}

export interface Plan {
  /**
   * Names the exact upstream state that cursors of this plan point into, such as a file's inode, size and time.
   * Staged data of another identity is dropped, never mixed; equal to the published one, there is nothing to do.
   */
  readonly identity: string
  readonly tables: readonly TablePlan[]
  /** What somebody should know of how this upstream is followed; one sentence each. */
  readonly warnings?: readonly string[]
}

/** What is published, as far as it matters to the next plan. */
export interface Published {
  /** Of its tables those that are there: one that was never given is left out. */
  readonly plan: Plan
  /** The identity that was last found to be what is published: a plan that names it again has nothing to pull. */
  readonly seen: string | undefined
  /** That of the last page that was pulled, whether it changed anything or not: where a source finds what it knew. */
  readonly cursor: Cursor | undefined
  /** When it was read. Epoch milliseconds. */
  readonly checkedAt: number
  /** Tables that stayed as they were because the upstream did not give them: see `Page.keeps`. */
  readonly kept: readonly string[]
}

export interface PlanOptions {
  readonly signal: AbortSignal
  readonly trigger: Trigger
  /** Undefined before the first publish, and after a rollback or a change of configuration: then all is to be read. */
  readonly published: Published | undefined
  /** Every table has to begin with nothing: what was made of changes cannot be used. */
  readonly wantsAll: boolean
  /**
   * When the guard last refused what was pulled, since something was published; null: never. Until somebody decides, the
   * same would be refused again. Epoch milliseconds.
   */
  readonly refusedAt: number | null
}

/**
 * Some rows of one table, in upstream order. `rows[i][j]` belongs to `columns[j]`. A page may bring columns that
 * earlier pages of the table did not have. A table without rows is announced by one page without rows. What a page says
 * happens in this order: `restarts`, `deleted`, `rows`, `keeps`.
 */
export interface Page {
  readonly table: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Value[])[]
  /** Where the pull continues after this page; committed together with the page's rows. */
  readonly next: Cursor
  /** How much of the whole pull is done after this page, 0 to 1, where the source can tell. */
  readonly done?: number
  /** The table begins anew: what earlier pages of this pull, or the active snapshot, brought is dropped, columns too. */
  readonly restarts?: true
  /** Each row takes the place of the one with its key, or is added. Needs a key in the plan. */
  readonly put?: true
  /** Keys of rows that are gone, as cells in the order of the plan's key; those that are not there are passed over. */
  readonly deleted?: readonly (readonly Value[])[]
  /**
   * The upstream does not give this table: its rows, columns and origin stay those of the active snapshot, and a table
   * that is not there is left out. Later pages of the table must not come.
   */
  readonly keeps?: { readonly code: FailureCode; readonly message: string }
  /** Where the files can be fetched that the rows speak of. */
  readonly files?: readonly FileOffer[]
}

export interface Source {
  /** The name it has in the configuration, such as `cities`. Appears in URLs, logs, errors and file names. */
  readonly id: string

  /**
   * Looks at the upstream: which tables, how many rows, and whether only what changed since `published` has to be read.
   * Throws only `upstream_*` failures.
   */
  plan(options: PlanOptions): Promise<Plan>

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

  /** Calls that the upstream allows and that were made, where it counts them. Never waits. */
  usage?(): CallUsage

  /**
   * Where files can be fetched whose offers are too old, asked for by the rows that speak of them. Offers of files that
   * are gone are left out. Throws only `upstream_*` failures.
   */
  offers?(rows: readonly { readonly table: string; readonly key: string }[], signal: AbortSignal): Promise<FileOffer[]>
}
