import type { Base } from './base.ts'
import { readCell } from './cell-read.ts'
import { isComputed, isStored, type Aggregate, type Field, type FieldSpec, type FieldType } from './field.ts'
import { finishOptions } from './field-options.ts'
import { compileFormula } from './formula.ts'
import type { Json, JsonObject } from './json.ts'
import { isEmpty, type ShownRecord, type StoredRecord } from './record.ts'
import { TableFormulas } from './table-formulas.ts'
import type { View, ViewSpec } from './view.ts'

export type Cells = Readonly<Record<string, Json>>

export interface TableSpec {
  readonly id?: string
  readonly name: string
  readonly description?: string
  /** The first is the primary one. */
  readonly fields: readonly FieldSpec[]
  readonly views?: readonly ViewSpec[]
  readonly records?: readonly Cells[]
}

/** One table of a base. Every change goes into the transaction that is going on, or is one by itself. */
export class Table {
  readonly id: string
  readonly base: Base
  readonly formulas: TableFormulas
  #name: string
  #description: string | undefined
  readonly #fields: Field[] = []
  readonly #views: View[] = []
  readonly #records = new Map<string, StoredRecord>()
  /** By name and by id; made anew when a field comes, goes or is renamed. */
  #fieldIndex: ReadonlyMap<string, Field> | undefined
  readonly #aggregates = new Map<string, Aggregate>()
  #ordered: readonly StoredRecord[] | undefined
  #lastAutoNumber = 0

  /** Made by `Base.createTable`. */
  constructor(base: Base, spec: TableSpec, primaryField: FieldSpec) {
    this.base = base
    this.formulas = new TableFormulas(this)
    this.id = spec.id ?? base.random.id('tbl')
    this.#name = spec.name
    this.#description = spec.description
    this.#addField(primaryField)
  }

  get name(): string {
    return this.#name
  }

  get description(): string | undefined {
    return this.#description
  }

  get fields(): readonly Field[] {
    return this.#fields
  }

  get views(): readonly View[] {
    return this.#views
  }

  get size(): number {
    return this.#records.size
  }

  get primaryField(): Field {
    const [first] = this.#fields
    if (first === undefined) throw new Error(`table ${this.#name} has no fields`)
    return first
  }

  /** In the order that lists have without a view and a sort: by id, which is to say any. Never changed in place. */
  get records(): readonly StoredRecord[] {
    this.#ordered ??= [...this.#records.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1))
    return this.#ordered
  }

  find(recordId: string): StoredRecord | undefined {
    return this.#records.get(recordId)
  }

  get(recordId: string): StoredRecord {
    const record = this.#records.get(recordId)
    if (record === undefined) throw new Error(`table ${this.#name} has no record ${recordId}`)
    return record
  }

  findField(nameOrId: string): Field | undefined {
    this.#fieldIndex ??= new Map(
      this.#fields.flatMap((field) => [[field.name, field] as const, [field.id, field] as const]),
    )
    return this.#fieldIndex.get(nameOrId)
  }

  field(nameOrId: string): Field {
    const field = this.findField(nameOrId)
    if (field === undefined) throw new Error(`table ${this.#name} has no field ${nameOrId}`)
    return field
  }

  findView(nameOrId: string): View | undefined {
    return this.#views.find(({ id, name }) => id === nameOrId || name === nameOrId)
  }

  create(cells: Cells, given: { id?: string; createdTime?: number } = {}): StoredRecord {
    return this.base.transaction((draft) => {
      this.#lastAutoNumber += 1
      const record: StoredRecord = {
        id: given.id ?? this.base.random.id('rec'),
        createdAt: given.createdTime ?? this.base.now(),
        createdBy: draft.origin.user ?? this.base.owner.id,
        autoNumber: this.#lastAutoNumber,
        modifiedAt: undefined,
        modifiedBy: undefined,
        modifiedAtByField: undefined,
        commentCount: 0,
        cells: {},
      }
      this.#records.set(record.id, record)
      this.#ordered = undefined
      draft.recordCreated(this, record)
      for (const [name, cell] of Object.entries(cells)) this.#store(record, this.field(name), cell)
      return record
    })
  }

  /** Changes the cells that are named; `null` empties one. */
  update(recordId: string, cells: Cells): StoredRecord {
    return this.base.transaction((draft) => {
      const record = this.get(recordId)
      draft.recordTouched(this, record)
      for (const [name, cell] of Object.entries(cells)) {
        const field = this.field(name)
        this.#store(record, field, cell)
        if (!isComputed(field)) this.#markModified(record, field, draft.origin.user)
      }
      return record
    })
  }

  /** As `update`, and empties every other cell that can be edited. */
  replace(recordId: string, cells: Cells): StoredRecord {
    const rest = this.#fields.filter((field) => !isComputed(field)).map(({ id }): [string, Json] => [id, null])
    const given = Object.entries(cells).map(([name, cell]): [string, Json] => [this.field(name).id, cell])
    return this.update(recordId, Object.fromEntries([...rest, ...given]))
  }

  delete(recordId: string): void {
    this.base.transaction((draft) => {
      const record = this.get(recordId)
      draft.recordTouched(this, record)
      for (const field of this.#fields) if (field.type === 'multipleRecordLinks') this.#store(record, field, null)
      draft.recordDestroyed(this, record)
      this.#records.delete(recordId)
      this.#ordered = undefined
    })
  }

  rename(name: string): void {
    this.base.transaction((draft) => {
      draft.tableTouched(this)
      this.#name = name
    })
  }

  describe(description: string | undefined): void {
    this.base.transaction((draft) => {
      draft.tableTouched(this)
      this.#description = description
    })
  }

  createField(spec: FieldSpec): Field {
    return this.base.transaction((draft) => {
      const field = this.#addField(spec)
      draft.fieldCreated(this, field)
      if (spec.aggregate !== undefined) this.#aggregates.set(field.id, spec.aggregate)
      if (field.type === 'multipleRecordLinks') this.base.linkBack(this, field)
      return field
    })
  }

  renameField(nameOrId: string, name: string): void {
    this.base.transaction((draft) => {
      const field = this.field(nameOrId)
      draft.fieldTouched(this, field)
      field.name = name
      this.#forgetFields()
    })
  }

  /** `options` are added to those that it has. */
  updateField(nameOrId: string, change: { description?: string; options?: JsonObject }): void {
    this.base.transaction((draft) => {
      const field = this.field(nameOrId)
      draft.fieldTouched(this, field)
      field.description = change.description ?? field.description
      field.options = finishOptions(this, { ...field, options: { ...field.options, ...change.options } })
      this.#forgetFields()
    })
  }

  /** Its cells are gone: what another type makes of them is Airtable's secret. */
  retypeField(nameOrId: string, type: FieldType, options?: JsonObject): void {
    this.base.transaction((draft) => {
      const field = this.field(nameOrId)
      draft.fieldTouched(this, field)
      for (const record of this.#records.values()) {
        draft.recordTouched(this, record)
        delete record.cells[field.id]
      }
      field.type = type
      field.options = finishOptions(this, { ...field, options })
      this.#forgetFields()
    })
  }

  deleteField(nameOrId: string): void {
    this.base.transaction((draft) => {
      const field = this.field(nameOrId)
      if (field === this.primaryField) throw new Error('a primary field cannot be deleted')
      draft.fieldDestroyed(this, field)
      if (field.type === 'multipleRecordLinks') this.base.unlink(this, field)
      this.#fields.splice(this.#fields.indexOf(field), 1)
      this.#forgetFields()
      for (const record of this.#records.values()) delete record.cells[field.id]
    })
  }

  createView(spec: ViewSpec): View {
    const view: View = {
      id: spec.id ?? this.base.random.id('viw'),
      name: spec.name,
      type: spec.type ?? 'grid',
      filter: spec.filter === undefined ? undefined : compileFormula(spec.filter, this.formulas),
      sort: (spec.sort ?? []).map(({ field, direction = 'asc' }) => ({ field: this.field(field).id, direction })),
      visible: spec.visible?.map((name) => this.field(name).id),
    }
    this.#views.push(view)
    return view
  }

  deleteView(nameOrId: string): void {
    this.base.transaction((draft) => {
      const view = this.findView(nameOrId)
      if (view === undefined) throw new Error(`table ${this.#name} has no view ${nameOrId}`)
      draft.viewDestroyed(this, view.id)
      this.#views.splice(this.#views.indexOf(view), 1)
    })
  }

  /** The record as the API would answer it now, by names of fields; attachments without their URLs. */
  read(recordId: string): ShownRecord {
    return this.#show(this.get(recordId))
  }

  readAll(): ShownRecord[] {
    return this.records.map((record) => this.#show(record))
  }

  aggregateOf(field: Field): Aggregate {
    return this.#aggregates.get(field.id) ?? 'SUM'
  }

  /** One side of a link, from the other: adds or takes away without going back. */
  relink(recordId: string, field: Field, otherId: string, isLinked: boolean): void {
    const record = this.#records.get(recordId)
    if (record === undefined) return
    this.base.transaction((draft) => {
      draft.recordTouched(this, record)
      const before = (record.cells[field.id] ?? []) as readonly string[]
      setCell(record, field, isLinked ? [...before, otherId] : before.filter((id) => id !== otherId))
      this.#markModified(record, field, draft.origin.user)
    })
  }

  #forgetFields(): void {
    this.#fieldIndex = undefined
    this.formulas.forget()
  }

  #show(record: StoredRecord): ShownRecord {
    // By entries: a field may be called `__proto__`.
    const cells = this.#fields.flatMap((field): [string, Json][] => {
      const cell = readCell(this, field, record)
      return cell === undefined ? [] : [[field.name, cell]]
    })
    const fields = Object.fromEntries(cells)
    return { id: record.id, createdTime: new Date(record.createdAt).toISOString(), fields }
  }

  #addField(spec: FieldSpec): Field {
    if (this.#fields.some(({ name }) => name === spec.name)) throw new Error(`a field ${spec.name} is there already`)
    const field: Field = {
      id: spec.id ?? this.base.random.id('fld'),
      name: spec.name,
      type: spec.type,
      description: spec.description,
      options: undefined,
    }
    field.options = finishOptions(this, { ...field, options: spec.options })
    this.#fields.push(field)
    this.#forgetFields()
    return field
  }

  #store(record: StoredRecord, field: Field, cell: Json): void {
    if (!isStored(field)) throw new Error(`field ${field.name} is computed`)
    if (field.type === 'multipleRecordLinks') this.#storeLink(record, field, (cell ?? []) as readonly string[])
    else setCell(record, field, field.type === 'multipleAttachments' ? this.base.attachments.adopt(cell) : cell)
  }

  #storeLink(record: StoredRecord, field: Field, ids: readonly string[]): void {
    const before = new Set((record.cells[field.id] ?? []) as readonly string[])
    const after = new Set(ids)
    setCell(record, field, [...after])
    for (const id of before) if (!after.has(id)) this.base.relinkBack(field, id, record.id, false)
    for (const id of after) if (!before.has(id)) this.base.relinkBack(field, id, record.id, true)
  }

  #markModified(record: StoredRecord, field: Field, user: string | undefined): void {
    const at = this.base.now()
    record.modifiedAt = at
    record.modifiedBy = user ?? this.base.owner.id
    record.modifiedAtByField ??= new Map()
    record.modifiedAtByField.set(field.id, at)
  }
}

function setCell(record: StoredRecord, field: Field, cell: Json): void {
  if (isEmpty(cell)) delete record.cells[field.id]
  else record.cells[field.id] = cell
}
