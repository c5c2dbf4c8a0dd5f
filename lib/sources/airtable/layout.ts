import type { ColumnType } from '../../column.ts'
import type { FieldOrigin, TableOrigin } from '../../origin.ts'
import type { TablePlan } from '../../source.ts'
import { columnTypeOf, holdsFiles, isComputed, tellsModification } from './column-type.ts'
import { distinctNames, freeName } from './names.ts'
import type { AirtableField, AirtableTable } from './schema.ts'

/** A table as it is planned, whatever its rows begin with. Its first columns are the record's id and time of creation. */
export interface AirtableTablePlan extends TablePlan {
  readonly key: readonly [string]
  readonly columns: readonly string[]
  readonly types: Readonly<Record<string, ColumnType>>
  readonly repeats: 'latest'
  readonly times: NonNullable<TablePlan['times']>
  readonly fileColumns: readonly string[]
  readonly origin: TableOrigin
}

export interface LayoutOptions {
  readonly baseId: string
  /** By which the table goes here. */
  readonly name: string
  readonly mirrorsFiles: boolean
  /** Whether cells were seen that did not fit their column. A table with computed fields expects them anyway. */
  readonly hasMisfits: boolean
}

/** The columns of a table: made of its schema alone, since records leave out what is empty. */
export function layoutOf(
  table: AirtableTable,
  { baseId, name, mirrorsFiles, hasMisfits }: LayoutOptions,
): AirtableTablePlan {
  const { id, name: ownName, description, primaryFieldId, fields, views } = table
  const names = distinctNames(fields)
  const columns = fields.map((field, index) => ({ field, column: names[index] as string, type: columnTypeOf(field) }))
  const key = freeName('id', names)
  const created = freeName('createdTime', names)
  const errors = freeName('_errors', names)
  const hasErrors = hasMisfits || columns.some(({ field, type }) => isComputed(field) && type !== 'json')
  const all: [string, ColumnType][] = [
    [key, 'text'],
    [created, 'text'],
    ...columns.map(({ column, type }): [string, ColumnType] => [column, type]),
    ...(hasErrors ? [[errors, 'json'] as [string, ColumnType]] : []),
  ]
  const modified = columns.find(({ field }) => tellsModification(field))?.column
  return {
    name,
    key: [key],
    columns: all.map(([column]) => column),
    // Any name is safe here: `fromEntries` sets no prototype.
    types: Object.fromEntries(all),
    repeats: 'latest',
    times: { created, ...(modified !== undefined && { modified }) },
    fileColumns: mirrorsFiles ? columns.filter(({ field }) => holdsFiles(field)).map(({ column }) => column) : [],
    origin: {
      baseId,
      id,
      name: ownName,
      ...(description !== undefined && { description }),
      primaryFieldId,
      fields: columns.map(fieldOrigin),
      views,
      errorsColumn: hasErrors ? errors : null,
    },
  }
}

function fieldOrigin({ field, column }: { field: AirtableField; column: string }): FieldOrigin {
  return { ...field, column }
}
