import type { JsonValue } from './column.ts'

/** What an upstream itself calls a table, beside the name it is mirrored by. Ids are the upstream's and never change. */
export interface TableOrigin {
  /** What the table belongs to upstream, such as Airtable's `app…`. */
  readonly baseId: string
  readonly id: string
  readonly name: string
  readonly description?: string
  /** The field that names a record to people. */
  readonly primaryFieldId: string
  readonly fields: readonly FieldOrigin[]
  readonly views: readonly ViewOrigin[]
  /**
   * A JSON column with the cells that are not of their field's type, such as failed formulas: an object from column to
   * cell. The column itself is NULL there. Null: the table has none.
   */
  readonly errorsColumn: string | null
}

export interface FieldOrigin {
  readonly id: string
  readonly name: string
  /** As the upstream writes it; null where it does not say. */
  readonly type: string | null
  readonly description?: string
  readonly options?: JsonValue
  /** The column that mirrors it. */
  readonly column: string
}

export interface ViewOrigin {
  readonly id: string
  readonly name: string
  readonly type: string
}

/** Fields without the choices of selects: these tell of values that somebody may not see in any row. */
export function withoutChoices<Field extends { readonly options?: JsonValue }>(fields: readonly Field[]): Field[] {
  return fields.map((field) => (field.options === undefined ? field : { ...field, options: emptied(field.options) }))
}

/** Those of what a computed field yields included. */
function emptied(options: JsonValue): JsonValue {
  if (typeof options !== 'object' || options === null) return options
  if (Array.isArray(options)) return (options as readonly JsonValue[]).map(emptied)
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [name, name === 'choices' ? [] : emptied(value)]),
  )
}
