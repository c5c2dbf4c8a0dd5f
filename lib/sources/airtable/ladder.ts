import type { CallUsage } from '../../call-limiter.ts'
import type { Trigger } from '../../sync-run.ts'
import type { State } from './state.ts'

/** Payloads that keep missing make everything be read this often at most. */
const GAP_SWEEP_MS = 3_600_000
const GAPS_AT_ONCE = 2

export interface Situation {
  /** Undefined: nothing is published, or it cannot be built on. */
  readonly known: State | undefined
  readonly trigger: Trigger
  /** Why payloads do not tell all that happened; null: they do, or nobody follows them. */
  readonly gap: string | null
  /** By Airtable's clock. */
  readonly now: number
  readonly sweepEveryMs: number
  /** When the guard refused what was read last: see `PlanOptions`. */
  readonly refusedAt: number | null
  readonly usage: CallUsage
  readonly sweepCalls: number
  /** Calls that looking for changes will take until the month ends. */
  readonly reservedCalls: number
}

export interface Rung {
  /** Whether all records are to be read, or only what changed. */
  readonly isSweep: boolean
  readonly warnings: readonly string[]
}

/** Which way up the ladder: as few calls as will do, and all records where nothing less is certain. */
export function rungFor(situation: Situation): Rung {
  const { known, trigger, gap, now, sweepEveryMs } = situation
  if (known === undefined || trigger === 'start') return { isSweep: true, warnings: [] }
  // A clock that went back says nothing.
  const isDue = now - known.sweptAt >= sweepEveryMs || now < known.sweptAt
  if (gap !== null && !isDue && known.gaps >= GAPS_AT_ONCE && now - known.sweptAt < GAP_SWEEP_MS) {
    return {
      isSweep: false,
      warnings: [
        `Changes keep being missed (${gap}), and all records were read a short while ago: until they are again, deletions can be missing. Does something else remove the webhook?`,
      ],
    }
  }
  if (gap !== null) return { isSweep: true, warnings: [] }
  if (!isDue) return { isSweep: false, warnings: [] }
  const { refusedAt } = situation
  if (refusedAt !== null && Math.abs(now - refusedAt) < sweepEveryMs) {
    return {
      isSweep: false,
      warnings: [
        'All records were read and refused by the guard; changes alone are followed until somebody publishes what was refused, starts the source, or it is time to read them again.',
      ],
    }
  }
  const warning = budgetAgainst(situation)
  return warning === undefined ? { isSweep: true, warnings: [] } : { isSweep: false, warnings: [warning] }
}

/** A sweep that is only due can wait for the next month; one that is needed is begun, and goes on there. */
function budgetAgainst({ usage, sweepCalls, reservedCalls }: Situation): string | undefined {
  const { month, calls, budget } = usage
  if (budget === null) return undefined
  const left = Math.max(0, budget - calls)
  if (left - reservedCalls >= sweepCalls) return undefined
  return `Reading all records again is put off: it takes about ${sweepCalls} calls, and of ${budget} in ${month}, ${left} are left and about ${reservedCalls} are needed to follow changes. Until then, deletions and computed cells can be missing.`
}
