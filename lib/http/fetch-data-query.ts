import type { Column } from '../column.ts'
import { Failure } from '../errors.ts'
import type { TableInfo } from '../snapshot.ts'
import { badParameter, readQuery } from './query.ts'

export const FORMATS = ['json', 'ndjson', 'csv'] as const
export type Format = (typeof FORMATS)[number]

export const FETCH_DATA_PARAMETERS = {
  source: { kind: 'text' },
  table: { kind: 'text' },
  start_row: { kind: 'integer', from: 1 },
  end_row: { kind: 'integer', from: 1 },
  limit: { kind: 'integer', from: 0 },
  offset: { kind: 'integer', from: 0 },
  fields: { kind: 'text' },
  format: { kind: 'choice', of: FORMATS },
  refresh: { kind: 'flag' },
  stream: { kind: 'flag' },
  payload: { kind: 'choice', of: ['full', 'changes', 'none'] },
} as const

/** Which rows and columns, before the table is known. */
export interface Selection {
  /** 1-based position of the first row. */
  readonly from: number
  /** Position of the last row; beyond the table where it is not bounded. */
  readonly to: number
  /** Names in the order asked for; undefined means all. */
  readonly fields: readonly string[] | undefined
  readonly format: Format
  /** Nothing was narrowed: the answer is the one rendered when the snapshot was published. */
  readonly isWhole: boolean
}

export interface FetchDataQuery {
  readonly source: string | undefined
  readonly table: string | undefined
  readonly selection: Selection
  readonly refresh: boolean
  readonly stream: boolean
  readonly payload: 'full' | 'changes' | 'none'
}

export function readFetchDataQuery(query: string): FetchDataQuery {
  const given = readQuery(query, FETCH_DATA_PARAMETERS)
  const { source, table, format = 'json', refresh = false, stream = false, payload = 'full' } = given
  if (payload === 'changes' && !isWhole({ ...given, format: 'json' })) {
    throw badParameter('payload', 'as full or none where rows or fields are chosen: changes are of whole tables')
  }
  if (given.payload !== undefined && !stream) throw badParameter('payload', 'only together with stream=true')
  if (stream && format !== 'json') throw badParameter('format', 'as json where stream=true is: frames are JSON')
  return {
    source,
    table,
    selection: { ...readRange(given), ...readFields(given.fields), format, isWhole: isWhole(given) },
    refresh,
    stream,
    payload,
  }
}

type Given = ReturnType<typeof readQuery<typeof FETCH_DATA_PARAMETERS>>

function isWhole({ start_row, end_row, limit, offset, fields, format = 'json' }: Given): boolean {
  return format === 'json' && [start_row, end_row, limit, offset, fields].every((value) => value === undefined)
}

function readRange({ start_row, end_row, limit, offset }: Given): { from: number; to: number } {
  const byRow = start_row !== undefined || end_row !== undefined
  if (byRow && limit !== undefined)
    throw badParameter('limit', 'without start_row and end_row: use one pair or the other')
  if (byRow && offset !== undefined)
    throw badParameter('offset', 'without start_row and end_row: use one pair or the other')
  if (!byRow) return { from: (offset ?? 0) + 1, to: limit === undefined ? Infinity : (offset ?? 0) + limit }
  const from = start_row ?? 1
  const to = end_row ?? Infinity
  if (from > to) throw badParameter('start_row', `as a number not above end_row: ${from} is above ${to}`)
  return { from, to }
}

/** Names separated by commas; a name that has a comma or a quote itself is put in quotes, as in CSV. */
function readFields(text: string | undefined): { fields: readonly string[] | undefined } {
  if (text === undefined) return { fields: undefined }
  const names: string[] = []
  const token = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y
  for (;;) {
    const match = token.exec(text)
    if (!match) throw badParameter('fields', 'as column names separated by commas; quote a name that has a comma')
    const name = match[1]?.replaceAll('""', '"') ?? match[2]!
    if (name === '' && match[1] === undefined)
      throw badParameter('fields', 'as column names separated by commas, none empty')
    if (names.includes(name)) throw badParameter('fields', `with each column once: ${name} is there again`)
    names.push(name)
    if (match[3] === '') return { fields: names }
  }
}

/** The columns a selection asks for, in its order. */
export function selectColumns(table: TableInfo, fields: readonly string[] | undefined): readonly Column[] {
  if (!fields) return table.columns
  return fields.map((name) => {
    const column = table.columns.find((candidate) => candidate.name === name)
    if (column) return column
    const known = table.columns.map((candidate) => candidate.name)
    throw new Failure(
      'bad_parameter',
      `The parameter fields must name columns: ${table.name} has no ${JSON.stringify(name.slice(0, 100))}, but ${known.join(', ')}.`,
      {
        facts: { parameter: 'fields', known },
      },
    )
  })
}
