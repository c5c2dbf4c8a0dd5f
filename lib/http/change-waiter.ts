import type { Principal } from '../access.ts'
import { Failure } from '../errors.ts'
import type { Exchange } from './exchange.ts'
import type { OpenStream, Streams } from './streams.ts'

/** A connection that waits is not idle; this much longer, and it is. */
const SOCKET_SLACK_MS = 30_000

/** A request that waits for something to happen. It counts as a stream. */
export class ChangeWaiter implements OpenStream, Disposable {
  readonly principal: Principal | undefined
  readonly ticket: string | undefined
  readonly #exchange: Exchange
  readonly #streams: Streams
  readonly #ending = new AbortController()
  readonly #endsAt: number
  readonly #onClose = () => this.#ending.abort()
  #refusal: Failure | undefined
  /** Aborts when it is not to wait any longer. */
  readonly signal = this.#ending.signal

  /** @throws Failure `draining`, `too_many_streams` */
  constructor(exchange: Exchange, streams: Streams, waitMs: number) {
    streams.admit(exchange.principal)
    this.principal = exchange.principal
    this.ticket = exchange.ticket
    this.#exchange = exchange
    this.#streams = streams
    this.#endsAt = performance.now() + waitMs
    exchange.request.socket.setTimeout(waitMs + SOCKET_SLACK_MS)
    exchange.response.once('close', this.#onClose)
    streams.add(this)
  }

  get leftMs(): number {
    return this.#endsAt - performance.now()
  }

  /** The client does not wait any longer. */
  get hasLeft(): boolean {
    return this.#exchange.response.destroyed
  }

  /** @throws Failure `unauthorized` when its key has ended meanwhile */
  assertAllowed(): void {
    if (this.#refusal) throw this.#refusal
  }

  refuse(): void {
    this.#refusal = new Failure('unauthorized', 'The key of this request was revoked or has expired.')
    this.#ending.abort()
  }

  leave(): void {
    this.#exchange.response.shouldKeepAlive = false
    this.#ending.abort()
  }

  [Symbol.dispose](): void {
    this.#exchange.response.off('close', this.#onClose)
    this.#streams.remove(this)
  }
}
