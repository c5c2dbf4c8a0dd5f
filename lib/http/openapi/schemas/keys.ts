import { z } from 'zod'
import { SCOPES } from '../../../access.ts'
import { named } from '../components.ts'
import { time } from './common.ts'

const scopes = z.array(z.enum(SCOPES))
const limits = z.array(z.string().min(1)).describe('Sources, and tables as `source.table`, that it sees')
const filters = z.record(z.string(), z.string().min(1)).describe('Filters by `source.table`: `country=eq.DE`')
const hidden = z
  .record(z.string(), z.array(z.string().min(1)))
  .describe('Columns that it does not see, by `source.table`')
const rate = z.strictObject({
  limit: z.int().min(1).max(999_999_999),
  window_seconds: z.int().min(1).max(86_400),
})

export const KeyRequest = named(
  'KeyRequest',
  z
    .strictObject({
      name: z.string().min(1).max(100).optional().describe('Whom it is for; needed unless it replaces another'),
      scopes: scopes.optional().describe('`read` by default'),
      limits: limits.optional(),
      filters: filters.optional(),
      hidden: hidden.optional(),
      rate: rate.optional(),
      expires_in_seconds: z.int().min(0).max(315_360_000).optional(),
      replaces: z.string().min(1).optional().describe('The id of a key that this one takes the place of'),
      overlap_seconds: z.int().min(0).max(7_776_000).optional().describe('How long both are good; a day by default'),
      force: z.boolean().optional().describe('Make it though its rules name columns that are not there'),
    })
    .describe('What a key is for'),
)

export const Key = named(
  'Key',
  z
    .object({
      id: z.string(),
      prefix: z.string().describe('How the key begins'),
      name: z.string(),
      status: z.enum(['live', 'expired', 'revoked']),
      scopes,
      limits: limits.nullable().describe('Null: it sees everything'),
      filters,
      hidden,
      rate: rate.nullable(),
      created_at: time,
      expires_at: time.nullable(),
      revoked_at: time.nullable(),
      last_used_at: time.nullable().describe('To the minute'),
    })
    .describe('A key, without what is secret of it'),
)

export const KeyList = named('KeyList', z.object({ keys: z.array(Key) }))

export const NewKey = named(
  'NewKey',
  z.object({
    key: z.string().describe('The key itself, this once'),
    ...Key.shape,
    warnings: z
      .array(z.string())
      .describe('Names that are not there at the moment: a column that is misspelt is not hidden'),
  }),
)

export const TicketRequest = named(
  'TicketRequest',
  z
    .strictObject({
      url: z.string().optional().describe('Path and query of one stream, as it will be requested'),
      path: z.string().optional().describe('In the place of `url`'),
      query: z.string().optional(),
    })
    .describe('What the ticket is for: `url`, or `path` and `query`'),
)

export const Ticket = named(
  'Ticket',
  z.object({
    ticket: z.string(),
    url: z.string().describe('Ready for `new EventSource(url)`'),
    expires_in_seconds: z.int().describe('How long it may be idle'),
  }),
)
