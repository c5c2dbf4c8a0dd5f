import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Failure, toFailure } from '../errors.ts'
import type { Body } from './body.ts'
import { compressor } from './compress.ts'
import { presentedKey, type KeyCheck, type Principal, type Scope } from './keys.ts'
import type { HttpLog } from './log.ts'
import { PROBLEM_TYPE, problemOf } from './problem.ts'
import { readQuery, type Parameters, type ParameterRule } from './query.ts'
import type { Coding } from '../snapshot.ts'
import { writePiece } from './write-piece.ts'

export const JSON_TYPE = 'application/json; charset=utf-8'

/** One request and its answer, once it has left the hot path. */
export class Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly id: string
  readonly path: string
  readonly query: string
  readonly #constant: readonly string[]
  readonly #log: HttpLog

  constructor(parts: {
    request: IncomingMessage
    response: ServerResponse
    id: string
    path: string
    query: string
    constantHeaders: readonly string[]
    log: HttpLog
  }) {
    this.request = parts.request
    this.response = parts.response
    this.id = parts.id
    this.path = parts.path
    this.query = parts.query
    this.#constant = parts.constantHeaders
    this.#log = parts.log
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
    this.response.writeHead(status, [...this.#constant, 'X-Request-Id', this.id, ...headers])
  }

  /** Sends a whole answer; a HEAD request gets the same headers. */
  send(status: number, headers: readonly string[], body: Buffer | string): void {
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length
    this.begin(status, [...headers, 'Content-Length', String(length)])
    this.response.end(this.isHead ? undefined : body)
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
  async stream(status: number, headers: readonly string[], body: Body, coding: Coding = 'identity'): Promise<void> {
    const size = coding === 'identity' ? body.size : undefined
    this.begin(status, size === undefined ? headers : [...headers, 'Content-Length', String(size)])
    if (this.isHead) return void this.response.end()
    if (body.bytes && coding === 'identity') {
      this.response.end(body.bytes)
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
    const problem = problemOf(failure, this.id)
    this.send(
      problem.status,
      ['Content-Type', PROBLEM_TYPE, 'Cache-Control', 'no-store', ...problem.headers, ...headers],
      problem.body,
    )
  }

  /** Who asks, or `unauthorized` or `forbidden`. */
  authorize(keys: KeyCheck, scope: Scope): Principal {
    const key = presentedKey(this.request.headers)
    const principal = key === undefined ? undefined : keys.check(key)
    if (!principal) {
      const found = this.request.headers['x-api-key'] !== undefined || this.request.headers.authorization !== undefined
      throw new Failure(
        'unauthorized',
        found
          ? 'The key that was sent is not valid here, or two different ones were sent.'
          : 'Send a key, as X-API-Key or as Authorization: Bearer.',
      )
    }
    requireScope(principal, scope)
    return principal
  }
}

export function requireScope(principal: Principal, scope: Scope): void {
  if (principal.scopes.has(scope)) return
  throw new Failure('forbidden', `This needs a key with the scope ${scope}.`, { facts: { scope } })
}

async function writeAll(target: Writable | ServerResponse, body: Body): Promise<void> {
  for await (const piece of body.pieces()) if (!(await writePiece(target, piece))) return void target.destroy()
  target.end()
}

/** Resolves when the answer is sent or its client has gone. */
export async function whenClosed(response: ServerResponse): Promise<void> {
  if (response.closed || response.destroyed) return
  await new Promise((resolve) => response.once('close', resolve))
}
