/** So often a file is tried before it counts as failed. */
const ATTEMPTS = 4
const FIRST_WAIT_MS = 2000
const FIRST_REST_MS = 10 * 60_000
const LONGEST_REST_MS = 86_400_000

/**
 * When a file that could not be fetched is tried again. A few times that is soon; then it counts as failed, and rests
 * longer after each try. One that the upstream refuses for good counts as failed at once.
 */
export function nextTry(
  { attempts, isRefused }: { readonly attempts: number; readonly isRefused: boolean },
  random: () => number,
): { readonly waitMs: number; readonly isFinal: boolean } {
  const jitter = 0.75 + random() / 2
  if (!isRefused && attempts < ATTEMPTS) return { waitMs: FIRST_WAIT_MS * 3 ** (attempts - 1) * jitter, isFinal: false }
  const rests = Math.min(20, Math.max(0, attempts - ATTEMPTS))
  return { waitMs: Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** rests) * jitter, isFinal: true }
}
