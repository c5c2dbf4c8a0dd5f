import { either, listOf, nullable, STRING, type CellType } from './cell-type.ts'
import { literal } from './code-text.ts'
import type { ColumnType, JsonValue } from './column.ts'
import type { FieldOrigin } from './origin.ts'
import { shared } from './shared-types.ts'

/** The type of a field as its upstream tells it; that of a computed field's result too. */
type FieldType = Pick<FieldOrigin, 'type' | 'options'>

/** A computed field of a computed field ends somewhere. */
const MAX_DEPTH = 4

const DATE = text(String.raw`[+-]?\d{4,6}-\d{2}-\d{2}`)
const TIME = text(String.raw`[+-]?\d{4,6}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z`)
/** What is computed as a date has a time or none, whatever its format shows. */
const DATE_OR_TIME = text(String.raw`[+-]?\d{4,6}-\d{2}-\d{2}(?:T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z)?`)
const COUNT: CellType = { ts: 'number', zod: 'z.int()' }
const NUMBER: CellType = { ts: 'number', zod: 'z.number()' }
/** What can be in the place of something computed. */
const CELL_ERROR = shared('AirtableCellError')
const BOOLEAN: CellType = { ts: 'boolean', zod: 'z.boolean()' }

/**
 * What the cells of an upstream's field are where they say more than those of any column of its type; undefined where
 * they do not, or are kept in a column that such cells are not kept in.
 */
export function cellTypeOfField(field: FieldType, column: ColumnType): CellType | undefined {
  if (column === 'json') return jsonType(field, 0)
  if (column === 'text') return textType(field, 0)
  return column === 'integer' && isCount(field) ? COUNT : undefined
}

/** Types whose cells are lists or objects. */
function jsonType(field: FieldType, depth: number): CellType | undefined {
  if (depth > MAX_DEPTH) return undefined
  switch (field.type) {
    case 'multipleSelects':
      return listOf(choice(field))
    case 'multipleRecordLinks':
      return listOf(STRING)
    case 'multipleAttachments':
      return listOf(shared('AirtableAttachment'))
    case 'multipleCollaborators':
      return listOf(shared('AirtableCollaborator'))
    case 'singleCollaborator':
    case 'createdBy':
    case 'lastModifiedBy':
      return shared('AirtableCollaborator')
    case 'barcode':
      return shared('AirtableBarcode')
    case 'button':
      return shared('AirtableButton')
    case 'aiText':
      return shared('AirtableAiText')
    case 'multipleLookupValues':
      return lookupType(resultOf(field), depth)
    case 'formula':
    case 'rollup': {
      const result = jsonType(resultOf(field), depth + 1)
      return result && either([result, CELL_ERROR])
    }
    default:
      return undefined
  }
}

/** Types whose cells are text, and not any text. */
function textType(field: FieldType, depth: number): CellType | undefined {
  if (depth > MAX_DEPTH) return undefined
  switch (field.type) {
    case 'singleSelect':
      return choice(field)
    case 'date':
      return depth === 0 ? DATE : DATE_OR_TIME
    case 'dateTime':
      return depth === 0 ? TIME : DATE_OR_TIME
    case 'createdTime':
    case 'lastModifiedTime':
      return resultOf(field).type === 'date' ? DATE_OR_TIME : TIME
    case 'formula':
    case 'rollup':
      return textType(resultOf(field), depth + 1)
    default:
      return undefined
  }
}

/** A list of what is looked up: of its items, where that is a list itself. */
function lookupType(result: FieldType, depth: number): CellType | undefined {
  if (depth > MAX_DEPTH) return undefined
  if (result.type === 'formula' || result.type === 'rollup') return lookupType(resultOf(result), depth + 1)
  const list = jsonType(result, depth + 1)
  if (list !== undefined) return listOf(nullable(list.item ?? list))
  const scalar = textType(result, depth + 1) ?? scalarType(result.type)
  return scalar && listOf(nullable(either([scalar, CELL_ERROR])))
}

function scalarType(type: string | null): CellType | undefined {
  switch (type) {
    case 'singleLineText':
    case 'multilineText':
    case 'richText':
    case 'email':
    case 'url':
    case 'phoneNumber':
    case 'externalSyncSource':
      return STRING
    case 'number':
    case 'currency':
    case 'percent':
    case 'duration':
    case 'rating':
    case 'count':
    case 'autoNumber':
      return NUMBER
    case 'checkbox':
      return BOOLEAN
    default:
      return undefined
  }
}

function isCount({ type }: FieldType): boolean {
  return type === 'rating' || type === 'count' || type === 'autoNumber'
}

/** One of the names that may be chosen; any text where the upstream names none. */
function choice({ options }: FieldType): CellType {
  const choices = membersOf(options).choices
  const names = Array.isArray(choices) ? (choices as readonly JsonValue[]).map((one) => membersOf(one).name) : []
  const texts = [...new Set(names.filter((name) => typeof name === 'string'))].map(literal)
  return texts.length === 0 ? STRING : { ts: texts.join(' | '), zod: `z.enum([${texts.join(', ')}])` }
}

function resultOf({ options }: FieldType): FieldType {
  const { type, options: own } = membersOf(membersOf(options).result)
  return { type: typeof type === 'string' ? type : null, ...(own !== undefined && { options: own }) }
}

function membersOf(value: JsonValue | undefined): Readonly<Record<string, JsonValue | undefined>> {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? (value as Readonly<Record<string, JsonValue>>) : {}
}

function text(pattern: string): CellType {
  return { ts: 'string', zod: `z.string().regex(/^${pattern}$/)` }
}
