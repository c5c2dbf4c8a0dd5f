import type { CallUsage } from './call-limiter.ts'
import type { FailureCode } from './errors.ts'

export const STATES = ['IDLE', 'INITIALIZING', 'PROCESSING', 'PAUSED', 'COMPLETED', 'ERROR'] as const
export type State = (typeof STATES)[number]

/** Why a source is PAUSED. Only an interrupted run is taken up again without being asked. */
export type PauseReason = 'stopped' | 'interrupted' | 'rolled_back'

export type SourceState =
  | { readonly state: Exclude<State, 'PAUSED'> }
  | { readonly state: 'PAUSED'; readonly reason: PauseReason }

export type RunEvent =
  | { readonly kind: 'start' }
  | { readonly kind: 'planned' }
  | { readonly kind: 'finished' }
  | { readonly kind: 'failed' }
  | { readonly kind: 'stop' }
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'rolled_back' }
  | { readonly kind: 'reset' }

/** What made a run begin. `change` and `webhook` say that the upstream changed: during a run they lead to one more. */
export type Trigger = 'start' | 'refresh' | 'schedule' | 'first' | 'change' | 'webhook' | 'once'

export type RunStatus = 'queued' | 'running' | 'paused' | 'completed' | 'failed' | 'rejected' | 'cancelled'

export type RunResult = 'published' | 'unchanged'

export interface TableProgress {
  readonly table: string
  /** Expected rows; null where nobody knows. */
  readonly total: number | null
  readonly completed: number
  readonly failed: number
}

export interface Progress {
  /** What the run is doing: one word for people. */
  readonly phase: 'planning' | 'pulling' | 'verifying' | 'comparing' | 'rendering' | 'publishing'
  readonly tables: readonly TableProgress[]
  /** 0 to 1 where it can be told. */
  readonly done: number | null
  /** Rows a second over the last seconds. */
  readonly rate: number
  readonly etaMs: number | null
  /** Epoch milliseconds. */
  readonly at: number
}

/** One sync run as everybody sees it. */
export interface Run {
  readonly id: string
  readonly source: string
  readonly trigger: Trigger
  readonly status: RunStatus
  readonly result: RunResult | null
  readonly snapshot: string | null
  readonly requestedAt: number
  readonly startedAt: number | null
  readonly finishedAt: number | null
  /** How often it was taken up again after an interruption. */
  readonly resumes: number
  /** The rejected run that this one publishes after all, where it is such a run. */
  readonly republish: string | null
  readonly error: {
    readonly code: FailureCode
    readonly message: string
    readonly facts: Record<string, unknown>
  } | null
  readonly progress: Progress | null
  /** Milliseconds by phase, once it has ended. */
  readonly timings: Partial<Record<Progress['phase'], number>> | null
}

/** A run that can still change by itself. */
export function isActive(run: Run): boolean {
  return run.status === 'queued' || run.status === 'running'
}

/** What a source's control record says; every process sees the same. */
export interface SourceRecord {
  readonly source: string
  readonly state: SourceState
  /** The newest run, whatever became of it. */
  readonly run: Run | null
  /** When the upstream was last seen to be what is published. Epoch milliseconds. */
  readonly checkedAt: number | null
  /** When the schedule fires next, where there is one. Epoch milliseconds. */
  readonly nextRunAt: number | null
  /** What the last run that planned had to say of the upstream. */
  readonly told: Told
}

/** What somebody should know of an upstream, beside its data. */
export interface Told {
  /** One sentence each. */
  readonly warnings: readonly string[]
  /** Calls that it allows and that were made, where it counts them. */
  readonly usage: CallUsage | null
}

export const NOTHING_TOLD: Told = { warnings: [], usage: null }

/**
 * What a source's state becomes through an event, or undefined where the event has no meaning in that state.
 * Whoever gets undefined refuses with `illegal_transition`.
 */
export function advance(from: SourceState, event: RunEvent): SourceState | undefined {
  const isRunning = from.state === 'INITIALIZING' || from.state === 'PROCESSING'
  switch (event.kind) {
    case 'start':
      return isRunning ? undefined : { state: 'INITIALIZING' }
    case 'planned':
      return from.state === 'INITIALIZING' ? { state: 'PROCESSING' } : undefined
    case 'finished':
      // From INITIALIZING too: an upstream that is seen to be the published one needs no pull.
      return isRunning ? { state: 'COMPLETED' } : undefined
    case 'failed':
      return isRunning ? { state: 'ERROR' } : undefined
    case 'stop':
      if (isRunning) return { state: 'PAUSED', reason: 'stopped' }
      return from.state === 'PAUSED' && from.reason === 'interrupted'
        ? { state: 'PAUSED', reason: 'stopped' }
        : undefined
    case 'interrupted':
      return isRunning ? { state: 'PAUSED', reason: 'interrupted' } : undefined
    case 'rolled_back':
      return isRunning ? undefined : { state: 'PAUSED', reason: 'rolled_back' }
    case 'reset':
      return isRunning ? undefined : { state: 'IDLE' }
  }
}
