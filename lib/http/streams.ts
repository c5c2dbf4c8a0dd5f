import { isRestricted, type KeyCheck, type Principal } from '../access.ts'
import type { Clock } from '../base/clock.ts'
import { Failure, toFailure } from '../errors.ts'
import type { TicketStore } from '../keys.ts'
import type { Body } from './body.ts'
import { whenClosed, type Exchange } from './exchange.ts'
import type { HttpLog } from './log.ts'
import { writePiece } from './write-piece.ts'

const HEARTBEAT_MS = 15_000
/** How soon a stream ends whose key has. */
const LOOK_MS = 1000
/** Tickets of open streams are said to be in use this often. */
const TOUCH_MS = 60_000
/** A client whose key has ended may take so long to read what it has been sent. */
const CUT_MS = 5000
const RETRY_MIN_MS = 1000
const RETRY_SPREAD_MS = 2000

export const STREAM_HEADERS = [
  'Content-Type', 'text/event-stream; charset=utf-8',
  'Cache-Control', 'no-store, no-transform',
  'X-Accel-Buffering', 'no',
  'Vary', 'Authorization, X-API-Key, apikey',
] // prettier-ignore

/** An answer that stays open. */
export interface OpenStream {
  readonly principal: Principal | undefined
  readonly ticket: string | undefined
  /** Ends it, since its key has. */
  refuse(): void
  /** Ends it, and tells the client to come back after this time. */
  leave(retryMs: number): void
}

interface StreamsParts {
  readonly max: number
  readonly random: () => number
  readonly log: HttpLog
  readonly keys: KeyCheck
  readonly tickets: TicketStore
  readonly clock: Clock
}

/** All open event streams of this process, within a bound. */
export class Streams {
  readonly #max: number
  readonly #random: () => number
  readonly #log: HttpLog
  readonly #keys: KeyCheck
  readonly #tickets: TicketStore
  readonly #clock: Clock
  /** Each with when its ticket was last said to be in use. */
  readonly #open = new Map<OpenStream, number>()
  /** How many are open of each key that does not see everything. */
  readonly #held = new Map<string, number>()
  #isLeaving = false
  #looking: NodeJS.Timeout | undefined

  constructor(parts: StreamsParts) {
    this.#max = parts.max
    this.#random = parts.random
    this.#log = parts.log
    this.#keys = parts.keys
    this.#tickets = parts.tickets
    this.#clock = parts.clock
  }

  get size(): number {
    return this.#open.size
  }

  /**
   * Answers an exchange with the frames that `tell` sends, until it returns, the client goes, its key ends or the
   * process drains. Refuses before anything is sent when there are too many streams.
   */
  async serve(exchange: Exchange, tell: (stream: EventStream) => Promise<void>): Promise<void> {
    this.admit(exchange.principal)
    exchange.begin(200, STREAM_HEADERS)
    if (exchange.isHead) return void exchange.response.end()
    const stream = new EventStream(exchange)
    this.add(stream)
    try {
      await stream.comment(this.greeting())
      await tell(stream)
      if (stream.refusal) await this.#sayWhatFailed(stream, exchange, stream.refusal)
    } catch (error) {
      await this.#sayWhatFailed(stream, exchange, stream.refusal ?? error)
    } finally {
      this.remove(stream)
      await stream.end()
    }
  }

  /**
   * Whether there is room for one more. A key that does not see everything has half of it at most: others keep theirs.
   *
   * @throws Failure `draining`, `too_many_streams`
   */
  admit(principal: Principal | undefined): void {
    if (this.#isLeaving)
      throw new Failure('draining', 'This process is shutting down. Connect again: another one will answer.')
    if (this.#open.size >= this.#max) {
      throw new Failure(
        'too_many_streams',
        `This process serves ${this.#max} streams already. Try again later, or poll.`,
        {
          facts: { max: this.#max },
        },
      )
    }
    const share = Math.ceil(this.#max / 2)
    if (!principal || (this.#held.get(principal.id) ?? 0) < share) return
    throw new Failure(
      'too_many_streams',
      `This key has ${share} streams open at this process already, which is as many as it may. Close some, or poll.`,
      { facts: { max: share } },
    )
  }

  /** Counts a stream in that is served elsewhere, and ends it when its time has come. */
  add(stream: OpenStream): void {
    this.#open.set(stream, this.#clock.now())
    this.#count(stream, 1)
    this.#looking ??= setInterval(() => this.#look(), LOOK_MS).unref()
  }

  remove(stream: OpenStream): void {
    if (this.#open.delete(stream)) this.#count(stream, -1)
    if (this.#open.size === 0) this.#stopLooking()
  }

  #count({ principal }: OpenStream, change: number): void {
    if (!principal || !isRestricted(principal)) return
    const held = (this.#held.get(principal.id) ?? 0) + change
    if (held === 0) this.#held.delete(principal.id)
    else this.#held.set(principal.id, held)
  }

  /** The comment that a stream begins with. */
  greeting(): string {
    return `holdfast\nretry: ${this.#retryMs()}`
  }

  /** Tells every client to come back in a moment, and ends its stream. */
  leave(): void {
    this.#isLeaving = true
    for (const stream of this.#open.keys()) stream.leave(this.#retryMs())
  }

  /** Ends the streams of keys that have ended, and keeps the tickets of the others. */
  #look(): void {
    const tickets: string[] = []
    const now = this.#clock.now()
    for (const [stream, touchedAt] of this.#open) {
      const { principal, ticket } = stream
      if (principal !== undefined && !this.#keys.isLive(principal.id)) stream.refuse()
      else if (ticket !== undefined && now - touchedAt >= TOUCH_MS) {
        this.#open.set(stream, now)
        tickets.push(ticket)
      }
    }
    if (tickets.length > 0) this.#tickets.touch(tickets)
  }

  #stopLooking(): void {
    clearInterval(this.#looking)
    this.#looking = undefined
  }

  /** Spread, so that clients do not come back all at once. */
  #retryMs(): number {
    return Math.round(RETRY_MIN_MS + RETRY_SPREAD_MS * this.#random())
  }

  async #sayWhatFailed(stream: EventStream, exchange: Exchange, error: unknown): Promise<void> {
    if ((stream.signal.aborted && !stream.refusal) || exchange.response.destroyed) return
    const failure = toFailure(error)
    if (failure.code === 'internal')
      this.#log.error({ error: failure.cause ?? failure, request: exchange.id }, 'a stream failed')
    const message =
      failure.code === 'internal' ? 'This is a bug in Holdfast; the log has the details.' : failure.message
    await stream.send('error', { type: 'error', code: failure.code, message, request_id: exchange.id })
    await stream.send('done:failed', { type: 'done' })
  }
}

/** One client's event stream: data-only frames with ids, no faster than the client reads. */
export class EventStream implements OpenStream {
  readonly #exchange: Exchange
  readonly #ending = new AbortController()
  readonly #heartbeat: NodeJS.Timeout
  #isInFrame = false
  #goodbye = ''
  #refusal: Failure | undefined
  /** Aborts when nothing more needs to be told: the client has gone, its key has ended, or this process is leaving. */
  readonly signal = this.#ending.signal
  readonly principal: Principal | undefined
  readonly ticket: string | undefined

  constructor(exchange: Exchange) {
    this.#exchange = exchange
    this.principal = exchange.principal
    this.ticket = exchange.ticket
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS).unref()
    void whenClosed(exchange.response).then(() => {
      this.#ending.abort()
      clearInterval(this.#heartbeat)
    })
  }

  async comment(text: string): Promise<void> {
    await this.#write(`: ${text}\n\n`)
  }

  /** Sends one frame; returns when the client is ready for the next. */
  async send(id: string, data: object): Promise<void> {
    await this.#write(`id: ${id}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  /**
   * Sends one frame whose last member, `payload`, is a body, piece by piece. A body is JSON on one line. Once begun,
   * a frame is finished even while the process leaves, unless the client has gone.
   */
  async sendPayload(id: string, data: object, body: Body): Promise<void> {
    this.#isInFrame = true
    try {
      await this.#write(`id: ${id}\ndata: ${JSON.stringify(data).slice(0, -1)},"payload":`)
      for await (const piece of body.pieces()) {
        if (!(await this.#write(piece))) return
      }
      await this.#write('}\n\n')
    } catch (error) {
      // Half a frame is out: only cutting the connection keeps the client from taking it for a whole one.
      this.#exchange.response.destroy()
      throw error
    } finally {
      this.#isInFrame = false
    }
  }

  /** Why it ends before there is nothing left to tell. */
  get refusal(): Failure | undefined {
    return this.#refusal
  }

  /** Ends it, since its key has: at once where the client reads, else by cutting it off. */
  refuse(): void {
    if (this.#refusal) return
    this.#refusal = new Failure('unauthorized', 'The key of this stream was revoked or has expired.')
    this.#ending.abort()
    const cut = setTimeout(() => this.#exchange.response.destroy(), CUT_MS)
    this.#exchange.response.once('close', () => clearTimeout(cut))
  }

  leave(retryMs: number): void {
    this.#goodbye = `: bye\nretry: ${retryMs}\n\n`
    this.#ending.abort()
  }

  async end(): Promise<void> {
    clearInterval(this.#heartbeat)
    if (this.#goodbye) await this.#write(this.#goodbye)
    this.#exchange.response.end()
  }

  #beat(): void {
    const { response } = this.#exchange
    if (!this.#isInFrame && response.writableLength === 0 && !response.destroyed) response.write(': still here\n\n')
  }

  async #write(piece: Buffer | string): Promise<boolean> {
    return await writePiece(this.#exchange.response, piece)
  }
}
