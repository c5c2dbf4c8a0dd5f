import type { ColumnType } from '../../column.ts'
import type { RowFacts } from '../../query.ts'
import { recordIdOf } from '../../record-id.ts'
import type { BaseField, BaseTable } from './base-schema.ts'

/** JSON of cells that are left out, as are those that are not there. */
const EMPTY: ReadonlySet<unknown> = new Set(['null', '""', '[]', 'false'])
/** A double holds every number of so many digits. */
const EXACT_DIGITS = 15

export interface RecordForm {
  readonly table: Pick<BaseTable, 'ids' | 'errors'>
  /** In the order of the cells; those that are not of their field's type come behind them, where the table has such. */
  readonly fields: readonly BaseField[]
  readonly isByFieldId: boolean
  readonly countsComments: boolean
}

/** Makes the function that writes a row as a record: `{"id","createdTime","fields":{…}}`, without the cells that are empty. */
export function recordWriter(form: RecordForm): (cells: readonly unknown[], facts: RowFacts) => string {
  const { table, fields, isByFieldId, countsComments } = form
  const names = fields.map(({ id, name }) => `${JSON.stringify(isByFieldId ? id : name)}:`)
  const types = fields.map(({ column }) => column.type)
  const idOf = table.ids === 'keys' ? (key: string) => key : recordIdOf
  // There are none here to comment on anything.
  const end = countsComments ? '},"commentCount":0}' : '}}'
  return (cells, facts) => {
    const errors = table.errors === null ? null : (cells[fields.length] as string | null)
    const failed = errors === null ? undefined : (JSON.parse(errors) as Readonly<Record<string, unknown>>)
    let text = `{"id":${JSON.stringify(idOf(facts.id))},"createdTime":"${isoTime(facts.createdAt)}","fields":{`
    let comma = ''
    for (let at = 0; at < names.length; at++) {
      const cell = cellText(types[at]!, cells[at]) ?? failedText(failed, fields[at]!)
      if (cell === undefined) continue
      text += comma + names[at] + cell
      comma = ','
    }
    return text + end
  }
}

/** A cell as JSON; undefined where it is left out. */
function cellText(type: ColumnType, cell: unknown): string | undefined {
  if (cell === null || cell === undefined || cell === '') return undefined
  switch (type) {
    case 'boolean':
      return cell === 1 ? 'true' : undefined
    case 'json':
      return EMPTY.has(cell) ? undefined : (cell as string)
    case 'decimal':
      return numberText(cell as string)
    case 'real':
      return Number.isFinite(cell) ? JSON.stringify(cell) : undefined
    case 'integer':
    case 'text':
      return JSON.stringify(cell)
  }
}

/** A number where a double holds it; else its digits, as everywhere here. */
function numberText(digits: string): string {
  const significant = digits
    .replace(/e.*$/i, '')
    .replaceAll(/[+\-.]/g, '')
    .replace(/^0+/, '')
  const number = Number(digits)
  const isExact = significant.length <= EXACT_DIGITS && Number.isFinite(number)
  return isExact ? String(number) : JSON.stringify(digits)
}

function failedText(failed: Readonly<Record<string, unknown>> | undefined, { column }: BaseField): string | undefined {
  return failed !== undefined && Object.hasOwn(failed, column.name) ? JSON.stringify(failed[column.name]) : undefined
}

let last = { at: NaN, text: '' }

/** Most records of a page share theirs, where the upstream does not know any. */
function isoTime(at: number): string {
  if (at !== last.at) last = { at, text: new Date(at).toISOString() }
  return last.text
}
