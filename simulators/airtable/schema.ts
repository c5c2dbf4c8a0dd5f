import type { Base } from './base.ts'
import type { Field } from './field.ts'
import { referencesOf } from './field-options.ts'
import { textOption } from './field.ts'
import type { JsonObject } from './json.ts'
import type { Table } from './table.ts'
import type { View } from './view.ts'

/** `GET /v0/meta/bases/{baseId}/tables`. */
export function describeBase(base: Base, hasVisibleFields: boolean): JsonObject {
  return { tables: base.tables.map((table) => describeTable(table, hasVisibleFields)) }
}

function describeTable(table: Table, hasVisibleFields: boolean): JsonObject {
  return {
    id: table.id,
    name: table.name,
    ...(table.description !== undefined && { description: table.description }),
    primaryFieldId: table.primaryField.id,
    fields: table.fields.map((field) => describeField(table, field)),
    views: table.views.map((view) => describeView(table, view, hasVisibleFields)),
  }
}

export function describeField(table: Table, field: Field): JsonObject {
  return {
    type: field.type,
    id: field.id,
    name: field.name,
    ...(field.description !== undefined && { description: field.description }),
    ...(field.options !== undefined && { options: describeOptions(table, field, field.options) }),
  }
}

/** A formula, rollup or lookup over what is gone is still there, and not valid. */
function describeOptions(table: Table, field: Field, options: JsonObject): JsonObject {
  const formula = textOption(field, 'formula')
  if (formula !== undefined) {
    return { ...options, isValid: referencesOf(formula).every((id) => table.findField(id) !== undefined) }
  }
  if (textOption(field, 'recordLinkFieldId') === undefined) return options
  const link = table.findField(textOption(field, 'recordLinkFieldId') ?? '')
  const far = table.base.findTable((link && textOption(link, 'linkedTableId')) ?? '')
  const wanted = textOption(field, 'fieldIdInLinkedTable')
  return { ...options, isValid: far !== undefined && (wanted === undefined || far.findField(wanted) !== undefined) }
}

function describeView(table: Table, view: View, hasVisibleFields: boolean): JsonObject {
  const visible = view.visible ?? table.fields.map(({ id }) => id)
  // Airtable tells it for grids only.
  const isTold = hasVisibleFields && view.type === 'grid'
  return { id: view.id, name: view.name, type: view.type, ...(isTold && { visibleFieldIds: visible }) }
}
