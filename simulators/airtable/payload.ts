import type { Base } from './base.ts'
import { isComputedField, webhookCells } from './cell-webhook.ts'
import type { FileUrls } from './file-urls.ts'
import { isTruthy } from './formula-value.ts'
import type { Json, JsonObject } from './json.ts'
import { describeField } from './schema.ts'
import type { Table } from './table.ts'
import type { CellSet, RecordChange, TableChanges, Transaction } from './transaction.ts'
import type { WebhookSpec } from './webhook-spec.ts'

export interface PayloadContext {
  readonly base: Base
  readonly urls: FileUrls
  /** Whether changes of computed cells are told. */
  readonly hasComputed: boolean
}

/** What a webhook hears of a transaction; undefined for nothing. */
export function payloadOf(
  transaction: Transaction,
  spec: WebhookSpec,
  context: PayloadContext,
): JsonObject | undefined {
  if (spec.fromSources !== undefined && !spec.fromSources.includes(transaction.source)) return undefined
  const changed = [...transaction.tables].flatMap(([id, changes]) => {
    const json = isInScope(id, spec, context.base) ? tableJson(id, changes, spec, context) : {}
    return Object.keys(json).length === 0 ? [] : [[id, json] as const]
  })
  const tables = tablesJson(transaction, spec, context)
  if (changed.length === 0 && Object.keys(tables).length === 0) return undefined
  return {
    ...payloadHead(transaction, context.base),
    ...(changed.length > 0 && { changedTablesById: Object.fromEntries(changed) }),
    ...tables,
  }
}

/** What a webhook hears when something that it watched is gone. */
export function errorPayload(transaction: Transaction, base: Base, code: string): JsonObject {
  return { ...payloadHead(transaction, base), error: true, code }
}

function payloadHead(transaction: Transaction, base: Base): JsonObject {
  const user = base.collaborators.find(({ id }) => id === (transaction.user ?? base.owner.id))
  return {
    timestamp: new Date(transaction.at).toISOString(),
    baseTransactionNumber: transaction.number,
    payloadFormat: 'v0',
    actionMetadata: {
      source: transaction.source,
      ...(user !== undefined && {
        sourceMetadata: { user: { id: user.id, email: user.email, name: user.name, permissionLevel: 'create' } },
      }),
    },
  }
}

function isInScope(tableId: string, spec: WebhookSpec, base: Base): boolean {
  if (spec.scope === undefined || spec.scope === tableId) return true
  return base.findTable(tableId)?.views.some(({ id }) => id === spec.scope) ?? false
}

function tablesJson(transaction: Transaction, spec: WebhookSpec, { base, urls }: PayloadContext): JsonObject {
  if (spec.scope !== undefined) return {}
  const created = spec.changeTypes.includes('add') ? [...transaction.createdTables] : []
  const destroyed = spec.changeTypes.includes('remove') ? [...transaction.destroyedTables] : []
  const tables = created.flatMap((id) => base.findTable(id) ?? [])
  return {
    ...(tables.length > 0 && {
      createdTablesById: Object.fromEntries(tables.map((table) => [table.id, newTableJson(table, urls)])),
    }),
    ...(destroyed.length > 0 && { destroyedTableIds: destroyed }),
  }
}

function newTableJson(table: Table, urls: FileUrls): JsonObject {
  const records = table.records.map((record): [string, Json] => [
    record.id,
    {
      createdTime: new Date(record.createdAt).toISOString(),
      cellValuesByFieldId: cellsJson(table, webhookCells(table, record), urls),
    },
  ])
  return {
    metadata: { name: table.name, description: table.description ?? null },
    fieldsById: Object.fromEntries(table.fields.map((field) => [field.id, describeField(table, field)])),
    recordsById: Object.fromEntries(records),
  }
}

function tableJson(id: string, changes: TableChanges, spec: WebhookSpec, context: PayloadContext): JsonObject {
  const table = context.base.findTable(id)
  if (table === undefined) return {}
  return {
    ...(spec.dataTypes.includes('tableData') && inView(recordsJson(table, changes, spec, context), spec)),
    ...(spec.dataTypes.includes('tableFields') && fieldsJson(changes, spec)),
    ...(spec.dataTypes.includes('tableMetadata') &&
      changes.metadata !== undefined && { changedMetadata: changes.metadata }),
  }
}

/** Of a webhook that follows a view, records are told under that. */
function inView(records: JsonObject, { scope }: WebhookSpec): JsonObject {
  if (scope === undefined || !scope.startsWith('viw') || Object.keys(records).length === 0) return records
  return { changedViewsById: { [scope]: records } }
}

function recordsJson(table: Table, changes: TableChanges, spec: WebhookSpec, context: PayloadContext): JsonObject {
  const has = (type: string) => spec.changeTypes.includes(type)
  const view = table.views.find(({ id }) => id === spec.scope)
  const isSeen = (recordId: string): boolean => {
    const record = table.find(recordId)
    return view?.filter === undefined || (record !== undefined && isTruthy(view.filter(record)))
  }
  const created = [...changes.created].filter(([id]) => has('add') && isSeen(id))
  const changed = [...changes.changed].flatMap(([id, change]) => {
    const json = has('update') && isSeen(id) ? recordJson(table, change, spec, context) : undefined
    return json === undefined ? [] : [[id, json] as const]
  })
  const destroyed = has('remove') ? [...changes.destroyed] : []
  return {
    ...(created.length > 0 && {
      createdRecordsById: Object.fromEntries(
        created.map(([id, { createdTime, cells }]) => [
          id,
          { createdTime, cellValuesByFieldId: cellsJson(table, cells, context.urls) },
        ]),
      ),
    }),
    ...(changed.length > 0 && { changedRecordsById: Object.fromEntries(changed) }),
    ...(destroyed.length > 0 && { destroyedRecordIds: destroyed }),
  }
}

/** Undefined where nothing that is watched has changed. */
function recordJson(
  table: Table,
  { before, after }: RecordChange,
  spec: WebhookSpec,
  { urls, hasComputed }: PayloadContext,
): JsonObject | undefined {
  const ids = [...new Set([...before.keys(), ...after.keys()])]
  const isChanged = (id: string) => JSON.stringify(before.get(id)) !== JSON.stringify(after.get(id))
  const isTold = (id: string) =>
    (hasComputed || !isComputedField(table, id)) && (spec.watchedDataFields?.includes(id) ?? true)
  const changed = ids.filter((id) => isChanged(id) && isTold(id) && table.findField(id) !== undefined)
  if (changed.length === 0) return undefined
  const isIncluded = (id: string) => spec.includedFields === 'all' || spec.includedFields.includes(id)
  const unchanged = ids.filter((id) => !changed.includes(id) && isIncluded(id))
  return {
    current: { cellValuesByFieldId: cellsJson(table, after, urls, changed) },
    ...(spec.hasPreviousCells && { previous: { cellValuesByFieldId: cellsJson(table, before, urls, changed) } }),
    ...(unchanged.length > 0 && { unchanged: { cellValuesByFieldId: cellsJson(table, after, urls, unchanged) } }),
  }
}

/** An empty cell among those that are asked for is `null`. */
function cellsJson(
  table: Table,
  cells: CellSet,
  urls: FileUrls,
  ids: readonly string[] = [...cells.keys()],
): JsonObject {
  const shown = ids.map((id): [string, Json] => {
    const cell = cells.get(id) ?? null
    return [id, table.findField(id)?.type === 'multipleAttachments' ? urls.present(cell) : cell]
  })
  return Object.fromEntries(shown)
}

function fieldsJson(changes: TableChanges, spec: WebhookSpec): JsonObject {
  const has = (type: string) => spec.changeTypes.includes(type)
  const changed = [...changes.changedFields].filter(
    ([id]) => has('update') && (spec.watchedSchemaFields?.includes(id) ?? true),
  )
  return {
    ...(has('add') &&
      changes.createdFields.size > 0 && { createdFieldsById: Object.fromEntries(changes.createdFields) }),
    ...(changed.length > 0 && {
      changedFieldsById: Object.fromEntries(
        changed.map(([id, { current, previous }]) => [
          id,
          spec.hasPreviousFields ? { current, previous } : { current },
        ]),
      ),
    }),
    ...(has('remove') && changes.destroyedFields.size > 0 && { destroyedFieldIds: [...changes.destroyedFields] }),
  }
}
