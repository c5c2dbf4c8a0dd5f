import { z } from 'zod'
import { COLUMN_TYPES } from '../../../column.ts'
import { named } from '../components.ts'
import { count, row, runId, snapshotId, sourceId, time } from './common.ts'
import { FailureCodes } from './problem.ts'
import { RunProgress } from './sync.ts'

const Column = named(
  'Column',
  z.object({
    name: z.string(),
    type: z
      .enum(COLUMN_TYPES)
      .describe('Integers beyond 2^53 and all decimals leave as text, digit for digit; json is any JSON value'),
  }),
)

const TableDetails = named(
  'TableDetails',
  z.object({
    name: z.string().describe('The shortest name that means this table alone'),
    source: sourceId,
    table: z.string(),
    snapshot: snapshotId,
    rows: count.nullable().describe('Null for a key that sees only some of them'),
    key: z.array(z.string()).describe('Its columns, in order'),
    columns: z.array(Column),
    indexes: z.array(z.array(z.string())).describe('Columns that are indexed together, beside the key'),
    search: z.array(z.string()).describe('What `q` looks into'),
    record: z
      .object({ id: z.string(), created: z.string(), modified: z.string() })
      .describe('The members by which a record says which row it is, and since when'),
  }),
)

export const TableList = named(
  'TableList',
  z.object({
    backend: z.literal('sqlite'),
    tables: z.array(z.string()),
    details: z.array(TableDetails),
    restricted: z.literal(true).optional().describe('There is more than this key sees'),
  }),
)

export const TableRow = named('TableRow', row)
export const TableRows = named('TableRows', z.array(TableRow))

const TableRecord = named(
  'TableRecord',
  row
    .clone()
    .describe(
      'The columns of a row, and behind them `_id`, `_created_at` and `_modified_at`; with one more `_` where a column is called so',
    ),
)

const Pagination = named(
  'Pagination',
  z.object({
    page: z.int().min(1).optional().describe('Where pages were asked for'),
    limit: count.optional(),
    offset: count.optional(),
    pageSize: count,
    total: count.nullable().describe('Null unless it costs nothing or was asked for'),
    isEstimate: z.literal(true).optional(),
    totalPages: count.nullable(),
    hasMore: z.boolean(),
    cursor: z.string().nullable().describe('Goes on behind the last record'),
  }),
)

export const RecordList = named(
  'RecordList',
  z.object({
    backend: z.literal('sqlite'),
    source: sourceId,
    table: z.string(),
    snapshot: snapshotId,
    records: z.array(TableRecord),
    pagination: Pagination,
  }),
)

export const RecordAnswer = named('RecordAnswer', z.object({ backend: z.literal('sqlite'), record: TableRecord }))

export const FetchedData = named(
  'FetchedData',
  z.object({
    status: z.literal('success'),
    _info: z.string().optional().describe('With `refresh=true`: what became of it'),
    refresh: z
      .union([
        z.object({ triggered: z.literal(true), run: runId, joined: z.boolean() }),
        z.object({ triggered: z.literal(false), reason: FailureCodes, detail: z.string() }),
      ])
      .optional(),
    source: sourceId,
    snapshot: snapshotId,
    count: count.describe('Rows in `data`'),
    last_updated: time,
    total: count.optional().describe('Rows there are, where `data` has been narrowed'),
    start_row: count.optional(),
    end_row: count.optional().describe('One below `start_row` where there is no row'),
    data: z.array(TableRow),
  }),
)

const dataFrame = {
  snapshot: snapshotId,
  count,
  last_updated: time,
  run: runId.optional(),
  payload: z
    .union([FetchedData, z.object({ href: z.string(), bytes: count })])
    .optional()
    .describe('The answer, or where to fetch one that is too large; absent with `payload=none`'),
}

export const FetchDataFrame = named(
  'FetchDataFrame',
  z
    .discriminatedUnion('type', [
      z.object({ type: z.literal('cached'), ...dataFrame }),
      z.object({ type: z.literal('progress'), run: runId, status: z.string(), ...RunProgress.partial().shape }),
      z.object({ type: z.literal('updated'), ...dataFrame }),
      z.object({ type: z.literal('unchanged'), snapshot: z.string(), run: runId }),
      z.looseObject({ type: z.literal('error'), code: FailureCodes, message: z.string() }),
      z.object({ type: z.literal('done'), snapshot: snapshotId.nullable().optional() }),
    ])
    .describe('A frame of `/fetch-data?stream=true`'),
)
