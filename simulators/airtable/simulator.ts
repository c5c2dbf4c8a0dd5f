import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { systemClock, type Clock } from '../../lib/base/clock.ts'
import { Api } from './api.ts'
import type { Base } from './base.ts'
import { Faults, matches, type Fault, type FaultSpec, type RequestMatch } from './faults.ts'
import { FileShelf } from './file-shelf.ts'
import { FileUrls } from './file-urls.ts'
import { FrontDesk } from './front-desk.ts'
import { generateBase } from './generate.ts'
import { Iterators } from './iterators.ts'
import { Limiter, LIMITER_DEFAULTS, type LimiterOptions } from './limiter.ts'
import { PING_DEFAULTS, Pinger, type Ping, type PingOptions } from './pings.ts'
import { Random } from './random.ts'
import { proveLimit, type LimitProof, type RecordedRequest } from './request-log.ts'
import { Tokens, type Token } from './tokens.ts'
import { Uploads } from './uploads.ts'
import { VirtualClock } from './virtual-clock.ts'
import { WEBHOOK_DEFAULTS, Webhooks, type WebhookOptions } from './webhooks.ts'

/** Airtable's longest URLs are nearly as long as the headers that Node.js takes. */
const HEADER_BYTES = 64 * 1024
const KEEP_ALIVE_MS = 60_000

export interface SimulatorOptions {
  readonly clock: Clock
  /** Served; a change through them is seen by the next request. */
  readonly bases: readonly Base[]
  readonly seed: number
  readonly port: number
  readonly limiter: Partial<LimiterOptions>
  /** A request counts as arrived up to that much after it came. */
  readonly arrivalJitterMs: number
  /** From arrival to answer. */
  readonly latencyMs: number | readonly [least: number, most: number]
  readonly iteratorTtlMs: number
  readonly attachmentTtlMs: number
  readonly expiredStatus: 410 | 403
  readonly compress: boolean
  readonly webhooks: Partial<WebhookOptions & PingOptions>
}

/** Resolves when it answers on 127.0.0.1. `base` is short for `bases: [base]`. */
export async function startSimulator(
  options: Partial<SimulatorOptions> & { readonly base?: Base } = {},
): Promise<Simulator> {
  const { base, bases = [base ?? generateBase()], ...rest } = options
  const simulator = new Simulator({
    clock: systemClock,
    bases,
    seed: 1,
    port: 0,
    limiter: {},
    arrivalJitterMs: 0,
    latencyMs: 0,
    iteratorTtlMs: 300_000,
    attachmentTtlMs: 7_200_000,
    expiredStatus: 410,
    compress: false,
    webhooks: {},
    ...rest,
  })
  await simulator.listen()
  return simulator
}

/** Airtable's Web API over bases that a program changes, with a record of who asked for what, and when. */
export class Simulator implements AsyncDisposable {
  readonly clock: Clock
  readonly bases: readonly Base[]
  /** May do everything in every base. */
  readonly token: string
  readonly webhooks: Webhooks
  readonly #port: number
  readonly #limits: LimiterOptions
  readonly #limiter: Limiter
  readonly #tokens: Tokens
  readonly #iterators: Iterators
  readonly #files: FileShelf
  readonly #pinger: Pinger
  readonly #uploads = new Uploads()
  readonly #faults = new Faults()
  readonly #desk: FrontDesk
  readonly #server: Server
  #url = ''

  constructor(options: SimulatorOptions) {
    const { clock, bases, arrivalJitterMs, latencyMs, compress } = options
    const random = new Random(options.seed)
    for (const base of bases) base.useClock(clock)
    this.clock = clock
    this.bases = bases
    this.#port = options.port
    this.#limits = { ...LIMITER_DEFAULTS, ...options.limiter }
    this.#limiter = new Limiter(this.#limits)
    this.#tokens = new Tokens(random)
    this.token = this.#tokens.add({ user: this.base.owner.id }).text
    this.#iterators = new Iterators({ clock, random, ttlMs: options.iteratorTtlMs })
    const urls = new FileUrls({
      clock,
      origin: () => this.url,
      ttlMs: options.attachmentTtlMs,
      expiredStatus: options.expiredStatus,
      secret: random.id('pat'),
    })
    this.#files = new FileShelf(bases, urls)
    this.#pinger = new Pinger(clock, { ...PING_DEFAULTS, ...options.webhooks })
    this.webhooks = new Webhooks({
      clock,
      urls,
      pinger: this.#pinger,
      options: { ...WEBHOOK_DEFAULTS, ...options.webhooks },
    })
    this.#desk = new FrontDesk({
      clock,
      random,
      tokens: this.#tokens,
      limiter: this.#limiter,
      limits: this.#limits,
      faults: this.#faults,
      api: new Api({ bases, iterators: this.#iterators, urls, webhooks: this.webhooks, uploads: this.#uploads }),
      files: this.#files,
      arrivalJitterMs,
      latencyMs,
      compress,
    })
    const serverOptions = { maxHeaderSize: HEADER_BYTES, keepAliveTimeout: KEEP_ALIVE_MS }
    this.#server = createServer(serverOptions, (request, response) => {
      void this.#desk.handle(request, response)
    })
  }

  /** The origin, without `/v0`. */
  get url(): string {
    return this.#url
  }

  get base(): Base {
    const [base] = this.bases
    if (base === undefined) throw new Error('a simulator needs a base')
    return base
  }

  /** In the order of their arrival. */
  get requests(): readonly RecordedRequest[] {
    return this.#desk.requests
  }

  /** Each attempt to tell the owner of a webhook. */
  get pings(): readonly Ping[] {
    return this.#pinger.pings
  }

  /** The calls of this month; writable. */
  get quota(): { used: number } {
    return this.#limiter
  }

  count(match: RequestMatch): number {
    return this.requests.filter((request) => matches(match, request)).length
  }

  /** Throws, naming the requests, if any window had more of one base or one user than allowed; refused ones count. */
  assertLimitKept(options: { readonly only?: (request: RecordedRequest) => boolean } = {}): LimitProof {
    return proveLimit(options.only === undefined ? this.requests : this.requests.filter(options.only), this.#limits)
  }

  fault(spec: FaultSpec): Fault {
    return this.#faults.add(spec)
  }

  /** Another one, of a user of its own unless one is named. */
  addToken(given: Partial<Token> = {}): Token {
    return this.#tokens.add(given)
  }

  revokeToken(text: string): void {
    this.#tokens.revoke(text)
  }

  /** As after a restart of the server: lists that somebody is in the middle of cannot be continued. */
  dropIterators(): void {
    this.#iterators.dropAll()
  }

  /** What a download of the attachment must give. */
  bytesOf(attachment: { readonly id: string }): Buffer {
    const bytes = this.#files.bytesOf(attachment.id)
    if (bytes === undefined) throw new Error(`no attachment ${attachment.id}`)
    return bytes
  }

  /** Resolves when every file that a request named by its URL was read, or could not be. */
  uploaded(): Promise<void> {
    return this.#uploads.settled()
  }

  /** A request as a well-behaved client sends it: with the token, and holding a virtual clock until its body is there. */
  async fetch(path: string, init: RequestInit & { token?: string } = {}): Promise<Response> {
    using _inFlight = this.clock instanceof VirtualClock ? this.clock.hold() : undefined
    const headers = new Headers(init.headers)
    headers.set('authorization', `Bearer ${init.token ?? this.token}`)
    if (typeof init.body === 'string') headers.set('content-type', 'application/json')
    const response = await fetch(new URL(path, this.url), { ...init, headers })
    const hasBody = ![204, 304].includes(response.status)
    const body = await response.arrayBuffer()
    return new Response(hasBody ? body : null, { status: response.status, headers: response.headers })
  }

  async listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Ends every connection. */
  async close(): Promise<void> {
    this.webhooks.close()
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await Promise.all([closed, this.#pinger.close(), this.#uploads.close()])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
