import type { Condition } from './query.ts'
import type { TableInfo } from './snapshot.ts'

export const SCOPES = ['read', 'sync', 'admin'] as const
/** What a key may do: read data and state; start and stop runs; drop, roll back and force a publish. */
export type Scope = (typeof SCOPES)[number]

/** What of one table a key may not see. */
export interface TableRule {
  /** Columns that are, for this key, not there. */
  readonly hidden: readonly string[]
  /** Rows that do not meet this are, for this key, not there. */
  readonly filter: Condition | null
}

/** Who is asking, and what there is for them. Whatever they may not see does not exist: it is not even refused. */
export interface Principal {
  /** Safe to log: never a part of the key. */
  readonly id: string
  readonly scopes: ReadonlySet<Scope>
  /** Names of sources (`shop`) and of single tables (`shop.orders`); null: everything. */
  readonly limits: ReadonlySet<string> | null
  /** By `source.table`. */
  readonly rules: ReadonlyMap<string, TableRule>
  /** Equal for all who see the same, and empty for those who see everything: a part of entity tags and cache keys. */
  readonly view: string
  /** Requests in a window; null: as many as they like. */
  readonly rate: { readonly limit: number; readonly windowMs: number } | null
}

export interface KeyCheck {
  /** Whose key this is, or undefined. Takes the same time whichever key it is, and never waits. */
  check(key: string): Principal | undefined
  /** Whether a principal's key is still valid: streams ask, and end. Never waits. */
  isLive(id: string): boolean
  /** The principal of this id, as long as its key is valid. Never waits. */
  find(id: string): Principal | undefined
  /**
   * What only the key that a principal has now makes of a text, undefined when it has none: ties a ticket to a key, so
   * that it does not pass to another that takes its place under the same id.
   */
  seal(id: string, text: string): string | undefined
}

/** Whether a principal sees a source at all, be it only some of its tables. */
export function seesSource({ limits }: Principal, source: string): boolean {
  if (limits === null || limits.has(source)) return true
  for (const name of limits) if (name.startsWith(`${source}.`)) return true
  return false
}

export function seesTable({ limits }: Principal, source: string, table: string): boolean {
  return limits === null || limits.has(source) || limits.has(`${source}.${table}`)
}

export function ruleOf({ rules }: Principal, source: string, table: string): TableRule | undefined {
  return rules.get(`${source}.${table}`)
}

/**
 * The columns of a table that are not there under a rule. A generated key is made of all cells of its row, so it is
 * hidden with any of them: who knows the others could try what the hidden one may be until the key comes out. So is the
 * column that holds cells of others.
 */
export function hiddenColumns(
  rule: TableRule | undefined,
  {
    key,
    columns,
    isKeyGenerated,
    errorsColumn,
  }: Pick<TableInfo, 'key' | 'columns' | 'isKeyGenerated' | 'errorsColumn'>,
): readonly string[] {
  const hidden = rule?.hidden ?? []
  if (!columns.some(({ name }) => hidden.includes(name))) return hidden
  return [...hidden, ...(isKeyGenerated === true ? key : []), ...(errorsColumn === undefined ? [] : [errorsColumn])]
}

/** Whether what names the rows of a table is hidden. */
export function hidesKey(rule: TableRule | undefined, table: TableInfo): boolean {
  const hidden = hiddenColumns(rule, table)
  return table.key.some((name) => hidden.includes(name))
}

/** Whether a principal sees all that there is of a source: every table, row and column. */
export function seesWhole({ limits, rules }: Principal, source: string): boolean {
  if (limits !== null && !limits.has(source)) return false
  for (const name of rules.keys()) if (name.startsWith(`${source}.`)) return false
  return true
}

/** Whether there is anything that a principal does not see. */
export function isRestricted({ limits, rules }: Principal): boolean {
  return limits !== null || rules.size > 0
}
