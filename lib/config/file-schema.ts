import * as z from 'zod'
import { COLUMN_TYPES } from '../column.ts'
import { name, sourceOptions } from './source-schema.ts'

const FILE_FORMATS = ['json', 'ndjson', 'csv', 'tsv'] as const
const KNOWN_ENDING = /\.(?:json|ndjson|jsonl|csv|tsv)(?:\.gz)?$/i

/** The options of `file({ … })`. */
export const fileOptions = z
  .strictObject({
    ...sourceOptions,
    path: z
      .string()
      .min(1)
      .regex(/^[^\0]*$/, 'must not contain NUL'),
    table: name.regex(/^[^./]*$/, 'must not contain "." or "/"').optional(),
    format: z.enum(FILE_FORMATS).optional(),
    key: z
      .array(name)
      .min(1, 'expected at least one column; leave `key` out where there is none')
      .refine((columns) => new Set(columns).size === columns.length, 'names a column twice')
      .optional(),
    types: z.record(name, z.enum(COLUMN_TYPES)).optional(),
    nulls: z.array(z.string().max(1000)).max(100).optional(),
  })
  .superRefine((options, context) => {
    const ending = KNOWN_ENDING.exec(options.path)?.[0].toLowerCase()
    if (options.format === undefined && ending === undefined) {
      const message = `is needed: the name of the file does not tell (${FILE_FORMATS.join(', ')})`
      context.addIssue({ code: 'custom', path: ['format'], message })
    }
    const isJson =
      options.format === undefined ? /^\.(?:json|ndjson|jsonl)/.test(ending ?? '') : /json/.test(options.format)
    if (options.nulls !== undefined && isJson) {
      context.addIssue({ code: 'custom', path: ['nulls'], message: 'is for csv and tsv: JSON has its own null' })
    }
  })
