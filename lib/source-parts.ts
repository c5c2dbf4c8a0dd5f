import type { Clock } from './base/clock.ts'
import type { OpenCallLimiter } from './call-limiter.ts'
import type { JsonValue } from './column.ts'

/** What a source keeps for itself from run to run, beside cursors: readable by its owner only, so secrets may be in it. */
export interface SourceMemory {
  /** Undefined until something was written. */
  read(): JsonValue | undefined
  /** Replaces it in one step. */
  write(value: JsonValue): void
}

/** What sources are made with. */
export interface SourceParts {
  readonly clock: Clock
  readonly openLimiter: OpenCallLimiter
  readonly memory: SourceMemory
  /** The URL that clients reach this server by, without a slash at its end; null: not known. */
  readonly publicUrl: string | null
  /** How often its schedule runs it in a month; absent: nobody knows, or it has none. */
  readonly runsPerMonth?: number
}
