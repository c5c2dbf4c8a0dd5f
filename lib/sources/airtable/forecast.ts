import type { AirtableMode } from '../../settings.ts'

const RECORDS_OF_A_CALL = 100
const MONTH_MS = 31 * 86_400_000
/** The schema, and the webhooks. */
const CALLS_OF_A_PLAN = 2
/** Payloads, the records they touched, and now and then the schema. */
const CALLS_OF_A_PAYLOAD_RUN = 3

export interface Consumption {
  /** Records of each table that is mirrored. */
  readonly records: readonly number[]
  readonly mode: AirtableMode
  readonly sweepEveryMs: number
  /** How often its schedule runs it in a month; null: it has none. */
  readonly runsPerMonth: number | null
}

/** Calls that it takes to read everything once. */
export function sweepCalls({ records, mode }: Pick<Consumption, 'records' | 'mode'>): number {
  const pages = records.reduce((sum, count) => sum + Math.max(1, Math.ceil(count / RECORDS_OF_A_CALL)), 0)
  return pages + CALLS_OF_A_PLAN + (mode === 'webhook' ? 1 : records.length)
}

/** Calls that it takes to find the changes since the last run, where they are few. */
export function runCalls({ records, mode }: Pick<Consumption, 'records' | 'mode'>): number {
  return mode === 'webhook' ? CALLS_OF_A_PAYLOAD_RUN : 1 + records.length
}

/** Calls in a month of 31 days. */
export function monthlyCalls(consumption: Consumption): number {
  const { sweepEveryMs, runsPerMonth } = consumption
  const runs = runsPerMonth ?? 0
  const sweeps = Math.min(Math.ceil(MONTH_MS / sweepEveryMs), runsPerMonth ?? Infinity)
  return (runs - Math.min(runs, sweeps)) * runCalls(consumption) + sweeps * sweepCalls(consumption)
}

/** Calls that following changes takes for the rest of a month (UTC), where the schedule is known. Epoch milliseconds. */
export function reservedCalls(consumption: Consumption, now: number): number {
  const date = new Date(now)
  const endsAt = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1)
  return Math.ceil(((consumption.runsPerMonth ?? 0) * runCalls(consumption) * (endsAt - now)) / MONTH_MS)
}

/** Says beforehand that a month will not do; undefined where it will. */
export function budgetWarning(consumption: Consumption, callsPerMonth: number): string | undefined {
  const calls = monthlyCalls(consumption)
  if (calls <= callsPerMonth) return undefined
  const sweep = sweepCalls(consumption)
  const advice =
    sweep * Math.ceil(MONTH_MS / consumption.sweepEveryMs) > callsPerMonth / 2
      ? 'Read all records less often (sweepEvery), or fewer tables (only).'
      : 'Run it less often (every), or follow a webhook (mode).'
  return `A month will take about ${calls} calls (${runCalls(consumption)} for each run, ${sweep} to read all records), but ${callsPerMonth} are allowed. ${advice}`
}
