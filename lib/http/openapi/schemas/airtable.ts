import { z } from 'zod'
import { named } from '../components.ts'
import { count, time } from './common.ts'

export const AirtableProblem = named(
  'AirtableProblem',
  z
    .object({
      error: z.object({
        type: z.string().describe("Airtable's: `NOT_FOUND`, `INVALID_FILTER_BY_FORMULA`, …"),
        message: z.string().describe('What happened, with the values; then what to do'),
      }),
    })
    .describe("What went wrong, as Airtable's clients read it"),
)

export const AirtableRecord = named(
  'AirtableRecord',
  z.object({
    id: z.string().describe("The upstream's id, or one that is made of the row's key"),
    createdTime: time,
    commentCount: count.optional().describe('Where `recordMetadata` asks for it'),
    fields: z
      .record(z.string(), z.unknown())
      .describe('By name or id. What is empty is left out: null, an empty text or list, false'),
  }),
)

export const AirtableRecordList = named(
  'AirtableRecordList',
  z.object({
    records: z.array(AirtableRecord),
    offset: z.string().optional().describe('Asks for the next page; absent on the last'),
  }),
)

const described = { id: z.string(), name: z.string(), description: z.string().optional() }

export const AirtableBaseList = named(
  'AirtableBaseList',
  z.object({
    bases: z.array(z.object({ id: z.string(), name: z.string(), permissionLevel: z.literal('read') })),
  }),
)

export const AirtableTableList = named(
  'AirtableTableList',
  z.object({
    tables: z.array(
      z.object({
        ...described,
        primaryFieldId: z.string(),
        fields: z.array(
          z.object({
            ...described,
            type: z.string().optional().describe("Airtable's, or `json` for any JSON value"),
            options: z.unknown().optional(),
          }),
        ),
        views: z.array(
          z.object({
            id: z.string(),
            name: z.string(),
            type: z.string(),
            visibleFieldIds: z
              .array(z.string())
              .optional()
              .describe('Where `include[]` asks for them, and they are known'),
          }),
        ),
      }),
    ),
  }),
)

export const AirtableUser = named('AirtableUser', z.object({ id: z.string(), scopes: z.array(z.string()) }))

export const AirtableListRequest = named(
  'AirtableListRequest',
  z.object({
    fields: z.array(z.string()).optional(),
    sort: z.array(z.object({ field: z.string(), direction: z.enum(['asc', 'desc']).optional() })).optional(),
    filterByFormula: z.string().optional(),
    view: z.string().optional(),
    pageSize: z.int().min(1).max(100).optional(),
    maxRecords: z.int().min(1).optional(),
    offset: z.string().optional(),
    cellFormat: z.literal('json').optional(),
    returnFieldsByFieldId: z.boolean().optional(),
    recordMetadata: z.array(z.literal('commentCount')).optional(),
  }),
)
