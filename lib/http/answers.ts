import { hash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Principal } from '../access.ts'
import { Failure, toFailure } from '../errors.ts'
import { CODINGS, type Coding, type Pointer } from '../snapshot.ts'
import { AnswerCache, type CachedAnswer } from './answer-cache.ts'
import type { AnswerSender, AnswerSpec } from './answer-spec.ts'
import { limitsAge, requireFresh } from './cache-directives.ts'
import { compress } from './compress.ts'
import type { Context } from './context.ts'
import type { Exchange } from './exchange.ts'
import { freshnessHeaders } from './freshness.ts'
import { acceptedCodings, matchesTag } from './negotiate.ts'
import { snapshotHeaders, VARY } from './representation.ts'
import { nextRequestId } from './request-id.ts'
import { seesSomeRows, withoutAdvice } from './visible-query.ts'

/** Below this, compressing costs more than it saves. */
const MIN_COMPRESSED_BYTES = 1024
/** Request headers that can make two answers to one URL differ, beside the key and the coding. */
const VARYING = ['accept', 'prefer', 'range', 'range-unit', 'accept-profile'] as const
const VARY_ALL = `${VARY}, Accept, Prefer, Range, Range-Unit, Accept-Profile`

/**
 * Sends what queries find: from memory where the same was asked before of the same snapshot by somebody who sees the
 * same, as 304 without looking at a row where the client has it already, and else by asking the snapshot.
 */
export class Answers implements AnswerSender {
  readonly #context: Context
  readonly cache: AnswerCache

  constructor(context: Context) {
    this.#context = context
    this.cache = new AnswerCache(context.settings.answerCacheBytes)
  }

  /**
   * Answers a request that was answered before, without the router and without SQLite, or that `make` has an answer
   * to at once, and returns the answer. Returns undefined, and has done nothing, for everything else, errors included.
   */
  answerHot(
    request: IncomingMessage,
    response: ServerResponse,
    make?: (principal: Principal) => CachedAnswer | undefined,
  ): CachedAnswer | undefined {
    const { presented, snapshots, feed, clock, constantHeaders, held } = this.#context
    const { headers } = request
    if (limitsAge(headers['cache-control']) || headers.origin !== undefined) return undefined
    const principal = presented.principalOf(request)
    if (!principal?.scopes.has('read') || principal.rate !== null) return undefined
    const asked = cacheKey(principal, request)
    let answer = this.cache.get(asked)
    if (answer === undefined) {
      // Whoever has an answer already may be told so without one being made.
      answer = headers['if-none-match'] === undefined ? make?.(principal) : undefined
      if (answer) this.cache.set(asked, answer)
    }
    if (!answer || snapshots.active(answer.source)?.pointer !== answer.pointer) return undefined
    const accepted = acceptedCodings(headers['accept-encoding'])
    const coding = codingOf(answer, accepted)
    const body = coding && answer.bodies.get(coding)
    if (!coding || !body) return undefined
    const tag = tagOf(answer.tagStem, coding)
    const now = [
      'ETag', tag,
      'X-Request-Id', nextRequestId(request),
      ...freshnessHeaders(answer.pointer, feed.latest(answer.source), clock.now()),
    ] // prettier-ignore
    if (matchesTag(headers['if-none-match'], tag)) {
      response.writeHead(304, [...constantHeaders, ...answer.headers, ...now])
      response.end()
      return answer
    }
    if (coding !== 'identity') now.push('Content-Encoding', coding)
    response.writeHead(answer.status, [
      ...constantHeaders,
      ...answer.headers,
      ...now,
      'Content-Length',
      String(body.length),
    ])
    response.end(request.method === 'HEAD' ? undefined : body)
    if (request.method !== 'HEAD') held.hold(response, principal.id, body)
    return answer
  }

  async send(exchange: Exchange, spec: AnswerSpec): Promise<void> {
    const { feed, clock } = this.#context
    const { mounted, source } = spec.target
    const { pointer } = mounted
    const isActive = this.#context.snapshots.active(source)?.pointer === pointer
    // What was checked since another snapshot became active was that one.
    const record = isActive ? feed.latest(source) : undefined
    requireFresh(exchange.header('cache-control'), { pointer, record, now: clock.now() })
    const accepted = acceptedCodings(exchange.header('accept-encoding'))
    if (accepted.length === 0) throw nothingAccepted()
    const key = cacheKey(spec.principal, exchange.request)
    const stem = tagStem(pointer, key, spec)
    const isKept = spec.isMomentary !== true
    const condition = isKept ? exchange.header('if-none-match') : undefined
    const known = accepted.find((coding) => matchesTag(condition, tagOf(stem, coding)))
    const freshness = () => freshnessHeaders(pointer, record, clock.now())
    if (known && condition?.trim() !== '*') {
      return exchange.empty(304, ['ETag', tagOf(stem, known), ...validators(pointer, spec.principal), ...freshness()])
    }
    const cached = isActive && isKept ? this.cache.get(key) : undefined
    const answer = cached?.pointer === pointer ? cached : await this.#ask(exchange, spec, stem)
    const coding = codingOf(answer, accepted) ?? 'identity'
    let body = answer.bodies.get(coding)
    if (!body) answer.bodies.set(coding, (body = await compress(coding, answer.bodies.get('identity')!)))
    if (isActive && isKept) this.cache.set(key, answer)
    if (exchange.response.destroyed) return
    if (matchesTag(condition, tagOf(stem, coding))) {
      return exchange.empty(304, ['ETag', tagOf(stem, coding), ...answer.headers, ...freshness()])
    }
    exchange.send(
      answer.status,
      [
        ...answer.headers,
        ...(isKept ? ['ETag', tagOf(stem, coding)] : []),
        ...freshness(),
        ...(coding === 'identity' ? [] : ['Content-Encoding', coding]),
      ],
      body,
    )
  }

  /** What was asked is in no trace: it holds values. */
  #tell({ source, table }: AnswerSpec['target'], askedAt: number, failure: string | undefined): void {
    this.#context.telemetry?.step({
      name: `query ${source}.${table.name}`,
      from: performance.timeOrigin + askedAt,
      to: performance.timeOrigin + performance.now(),
      attributes: { 'db.system.name': 'sqlite', 'db.operation.name': 'SELECT', 'db.collection.name': table.name },
      ...(failure !== undefined && { failure }),
    })
  }

  async #ask(exchange: Exchange, { target, principal, query, write }: AnswerSpec, stem: string): Promise<CachedAnswer> {
    const leaving = new AbortController()
    const onClose = () => leaving.abort(new Failure('run_stopped', 'The client has gone.'))
    exchange.response.once('close', onClose)
    using _pin = target.mounted.pin()
    const askedAt = performance.now()
    let failure: string | undefined
    try {
      const answer = await target.mounted.query(query, { principal: principal.id, signal: leaving.signal })
      const { status, headers, body } = write(answer)
      const bytes = typeof body === 'string' ? Buffer.from(body) : body
      if (bytes.length > this.#context.settings.answerMaxBytes) throw tooLarge(this.#context.settings.answerMaxBytes)
      return {
        source: target.source,
        pointer: target.mounted.pointer,
        status,
        headers: [...headers, ...validators(target.mounted.pointer, principal)],
        tagStem: stem,
        isPlain: false,
        bodies: new Map([['identity', bytes]]),
      }
    } catch (error) {
      failure = toFailure(error).code
      throw seesSomeRows(target, principal) ? withoutAdvice(error) : error
    } finally {
      this.#tell(target, askedAt, failure)
      exchange.response.off('close', onClose)
      this.#context.slowQueries.note({
        ms: performance.now() - askedAt,
        table: `${target.source}.${target.table.name}`,
        query: exchange.query,
      })
    }
  }
}

function cacheKey({ view }: Principal, { url, headers }: IncomingMessage): string {
  let key = `${view} ${url!}`
  for (const name of VARYING) {
    const value = headers[name]
    if (value !== undefined) key += `\n${name}:${String(value)}`
  }
  return key
}

function tagStem({ snapshot, batch }: Pointer, key: string, { variant }: AnswerSpec): string {
  return `${snapshot}-${hash('sha256', JSON.stringify([batch, key, variant]), 'base64url').slice(0, 16)}`
}

/** The entity tag of an answer in a coding. */
export function tagOf(stem: string, coding: Coding): string {
  return `"${stem}-${coding}"`
}

function validators(pointer: Pointer, { view }: Principal): string[] {
  // A digest of everything would tell of what a restricted key does not see.
  const headers = snapshotHeaders(pointer)
  const shown = view === '' ? headers : headers.slice(0, headers.indexOf('Snapshot-Digest'))
  return ['Cache-Control', 'private, no-cache', 'Vary', VARY_ALL, ...shown]
}

/** The coding a client likes best, where the answer is worth one. */
function codingOf({ bodies, isPlain }: CachedAnswer, accepted: readonly Coding[]): Coding | undefined {
  const isSmall = isPlain || bodies.get('identity')!.length < MIN_COMPRESSED_BYTES
  return isSmall && accepted.includes('identity') ? 'identity' : accepted[0]
}

function nothingAccepted(): Failure {
  return new Failure(
    'not_acceptable',
    `Accept-Encoding leaves nothing to answer with. There is: ${CODINGS.join(', ')}.`,
    {
      facts: { available: CODINGS },
    },
  )
}

export function tooLarge(maxBytes: number): Failure {
  return new Failure(
    'answer_too_large',
    `The answer would be larger than ${maxBytes} bytes. Ask for fewer rows or columns, or take an export.`,
    {
      facts: { max_bytes: maxBytes },
    },
  )
}
