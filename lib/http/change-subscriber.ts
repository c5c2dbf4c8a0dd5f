import type { ServerResponse } from 'node:http'
import type { Principal } from '../access.ts'
import type { Watermark } from '../watermark.ts'
import type { ChangeLens } from './change-lens.ts'
import type { Exchange } from './exchange.ts'
import type { HeldBytes } from './held-bytes.ts'
import { SharedPiece } from './shared-piece.ts'
import type { OpenStream } from './streams.ts'
import { writePiece } from './write-piece.ts'

/** A client that has let so much pile up is too slow to keep. */
const MAX_PILED_BYTES = 1024 * 1024
/** A client whose key has ended may take so long to read what it has been sent. */
const CUT_MS = 5000
const STILL_HERE = new SharedPiece(Buffer.from(': still here\n\n'))

/** One client that follows the log. There are thousands of them, so each is little more than its connection. */
export class ChangeSubscriber implements OpenStream {
  /** Replaced by an equal one that others have too. */
  lens: ChangeLens
  /** It has been told everything up to here. */
  after: Watermark
  readonly principal: Principal | undefined
  readonly ticket: string | undefined
  readonly #response: ServerResponse
  readonly #requestId: string

  constructor(exchange: Exchange, lens: ChangeLens, after: Watermark) {
    this.lens = lens
    this.after = after
    this.principal = exchange.principal
    this.ticket = exchange.ticket
    this.#response = exchange.response
    this.#requestId = exchange.id
  }

  get isOver(): boolean {
    return this.#response.writableEnded || this.#response.destroyed
  }

  /** Hands a frame over without waiting. False: the client was too slow, and is gone; it resumes by itself. */
  push(frame: SharedPiece): boolean {
    if (this.isOver) return false
    if (this.#response.writableLength > MAX_PILED_BYTES) {
      this.#response.destroy()
      return false
    }
    frame.writeTo(this.#response)
    return true
  }

  /** Sends a piece no faster than the client reads. */
  async send(piece: Buffer, held: HeldBytes): Promise<void> {
    if (this.isOver) return
    const sent = writePiece(this.#response, piece)
    const release = held.hold(this.#response, this.principal?.id ?? '', piece)
    await sent
    release()
  }

  /** Keeps the connection from looking dead; one that is still taking what it was sent does not. */
  beat(): void {
    if (!this.isOver && this.#response.writableLength === 0) STILL_HERE.writeTo(this.#response)
  }

  refuse(): void {
    const message = 'The key of this stream was revoked or has expired.'
    const error = { type: 'error', code: 'unauthorized', message, request_id: this.#requestId }
    this.#end(`data: ${JSON.stringify(error)}\n\n`)
    const cut = setTimeout(() => this.#response.destroy(), CUT_MS)
    this.#response.once('close', () => clearTimeout(cut))
  }

  leave(retryMs: number): void {
    this.#end(`: bye\nretry: ${retryMs}\n\n`)
  }

  #end(last: string): void {
    if (!this.isOver) this.#response.end(last)
  }
}
