import type { ColumnType } from '../../column.ts'
import { membersOf } from './members.ts'
import type { AirtableField } from './schema.ts'

/** A computed field of a computed field ends somewhere. */
const MAX_DEPTH = 4

const TYPES: Readonly<Record<string, ColumnType>> = {
  singleLineText: 'text',
  email: 'text',
  url: 'text',
  phoneNumber: 'text',
  multilineText: 'text',
  richText: 'text',
  singleSelect: 'text',
  externalSyncSource: 'text',
  date: 'text',
  dateTime: 'text',
  createdTime: 'text',
  lastModifiedTime: 'text',
  number: 'real',
  currency: 'real',
  percent: 'real',
  duration: 'real',
  rating: 'integer',
  count: 'integer',
  autoNumber: 'integer',
  checkbox: 'boolean',
}

/** How a field is described, or the result of a computed one. */
type Described = Pick<AirtableField, 'type' | 'options'>

/** The type of the column that holds a field's cells: lists, objects and all that is not known are JSON. */
export function columnTypeOf(field: Described, depth = 0): ColumnType {
  const { type } = field
  if (type === null || depth > MAX_DEPTH) return 'json'
  if (isComputed(field)) return columnTypeOf(resultOf(field), depth + 1)
  return Object.hasOwn(TYPES, type) ? (TYPES[type] as ColumnType) : 'json'
}

/** Whether its cells can be errors, or of another type than the schema says. */
export function isComputed({ type }: Described): boolean {
  return type === 'formula' || type === 'rollup'
}

/** Whether a field's cells are lists of files, its own or those of linked records. */
export function holdsFiles(field: Described, depth = 0): boolean {
  if (depth > MAX_DEPTH) return false
  if (field.type === 'multipleAttachments') return true
  return (isComputed(field) || field.type === 'multipleLookupValues') && holdsFiles(resultOf(field), depth + 1)
}

/** Whether its cells tell the time of any change of a record. */
export function tellsModification({ type, options }: Described): boolean {
  const watched = membersOf(options)['referencedFieldIds']
  const isOfAll = watched === undefined || (Array.isArray(watched) && watched.length === 0)
  return type === 'lastModifiedTime' && isOfAll && resultOf({ type, options: options ?? null }).type === 'dateTime'
}

function resultOf({ options }: Described): Described {
  const { type, options: own } = membersOf(membersOf(options)['result'])
  return { type: typeof type === 'string' ? type : null, ...(own !== undefined && { options: own }) }
}
