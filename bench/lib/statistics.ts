/** The middle value, or the mean of the middle two. NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length % 2 === 1) return sorted[middle] ?? Number.NaN
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2
}

/** The smallest value that at least `share` of all values do not exceed (nearest rank). NaN of nothing. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

export interface Pair {
  readonly ours: number
  readonly reference: number
}

export interface PairSummary extends Pair {
  /** Median of the ratios of the pairs: what disturbs both halves of a pair cancels out. */
  readonly ratio: number
  /** The smallest and the greatest ratio. */
  readonly spread: readonly [number, number]
}

export function summarize(pairs: readonly Pair[]): PairSummary {
  const ratios = pairs.map((pair) => pair.ours / pair.reference)
  return {
    ours: median(pairs.map((pair) => pair.ours)),
    reference: median(pairs.map((pair) => pair.reference)),
    ratio: median(ratios),
    spread: [Math.min(...ratios), Math.max(...ratios)],
  }
}

/**
 * Measures both in turn, A B then B A and so on, so that neither always runs first. One round before them is thrown
 * away: it pays for cold caches.
 */
export async function interleave(
  rounds: number,
  measure: { ours(): Promise<number>; reference(): Promise<number> },
  options: { warmUp?: boolean } = {},
): Promise<Pair[]> {
  const pairs: Pair[] = []
  for (let round = options.warmUp === false ? 0 : -1; round < rounds; round++) {
    let ours: number
    let reference: number
    if (round % 2 === 0) {
      ours = await measure.ours()
      reference = await measure.reference()
    } else {
      reference = await measure.reference()
      ours = await measure.ours()
    }
    if (round >= 0) pairs.push({ ours, reference })
  }
  return pairs
}
