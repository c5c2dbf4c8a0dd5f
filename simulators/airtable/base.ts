import { systemClock, type Clock } from '../../lib/base/clock.ts'
import { AttachmentStore } from './attachment-store.ts'
import { linkedIds, readCell } from './cell-read.ts'
import { makeCollaborators, type Collaborator } from './collaborator.ts'
import { DraftTransaction } from './draft-transaction.ts'
import { textOption, type Field } from './field.ts'
import { toText, valueOfCell } from './formula-value.ts'
import { Random } from './random.ts'
import { Table, type TableSpec } from './table.ts'
import type { ChangeOrigin, Transaction } from './transaction.ts'

export type PermissionLevel = 'none' | 'read' | 'comment' | 'edit' | 'create'

/** A base, as a program changes it; whoever observes it hears of each transaction. */
export class Base {
  readonly id: string
  readonly name: string
  readonly permissionLevel: PermissionLevel
  readonly random: Random
  readonly attachments: AttachmentStore
  readonly collaborators: readonly Collaborator[]
  readonly owner: Collaborator
  readonly #tables: Table[] = []
  readonly #observers = new Set<(transaction: Transaction) => void>()
  #clock: Clock = systemClock
  #draft: DraftTransaction | undefined
  #transactionNumber = 0

  constructor(options: { id?: string; name?: string; seed?: number; permissionLevel?: PermissionLevel } = {}) {
    this.random = new Random(options.seed ?? 1)
    this.id = options.id ?? this.random.id('app')
    this.name = options.name ?? 'Shop'
    this.permissionLevel = options.permissionLevel ?? 'create'
    this.attachments = new AttachmentStore(this.random)
    this.collaborators = makeCollaborators((prefix) => this.random.id(prefix))
    const [owner] = this.collaborators
    if (owner === undefined) throw new Error('a base has an owner')
    this.owner = owner
  }

  get tables(): readonly Table[] {
    return this.#tables
  }

  /** The number of the last transaction. */
  get transactionNumber(): number {
    return this.#transactionNumber
  }

  now(): number {
    return this.#clock.now()
  }

  /** Done by the simulator that serves it. */
  useClock(clock: Clock): void {
    this.#clock = clock
  }

  findTable(nameOrId: string): Table | undefined {
    return this.#tables.find(({ id, name }) => id === nameOrId || name === nameOrId)
  }

  table(nameOrId: string): Table {
    const table = this.findTable(nameOrId)
    if (table === undefined) throw new Error(`there is no table ${nameOrId}`)
    return table
  }

  createTable(spec: TableSpec): Table {
    return this.transaction((draft) => {
      const [primary, ...others] = spec.fields
      if (primary === undefined) throw new Error(`table ${spec.name} has no fields`)
      const table = new Table(this, spec, primary)
      this.#tables.push(table)
      draft.tableCreated(table)
      for (const field of others) table.createField(field)
      for (const view of spec.views ?? [{ name: 'Grid view' }]) table.createView(view)
      for (const cells of spec.records ?? []) table.create(cells)
      return table
    })
  }

  deleteTable(nameOrId: string): void {
    this.transaction((draft) => {
      const table = this.table(nameOrId)
      draft.tableDestroyed(table)
      this.#tables.splice(this.#tables.indexOf(table), 1)
      for (const other of this.#tables) {
        const links = other.fields.filter((field) => textOption(field, 'linkedTableId') === table.id)
        for (const link of links) dissolveLink(other, link, table)
      }
    })
  }

  /** All changes that `run` makes, as one transaction; inside of another one, as a part of that. */
  transaction<T>(run: (draft: DraftTransaction) => T, origin: ChangeOrigin = {}): T {
    if (this.#draft !== undefined) return run(this.#draft)
    const draft = new DraftTransaction(origin, this.#observers.size > 0)
    this.#draft = draft
    try {
      return run(draft)
    } finally {
      this.#draft = undefined
      if (!draft.isEmpty) this.#commit(draft)
    }
  }

  /** Hears of every transaction from now on, until disposed. Only while somebody does, changes are kept track of. */
  observe(heed: (transaction: Transaction) => void): Disposable {
    const observer = (transaction: Transaction) => heed(transaction)
    this.#observers.add(observer)
    return { [Symbol.dispose]: () => void this.#observers.delete(observer) }
  }

  /** The other side of a link field: made if the linked table has none. */
  linkBack(table: Table, field: Field): void {
    const linked = this.findTable(textOption(field, 'linkedTableId') ?? '')
    if (linked === undefined || linked === table || textOption(field, 'inverseLinkFieldId') !== undefined) return
    const taken = new Set(linked.fields.map(({ name }) => name))
    let name = table.name
    for (let count = 2; taken.has(name); count += 1) name = `${table.name} ${count}`
    const inverse = linked.createField({
      name,
      type: 'multipleRecordLinks',
      options: {
        linkedTableId: table.id,
        isReversed: false,
        prefersSingleRecordLink: false,
        inverseLinkFieldId: field.id,
      },
    })
    table.updateField(field.id, { options: { inverseLinkFieldId: inverse.id } })
  }

  /** When a link field goes, the other side becomes text, as it does at Airtable. */
  unlink(table: Table, field: Field): void {
    const linked = this.findTable(textOption(field, 'linkedTableId') ?? '')
    const inverse = linked?.findField(textOption(field, 'inverseLinkFieldId') ?? '')
    if (linked !== undefined && inverse !== undefined) dissolveLink(linked, inverse, table)
  }

  relinkBack(field: Field, recordId: string, otherId: string, isLinked: boolean): void {
    const linked = this.findTable(textOption(field, 'linkedTableId') ?? '')
    const inverse = linked?.findField(textOption(field, 'inverseLinkFieldId') ?? '')
    if (linked !== undefined && inverse !== undefined) linked.relink(recordId, inverse, otherId, isLinked)
  }

  #commit(draft: DraftTransaction): void {
    this.#transactionNumber += 1
    const transaction = draft.commit(this.#transactionNumber, this.now())
    for (const observer of this.#observers) observer(transaction)
  }
}

/** The link field becomes a text of the names of what it led to. */
function dissolveLink(table: Table, field: Field, far: Table): void {
  const texts = table.records.flatMap((record): [string, string][] => {
    const others = linkedIds(field, record).map((id) => far.find(id))
    const names = others.flatMap((other) => (other === undefined ? [] : (readCell(far, far.primaryField, other) ?? [])))
    return names.length === 0 ? [] : [[record.id, names.map((name) => toText(valueOfCell(name, false))).join(', ')]]
  })
  table.retypeField(field.id, 'singleLineText')
  for (const [recordId, text] of texts) table.update(recordId, { [field.id]: text })
}
