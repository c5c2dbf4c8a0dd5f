/** Time, so that a test can stand still or jump. */
export interface Clock {
  /** Epoch milliseconds. Somebody may set it: it can jump, back too. */
  now(): number
  /** Milliseconds since some moment, the same for all processes of this boot; never goes back. */
  monotonic(): number
  /** Resolves after `ms`, or at once when `signal` aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  // CLOCK_MONOTONIC: `performance.now()` counts from the start of each process.
  monotonic: () => Number(process.hrtime.bigint() / 1000n) / 1000,
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal?.addEventListener('abort', done, { once: true })
    }),
}
