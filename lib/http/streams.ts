import { Failure, toFailure } from '../errors.ts'
import type { Body } from './body.ts'
import { whenClosed, type Exchange } from './exchange.ts'
import type { HttpLog } from './log.ts'
import { writePiece } from './write-piece.ts'

const HEARTBEAT_MS = 15_000
const RETRY_MIN_MS = 1000
const RETRY_SPREAD_MS = 2000

const HEADERS = [
  'Content-Type', 'text/event-stream; charset=utf-8',
  'Cache-Control', 'no-store, no-transform',
  'X-Accel-Buffering', 'no',
  'Vary', 'Authorization, X-API-Key',
] // prettier-ignore

/** All open event streams of this process, within a bound. */
export class Streams {
  readonly #max: number
  readonly #random: () => number
  readonly #log: HttpLog
  readonly #open = new Set<EventStream>()
  #isLeaving = false

  constructor(parts: { max: number; random: () => number; log: HttpLog }) {
    this.#max = parts.max
    this.#random = parts.random
    this.#log = parts.log
  }

  get size(): number {
    return this.#open.size
  }

  /**
   * Answers an exchange with the frames that `tell` sends, until it returns, the client goes or the process drains.
   * Refuses before anything is sent when there are too many streams.
   */
  async serve(exchange: Exchange, tell: (stream: EventStream) => Promise<void>): Promise<void> {
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
    exchange.begin(200, HEADERS)
    if (exchange.isHead) return void exchange.response.end()
    const stream = new EventStream(exchange)
    this.#open.add(stream)
    try {
      await stream.comment(`holdfast\nretry: ${this.#retryMs()}`)
      await tell(stream)
    } catch (error) {
      await this.#sayWhatFailed(stream, exchange, error)
    } finally {
      this.#open.delete(stream)
      await stream.end()
    }
  }

  /** Tells every client to come back in a moment, and ends its stream. */
  leave(): void {
    this.#isLeaving = true
    for (const stream of this.#open) stream.leave(this.#retryMs())
  }

  /** Spread, so that clients do not come back all at once. */
  #retryMs(): number {
    return Math.round(RETRY_MIN_MS + RETRY_SPREAD_MS * this.#random())
  }

  async #sayWhatFailed(stream: EventStream, exchange: Exchange, error: unknown): Promise<void> {
    if (stream.signal.aborted || exchange.response.destroyed) return
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
export class EventStream {
  readonly #exchange: Exchange
  readonly #ending = new AbortController()
  readonly #heartbeat: NodeJS.Timeout
  #isInFrame = false
  #goodbye = ''
  /** Aborts when nothing more needs to be told: the client has gone, or this process is leaving. */
  readonly signal = this.#ending.signal

  constructor(exchange: Exchange) {
    this.#exchange = exchange
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
