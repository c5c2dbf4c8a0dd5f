import type { ColumnType, JsonValue, Value } from '../../column.ts'
import { Failure } from '../../errors.ts'
import type { FileOffer } from '../../files.ts'
import type { TablePlan } from '../../source.ts'
import { offerEnd, StableUrls, withoutSignedUrls, type AttachmentOptions } from './attachments.ts'
import type { AirtableTablePlan } from './layout.ts'
import { shown } from './names.ts'

/** A record as lists of records hold it, its cells by the ids of their fields. */
export interface AirtableRecord {
  readonly id: string
  readonly createdTime: string
  readonly fields: Readonly<Record<string, JsonValue>>
}

/** Cells came that do not fit the types their columns were planned with, in a table that was planned without a place for them. */
export class Misfit extends Error {
  override readonly name = 'Misfit'
  readonly tableId: string

  constructor(tableId: string) {
    super(`table ${tableId} holds cells of another type than its schema says`)
    this.tableId = tableId
  }
}

interface FieldPlace {
  readonly id: string
  readonly column: string
  readonly type: ColumnType
  /** What a cell is that is left out. */
  readonly empty: null | false
  readonly isComputed: boolean
}

/** Turns the records of one planned table into its rows. */
export class TableRows {
  readonly name: string
  readonly id: string
  readonly columns: readonly string[]
  readonly #fields: readonly FieldPlace[]
  readonly #hasErrors: boolean
  readonly #options: AttachmentOptions

  constructor(plan: TablePlan, options: AttachmentOptions) {
    const { name, columns, types, origin } = plan as AirtableTablePlan
    this.name = name
    this.id = origin.id
    this.columns = columns
    this.#fields = origin.fields.map(({ id, type, column }) => ({
      id,
      column,
      type: types[column] as ColumnType,
      // A box that is not ticked is left out as if it were empty, which it cannot be.
      empty: type === 'checkbox' ? false : null,
      isComputed: type === 'formula' || type === 'rollup',
    }))
    this.#hasErrors = origin.errorsColumn !== null
    this.#options = options
  }

  /**
   * The rows of an answer to a call that was sent at `sentAt`, and where the files are that they speak of.
   *
   * @throws `Misfit`
   */
  of(records: readonly AirtableRecord[], sentAt: number): { rows: Value[][]; files: FileOffer[] } {
    const files: FileOffer[] = []
    const expiresAt = offerEnd(sentAt)
    const onFile = (file: Omit<FileOffer, 'expiresAt'>) => {
      if (this.#options.mirrorsFiles) files.push({ ...file, expiresAt })
    }
    return { rows: records.map((record) => this.#row(record, onFile)), files }
  }

  #row({ id, createdTime, fields }: AirtableRecord, onFile: (file: Omit<FileOffer, 'expiresAt'>) => void): Value[] {
    const misfits: [string, JsonValue][] = []
    const urls = new StableUrls(this.#options)
    const cells = this.#fields.map((field): Value => {
      const cell = fields[field.id] ?? null
      if (cell === null) return field.empty
      if (field.type === 'json') {
        return withoutSignedUrls(cell, this.#options, (file) => {
          urls.add(file)
          onFile(file)
        })
      }
      if (fits(field.type, cell)) return cell
      misfits.push([field.column, cell])
      return null
    })
    if (!this.#hasErrors && misfits.length > 0) throw new Misfit(this.id)
    // Behind all attachments of the record: a formula may stand before the field it is about.
    for (const [index, { isComputed }] of this.#fields.entries()) {
      const cell = cells[index]
      if (isComputed && typeof cell === 'string') cells[index] = urls.in(cell)
    }
    const errors = misfits.length === 0 ? null : Object.fromEntries(misfits)
    return [id, createdTime, ...cells, ...(this.#hasErrors ? [errors] : [])]
  }
}

/** @throws Failure `upstream_malformed` */
export function recordsIn(answer: Readonly<Record<string, unknown>>, table: string): AirtableRecord[] {
  const { records } = answer
  if (Array.isArray(records) && records.every(isRecord)) return records
  throw new Failure(
    'upstream_malformed',
    `Airtable listed records of table ${shown(table)} in a way that is not known here.`,
  )
}

function isRecord(value: unknown): value is AirtableRecord {
  if (typeof value !== 'object' || value === null) return false
  const { id, createdTime, fields } = value as Partial<Record<keyof AirtableRecord, unknown>>
  return typeof id === 'string' && typeof createdTime === 'string' && typeof fields === 'object' && fields !== null
}

/** Whether the cell is what the column's type promises: what is computed can be an error instead. */
function fits(type: ColumnType, cell: JsonValue): boolean {
  switch (type) {
    case 'integer':
      return Number.isSafeInteger(cell)
    case 'real':
      return typeof cell === 'number'
    case 'boolean':
      return typeof cell === 'boolean'
    case 'text':
      return typeof cell === 'string'
    case 'json':
    case 'decimal':
      return true
  }
}
