import type { Collaborator } from './collaborator.ts'
import { isStored, textListOption, textOption, type Field } from './field.ts'
import { FormulaError, toNumber, valueOfCell, type Value } from './formula-value.ts'
import { isObject, type Json } from './json.ts'
import { isEmpty, type StoredRecord } from './record.ts'
import type { Table } from './table.ts'

/** Lookups of lookups end somewhere. */
const DEEPEST = 8

/** A cell as the API shows it; undefined where it is left out. Attachments come without their URLs. */
export function readCell(table: Table, field: Field, record: StoredRecord, depth = 0): Json | undefined {
  const cell = isStored(field) ? record.cells[field.id] : computeCell(table, field, record, depth)
  return isEmpty(cell) ? undefined : cell
}

function computeCell(table: Table, field: Field, record: StoredRecord, depth: number): Json | undefined {
  if (depth > DEEPEST) return { error: '#ERROR!' }
  switch (field.type) {
    case 'autoNumber':
      return record.autoNumber
    case 'createdTime':
      return timeCell(field, record.createdAt)
    case 'lastModifiedTime':
      return timeCell(field, modifiedAt(field, record))
    case 'createdBy':
      return collaboratorCell(table, record.createdBy)
    case 'lastModifiedBy':
      return collaboratorCell(table, record.modifiedBy)
    case 'count':
      return linkedIds(field, record).length
    case 'multipleLookupValues':
      return lookup(table, field, record, depth)
    case 'rollup':
      return rollUp(table, field, record, depth)
    case 'formula':
      return cellOfValue(field, table.formulas.evaluate(field, record))
    default:
      return undefined
  }
}

function modifiedAt(field: Field, record: StoredRecord): number | undefined {
  const watched = textListOption(field, 'referencedFieldIds')
  if (watched.length === 0) return record.modifiedAt
  const times = watched.flatMap((id) => record.modifiedAtByField?.get(id) ?? [])
  return times.length === 0 ? undefined : Math.max(...times)
}

function resultType(field: Field): string | undefined {
  const result = field.options?.['result']
  const type = isObject(result) ? result['type'] : undefined
  return typeof type === 'string' ? type : undefined
}

function timeCell(field: Field, time: number | undefined): Json | undefined {
  if (time === undefined) return undefined
  const text = new Date(time).toISOString()
  return resultType(field) === 'date' ? text.slice(0, 10) : text
}

function collaboratorCell(table: Table, id: string | undefined): Json | undefined {
  const found: Collaborator | undefined = table.base.collaborators.find((one) => one.id === id)
  return found === undefined ? undefined : { id: found.id, email: found.email, name: found.name }
}

export function linkedIds(field: Field, record: StoredRecord): readonly string[] {
  const link = record.cells[textOption(field, 'recordLinkFieldId') ?? field.id]
  return Array.isArray(link) ? (link as readonly string[]) : []
}

/** The cells that a lookup or rollup gathers; undefined where what it leads to is gone. */
function gather(table: Table, field: Field, record: StoredRecord, depth: number): Json[] | undefined {
  const link = table.findField(textOption(field, 'recordLinkFieldId') ?? '')
  const linked = table.base.findTable((link && textOption(link, 'linkedTableId')) ?? '')
  const far = linked?.findField(textOption(field, 'fieldIdInLinkedTable') ?? '')
  if (linked === undefined || far === undefined) return undefined
  return linkedIds(field, record).flatMap((id) => {
    const other = linked.find(id)
    const cell = other === undefined ? undefined : readCell(linked, far, other, depth + 1)
    return cell === undefined ? [] : cell
  })
}

function lookup(table: Table, field: Field, record: StoredRecord, depth: number): Json | undefined {
  return gather(table, field, record, depth)
}

function rollUp(table: Table, field: Field, record: StoredRecord, depth: number): Json | undefined {
  const cells = gather(table, field, record, depth)
  if (cells === undefined) return { error: '#ERROR!' }
  const numbers = cells.map((cell) => toNumber(valueOfCell(cell, false)))
  const aggregate = table.aggregateOf(field)
  if (aggregate === 'MAX') return numbers.length === 0 ? 0 : numberCell(Math.max(...numbers))
  if (aggregate === 'COUNT') return cells.length
  if (aggregate === 'JOIN') return cells.map(String).join(', ')
  return numberCell(numbers.reduce((sum, number) => sum + number, 0))
}

/** A number that JSON does not have is an object that says so. */
function numberCell(number: number): Json {
  // Sums of cents stay cents.
  return Number.isFinite(number) ? Number(number.toPrecision(15)) : { specialValue: String(number) }
}

function cellOfValue(field: Field, value: Value): Json | undefined {
  if (value instanceof FormulaError) return { error: value.text }
  if (typeof value === 'number') return numberCell(value)
  if (typeof value === 'boolean') return resultType(field) === 'checkbox' ? value : Number(value)
  if (value instanceof Date) return timeCell(field, value.getTime())
  if (Array.isArray(value)) return (value as readonly Value[]).map((item) => cellOfValue(field, item) ?? null)
  return value as string | null
}
