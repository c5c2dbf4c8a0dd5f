import { ApiError, unknownField } from './api-error.ts'
import { readCell } from './cell-read.ts'
import { choicesOf, isComputed, textOption, type Field } from './field.ts'
import { parseTime } from './formula-value.ts'
import { isObject, type Json, type JsonObject } from './json.ts'
import type { Table } from './table.ts'

/** Cells that a request gives, checked, by field id. Throws the 422 that says what is wrong with which. */
export function readCells(table: Table, given: JsonObject, typecast: boolean): Record<string, Json> {
  const cells: Record<string, Json> = {}
  for (const [name, value] of Object.entries(given)) {
    const field = table.findField(name)
    if (field === undefined) throw unknownField(name)
    if (isComputed(field)) {
      throw new ApiError(
        422,
        'INVALID_VALUE_FOR_COLUMN',
        `Field "${field.name}" cannot accept a value because the field is computed`,
      )
    }
    cells[field.id] = value === null ? null : readValue(table, field, value, typecast)
  }
  return cells
}

function refuse(field: Field): never {
  throw new ApiError(422, 'INVALID_VALUE_FOR_COLUMN', `Field "${field.name}" cannot accept the provided value`)
}

function readValue(table: Table, field: Field, value: Json, typecast: boolean): Json {
  switch (field.type) {
    case 'singleLineText':
    case 'email':
    case 'url':
    case 'phoneNumber':
    case 'multilineText':
    case 'richText':
      return readText(field, value, typecast)
    case 'number':
    case 'currency':
    case 'percent':
    case 'duration':
      return readNumber(field, value, typecast)
    case 'rating':
      return readRating(field, value, typecast)
    case 'checkbox':
      return typeof value === 'boolean' ? value : typecast ? value === 'true' || value === 1 : refuse(field)
    case 'date':
    case 'dateTime':
      return readTime(field, value)
    case 'singleSelect':
      return readChoice(table, field, value, typecast)
    case 'multipleSelects':
      return listOf(field, value, typecast).map((name) => readChoice(table, field, name, typecast))
    case 'singleCollaborator':
      return readCollaborator(table, field, value)
    case 'multipleCollaborators':
      return listOf(field, value, false).map((one) => readCollaborator(table, field, one))
    case 'multipleRecordLinks':
      return listOf(field, value, typecast).map((one) => readLink(table, field, one, typecast))
    case 'multipleAttachments':
      return listOf(field, value, false).map((one) => readAttachment(table, field, one))
    case 'barcode':
      return isObject(value) && typeof value['text'] === 'string' ? value : refuse(field)
    default:
      return value
  }
}

function listOf(field: Field, value: Json, typecast: boolean): readonly Json[] {
  if (Array.isArray(value)) return value as readonly Json[]
  return typecast && typeof value === 'string' ? value.split(/,\s*/) : refuse(field)
}

function readText(field: Field, value: Json, typecast: boolean): string {
  if (typeof value === 'string') return value
  return typecast && (typeof value === 'number' || typeof value === 'boolean') ? String(value) : refuse(field)
}

function readNumber(field: Field, value: Json, typecast: boolean): number {
  const number = typecast && typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : refuse(field)
}

function readRating(field: Field, value: Json, typecast: boolean): number {
  const number = readNumber(field, value, typecast)
  const max = field.options?.['max']
  return Number.isInteger(number) && number >= 1 && number <= (typeof max === 'number' ? max : 10)
    ? number
    : refuse(field)
}

function readTime(field: Field, value: Json): string {
  const time = typeof value === 'string' ? parseTime(value) : undefined
  if (time === undefined) return refuse(field)
  const text = new Date(time).toISOString()
  return field.type === 'date' ? text.slice(0, 10) : text
}

function readChoice(table: Table, field: Field, value: Json, typecast: boolean): string {
  if (typeof value !== 'string') return refuse(field)
  const choices = choicesOf(field)
  if (choices.some(({ name }) => name === value)) return value
  if (!typecast) {
    throw new ApiError(
      422,
      'INVALID_MULTIPLE_CHOICE_OPTIONS',
      `Insufficient permissions to create new select option ""${value}""`,
    )
  }
  table.updateField(field.id, { options: { choices: [...choices, { name: value }] } })
  return value
}

function readCollaborator(table: Table, field: Field, value: Json): Json {
  const wanted = isObject(value) ? (value['id'] ?? value['email']) : value
  const found = table.base.collaborators.find(({ id, email }) => id === wanted || email === wanted)
  return found === undefined ? refuse(field) : { id: found.id, email: found.email, name: found.name }
}

function readLink(table: Table, field: Field, value: Json, typecast: boolean): string {
  const id = isObject(value) ? value['id'] : value
  const linked = table.base.findTable(textOption(field, 'linkedTableId') ?? '')
  if (typeof id !== 'string' || linked === undefined) return refuse(field)
  if (linked.find(id) !== undefined) return id
  if (typecast && !/^rec[A-Za-z0-9]{14}$/.test(id)) {
    const { primaryField } = linked
    const named = linked.records.find((record) => readCell(linked, primaryField, record) === id)
    return (named ?? linked.create({ [primaryField.id]: id })).id
  }
  throw new ApiError(422, 'ROW_DOES_NOT_EXIST', `Record ID ${id} does not exist`)
}

function readAttachment(table: Table, field: Field, value: Json): Json {
  const { id, url, filename } = isObject(value) ? value : {}
  if (typeof id === 'string') return table.base.attachments.has(id) ? { id } : refuse(field)
  if (typeof url !== 'string' || !URL.canParse(url)) return refuse(field)
  const name =
    typeof filename === 'string' ? filename : decodeURIComponent(new URL(url).pathname.split('/').at(-1) ?? '')
  return table.base.attachments.promise(name || 'file', url)
}
