import { ApiError, invalid, notFound } from './api-error.ts'
import { readCell } from './cell-read.ts'
import type { FileUrls } from './file-urls.ts'
import { isObject, isTextList, type Json, type JsonObject } from './json.ts'
import { readShape } from './list-query.ts'
import { presentRecord, type Shape } from './presenter.ts'
import type { StoredRecord } from './record.ts'
import type { Table } from './table.ts'
import { readCells } from './write-values.ts'

const MOST_RECORDS = 10
const MOST_MERGE_FIELDS = 3
const MERGEABLE = new Set([
  'singleLineText',
  'multilineText',
  'email',
  'url',
  'phoneNumber',
  'number',
  'currency',
  'percent',
  'singleSelect',
  'multipleSelects',
  'date',
  'dateTime',
])

/** A write, as far as it is alike for all methods. */
interface Write {
  readonly table: Table
  readonly body: JsonObject
  readonly typecast: boolean
  readonly shape: Shape
  readonly urls: FileUrls
  /** Id of the user. */
  readonly user: string
}

export interface WriteRequest {
  readonly method: string
  readonly recordId: string | undefined
  readonly query: Readonly<Record<string, Json>>
  readonly body: Json | undefined
}

/** All or nothing, in one transaction. */
export function writeRecords(table: Table, request: WriteRequest, urls: FileUrls, user: string): JsonObject {
  if (request.method === 'DELETE') return inTransaction(table, user, () => remove(table, request))
  if (!isObject(request.body)) throw invalid('The body must be an object')
  const { body } = request
  const shape = readShape(table, { ...request.query, ...pick(body, ['returnFieldsByFieldId']) })
  const given: Write = { table, body, typecast: body['typecast'] === true, shape, urls, user }
  return inTransaction(table, user, () =>
    request.method === 'POST' ? create(given) : update(given, request.method === 'PUT', request.recordId),
  )
}

function inTransaction(table: Table, user: string, run: () => JsonObject): JsonObject {
  return table.base.transaction(run, { source: 'publicApi', user })
}

function create(write: Write): JsonObject {
  const single = write.body['fields']
  if (isObject(single)) return present(write, write.table.create(readCells(write.table, single, write.typecast)))
  const cells = recordsOf(write.body).map(({ fields }) => readCells(write.table, fields, write.typecast))
  return { records: cells.map((one) => present(write, write.table.create(one))) }
}

function update(write: Write, clears: boolean, recordId: string | undefined): JsonObject {
  const { table, body, typecast } = write
  const change = (id: string, cells: Record<string, Json>) =>
    present(write, clears ? table.replace(id, cells) : table.update(id, cells))
  if (recordId !== undefined) {
    if (!isObject(body['fields'])) throw invalid('fields is missing')
    if (table.find(recordId) === undefined) throw notFound()
    return change(recordId, readCells(table, body['fields'], typecast))
  }
  const upsert = body['performUpsert']
  if (upsert !== undefined) return merge(write, upsert, clears)
  const changes = recordsOf(body).map(({ id, fields }) => {
    if (id === undefined) throw invalid('Each record needs an id')
    return { id: existing(table, id), cells: readCells(table, fields, typecast) }
  })
  return { records: changes.map(({ id, cells }) => change(id, cells)) }
}

/** Updates those that are found by the fields to merge on, and creates the others. */
function merge(write: Write, upsert: Json, clears: boolean): JsonObject {
  const { table, body, typecast } = write
  const fieldIds = mergeFields(table, upsert)
  const plans = recordsOf(body).map(({ id, fields }) => {
    const cells = readCells(table, fields, typecast)
    return { cells, id: id === undefined ? findMatch(table, fieldIds, cells) : existing(table, id) }
  })
  const createdRecords: string[] = []
  const updatedRecords: string[] = []
  const records = plans.map(({ id, cells }) => {
    if (id === undefined) {
      const record = table.create(cells)
      createdRecords.push(record.id)
      return present(write, record)
    }
    updatedRecords.push(id)
    return present(write, clears ? table.replace(id, cells) : table.update(id, cells))
  })
  return { records, createdRecords, updatedRecords }
}

function mergeFields(table: Table, upsert: Json): string[] {
  const names = isObject(upsert) ? upsert['fieldsToMergeOn'] : undefined
  if (!isTextList(names) || names.length === 0 || names.length > MOST_MERGE_FIELDS) {
    throw invalid(`performUpsert.fieldsToMergeOn must name 1 to ${MOST_MERGE_FIELDS} fields`)
  }
  return names.map((name) => {
    const field = table.findField(name)
    if (field === undefined || !MERGEABLE.has(field.type)) throw invalid(`Cannot merge on field "${name}"`)
    return field.id
  })
}

function findMatch(table: Table, fieldIds: readonly string[], cells: Record<string, Json>): string | undefined {
  const wanted = JSON.stringify(fieldIds.map((id) => cells[id] ?? null))
  const matches = table.records.filter((record) => {
    const found = fieldIds.map((id) => readCell(table, table.field(id), record) ?? null)
    return JSON.stringify(found) === wanted
  })
  if (matches.length > 1) throw invalid('More than one record matches the fields to merge on')
  return matches[0]?.id
}

function remove(table: Table, { recordId, query }: WriteRequest): JsonObject {
  if (recordId !== undefined) {
    if (table.find(recordId) === undefined) throw notFound()
    table.delete(recordId)
    return { id: recordId, deleted: true }
  }
  const ids = query['records']
  if (!isTextList(ids) || ids.length === 0) throw invalid('records is missing')
  if (ids.length > MOST_RECORDS) throw tooMany()
  const found = [...new Set(ids)].map((id) => existing(table, id))
  for (const id of found) table.delete(id)
  return { records: found.map((id) => ({ id, deleted: true })) }
}

function existing(table: Table, id: string): string {
  if (table.find(id) !== undefined) return id
  throw new ApiError(422, 'ROW_DOES_NOT_EXIST', `Record ID ${id} does not exist`)
}

function recordsOf(body: JsonObject): { id: string | undefined; fields: JsonObject }[] {
  const records = body['records']
  if (!Array.isArray(records) || records.length === 0) throw invalid('records is missing')
  if (records.length > MOST_RECORDS) throw tooMany()
  return (records as readonly Json[]).map((record) => {
    const { id, fields } = isObject(record) ? record : {}
    if (!isObject(fields)) throw invalid('Each record needs fields')
    return { id: typeof id === 'string' ? id : undefined, fields }
  })
}

const tooMany = () =>
  invalid(
    `You must provide an array of up to ${MOST_RECORDS} record objects, each with an "id" ID field and a "fields" object`,
  )

function present({ table, urls, shape }: Write, record: StoredRecord): JsonObject {
  return presentRecord(table, record, urls, shape)
}

function pick(body: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(body).filter(([name]) => names.includes(name)))
}
