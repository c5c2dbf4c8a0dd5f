import { webhookCells } from './cell-webhook.ts'
import type { Field } from './field.ts'
import type { JsonObject } from './json.ts'
import type { StoredRecord } from './record.ts'
import type { Table } from './table.ts'
import type { CellSet, ChangeOrigin, TableChanges, Transaction } from './transaction.ts'

interface TableDraft {
  readonly created: Set<string>
  /** The cells before the first change, where somebody wants to know. */
  readonly touched: Map<string, CellSet>
  readonly destroyed: Set<string>
  readonly createdFields: Set<string>
  readonly changedFields: Map<string, JsonObject>
  readonly destroyedFields: Set<string>
  before: JsonObject | undefined
}

/** A transaction while it is going on: what was there before, so that its end can tell the difference. */
export class DraftTransaction {
  readonly origin: ChangeOrigin
  readonly #isWatched: boolean
  readonly #tables = new Map<Table, TableDraft>()
  readonly #createdTables = new Set<Table>()
  readonly #destroyedTables = new Set<string>()
  readonly #lost = new Set<string>()

  constructor(origin: ChangeOrigin, isWatched: boolean) {
    this.origin = origin
    this.#isWatched = isWatched
  }

  recordCreated(table: Table, record: StoredRecord): void {
    this.#draft(table).created.add(record.id)
  }

  /** Before a cell of the record changes. */
  recordTouched(table: Table, record: StoredRecord): void {
    if (!this.#isWatched) return
    const draft = this.#draft(table)
    if (draft.created.has(record.id) || draft.touched.has(record.id)) return
    draft.touched.set(record.id, webhookCells(table, record))
  }

  recordDestroyed(table: Table, record: StoredRecord): void {
    const draft = this.#draft(table)
    draft.touched.delete(record.id)
    if (!draft.created.delete(record.id)) draft.destroyed.add(record.id)
  }

  fieldCreated(table: Table, field: Field): void {
    this.#draft(table).createdFields.add(field.id)
  }

  /** Before the field changes. */
  fieldTouched(table: Table, field: Field): void {
    const draft = this.#draft(table)
    if (draft.createdFields.has(field.id) || draft.changedFields.has(field.id)) return
    draft.changedFields.set(field.id, fieldShape(field))
  }

  fieldDestroyed(table: Table, field: Field): void {
    const draft = this.#draft(table)
    draft.changedFields.delete(field.id)
    this.#lost.add(field.id)
    if (!draft.createdFields.delete(field.id)) draft.destroyedFields.add(field.id)
  }

  viewDestroyed(table: Table, viewId: string): void {
    this.#draft(table)
    this.#lost.add(viewId)
  }

  /** Before its name or description changes. */
  tableTouched(table: Table): void {
    this.#draft(table).before ??= tableShape(table)
  }

  tableCreated(table: Table): void {
    this.#createdTables.add(table)
  }

  tableDestroyed(table: Table): void {
    this.#tables.delete(table)
    for (const { id } of [table, ...table.fields, ...table.views]) this.#lost.add(id)
    if (!this.#createdTables.delete(table)) this.#destroyedTables.add(table.id)
  }

  get isEmpty(): boolean {
    return this.#tables.size + this.#createdTables.size + this.#destroyedTables.size === 0
  }

  commit(number: number, at: number): Transaction {
    return {
      number,
      at,
      source: this.origin.source ?? 'client',
      user: this.origin.user,
      tables: new Map(
        [...this.#tables]
          .filter(([table]) => !this.#createdTables.has(table))
          .map(([table, draft]) => [table.id, this.#changes(table, draft)]),
      ),
      createdTables: new Set([...this.#createdTables].map(({ id }) => id)),
      destroyedTables: this.#destroyedTables,
      lost: this.#lost,
    }
  }

  #draft(table: Table): TableDraft {
    let draft = this.#tables.get(table)
    if (draft === undefined) {
      draft = {
        created: new Set(),
        touched: new Map(),
        destroyed: new Set(),
        createdFields: new Set(),
        changedFields: new Map(),
        destroyedFields: new Set(),
        before: undefined,
      }
      this.#tables.set(table, draft)
    }
    return draft
  }

  #changes(table: Table, draft: TableDraft): TableChanges {
    const field = (id: string) => fieldShape(table.field(id))
    return {
      created: new Map(
        this.#isWatched
          ? [...draft.created].map((id) => {
              const record = table.get(id)
              const createdTime = new Date(record.createdAt).toISOString()
              return [id, { createdTime, cells: webhookCells(table, record) }]
            })
          : [],
      ),
      changed: new Map(
        [...draft.touched].map(([id, before]) => [id, { before, after: webhookCells(table, table.get(id)) }]),
      ),
      destroyed: draft.destroyed,
      createdFields: new Map([...draft.createdFields].map((id) => [id, field(id)])),
      changedFields: new Map([...draft.changedFields].map(([id, previous]) => [id, { current: field(id), previous }])),
      destroyedFields: draft.destroyedFields,
      metadata: draft.before === undefined ? undefined : { current: tableShape(table), previous: draft.before },
    }
  }
}

function fieldShape(field: Field): JsonObject {
  return { name: field.name, type: field.type }
}

function tableShape(table: Table): JsonObject {
  return { name: table.name, description: table.description ?? null }
}
