import { linkedIds, readCell } from './cell-read.ts'
import { choicesOf, isComputed, textOption, type Field } from './field.ts'
import { isObject, type Json } from './json.ts'
import type { StoredRecord } from './record.ts'
import type { Table } from './table.ts'
import type { CellSet } from './transaction.ts'

/** All cells of a record in the shapes that webhook payloads have; those that are empty are not in it. */
export function webhookCells(table: Table, record: StoredRecord): CellSet {
  const cells = new Map<string, Json>()
  for (const field of table.fields) {
    const cell = readCell(table, field, record)
    if (cell !== undefined) cells.set(field.id, webhookCell(table, field, record, cell))
  }
  return cells
}

function webhookCell(table: Table, field: Field, record: StoredRecord, cell: Json): Json {
  switch (field.type) {
    case 'singleSelect':
    case 'externalSyncSource':
      return choice(field, cell)
    case 'multipleSelects':
      return Array.isArray(cell) ? (cell as readonly Json[]).map((name) => choice(field, name)) : cell
    case 'singleCollaborator':
    case 'createdBy':
    case 'lastModifiedBy':
      return collaborator(cell)
    case 'multipleCollaborators':
      return Array.isArray(cell) ? (cell as readonly Json[]).map(collaborator) : cell
    case 'multipleRecordLinks':
      return linkedIds(field, record).map((id) => linked(table, field, id))
    case 'multipleLookupValues':
      return lookupValues(table, field, record)
    default:
      return cell
  }
}

function choice(field: Field, name: Json): Json {
  return choicesOf(field).find((one) => one.name === name) ?? name
}

function collaborator(cell: Json): Json {
  if (!isObject(cell)) return cell
  return { ...cell, permissionLevel: 'create', profilePicUrl: 'https://static.example.com/picture.png' }
}

function linked(table: Table, field: Field, id: string): Json {
  const far = table.base.findTable(textOption(field, 'linkedTableId') ?? '')
  const record = far?.find(id)
  const name = far !== undefined && record !== undefined ? readCell(far, far.primaryField, record) : undefined
  return { id, name: typeof name === 'string' ? name : name === undefined ? '' : JSON.stringify(name) }
}

function lookupValues(table: Table, field: Field, record: StoredRecord): Json {
  const link = table.findField(textOption(field, 'recordLinkFieldId') ?? '')
  const far = table.base.findTable((link && textOption(link, 'linkedTableId')) ?? '')
  const farField = far?.findField(textOption(field, 'fieldIdInLinkedTable') ?? '')
  const ids = linkedIds(field, record)
  const values = ids.map((id): [string, Json] => {
    const other = far?.find(id)
    const cell = far && farField && other ? readCell(far, farField, other) : undefined
    return [id, cell === undefined ? [] : Array.isArray(cell) ? cell : [cell]]
  })
  return { valuesByLinkedRecordId: Object.fromEntries(values), linkedRecordIds: ids }
}

/** Those that a payload names although nobody can edit them. */
export function isComputedField(table: Table | undefined, fieldId: string): boolean {
  const field = table?.findField(fieldId)
  return field !== undefined && isComputed(field)
}
