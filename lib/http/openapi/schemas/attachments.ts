import { z } from 'zod'
import { named } from '../components.ts'
import { count, sourceId } from './common.ts'

const Attachment = named(
  'Attachment',
  z.object({
    id: z.string(),
    record: z.string().describe('`_id` of the record that it belongs to'),
    field: z.string().describe('The column'),
    name: z.string().nullable(),
    type: z.string().nullable().describe('As the upstream says'),
    bytes: count.nullable(),
    state: z
      .enum(['mirrored', 'waiting', 'failed'])
      .describe('Whether it is here, is still being fetched, or could not be fetched'),
    url: z.string().describe('Where its bytes are: the same for ever'),
  }),
)

export const AttachmentList = named(
  'AttachmentList',
  z.object({
    backend: z.literal('sqlite'),
    source: sourceId,
    table: z.string(),
    attachments: z.array(Attachment),
    pagination: z.object({
      limit: count.describe('Records, each with all of its attachments'),
      hasMore: z.boolean(),
      cursor: z.string().nullable().describe('Goes on behind these records'),
    }),
  }),
)
