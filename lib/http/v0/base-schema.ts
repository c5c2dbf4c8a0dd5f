import type { Column, JsonValue } from '../../column.ts'
import type { FormulaType } from '../../formula.ts'
import type { TableOrigin, ViewOrigin } from '../../origin.ts'
import type { MountedSnapshot, TableInfo } from '../../snapshot.ts'
import { formulaTypeOf, madeFieldType } from './field-type.ts'
import { madeId } from './ids.ts'

/** A field of a table, and the column that it is here. */
export interface BaseField {
  readonly id: string
  readonly name: string
  readonly type: string | null
  readonly description?: string
  readonly options?: JsonValue
  readonly column: Column
  readonly formulaType: FormulaType
}

/** A table as Airtable's clients know it. */
export interface BaseTable {
  readonly id: string
  readonly name: string
  readonly description?: string
  readonly primaryFieldId: string
  readonly fields: readonly BaseField[]
  readonly views: readonly ViewOrigin[]
  /** Its views are the upstream's own, which filter and sort; what they do is not known here. */
  readonly hasViewsOfItsOwn: boolean
  /** Its rows are called by the upstream's ids of records, or by ids that are made of their keys. */
  readonly ids: 'keys' | 'made'
  /** The base it belongs to upstream. */
  readonly baseId: string | null
  readonly info: TableInfo
  /** Cells that are not of their field's type, by column. */
  readonly errors: Column | null
}

const known = new WeakMap<TableInfo, BaseTable>()

/** The tables of a snapshot: as the upstream calls them, or where it has no such names, by ids that are made of theirs. */
export function baseTables(source: string, mounted: MountedSnapshot): BaseTable[] {
  return mounted.pointer.tables.map((info) => {
    let table = known.get(info)
    if (table === undefined) {
      const origin = mounted.origin(info.name)
      known.set(info, (table = origin === undefined ? madeTable(source, info) : tableOf(info, origin)))
    }
    return table
  })
}

function tableOf(info: TableInfo, origin: TableOrigin): BaseTable {
  const { id, name, description, primaryFieldId, views, baseId, errorsColumn } = origin
  const columns = new Map(info.columns.map((column) => [column.name, column]))
  const fields = origin.fields.flatMap(({ column: columnName, ...field }): BaseField[] => {
    const column = columns.get(columnName)
    return column === undefined ? [] : [{ ...field, column, formulaType: formulaTypeOf(column, field) }]
  })
  return {
    id, name, primaryFieldId, fields, views, baseId, info,
    ...(description !== undefined && { description }),
    hasViewsOfItsOwn: true,
    ids: 'keys',
    errors: (errorsColumn === null ? undefined : columns.get(errorsColumn)) ?? null,
  } // prettier-ignore
}

function madeTable(source: string, info: TableInfo): BaseTable {
  const { name, key, columns } = info
  const fieldId = (column: string) => madeId('fld', source, name, column)
  return {
    id: madeId('tbl', source, name),
    name,
    primaryFieldId: fieldId(key[0] ?? columns[0]?.name ?? ''),
    fields: columns.map((column): BaseField => {
      const field = madeFieldType(column, key.includes(column.name))
      const names = { id: fieldId(column.name), name: column.name }
      return Object.assign(names, field, { column, formulaType: formulaTypeOf(column, field) })
    }),
    views: [{ id: madeId('viw', source, name), name: 'Grid view', type: 'grid' }],
    hasViewsOfItsOwn: false,
    ids: 'made',
    baseId: null,
    info,
    errors: null,
  }
}

/** A table without what is hidden of it. */
export function withoutColumns(table: BaseTable, hidden: readonly string[]): BaseTable {
  if (hidden.length === 0) return table
  const fields = table.fields.filter(({ column }) => !hidden.includes(column.name))
  const isPrimaryThere = fields.some(({ id }) => id === table.primaryFieldId)
  return {
    ...table,
    fields,
    primaryFieldId: isPrimaryThere ? table.primaryFieldId : (fields[0]?.id ?? ''),
    errors: table.errors !== null && hidden.includes(table.errors.name) ? null : table.errors,
  }
}
