import type { Clock } from '../../base/clock.ts'

/** A run that is silent for minutes is taken for one that hangs. */
const SILENT_MS = 30_000

/**
 * The pages, and whenever none has come for a while a `sign` between them: a penalty that has to be waited for, or a slow
 * answer, is no standstill. Whoever stops early must have `pages` end by a signal first: it is waited for.
 */
export async function* withSignsOfLife<Page>(
  pages: AsyncGenerator<Page, void>,
  clock: Clock,
  sign: () => Page | undefined,
): AsyncGenerator<Page, void> {
  for (;;) {
    const coming = pages.next()
    coming.catch(() => undefined)
    let result: IteratorResult<Page, void> | undefined
    while (result === undefined) {
      const silence = new AbortController()
      try {
        result = await Promise.race([coming, clock.sleep(SILENT_MS, silence.signal).then(() => undefined)])
      } finally {
        silence.abort()
      }
      const page = result === undefined ? sign() : undefined
      if (page !== undefined) yield page
    }
    if (result.done) return
    yield result.value
  }
}
