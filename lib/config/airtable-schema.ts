import * as z from 'zod'
import { AIRTABLE_MODES } from '../settings.ts'
import * as rules from './airtable-rules.ts'
import { readDuration, Unreadable, type Range } from './quantity.ts'
import { name, sourceOptions } from './source-schema.ts'

/** What is missing in a configuration file mostly is a variable that is not set. */
const needed = (expected: string) => z.string(`expected ${expected}; found none. Is the variable that holds it set?`)

const whole = ({ min, max }: Range) => z.int().min(min).max(max)

/** A duration, or a number of seconds, as milliseconds. */
const duration = (range: Range) =>
  z.union([z.string(), z.number()]).transform((value, context) => {
    const ms = readDuration(String(value).trim(), 's', range)
    if (!(ms instanceof Unreadable)) return ms
    context.addIssue({ code: 'custom', message: `expected ${ms.expected}` })
    return z.NEVER
  })

/** The options of `airtable({ … })`. No message shows what was found: it could be the token. */
export const airtableOptions = z
  .strictObject({
    ...sourceOptions,
    baseId: needed(rules.EXPECTED.baseId).refine(rules.isBaseId, `expected ${rules.EXPECTED.baseId}`),
    token: needed('a personal access token').superRefine((token, context) => {
      const expected = rules.faultOfToken(token)
      if (expected !== undefined) context.addIssue({ code: 'custom', message: `expected ${expected}` })
    }),
    endpointUrl: z
      .string()
      .transform((text, context) => {
        const url = rules.readEndpoint(text)
        if (!(url instanceof Unreadable)) return url
        context.addIssue({ code: 'custom', message: `expected ${url.expected}` })
        return z.NEVER
      })
      .optional(),
    only: z
      .array(name)
      .min(1, 'expected at least one table; leave `only` out for all of them')
      .max(1000)
      .refine((tables) => new Set(tables).size === tables.length, 'names a table twice')
      .optional(),
    mode: z.enum(AIRTABLE_MODES).optional(),
    attachments: z.boolean().optional(),
    sweepEvery: duration(rules.SWEEP_MS).optional(),
    overlap: duration(rules.OVERLAP_MS).optional(),
    callsPerSecond: whole(rules.CALLS_PER_SECOND).optional(),
    callsPerMonth: whole(rules.CALLS_PER_MONTH).optional(),
    cursors: whole(rules.CURSORS).optional(),
  })
  .superRefine(({ mode, every }, context) => {
    if (mode !== 'manual' || every === undefined || String(every).trim().toLowerCase() === 'off') return
    const message = 'is not for the mode "manual", in which nothing runs by itself'
    context.addIssue({ code: 'custom', path: ['every'], message })
  })
  .transform(({ sweepEvery, overlap, ...options }) => ({
    ...options,
    sweepEveryMs: sweepEvery,
    overlapMs: overlap,
  }))
