import type { AirtableSourceOptions } from '../../settings.ts'
import type { Published, TablePlan } from '../../source.ts'
import { layoutOf, type AirtableTablePlan } from './layout.ts'
import { distinctNames, shown } from './names.ts'
import { changesRows } from './schema-change.ts'
import type { AirtableTable } from './schema.ts'
import type { State } from './state.ts'

export interface PlannedTables {
  readonly tables: readonly AirtableTablePlan[]
  /** Ids of those whose records are all to be read. */
  readonly toRead: readonly string[]
  readonly warnings: readonly string[]
}

export interface TablesOptions {
  readonly options: Pick<AirtableSourceOptions, 'baseId' | 'only' | 'attachments'>
  readonly published: Published | undefined
  /** What is known of what is published; undefined: everything is to be read. */
  readonly known: State | undefined
  /** Ids of tables with cells that did not fit their columns. */
  readonly misfits: ReadonlySet<string>
}

/** The tables that Airtable describes. Those begin anew that are not published, or whose rows may be other ones now. */
export function planTables(
  described: readonly AirtableTable[],
  { options, published, known, misfits }: TablesOptions,
): PlannedTables {
  const { baseId, only, attachments = true } = options
  const selected = selectTables(described, only)
  const before = new Map(published?.plan.tables.map((table) => [table.origin?.id, table]))
  const planned = selected.map(({ table, name }) => {
    const old = before.get(table.id)
    const hasMisfits = misfits.has(table.id) || (old?.origin?.errorsColumn ?? null) !== null
    const layout = layoutOf(table, { baseId, name, mirrorsFiles: attachments, hasMisfits })
    const isKept = known?.kept.includes(table.id) || published?.kept.includes(layout.name)
    const isWhole = known === undefined || old === undefined || isKept || changesRows(old, layout)
    return tablePlan(layout, isWhole ? 'nothing' : 'active', known?.records[table.id])
  })
  const missing = only?.filter((name) => !described.some((table) => table.id === name || table.name === name)) ?? []
  return {
    tables: planned,
    toRead: planned.filter(({ from }) => from === 'nothing').map(({ origin }) => origin.id),
    warnings: missing.map((name) => `Table ${shown(name)} is to be mirrored, but base ${baseId} does not have it.`),
  }
}

/** Those that are mirrored, each with the name it goes by here. */
export function selectTables(
  described: readonly AirtableTable[],
  only: readonly string[] | undefined,
): { readonly table: AirtableTable; readonly name: string }[] {
  const selected = described.filter(({ id, name }) => only === undefined || only.includes(id) || only.includes(name))
  const names = distinctNames(selected)
  return selected.map((table, index) => ({ table, name: names[index] as string }))
}

/** The tables as they are published, for changes to be made in them. */
export function tablesAsPublished({ plan }: Published, known: State): PlannedTables {
  const tables = (plan.tables as readonly AirtableTablePlan[]).map((table) =>
    tablePlan(table, 'active', known.records[table.origin.id]),
  )
  return { tables, toRead: [], warnings: [] }
}

/** Always with its members in this order: plans of one pull are compared as texts. */
function tablePlan(
  { name, key, columns, types, repeats, times, fileColumns, origin }: AirtableTablePlan,
  from: NonNullable<TablePlan['from']>,
  records: number | undefined,
): AirtableTablePlan {
  return {
    name,
    key,
    columns,
    types,
    repeats,
    times,
    fileColumns,
    origin,
    from,
    ...(records !== undefined && { estimatedRows: records }),
  }
}
