import type { PlanOptions } from '../../lib/source.ts'

/** What a source is told when nothing was published yet. */
export function planOptions(signal: AbortSignal = AbortSignal.timeout(60_000)): PlanOptions {
  return { signal, trigger: 'refresh', published: undefined, wantsAll: false, refusedAt: null }
}
