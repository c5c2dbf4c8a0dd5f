import { setImmediate } from 'node:timers/promises'
import type { Column } from '../column.ts'
import { csvHeader, rowToCsv } from '../row-csv.ts'
import { rowToJson } from '../row-json.ts'
import { ENVELOPE_END, envelopeStart, type MountedSnapshot, type Pointer, type TableInfo } from '../snapshot.ts'
import type { Format } from './fetch-data-query.ts'

/** How an envelope's start ends. */
const DATA = '"data":['

/** Most rows that are read in one turn of the loop. */
export const ROWS_A_TURN = 1000

export const FORMAT_TYPES: Readonly<Record<Format, string>> = {
  json: 'application/json; charset=utf-8',
  ndjson: 'application/x-ndjson',
  csv: 'text/csv; charset=utf-8; header=present',
}

export interface RowView {
  readonly source: string
  readonly table: TableInfo
  readonly columns: readonly Column[]
  /** 1-based and inclusive; `to` is below `from` where there is nothing. */
  readonly from: number
  readonly to: number
  readonly format: Format
  /** The envelope of a narrowed answer says which rows these are. */
  readonly isWhole: boolean
}

/**
 * Writes rows as text in their format, a thousand or some megabytes a piece, and lets others run between two pieces. Reads no
 * further than the consumer takes. The caller keeps the snapshot pinned.
 */
export async function* rowText(mounted: MountedSnapshot, view: RowView): AsyncGenerator<string, void> {
  const { table, columns, from, to, format } = view
  const writeRow = ROW_WRITERS[format](columns)
  const separator = format === 'json' ? ',' : ''
  const reader = from <= to ? mounted.reader(table.name, columns) : undefined
  let text = opening(mounted.pointer, view)
  for (let position = from; reader && position <= to;) {
    const rows = reader.rows(position, Math.min(to, position + ROWS_A_TURN - 1))
    if (rows.length === 0) throw new Error(`rows ${position} to ${to} of ${table.name} are not there`)
    if (position > from) text = separator
    text += rows.map(writeRow).join(separator)
    position += rows.length
    yield text
    text = ''
    await setImmediate()
  }
  if (format === 'json') text += ENVELOPE_END
  if (text) yield text
}

function opening(pointer: Pointer, view: RowView): string {
  if (view.format === 'csv') return csvHeader(view.columns)
  if (view.format === 'ndjson') return ''
  const { source, table, from, to } = view
  const { snapshot, publishedAt } = pointer
  const start = envelopeStart({ source, snapshot, count: to - from + 1, publishedAt })
  if (view.isWhole) return start
  const which = JSON.stringify({ total: table.rows, start_row: from, end_row: to })
  return `${start.slice(0, -DATA.length)}${which.slice(1, -1)},${DATA}`
}

const ROW_WRITERS: Readonly<Record<Format, (columns: readonly Column[]) => (cells: readonly unknown[]) => string>> = {
  json: rowToJson,
  ndjson: (columns) => {
    const write = rowToJson(columns)
    return (cells) => `${write(cells)}\n`
  },
  csv: rowToCsv,
}
