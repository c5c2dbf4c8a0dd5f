import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import Airtable from 'airtable'

/** What to ask of the API. `path` begins behind `/v0/`. */
export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean>>
  readonly body?: object
}

/** What came back, whatever its status. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Undefined where it is no JSON object; `{}` where there is nothing. */
  readonly body: Readonly<Record<string, unknown>> | undefined
}

/** No whole answer came. The message names no URL. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
}

/** Longer than anybody waits: time is kept here, and the package's own limit ends with the headers. */
const NEVER_MS = 2 ** 31 - 1
const MAX_ANSWER_BYTES = 128 * 2 ** 20
const CREATED = 'http.client.request.created'

/** The package's base, but for what it does with answers that are errors: it replaces what Airtable says by less. */
class PlainBase extends Airtable.Base {
  override _checkStatusForError(): null {
    return null
  }
}

/** Where calls go, and with which right. */
export function connect(options: { token: string; endpointUrl?: string | undefined }): (call: Call) => Exchange {
  const { token, endpointUrl } = options
  const airtable = new Airtable({
    apiKey: token,
    noRetryIfRateLimited: true,
    requestTimeout: NEVER_MS,
    ...(endpointUrl !== undefined && { endpointUrl }),
  })
  const base = new PlainBase(airtable, '')
  return (call) => new Exchange(base, call)
}

/**
 * One request by way of the package's `makeRequest`, held back until its connection is open and `send` is called: so it
 * leaves at the moment a limiter gave it. What the package does not do is done at the request itself, which Node.js shows
 * to whoever subscribes: it can be ended at any moment, also within its body; and an answer that is cut off ends it,
 * where the package would wait for ever. Disposing of it ends it and waits until its connection is free.
 */
export class Exchange implements AsyncDisposable {
  /** The connection is open. Rejects with `NoAnswer`. */
  readonly ready: Promise<void>
  /** Rejects with `NoAnswer`. */
  readonly answer: Promise<Answer>
  readonly #request: ClientRequest
  readonly #closed: Promise<void>
  #response: IncomingMessage | undefined
  #held: Socket | undefined
  #bytes = 0
  #isWhole = false

  constructor(base: PlainBase, call: Call) {
    const { request, made } = makeRequest(base, call)
    this.#request = request
    const broken = Promise.withResolvers<never>()
    const fail = (reason: string) => broken.reject(new NoAnswer(reason))
    request.once('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message))
    this.#closed = new Promise((resolve) => {
      request.once('close', () => {
        if (!this.#response?.complete) fail('the connection was closed')
        resolve()
      })
    })
    // Before the package hears of it.
    request.prependOnceListener('response', (response) => this.#heed(response))
    this.ready = Promise.race([this.#open(), broken.promise])
    this.answer = Promise.race([this.#read(made), broken.promise])
    // Who has given up listens no more.
    for (const promise of [this.ready, this.answer, broken.promise]) promise.catch(() => undefined)
  }

  /** Sends it at once. */
  send(): void {
    this.#held?.uncork()
    this.#held = undefined
  }

  /** Ends it, wherever it is: `answer` rejects. */
  end(reason: string): void {
    this.#request.destroy(new Error(reason))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isWhole) return
    this.end('nobody waits for it')
    await this.#closed
  }

  /** Sockets are corked before the request is written to them. */
  #open(): Promise<void> {
    return new Promise((resolve) => {
      this.#request.once('socket', (socket) => {
        socket.cork()
        this.#held = socket
        if (!socket.connecting) resolve()
        else socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', resolve)
      })
    })
  }

  #heed(response: IncomingMessage): void {
    this.#response = response
    response.on('data', (chunk: Buffer) => {
      this.#bytes += chunk.length
      if (this.#bytes > MAX_ANSWER_BYTES) this.end(`the answer has more than ${MAX_ANSWER_BYTES} bytes`)
    })
    // The request tells of it.
    response.on('error', () => undefined)
    // The package would follow a redirect, uncounted and with the token.
    delete response.headers.location
  }

  async #read(made: Promise<{ body: unknown }>): Promise<Answer> {
    const body = await made.then(
      (result) => result.body as Answer['body'],
      () => undefined,
    )
    const response = this.#response
    // Whatever went wrong is told by the request.
    if (response === undefined || !response.complete) return await new Promise(() => {})
    this.#isWhole = true
    return { status: response.statusCode ?? 0, headers: response.headers, body: this.#bytes === 0 ? {} : body }
  }
}

/** Starts the request and catches it as it is made, all within this call. */
function makeRequest(
  base: PlainBase,
  { method, path, query, body }: Call,
): { request: ClientRequest; made: Promise<{ body: unknown }> } {
  let request: ClientRequest | undefined
  const see = (message: unknown) => {
    request ??= (message as { request: ClientRequest }).request
  }
  subscribe(CREATED, see)
  try {
    const made = base.makeRequest({ method, path, qs: { ...query }, ...(body !== undefined && { body }) })
    if (request === undefined)
      throw new Error('The package "airtable" sends its requests in a way that is not known here.')
    return { request, made }
  } finally {
    unsubscribe(CREATED, see)
  }
}
