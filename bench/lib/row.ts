import type { Context } from './context.ts'

export type Unit = 'ms' | 'req/s' | 'MB'

export interface Measurement {
  readonly ours: number
  readonly unit: Unit
  /** What it is compared with; `value` null when that could not be measured here, and `what` says why. */
  readonly reference?: { readonly what: string; readonly value: number | null } | undefined
  /** As the target means it. Without one the target looks at `ours` alone. */
  readonly ratio?: number | undefined
  readonly note?: string | undefined
}

export interface Goal {
  readonly text: string
  /** Undefined when it cannot be told. */
  isMet(measurement: Measurement): boolean | undefined
}

/** One line of the table. A new one is an object in a file of `bench/rows/` and nothing else. */
export interface Row {
  readonly name: string
  readonly target: Goal
  /** Measures ours and the reference in turn. Throws when an answer was wrong; `Skipped` when something is missing. */
  run(context: Context): Promise<Measurement>
}

/** What a row needs is not on this machine. */
export class Skipped extends Error {}

export type Outcome =
  | { readonly row: Row; readonly kind: 'measured'; readonly measurement: Measurement }
  | { readonly row: Row; readonly kind: 'skipped' | 'failed'; readonly reason: string }

export function ratioAtMost(limit: number): Goal {
  return { text: `≤ ${limit} ×`, isMet: ({ ratio }) => (ratio === undefined ? undefined : ratio <= limit) }
}

export function ratioAtLeast(limit: number): Goal {
  return { text: `≥ ${limit} ×`, isMet: ({ ratio }) => (ratio === undefined ? undefined : ratio >= limit) }
}

export function below(limit: number, unit: Unit): Goal {
  return { text: `< ${limit} ${unit}`, isMet: ({ ours }) => ours < limit }
}

/** At most so much more than the reference. */
export function aboveReferenceAtMost(limit: number, unit: Unit): Goal {
  return {
    text: `≤ reference + ${limit} ${unit}`,
    isMet: ({ ours, reference }) =>
      typeof reference?.value === 'number' ? ours <= reference.value + limit : undefined,
  }
}

/** Shown to put the other figures in proportion. */
export const noTarget: Goal = { text: '–', isMet: () => undefined }
