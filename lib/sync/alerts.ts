import type { Clock } from '../base/clock.ts'
import type { Run } from '../sync-run.ts'

/** What a webhook is told, as JSON. */
export interface Alert {
  readonly kind: 'failed' | 'rejected' | 'recovered'
  readonly source: string
  readonly run: string
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

/** Tells a webhook when a source fails, is refused, and is well again. Best effort: it never fails a sync. */
export class Alerts {
  readonly #url: string
  readonly #clock: Clock
  readonly #fetch: typeof fetch
  readonly #signal: AbortSignal | undefined
  readonly #onTrouble: (error: unknown) => void
  readonly #told = new Map<string, { what: string; at: number }>()

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
    } else if (run.status === 'completed' && told !== undefined) {
      this.#told.delete(run.source)
      const message = `${run.source} is up to date again.`
      await this.#send({ kind: 'recovered', source: run.source, run: run.id, code: null, message, at })
    }
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
