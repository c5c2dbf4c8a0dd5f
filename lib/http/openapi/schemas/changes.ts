import { z } from 'zod'
import { named } from '../components.ts'
import { row, sourceId, time } from './common.ts'

const members = {
  table: z.string(),
  key: z
    .string()
    .nullable()
    .describe('The key of the row as text: what `/api/tables/{table}/{id}` takes; null for `resync`'),
  op: z.enum(['put', 'delete', 'resync']).describe('`resync`: fetch the whole table again'),
  row: row.nullable().describe('Of `put`'),
}
const watermark = z.string().describe('A point in the change log; sorts as text')

const Change = named(
  'Change',
  z.object({ watermark, source: sourceId, ...members, at: time }).describe('What happened to one row'),
)

export const ChangePage = named(
  'ChangePage',
  z.object({
    changes: z.array(Change),
    next: z.string().describe('What `since` takes to go on'),
    has_more: z.boolean(),
  }),
)

export const ChangeFrame = named(
  'ChangeFrame',
  z
    .discriminatedUnion('type', [
      z.object({
        type: z.literal('batch'),
        watermark,
        source: sourceId,
        at: time,
        changes: z.array(z.object(members)),
      }),
      z.object({
        type: z.literal('resync'),
        watermark,
        reason: z.enum(['beginning', 'too_old', 'foreign']),
        tables: z.array(z.string()).describe('To be fetched again, as `source.table`'),
      }),
      z.object({ type: z.literal('position'), watermark }),
      z.looseObject({ type: z.literal('error'), code: z.string(), message: z.string() }),
      z.object({ type: z.literal('done') }),
    ])
    .describe('A frame of `/api/changes` as an event stream'),
)
