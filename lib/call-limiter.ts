/** What an upstream allows: at most `calls` calls in any window of `windowMs`, as it sees them arrive. */
export interface CallLimit {
  /**
   * Whom the upstream counts, such as `airtable:appXXXXXXXXXXXXXX`: never a secret. Limiters that name the same
   * account share what it allows, whatever process or source they belong to.
   */
  readonly account: string
  readonly calls: number
  readonly windowMs: number
}

/** A count of calls for each month (UTC) that must not be exceeded. */
export interface CallBudget {
  readonly account: string
  /** Null: counted, not bounded. */
  readonly calls: number | null
}

export interface CallUsage {
  /** `2026-11`. */
  readonly month: string
  readonly calls: number
  readonly budget: number | null
  /** Until when nobody may call, as the upstream said. Epoch milliseconds; null: now. */
  readonly pausedUntil: number | null
}

/**
 * Spaces the calls of all processes of a data directory. A slot is saved before the call it is for, so a process that
 * is killed can waste one but never use one twice; time is that of the boot, so a clock that is set changes nothing.
 * Who asks first calls first, across processes.
 */
export interface CallLimiter {
  /**
   * Resolves at the moment a call may be sent: send at once, without waiting for anything else, over a connection that
   * is open. Calls may then be up to 50 ms longer under way than others. Counts the call.
   * @throws Failure `upstream_budget_spent`, `control_busy`, or the signal's reason
   */
  slot(signal: AbortSignal): Promise<void>

  /**
   * The upstream refused a call because there were too many: nobody calls for this long, in any process. Calls that were
   * under way by then may say so again; that makes the pause longer only if they ask for more. Afterwards there is one
   * call in a window, and when as long again has passed, the full number. An upstream does not say which limit was meant,
   * so it is taken to be the narrowest.
   */
  pause(ms: number): void

  /** What is known now, in any process; needs no call before. */
  usage(): CallUsage
}

/** Opens limiters, which costs nothing until they are used. All limits have to allow a call; give at least one. */
export type OpenCallLimiter = (limits: readonly CallLimit[], budget: CallBudget) => CallLimiter
