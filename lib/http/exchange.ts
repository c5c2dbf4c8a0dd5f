import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { toFailure, type Failure } from '../errors.ts'
import type { Bytes } from './body.ts'
import { compressor } from './compress.ts'
import type { Principal } from '../access.ts'
import type { HeldBytes } from './held-bytes.ts'
import type { HttpLog } from './log.ts'
import { PROBLEM_TYPE, problemOf, type Problem } from './problem.ts'
import { readQuery, type Parameters, type ParameterRule } from './query.ts'
import type { Coding } from '../snapshot.ts'
import { splitTicket } from './ticket-target.ts'
import { endWith, writePiece } from './write-piece.ts'

export const JSON_TYPE = 'application/json; charset=utf-8'

/** One request and its answer, once it has left the hot path. */
export class Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly id: string
  readonly path: string
  /** Who asks, once that is known. */
  principal: Principal | undefined
  /** How what went wrong is written down: some routes speak the language of other products. */
  problemOf: (failure: Failure, requestId: string) => Problem = problemOf
  #query: string
  #ticket: string | undefined
  /** On every answer. */
  #headers: readonly string[]
  readonly #log: HttpLog
  readonly #held: HeldBytes

  constructor(parts: {
    request: IncomingMessage
    response: ServerResponse
    id: string
    path: string
    query: string
    constantHeaders: readonly string[]
    log: HttpLog
    held: HeldBytes
  }) {
    this.request = parts.request
    this.response = parts.response
    this.id = parts.id
    this.path = parts.path
    this.#query = parts.query
    this.#headers = [...parts.constantHeaders, 'X-Request-Id', parts.id]
    this.#log = parts.log
    this.#held = parts.held
  }

  get query(): string {
    return this.#query
  }

  /** What stood in the query in the place of a key. A secret. */
  get ticket(): string | undefined {
    return this.#ticket
  }

  /** Takes the ticket out of the query: from here on nobody reads, keeps or logs it by accident. */
  takeTicket(): void {
    const { ticket, rest } = splitTicket(this.#query)
    if (ticket === undefined) return
    this.#ticket = ticket
    this.#query = rest
    this.request.url = rest === '' ? this.path : `${this.path}?${rest}`
  }

  /** Sends these too, whatever the answer will be. */
  addHeaders(headers: readonly string[]): void {
    this.#headers = [...this.#headers, ...headers]
  }

  /** Sends this value in the place of the one that every answer has. */
  replaceHeader(name: string, value: string): void {
    const at = this.#headers.indexOf(name)
    this.#headers = at === -1 ? [...this.#headers, name, value] : this.#headers.with(at + 1, value)
  }

  get isHead(): boolean {
    return this.request.method === 'HEAD'
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }

  parameters<const Rules extends Readonly<Record<string, ParameterRule>>>(rules: Rules): Parameters<Rules> {
    return readQuery(this.query, rules)
  }

  /** Sends status and headers; the caller sends the body. */
  begin(status: number, headers: readonly string[]): void {
    this.response.writeHead(status, [...this.#headers, ...headers])
  }

  /** Sends a whole answer; a HEAD request gets the same headers. */
  send(status: number, headers: readonly string[], body: Buffer | string): void {
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length
    this.begin(status, [...headers, 'Content-Length', String(length)])
    this.response.end(this.isHead ? undefined : body)
    if (!this.isHead) this.#held.hold(this.response, this.principal?.id ?? '', body)
  }

  /** Sends state, which nobody may keep. */
  json(status: number, value: unknown, headers: readonly string[] = []): void {
    this.send(status, ['Content-Type', JSON_TYPE, 'Cache-Control', 'no-store', ...headers], JSON.stringify(value))
  }

  /** Sends an answer that has no body. */
  empty(status: number, headers: readonly string[] = []): void {
    this.begin(status, headers)
    this.response.end()
  }

  /**
   * Sends a body no faster than the client takes it, through a compressor where `coding` says so, and returns when
   * the last byte is handed over or the client has gone.
   */
  async stream(status: number, headers: readonly string[], body: Bytes, coding: Coding = 'identity'): Promise<void> {
    const size = coding === 'identity' ? body.size : undefined
    this.begin(status, size === undefined ? headers : [...headers, 'Content-Length', String(size)])
    if (this.isHead) return void this.response.end()
    if (body.bytes && coding === 'identity') {
      endWith(this.response, body.bytes)
      return await whenClosed(this.response)
    }
    const encoder = compressor(coding)
    try {
      if (encoder) await Promise.all([pipeline(encoder, this.response), writeAll(encoder, body)])
      else await writeAll(this.response, body)
    } catch (error) {
      // Headers are out: cutting the connection is the only way left to say that this is not all.
      const hasLeft = (error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE'
      if (!hasLeft) this.#log.error({ error, request: this.id }, 'a streamed answer broke off')
      encoder?.destroy()
      this.response.destroy()
    }
  }

  /** Answers with what went wrong: RFC 9457. */
  fail(error: unknown, headers: readonly string[] = []): void {
    const failure = toFailure(error)
    if (failure.status === 500) this.#log.error({ error: failure.cause ?? failure, request: this.id }, 'request failed')
    if (this.response.headersSent) return void this.response.destroy()
    const problem = this.problemOf(failure, this.id)
    this.send(
      problem.status,
      ['Content-Type', problem.type ?? PROBLEM_TYPE, 'Cache-Control', 'no-store', ...problem.headers, ...headers],
      problem.body,
    )
  }
}

async function writeAll(target: Writable | ServerResponse, body: Bytes): Promise<void> {
  for await (const piece of body.pieces()) if (!(await writePiece(target, piece))) return void target.destroy()
  target.end()
}

/** Resolves when the answer is sent or its client has gone. */
export async function whenClosed(response: ServerResponse): Promise<void> {
  if (response.closed || response.destroyed) return
  await new Promise((resolve) => response.once('close', resolve))
}
