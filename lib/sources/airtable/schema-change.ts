import type { JsonValue } from '../../column.ts'
import type { FieldOrigin } from '../../origin.ts'
import type { TablePlan } from '../../source.ts'
import { membersOf } from './members.ts'
import type { AirtableTablePlan } from './layout.ts'

/** Types whose cells follow from what their options say. */
const COMPUTED = new Set(['formula', 'rollup', 'multipleLookupValues', 'count', 'lastModifiedTime', 'rating'])
const CHOSEN = new Set(['singleSelect', 'multipleSelects', 'externalSyncSource'])

/**
 * Whether the rows that were read of a table can be other ones by what changed in its description, though no record was
 * edited. How cells are shown, who may be chosen from now on, views and descriptions change no row.
 */
export function changesRows(before: TablePlan, after: AirtableTablePlan): boolean {
  const { origin: old, columns, key, types, fileColumns } = before
  if (old === undefined || old.id !== after.origin.id || before.name !== after.name) return true
  const shape = [columns, key, types, fileColumns, old.errorsColumn]
  if (!isSame(shape, [after.columns, after.key, after.types, after.fileColumns, after.origin.errorsColumn])) return true
  return after.origin.fields.some((field, index) => changesCells(old.fields[index], field))
}

function changesCells(before: FieldOrigin | undefined, after: FieldOrigin): boolean {
  if (before === undefined || before.id !== after.id || before.type !== after.type) return true
  const type = after.type ?? ''
  if (COMPUTED.has(type)) return !isSame(before.options, after.options)
  if (CHOSEN.has(type)) return renamesChoices(before.options, after.options)
  return type === 'multipleRecordLinks' && linkedTable(before) !== linkedTable(after)
}

/** Whether something that a cell may hold is gone or goes by another name. */
function renamesChoices(before: JsonValue | undefined, after: JsonValue | undefined): boolean {
  const now = choicesIn(after)
  return [...choicesIn(before)].some(([id, name]) => now.get(id) !== name)
}

function choicesIn(options: JsonValue | undefined): Map<JsonValue | undefined, JsonValue | undefined> {
  const { choices } = membersOf(options)
  const list = Array.isArray(choices) ? (choices as readonly JsonValue[]) : []
  return new Map(list.map((choice) => [membersOf(choice)['id'], membersOf(choice)['name']]))
}

function linkedTable({ options }: FieldOrigin): JsonValue | undefined {
  return membersOf(options)['linkedTableId']
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
