import { readCell } from './cell-read.ts'
import type { Field } from './field.ts'
import type { FileUrls } from './file-urls.ts'
import type { Json, JsonObject } from './json.ts'
import type { StoredRecord } from './record.ts'
import type { Table } from './table.ts'

/** How records are to be shown. */
export interface Shape {
  /** All of them where it is undefined. */
  readonly fields?: readonly Field[] | undefined
  readonly byFieldId?: boolean
  readonly hasCommentCount?: boolean
  /** Links become objects. */
  readonly hasLinkObjects?: boolean
}

/** A record as an answer has it. */
export function presentRecord(table: Table, record: StoredRecord, urls: FileUrls, shape: Shape = {}): JsonObject {
  const fields: Record<string, Json> = {}
  for (const field of shape.fields ?? table.fields) {
    const cell = readCell(table, field, record)
    if (cell !== undefined)
      fields[shape.byFieldId === true ? field.id : field.name] = presentCell(field, cell, urls, shape)
  }
  return {
    id: record.id,
    createdTime: new Date(record.createdAt).toISOString(),
    ...(shape.hasCommentCount === true && { commentCount: record.commentCount }),
    fields,
  }
}

function presentCell(field: Field, cell: Json, urls: FileUrls, shape: Shape): Json {
  if (field.type === 'multipleAttachments') return urls.present(cell)
  if (field.type === 'multipleRecordLinks' && shape.hasLinkObjects === true && Array.isArray(cell)) {
    return (cell as readonly string[]).map((id) => ({ id }))
  }
  return cell
}
