import type { Clock } from '../base/clock.ts'
import type { Run } from '../sync-run.ts'

/** What a webhook is told, as JSON. */
export interface Alert {
  readonly kind: 'failed' | 'rejected' | 'stale' | 'recovered'
  readonly source: string
  /** Null where it is not a run that brought it about. */
  readonly run: string | null
  readonly code: string | null
  readonly message: string
  /** Epoch milliseconds. */
  readonly at: number
}

/** The same trouble is told again after this time, not at every run. */
const REPEAT_MS = 3600 * 1000
const ATTEMPTS = 3
const RETRY_MS = 1000
const DEADLINE_MS = 5000

/** Tells a webhook when a source fails, is refused, grows old, and is well again. Best effort: it never fails a sync. */
export class Alerts {
  readonly #url: string
  readonly #clock: Clock
  readonly #fetch: typeof fetch
  readonly #signal: AbortSignal | undefined
  readonly #onTrouble: (error: unknown) => void
  readonly #told = new Map<string, { what: string; at: number }>()
  /** Sources that are old, and when that was told; `isOurs` where it was told from here. */
  readonly #stale = new Map<string, { at: number; isOurs: boolean }>()

  /** Once `signal` aborts nothing more is tried: the process ends. */
  constructor(options: {
    url: string
    clock: Clock
    fetch?: typeof fetch
    signal?: AbortSignal
    onTrouble: (error: unknown) => void
  }) {
    this.#signal = options.signal
    this.#url = options.url
    this.#clock = options.clock
    this.#fetch = options.fetch ?? fetch
    this.#onTrouble = options.onTrouble
  }

  /** Looks at a run that has ended. Resolves when what had to be told was told, or given up. */
  async ended(run: Run): Promise<void> {
    const told = this.#told.get(run.source)
    const at = this.#clock.now()
    if (run.status === 'failed' || run.status === 'rejected') {
      const what = `${run.status} ${run.error?.code}`
      if (told?.what === what && at - told.at < REPEAT_MS) return
      this.#told.set(run.source, { what, at })
      const message = run.error?.message ?? 'The run failed.'
      await this.#send({
        kind: run.status,
        source: run.source,
        run: run.id,
        code: run.error?.code ?? null,
        message,
        at,
      })
    } else if (run.status === 'completed') {
      const isAwaited = told !== undefined || this.#stale.get(run.source)?.isOurs === true
      this.#told.delete(run.source)
      this.#stale.delete(run.source)
      if (!isAwaited) return
      const message = `${run.source} is up to date again.`
      await this.#send({ kind: 'recovered', source: run.source, run: run.id, code: null, message, at })
    }
  }

  /**
   * Looks at a source that is older than it may be, for the reason in `message`. Of all processes that see it the one
   * whose `claim` of the hour succeeds tells.
   */
  async stale(source: string, message: string, claim: (hour: number) => Promise<boolean>): Promise<void> {
    const told = this.#stale.get(source)
    const at = this.#clock.now()
    if (told !== undefined && Math.abs(at - told.at) < REPEAT_MS) return
    const isOurs = await claim(Math.floor(at / REPEAT_MS) * REPEAT_MS)
    this.#stale.set(source, { at, isOurs })
    if (isOurs) await this.#send({ kind: 'stale', source, run: null, code: 'snapshot_stale', message, at })
  }

  /** Looks at a source that is as new as it should be. */
  async fresh(source: string): Promise<void> {
    const told = this.#stale.get(source)
    this.#stale.delete(source)
    // A run that failed is told of until one has completed.
    if (told?.isOurs !== true || this.#told.has(source)) return
    const message = `${source} is up to date again.`
    await this.#send({ kind: 'recovered', source, run: null, code: null, message, at: this.#clock.now() })
  }

  async #send(alert: Alert): Promise<void> {
    const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(alert) }
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await this.#fetch(this.#url, { ...init, signal: this.#deadline() })
        await response.body?.cancel()
        if (response.ok) return
        throw new Error(`the alert webhook answered ${response.status}`)
      } catch (error) {
        if (attempt === ATTEMPTS || this.#signal?.aborted) return this.#onTrouble(error)
        await this.#clock.sleep(RETRY_MS * 2 ** (attempt - 1) * (0.5 + Math.random()), this.#signal)
      }
    }
  }

  #deadline(): AbortSignal {
    const deadline = AbortSignal.timeout(DEADLINE_MS)
    return this.#signal === undefined ? deadline : AbortSignal.any([deadline, this.#signal])
  }
}
