/** How much longer one call may be under way to the upstream than another. */
export const ARRIVAL_JITTER_MS = 50

/** When nobody may call, by whatever clock. */
export interface CallPause {
  readonly from: number
  readonly until: number
}

/**
 * The first moment, not before `from`, at which one more call can take place among those at `taken` (in order), so that
 * no `calls + 1` of them lie closer together than `spanMs`.
 */
export function earliestCall(taken: readonly number[], from: number, calls: number, spanMs: number): number {
  let at = from
  for (const [index, first] of taken.entries()) {
    const last = taken[index + calls - 1]
    if (last === undefined) break
    // These are as many as may lie in one span: the call has to stay away from the first or the last of them.
    if (Math.max(last, at) - Math.min(first, at) < spanMs) at = first + spanMs
  }
  return at
}

/** How many of `calls` a window takes at a moment behind a pause: one at first, all when as long again has passed. */
export function callsAfter(pause: CallPause, calls: number, at: number): number {
  const share = (at - pause.until) / (pause.until - pause.from)
  return share >= 1 ? calls : 1 + Math.floor((calls - 1) * Math.max(0, share))
}

/**
 * What a refusal at a moment makes of the pause there was. Inside of it, it comes from a call that was under way when the
 * pause began: one penalty, counted from there.
 */
export function pauseAfter(pause: CallPause | undefined, refusedAt: number, ms: number): CallPause {
  // The last of the calls under way may have arrived at the upstream this much after the first.
  const lengthMs = ms + ARRIVAL_JITTER_MS
  if (pause === undefined || refusedAt >= pause.until) return { from: refusedAt, until: refusedAt + lengthMs }
  return { from: pause.from, until: Math.max(pause.until, pause.from + lengthMs) }
}
