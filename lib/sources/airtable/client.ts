import { hash } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import type { CallLimiter, CallUsage } from '../../call-limiter.ts'
import { Failure } from '../../errors.ts'
import type { AirtableSourceOptions } from '../../settings.ts'
import type { SourceParts } from '../../source-parts.ts'
import { connect, NoAnswer, type Answer, type Call, type Exchange } from './exchange.ts'
import { refusalOf, troubleOf, type Trouble } from './refusal.ts'

export interface ClientLimits {
  /** From sending to the last byte of the answer. */
  readonly deadlineMs: number
  /** All attempts of a call together, unless its caller has less patience. */
  readonly patienceMs: number
  /** How often a call is sent that gets no good answer. */
  readonly attempts: number
  /** How often in a row a call is sent that is told there were too many. */
  readonly penalties: number
  readonly backoffMs: number
  readonly maxBackoffMs: number
  /** For how long nobody calls when there were too many, unless Airtable says so itself. */
  readonly penaltyMs: number
}

const CLIENT_LIMITS: ClientLimits = {
  deadlineMs: 45_000,
  patienceMs: 15 * 60_000,
  attempts: 6,
  penalties: 8,
  backoffMs: 500,
  maxBackoffMs: 15_000,
  penaltyMs: 30_000,
}

const WINDOW_MS = 1000
const DEFAULT_CALLS_PER_SECOND = 5
/** Of all tokens of a user together. */
const CALLS_PER_SECOND_OF_TOKEN = 50

export interface CallOptions {
  readonly signal: AbortSignal
  /** For messages, as in "Airtable refused to …". */
  readonly doing: string
  readonly patienceMs?: number | undefined
  /** It must not be sent again when it is not known what became of it. */
  readonly isOnce?: boolean
}

/** Calls Airtable within its limits, and again where that can help. */
export class AirtableClient {
  readonly #connect: (call: Call) => Exchange
  readonly #limiter: CallLimiter
  readonly #clock: Clock
  readonly #limits: ClientLimits
  readonly #token: string
  #upstreamNow: number | undefined

  constructor(
    options: AirtableSourceOptions,
    { clock, openLimiter }: Pick<SourceParts, 'clock' | 'openLimiter'>,
    limits: Partial<ClientLimits> = {},
  ) {
    const { baseId, token, endpointUrl, callsPerSecond = DEFAULT_CALLS_PER_SECOND, callsPerMonth = null } = options
    const holder = `airtable:token:${hash('sha256', token, 'hex').slice(0, 16)}`
    this.#connect = connect({ token, endpointUrl })
    this.#limiter = openLimiter(
      [
        { account: `airtable:${baseId}`, calls: callsPerSecond, windowMs: WINDOW_MS },
        { account: holder, calls: CALLS_PER_SECOND_OF_TOKEN, windowMs: WINDOW_MS },
      ],
      { account: holder, calls: callsPerMonth },
    )
    this.#clock = clock
    this.#limits = { ...CLIENT_LIMITS, ...limits }
    this.#token = token
  }

  /**
   * A moment that Airtable's own clock has reached, as its last answer said: times of records are compared with no other.
   * Where it does not say, that of this machine. Epoch milliseconds.
   */
  get upstreamNow(): number {
    return this.#upstreamNow ?? this.#clock.now()
  }

  get usage(): CallUsage {
    return this.#limiter.usage()
  }

  /** Patience for several calls together: each has what those before have left. */
  sharedPatience(ms: number): () => number {
    const endAt = this.#clock.monotonic() + ms
    return () => Math.max(0, endAt - this.#clock.monotonic())
  }

  /**
   * Resolves with the JSON object of a success; `{}` for a success without a body. May send a call more than once.
   *
   * @throws `Refusal`, Failure `upstream_unavailable`, `upstream_malformed`, `upstream_budget_spent`, or the signal's
   * reason
   */
  async call(call: Call, options: CallOptions): Promise<NonNullable<Answer['body']>> {
    const { attempts, penalties } = this.#limits
    const leftMs = this.sharedPatience(Math.min(options.patienceMs ?? Infinity, this.#limits.patienceMs))
    for (const tries = { failed: 0, penalties: 0 }; ;) {
      options.signal.throwIfAborted()
      const trouble = await this.#try(call, options.signal, leftMs())
      if ('body' in trouble) return trouble.body
      const isPenalty = trouble.kind === 'too many'
      const isLast = isPenalty ? (tries.penalties += 1) >= penalties : (tries.failed += 1) >= attempts
      const isUnclear = options.isOnce === true && trouble.kind === 'later'
      if (trouble.kind === 'final' || isLast || isUnclear) throw this.#failure(trouble, options.doing)
      await this.#clock.sleep(Math.min(leftMs(), this.#pauseAfter(trouble, tries.failed)), options.signal)
      options.signal.throwIfAborted()
      if (leftMs() === 0) throw this.#failure(trouble, options.doing)
    }
  }

  /** One attempt: its answer, or what was wrong with it. */
  async #try(
    call: Call,
    signal: AbortSignal,
    leftMs: number,
  ): Promise<{ body: NonNullable<Answer['body']> } | SentTrouble> {
    try {
      const answer = await this.#send(call, signal, leftMs)
      const date = Date.parse(answer.headers.date ?? '')
      // What is no JSON comes from something in between.
      if (answer.body !== undefined && !Number.isNaN(date)) this.#upstreamNow = date
      const isGood = answer.status >= 200 && answer.status < 300
      if (isGood && answer.body !== undefined) return { body: answer.body }
      return { ...troubleOf(answer), retryAfterMs: retryAfterOf(answer) }
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof NoAnswer)) throw error
      return { kind: 'later', status: 0, type: 'NO_ANSWER', message: error.message, retryAfterMs: undefined }
    }
  }

  async #send(call: Call, signal: AbortSignal, leftMs: number): Promise<Answer> {
    const { pausedUntil } = this.usage
    // A connection would not stay open for so long.
    if (pausedUntil !== null) await this.#clock.sleep(Math.min(leftMs, pausedUntil - this.#clock.now()), signal)
    signal.throwIfAborted()
    const over = new AbortController()
    await using exchange = this.#connect(call)
    const stop = () => exchange.end('the run ended')
    signal.addEventListener('abort', stop, { once: true })
    const endAfter = (ms: number, reason: string, until: AbortSignal) => {
      void this.#clock.sleep(ms, until).then(() => until.aborted || exchange.end(reason))
    }
    try {
      endAfter(leftMs, 'nobody waits any longer', over.signal)
      await this.#within(exchange, exchange.ready, endAfter)
      const slot = AbortSignal.any([signal, over.signal])
      // A connection that closes meanwhile is not worth a slot.
      exchange.answer.catch(() => over.abort())
      await Promise.race([this.#limiter.slot(slot), exchange.answer])
      exchange.send()
      return await this.#within(exchange, exchange.answer, endAfter)
    } finally {
      over.abort()
      signal.removeEventListener('abort', stop)
    }
  }

  async #within<T>(
    exchange: Exchange,
    promise: Promise<T>,
    endAfter: (ms: number, reason: string, until: AbortSignal) => void,
  ): Promise<T> {
    const { deadlineMs } = this.#limits
    const done = new AbortController()
    endAfter(deadlineMs, `nothing, or not all, came within ${deadlineMs / 1000} s`, done.signal)
    try {
      return await promise
    } finally {
      done.abort()
    }
  }

  /** How long to wait before the next attempt. Where there were too many, nobody else calls either. */
  #pauseAfter({ kind, retryAfterMs }: SentTrouble, failed: number): number {
    const { penaltyMs, backoffMs, maxBackoffMs } = this.#limits
    if (kind === 'too many') {
      const pauseMs = retryAfterMs ?? penaltyMs
      this.#limiter.pause(pauseMs)
      return pauseMs
    }
    const ms = Math.round(Math.min(maxBackoffMs, backoffMs * 2 ** (failed - 1)) * (0.5 + Math.random() / 2))
    return Math.max(ms, Math.min(retryAfterMs ?? 0, penaltyMs))
  }

  #failure(trouble: Trouble, doing: string): Failure {
    const message = trouble.message.replaceAll(this.#token, '…')
    if (trouble.status > 0) return refusalOf({ ...trouble, message }, doing)
    return new Failure('upstream_unavailable', `Airtable did not answer when asked to ${doing}: ${message}.`)
  }
}

interface SentTrouble extends Trouble {
  readonly retryAfterMs: number | undefined
}

/** Seconds, or a time. */
function retryAfterOf({ headers }: Answer): number | undefined {
  const text = headers['retry-after']
  if (text === undefined) return undefined
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.parse(headers.date ?? '')
  return Number.isFinite(ms) && ms >= 0 ? ms : undefined
}
