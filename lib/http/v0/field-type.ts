import type { Column, ColumnType, JsonValue } from '../../column.ts'
import type { FormulaType } from '../../formula.ts'

/** What a field is, as Airtable's schema says it. */
export interface FieldType {
  readonly type: string | null
  readonly options?: JsonValue
}

/** Of columns whose upstream knows no such types. Of `json` clients know nothing, as of any type that is new to them. */
const MADE: Readonly<Record<ColumnType, FieldType>> = {
  text: { type: 'multilineText' },
  integer: { type: 'number', options: { precision: 0 } },
  real: { type: 'number', options: { precision: 8 } },
  decimal: { type: 'number', options: { precision: 8 } },
  boolean: { type: 'checkbox', options: { icon: 'check', color: 'greenBright' } },
  json: { type: 'json' },
}

export function madeFieldType({ type }: Column, isOfKey: boolean): FieldType {
  return isOfKey && type === 'text' ? { type: 'singleLineText' } : MADE[type]
}

const DATES = ['date', 'dateTime', 'createdTime', 'lastModifiedTime']
/** A result of a result of a computed field ends somewhere. */
const MAX_DEPTH = 4

/** What a field is in formulas: its column decides, and of texts and lists what the upstream says they are. */
export function formulaTypeOf(column: Column, field: FieldType): FormulaType {
  const type = resultType(field)
  switch (column.type) {
    case 'text':
      return DATES.includes(type ?? '') ? 'date' : 'text'
    case 'json':
      return type === 'multipleRecordLinks' ? 'links' : 'list'
    case 'boolean':
      return 'boolean'
    case 'integer':
    case 'real':
    case 'decimal':
      return 'number'
  }
}

/** The type of what a computed field yields, or of what a lookup lists. */
function resultType({ type, options }: FieldType, depth = 0): string | null {
  const result = membersOf(membersOf(options).result)
  if (depth >= MAX_DEPTH || typeof result.type !== 'string') return type
  return resultType({ type: result.type, ...(result.options !== undefined && { options: result.options }) }, depth + 1)
}

function membersOf(value: JsonValue | undefined): Readonly<Record<string, JsonValue | undefined>> {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? (value as Readonly<Record<string, JsonValue>>) : {}
}
