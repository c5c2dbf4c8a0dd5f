import { z } from 'zod'

export const time = z.iso.datetime().describe('ISO 8601 in UTC')
export const count = z.int().min(0)
export const sourceId = z.string().min(1).describe('The id of a source')
export const snapshotId = z.string().describe('The id of a snapshot: never used before, and never again')
export const runId = z.string().min(1).describe('The id of a run; ids sort by time')
/** Of one row; which columns there are depends on the table. */
export const row = z.record(z.string(), z.unknown()).describe('The columns of a row, by their names')
