import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { systemClock, type Clock } from '../../lib/base/clock.ts'
import { Api } from './api.ts'
import { ApiError, iteratorGone, forbidden, notFound, overQuota, rateLimited, wrongToken } from './api-error.ts'
import type { Base } from './base.ts'
import { deliver, gzipped, jsonAnswer, type Answer } from './delivery.ts'
import { Faults, matches, type Fault, type FaultSpec, type RequestMatch } from './faults.ts'
import { FileUrls } from './file-urls.ts'
import { generateBase } from './generate.ts'
import { Iterators } from './iterators.ts'
import { Limiter, LIMITER_DEFAULTS, type LimiterOptions } from './limiter.ts'
import { PING_DEFAULTS, Pinger, type Ping, type PingOptions } from './pings.ts'
import { Random } from './random.ts'
import { readBody } from './read-body.ts'
import { proveLimit, type LimitProof, type RecordedRequest } from './request-log.ts'
import { routeOf } from './route.ts'
import { serviceOf } from './service.ts'
import { Tokens, type Scope, type Token } from './tokens.ts'
import { VirtualClock, type Service } from './virtual-clock.ts'
import { Webhooks, type WebhookOptions } from './webhooks.ts'

const LONGEST_URL = 16_000
const HEADER_BYTES = 64 * 1024

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
  const { base, ...rest } = options
  const simulator = new Simulator({
    clock: systemClock,
    bases: [base ?? generateBase({ seed: 1, records: 250 })],
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
  readonly #options: SimulatorOptions
  readonly #limits: LimiterOptions
  readonly #limiter: Limiter
  readonly #tokens: Tokens
  readonly #iterators: Iterators
  readonly #urls: FileUrls
  readonly #pinger: Pinger
  readonly #api: Api
  readonly #faults = new Faults()
  readonly #requests: RecordedRequest[] = []
  readonly #random: Random
  readonly #server: Server
  readonly #lastPages = new Map<string, Answer>()
  #url = ''

  constructor(options: SimulatorOptions) {
    const { clock, bases } = options
    this.#options = options
    this.clock = clock
    this.bases = bases
    for (const base of bases) base.useClock(clock)
    this.#random = new Random(options.seed)
    this.#limits = { ...LIMITER_DEFAULTS, ...options.limiter }
    this.#limiter = new Limiter(this.#limits)
    this.#tokens = new Tokens(this.#random)
    this.token = this.#tokens.add({ user: this.base.owner.id }).text
    this.#iterators = new Iterators({ clock, random: this.#random, ttlMs: options.iteratorTtlMs })
    this.#urls = new FileUrls({
      clock,
      origin: () => this.url,
      ttlMs: options.attachmentTtlMs,
      expiredStatus: options.expiredStatus,
      secret: this.#random.id('pat'),
    })
    this.#pinger = new Pinger(clock, { ...PING_DEFAULTS, ...options.webhooks })
    this.webhooks = new Webhooks({
      clock,
      urls: this.#urls,
      pinger: this.#pinger,
      options: { computed: 'record', invalidCode: 'INVALID_HOOK', ...options.webhooks },
    })
    this.#api = new Api({ bases, iterators: this.#iterators, urls: this.#urls, webhooks: this.webhooks })
    this.#server = createServer({ maxHeaderSize: HEADER_BYTES, keepAliveTimeout: 60_000 }, (request, response) => {
      void this.#handle(request, response)
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
    return this.#requests
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
    return this.#requests.filter((request) => matches(match, request)).length
  }

  /** Throws, naming the requests, if any window had more of one base or one user than allowed; refused ones count. */
  assertLimitKept(options: { readonly only?: (request: RecordedRequest) => boolean } = {}): LimitProof {
    return proveLimit(options.only === undefined ? this.#requests : this.#requests.filter(options.only), this.#limits)
  }

  fault(spec: FaultSpec): Fault {
    return this.#faults.add(spec)
  }

  /** Another one, of a user of its own unless one is named. */
  addToken(given: { text?: string; user?: string; scopes?: readonly Scope[]; bases?: readonly string[] } = {}): Token {
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
    const base = this.bases.find(({ attachments }) => attachments.find(attachment.id) !== undefined)
    if (base === undefined) throw new Error(`no attachment ${attachment.id}`)
    return base.attachments.bytesOf(attachment)
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
    this.#server.listen(this.#options.port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Ends every connection. */
  async close(): Promise<void> {
    this.webhooks.close()
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await Promise.all([closed, this.#pinger.close()])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    using service = serviceOf(this.clock)
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    response.on('error', () => undefined)
    const method = message.method ?? 'GET'
    const [path, query] = split(message.url ?? '/', '?')
    const body = await readBody(message)
    if (body === undefined) return
    await this.#sleep(service, this.#random.next() * this.#options.arrivalJitterMs, gone.signal)
    const route = routeOf(method, path)
    const token = this.#tokens.find(message.headers.authorization)
    const arrivedAt = this.clock.monotonic()
    const request: { -readonly [K in keyof RecordedRequest]: RecordedRequest[K] } = {
      n: this.#requests.length + 1,
      arrivedAt,
      at: this.clock.now(),
      method,
      path,
      query,
      kind: route.kind,
      baseId: route.baseId,
      table: route.table,
      isPaged: route.kind === 'list' && hasOffset(query, method === 'POST' ? body : undefined),
      user: token?.user,
      agent: message.headers['user-agent'] ?? '',
      limiter: 'not counted',
      fault: undefined,
      status: undefined,
      answeredAt: undefined,
    }
    this.#requests.push(request)
    if (token !== undefined && route.kind !== 'file') {
      const isMeta = ['schema', 'bases', 'whoami'].includes(route.kind)
      request.limiter = this.#limiter.decide({ baseId: route.baseId, user: token.user, isMeta }, arrivedAt, request.at)
    }
    const isLetIn = request.limiter === 'passed' || request.limiter === 'not counted'
    const faults = isLetIn ? this.#faults.take(request) : []
    request.fault = faults.find(({ kind }) => kind !== 'call')?.kind ?? faults[0]?.kind
    await this.#sleep(service, this.#latency() + delayOf(faults), gone.signal)
    const answer = await this.#answer({ method, path, query, body, route, message, request, faults })
    request.status = answer.status
    const accepted = this.#options.compress && /\bgzip\b/.test(message.headers['accept-encoding'] ?? '')
    await deliver(accepted && route.kind !== 'file' ? gzipped(answer) : answer, response, service, request.fault)
    request.answeredAt = this.clock.monotonic()
  }

  async #answer(given: {
    method: string
    path: string
    query: string
    body: Buffer
    route: ReturnType<typeof routeOf>
    message: IncomingMessage
    request: RecordedRequest
    faults: readonly FaultSpec[]
  }): Promise<Answer> {
    const { method, path, query, body, route, message, request, faults } = given
    try {
      this.#refuse(request)
      for (const fault of faults) if (fault.kind === 'call') await fault.run?.(request)
      for (const fault of faults) throwFault(fault, this.#limits)
      if (message.url !== undefined && message.url.length > LONGEST_URL) throw new ApiError(414, 'URI_TOO_LONG')
      if (route.kind === 'file') return this.#file(path, faults)
      const token = this.#tokens.check(message.headers.authorization)
      const list = `${token.text} ${route.baseId} ${route.table}`
      const last = faults.some(({ kind }) => kind === 'repeat page') ? this.#lastPages.get(list) : undefined
      const answer = last ?? jsonAnswer(200, this.#api.answer({ method, path, query, body, route, token }))
      if (route.kind === 'list') this.#lastPages.set(list, answer)
      return answer
    } catch (error) {
      if (error instanceof ApiError) return jsonAnswer(error.status, error.body, error.headers)
      // A mistake of the simulator or of a test's hook: seen in the answer, since nobody else could tell.
      const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
      return jsonAnswer(500, { error: { type: 'SERVER_ERROR', message: detail } })
    }
  }

  #refuse({ limiter }: RecordedRequest): void {
    if (limiter === 'quota') throw overQuota()
    if (limiter === 'passed' || limiter === 'not counted') return
    throw limited(this.#limits, this.#limits.retryAfterSeconds)
  }

  #file(path: string, faults: readonly FaultSpec[]): Answer {
    const id = this.#urls.verify(path)
    const base = this.bases.find(({ attachments }) => attachments.find(id) !== undefined)
    const attachment = base?.attachments.find(id)
    if (base === undefined || attachment === undefined) throw notFound()
    const bytes = base.attachments.bytesOf(attachment)
    const body = faults.some(({ kind }) => kind === 'wrong size')
      ? bytes.subarray(0, Math.floor(bytes.length / 2))
      : bytes
    return { status: 200, headers: { 'content-type': attachment.type }, body }
  }

  #latency(): number {
    const { latencyMs } = this.#options
    if (typeof latencyMs === 'number') return latencyMs
    const [least, most] = latencyMs
    return least + this.#random.next() * (most - least)
  }

  async #sleep(service: Service, ms: number, signal: AbortSignal): Promise<void> {
    if (ms > 0) await service.sleep(ms, signal)
  }
}

function delayOf(faults: readonly FaultSpec[]): number {
  const slow = faults.find(({ kind }) => kind === 'slow')
  return slow === undefined ? 0 : (slow.delayMs ?? 10_000)
}

function limited(limits: LimiterOptions, retryAfterSeconds: number | undefined): ApiError {
  const headers = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
  return rateLimited(limits.body, headers)
}

function throwFault({ kind, retryAfterSeconds }: FaultSpec, limits: LimiterOptions): void {
  const headers = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
  if (kind === 'iterator') throw iteratorGone()
  if (kind === 'rate limit') throw limited(limits, retryAfterSeconds)
  if (kind === 'quota') throw overQuota()
  if (kind === 'unauthorized') throw wrongToken()
  if (kind === 'forbidden') throw forbidden()
  if (kind === 'not found') throw notFound()
  if (kind === 'server error') throw new ApiError(500, 'SERVER_ERROR', 'Something went wrong', { headers })
  if (kind === 'bad gateway') throw new ApiError(502, 'BAD_GATEWAY', 'Bad gateway', { headers })
  if (kind === 'unavailable') throw new ApiError(503, 'RETRIABLE_ERROR', 'Try again later', { headers })
}

function split(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

function hasOffset(query: string, body: Buffer | undefined): boolean {
  return new URLSearchParams(query).has('offset') || (body?.includes('"offset"') ?? false)
}
