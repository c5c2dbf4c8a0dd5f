import { z } from 'zod'
import { COLUMN_TYPES } from '../../../column.ts'
import { named } from '../components.ts'
import { count, snapshotId, sourceId, time } from './common.ts'

const head = {
  tableId: z.string().describe('The upstream’s id of it; its name where the upstream has no ids'),
  source: sourceId,
  table: z.string().describe('What it is called here'),
  baseId: z.string().nullable().describe('What it belongs to upstream, such as `app…`'),
  originalName: z.string().describe('What the upstream calls it'),
  normalizedName: z.string().describe('Lower case, nothing but letters a to z and digits'),
  primaryFieldId: z.string().nullable(),
}
const field = {
  id: z.string(),
  name: z.string(),
  column: z.string().describe('The member of rows and records that has it'),
  type: z.string().describe(`As the upstream writes it; where it does not, one of ${COLUMN_TYPES.join(', ')}`),
}
const mapping = { ...head, fields: z.record(z.string(), z.object(field)).describe('By their ids') }

export const TypeList = named(
  'TypeList',
  z.object({
    generatedAt: time,
    tableCount: count,
    tables: z.array(
      z.object({
        ...head,
        fields: z.array(z.object({ ...field, tsType: z.string() })),
      }),
    ),
  }),
)

const Mapping = named('Mapping', z.object(mapping))
export const MappingAnswer = named('MappingAnswer', z.object({ backend: z.literal('sqlite'), ...mapping }))
export const MappingList = named(
  'MappingList',
  z.object({ backend: z.literal('sqlite'), count, mappings: z.array(Mapping) }),
)

const cache = z.object({ hits: count, misses: count, hit_rate: z.number().nullable(), held_bytes: count })

const ProcessStats = named(
  'ProcessStats',
  z.object({
    pid: z.int(),
    uptime_seconds: count,
    connections: count,
    streams: count,
    memory: z.object({ rss: count, heap_used: count, heap_total: count, external: count }),
    caches: z.object({ bodies: cache, answers: cache.optional() }),
    slow_queries: z.array(z.object({ ms: z.number(), table: z.string(), query: z.string(), at: time })),
  }),
)

export const Stats = named(
  'Stats',
  z.object({
    backend: z.literal('sqlite'),
    stats: z.object({ totalRecords: count, totalTables: count, dbSize: z.string() }),
    sources: z.array(
      z.object({
        source: sourceId,
        snapshot: snapshotId.nullable(),
        rows: count,
        bytes: z
          .object({ snapshot: count, previous: count, bodies: count, exports: count })
          .nullable()
          .describe('Null for a key that sees only some of the tables'),
        tables: z.array(z.object({ name: z.string(), rows: count, columns: count, body_bytes: count })),
      }),
    ),
    process: ProcessStats.optional().describe('For keys with scope admin that see everything'),
  }),
)
