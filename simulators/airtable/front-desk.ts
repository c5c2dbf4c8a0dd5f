import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../../lib/base/clock.ts'
import type { Api } from './api.ts'
import { ApiError, overQuota } from './api-error.ts'
import { deliver, gzipped, jsonAnswer, type Answer } from './delivery.ts'
import { delayOf, limitError, throwFault } from './fault-errors.ts'
import type { Faults, FaultSpec } from './faults.ts'
import type { FileShelf } from './file-shelf.ts'
import type { Limiter, LimiterOptions } from './limiter.ts'
import type { Random } from './random.ts'
import { readBody } from './read-body.ts'
import type { RecordedRequest } from './request-log.ts'
import { routeOf, type Route } from './route.ts'
import { serviceOf } from './service.ts'
import type { Tokens } from './tokens.ts'
import type { Service } from './virtual-clock.ts'

const LONGEST_URL = 16_000
const LARGEST_BODY_BYTES = 10_000_000
const META: readonly string[] = ['schema', 'bases', 'whoami']

export interface FrontDeskParts {
  readonly clock: Clock
  readonly random: Random
  readonly tokens: Tokens
  readonly limiter: Limiter
  readonly limits: LimiterOptions
  readonly faults: Faults
  readonly api: Api
  readonly files: FileShelf
  readonly arrivalJitterMs: number
  readonly latencyMs: number | readonly [least: number, most: number]
  readonly compress: boolean
}

/** A request that is being answered. */
interface Visit {
  readonly message: IncomingMessage
  readonly url: string
  readonly body: Buffer
  readonly route: Route
  readonly request: Writable<RecordedRequest>
  readonly faults: readonly FaultSpec[]
}

type Writable<T> = { -readonly [Name in keyof T]: T[Name] }

/** Takes requests in, in the order of their arrival; counts, records and refuses them, and spoils what is to be spoilt. */
export class FrontDesk {
  readonly #parts: FrontDeskParts
  /** The last page that somebody got of a table. */
  readonly #lastPages = new Map<string, Answer>()
  readonly requests: RecordedRequest[] = []

  constructor(parts: FrontDeskParts) {
    this.#parts = parts
  }

  async handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const { clock, random, arrivalJitterMs, compress } = this.#parts
    using service = serviceOf(clock)
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    response.on('error', () => undefined)
    const body = await readBody(message)
    if (body === undefined) return
    await pass(service, random.next() * arrivalJitterMs, gone.signal)
    const visit = this.#arrive(message, body)
    await pass(service, this.#latency() + delayOf(visit.faults), gone.signal)
    const answer = await this.#answer(visit)
    visit.request.status = answer.status
    // The time that its records are stamped with; Node.js would tell that of this machine.
    response.setHeader('date', new Date(clock.now()).toUTCString())
    const isZipped = compress && visit.route.kind !== 'file' && accepts(message, 'gzip')
    await deliver(isZipped ? gzipped(answer) : answer, response, service, visit.request.fault)
    visit.request.answeredAt = clock.monotonic()
  }

  #arrive(message: IncomingMessage, body: Buffer): Visit {
    const { clock, tokens, limiter, faults } = this.#parts
    const { method = 'GET', url = '/', headers } = message
    const queryAt = url.indexOf('?')
    const path = queryAt < 0 ? url : url.slice(0, queryAt)
    const query = queryAt < 0 ? '' : url.slice(queryAt + 1)
    const route = routeOf(method, path)
    const user = tokens.find(headers.authorization)?.user
    const request: Writable<RecordedRequest> = {
      n: this.requests.length + 1,
      arrivedAt: clock.monotonic(),
      at: clock.now(),
      method,
      path,
      query,
      kind: route.kind,
      baseId: route.baseId,
      table: route.table,
      isPaged: route.kind === 'list' && hasOffset(query, body),
      user,
      agent: headers['user-agent'] ?? '',
      limiter: 'not counted',
      fault: undefined,
      status: undefined,
      answeredAt: undefined,
    }
    this.requests.push(request)
    if (user !== undefined && route.kind !== 'file') {
      const isMeta = META.includes(route.kind)
      request.limiter = limiter.decide({ baseId: route.baseId, user, isMeta }, request.arrivedAt, request.at)
    }
    const taken = ['passed', 'not counted'].includes(request.limiter) ? faults.take(request) : []
    request.fault = (taken.find(({ kind }) => kind !== 'call') ?? taken[0])?.kind
    return { message, url, body, route, request, faults: taken }
  }

  async #answer(visit: Visit): Promise<Answer> {
    try {
      return await this.#proper(visit)
    } catch (error) {
      if (error instanceof ApiError) return jsonAnswer(error.status, error.body, error.headers)
      // A mistake of the simulator or of a test's hook: seen in the answer, since nobody else could tell.
      const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
      return jsonAnswer(500, { error: { type: 'SERVER_ERROR', message: detail } })
    }
  }

  async #proper({ message, url, body, route, request, faults }: Visit): Promise<Answer> {
    const { tokens, api, files, limits } = this.#parts
    if (request.limiter === 'quota') throw overQuota()
    if (!['passed', 'not counted'].includes(request.limiter)) throw limitError(limits, limits.retryAfterSeconds)
    for (const fault of faults) if (fault.kind === 'call') await fault.run?.(request)
    for (const fault of faults) throwFault(fault, limits)
    if (url.length > LONGEST_URL) throw new ApiError(414, 'URI_TOO_LONG')
    if (body.length > LARGEST_BODY_BYTES) throw new ApiError(413, 'REQUEST_TOO_LARGE')
    const isFaulty = (kind: FaultSpec['kind']) => faults.some((fault) => fault.kind === kind)
    if (route.kind === 'file') return files.fetch(request.path, isFaulty('wrong size'))
    const token = tokens.check(message.headers.authorization)
    const list = `${token.text} ${route.baseId} ${route.table}`
    const last = isFaulty('repeat page') ? this.#lastPages.get(list) : undefined
    const { method, path, query } = request
    const answer = last ?? jsonAnswer(200, api.answer({ method, path, query, body, route, token }))
    if (route.kind === 'list') this.#lastPages.set(list, answer)
    return answer
  }

  #latency(): number {
    const { latencyMs, random } = this.#parts
    if (typeof latencyMs === 'number') return latencyMs
    const [least, most] = latencyMs
    return least + random.next() * (most - least)
  }
}

async function pass(service: Service, ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await service.sleep(ms, signal)
}

function hasOffset(query: string, body: Buffer): boolean {
  return new URLSearchParams(query).has('offset') || body.includes('"offset"')
}

function accepts(message: IncomingMessage, encoding: string): boolean {
  return (message.headers['accept-encoding'] ?? '').split(/[\s,;]+/).includes(encoding)
}
