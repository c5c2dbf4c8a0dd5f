import * as z from 'zod'
import { Unreadable } from './quantity.ts'
import { readEvery } from './schedule.ts'

/** What the kinds of sources have in common, as the configuration file writes it. */

export const name = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}]*$/u, 'must not contain control characters')

const guard = z.strictObject({
  maxLostShare: z.number().min(0).max(1).optional(),
  freezeColumns: z.boolean().optional(),
})

const columnList = z
  .array(name)
  .min(1, 'expected at least one column')
  .max(8, 'expected at most 8 columns')
  .refine((list) => new Set(list).size === list.length, 'names a column twice')

const tableOptions = z.strictObject({
  indexes: z
    .array(z.union([name, columnList]))
    .max(20, 'expected at most 20 indexes')
    .optional(),
  search: columnList.optional(),
  times: z.strictObject({ created: name.optional(), modified: name.optional() }).optional(),
})

const EVERY =
  'expected a cron expression in UTC, such as "*/15 * * * *", an interval, such as 5m or 300 (seconds), or off'
const every = z.union([z.string(), z.number()], EVERY)

export const sourceOptions = {
  every: every.refine(async (value) => !((await readEvery(value)) instanceof Unreadable), EVERY).optional(),
  guard: guard.optional(),
  tables: z.record(name, tableOptions).optional(),
}
