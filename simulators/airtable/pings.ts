import { createHmac } from 'node:crypto'
import type { Clock } from '../../lib/base/clock.ts'
import type { JsonObject } from './json.ts'
import { serviceOf } from './service.ts'
import type { Webhook } from './webhooks.ts'

const ANSWER_WITHIN_MS = 25_000
/** 13 more tries over about a day. */
const RETRY_DELAYS_MS = Array.from({ length: 13 }, (_, at) => 10_000 * 2 ** at)

export interface PingOptions {
  /** Whether any are sent. */
  readonly ping: boolean
  /** Changes of that time make one ping. */
  readonly coalesceMs: number
  readonly retryDelaysMs: readonly number[]
}

export const PING_DEFAULTS: PingOptions = { ping: true, coalesceMs: 0, retryDelaysMs: RETRY_DELAYS_MS }

/** One attempt to tell somebody. */
export interface Ping {
  readonly webhookId: string
  readonly url: string
  readonly body: string
  /** The value of `X-Airtable-Content-MAC`. */
  readonly mac: string
  readonly at: number
  readonly attempt: number
  /** Undefined where nobody answered. */
  readonly status: number | undefined
}

/** Tells the owners of webhooks, by signed requests, that there is something to read; not what. */
export class Pinger {
  readonly #clock: Clock
  readonly #options: PingOptions
  readonly #ending = new AbortController()
  /** Those with changes that the request on its way, if any, may have come too early for. */
  readonly #waiting = new Set<Webhook>()
  readonly #busy = new Map<Webhook, Promise<void>>()
  readonly pings: Ping[] = []

  constructor(clock: Clock, options: PingOptions) {
    this.#clock = clock
    this.#options = options
  }

  /** A ping soon, as nobody waits for it. */
  announce(hook: Webhook): void {
    if (!this.#options.ping || hook.notificationUrl === null || !hook.areNotificationsEnabled) return
    this.#waiting.add(hook)
    if (this.#busy.has(hook)) return
    this.#busy.set(
      hook,
      this.#work(hook).finally(() => this.#busy.delete(hook)),
    )
  }

  /** Ends what is on its way, and waits for it. */
  async close(): Promise<void> {
    this.#ending.abort()
    await Promise.all(this.#busy.values())
  }

  async #work(hook: Webhook): Promise<void> {
    while (this.#waiting.has(hook) && !this.#ending.signal.aborted) {
      await this.#clock.sleep(this.#options.coalesceMs, this.#ending.signal)
      this.#waiting.delete(hook)
      await this.#tell(hook)
    }
  }

  async #tell(hook: Webhook): Promise<void> {
    for (const [attempt, delayMs] of [0, ...this.#options.retryDelaysMs].entries()) {
      if (delayMs > 0) await this.#clock.sleep(delayMs, this.#ending.signal)
      if (this.#ending.signal.aborted || !hook.areNotificationsEnabled) return
      const status = await this.#send(hook, attempt)
      const isDone = status === 200 || status === 204
      const willBeRetried = !isDone && attempt < this.#options.retryDelaysMs.length
      hook.lastNotificationResult = this.#result(status, isDone, willBeRetried, attempt)
      if (isDone) {
        hook.lastNotifiedAt = this.#clock.now()
        return
      }
    }
    hook.areNotificationsEnabled = false
  }

  #result(status: number | undefined, success: boolean, willBeRetried: boolean, retryNumber: number): JsonObject {
    const result = { success, completionTimestamp: new Date(this.#clock.now()).toISOString(), retryNumber }
    if (success) return result
    const message = status === undefined ? 'The request failed' : `The HTTP request returned a ${status} status code`
    return { ...result, error: { message }, willBeRetried }
  }

  async #send(hook: Webhook, attempt: number): Promise<number | undefined> {
    const url = hook.notificationUrl
    if (url === null) return undefined
    const at = this.#clock.now()
    const body = JSON.stringify({
      base: { id: hook.base.id },
      webhook: { id: hook.id },
      timestamp: new Date(at).toISOString(),
    })
    const mac = `hmac-sha256=${createHmac('sha256', hook.secret).update(body).digest('hex')}`
    const status = await this.#post(url, body, mac)
    this.pings.push({ webhookId: hook.id, url, body, mac, at, attempt, status })
    return status
  }

  async #post(url: string, body: string, mac: string): Promise<number | undefined> {
    using _working = serviceOf(this.#clock)
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-airtable-content-mac': mac },
        body,
        redirect: 'manual',
        signal: AbortSignal.any([this.#ending.signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
      })
      await response.body?.cancel()
      return response.status
    } catch {
      return undefined
    }
  }
}
