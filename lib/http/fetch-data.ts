import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Principal } from '../access.ts'
import type { Engine } from '../engine.ts'
import { Failure, toFailure } from '../errors.ts'
import { CODINGS, type Coding, type MountedSnapshot, type Pointer, type TableInfo } from '../snapshot.ts'
import { fromRows, gathered, openRendered, withMembers, type Body } from './body.ts'
import { limitsAge, requireFresh } from './cache-directives.ts'
import { compress } from './compress.ts'
import type { Context } from './context.ts'
import { readFetchDataQuery, type FetchDataQuery } from './fetch-data-query.ts'
import { streamFetchData } from './fetch-data-stream.ts'
import type { Exchange } from './exchange.ts'
import { freshnessHeaders } from './freshness.ts'
import { requireScope } from './gate.ts'
import type { HttpLog } from './log.ts'
import { acceptedCodings, matchesTag } from './negotiate.ts'
import { contentHeaders, entityTag, snapshotHeaders, validatorHeaders, VARY } from './representation.ts'
import { nextRequestId } from './request-id.ts'
import { FORMAT_TYPES, ROWS_A_TURN, type RowView } from './row-text.ts'
import { shownTarget, viewOf, type ShownTarget } from './view.ts'
import { findTarget, noSnapshot, sourceOf, type Target } from './target.ts'
import { endWith } from './write-piece.ts'

const MEMO = 256
const NO_HEADERS: readonly string[] = []
/** Answers that are being compressed while they are sent; more of them go out as they are, if the client takes that. */
const MAX_COMPRESSING = 8
/** Characters of a narrowed answer that is sent as a whole, with its length. */
const MAX_GATHERED = 1024 * 1024

/** A table's rendered answer in one coding, with the headers that never change. */
interface Rendered {
  readonly tag: string
  readonly file: string | undefined
  /** helmet's, then the validators. */
  readonly notModified: readonly string[]
  readonly ok: readonly string[]
}

/** `GET /fetch-data`. */
export class FetchData {
  readonly #context: Context
  /** Queries that ask for a whole table and nothing else; null: any other. */
  readonly #plain = new Map<string, FetchDataQuery | null>()
  readonly #rendered = new WeakMap<Pointer, Map<string, Rendered>>()
  #compressing = 0

  constructor(context: Context) {
    this.#context = context
  }

  /**
   * Answers what clients ask most, a whole table that is in memory or unchanged, without the router and without
   * SQLite. Returns false, and has done nothing, for everything else, errors included.
   */
  answerHot(request: IncomingMessage, response: ServerResponse, query: string): boolean {
    if (limitsAge(request.headers['cache-control'])) return false
    const wanted = this.#readPlain(query)
    const principal = wanted ? this.#context.presented.principalOf(request) : undefined
    if (!wanted || !principal?.scopes.has('read') || principal.view !== '') return false
    const target = this.#peekTarget(wanted, principal)
    if (!target) return false
    const coding = this.#renderedCoding(target, acceptedCodings(request.headers['accept-encoding']))
    if (!coding) return false
    const rendered = this.#describe(target, coding)
    const { feed, clock, bodies, cors, rates } = this.#context
    const now = (rate: readonly string[]) => [
      ...cors.of(request),
      ...rate,
      'X-Request-Id', nextRequestId(request),
      ...freshnessHeaders(target.mounted.pointer, feed.latest(target.source), clock.now()),
    ] // prettier-ignore

    const isKnown = matchesTag(request.headers['if-none-match'], rendered.tag)
    const lease =
      !isKnown && request.method === 'GET' && rendered.file !== undefined ? bodies.peek(rendered.file) : undefined
    if (!isKnown && !lease) return false
    const allowance = principal.rate && rates.take(principal)
    if (allowance && allowance.retryAfter > 0) {
      lease?.[Symbol.dispose]()
      return false
    }
    const rate = allowance?.headers ?? NO_HEADERS
    if (!lease) {
      response.writeHead(304, [...rendered.notModified, ...now(rate)])
      response.end()
      return true
    }
    response.once('close', () => lease[Symbol.dispose]())
    response.writeHead(200, [...rendered.ok, ...now(rate), 'Content-Length', String(lease.bytes.length)])
    endWith(response, lease.bytes)
    return true
  }

  async answer(exchange: Exchange, principal: Principal): Promise<void> {
    const { sources, snapshots, feed, engine, log } = this.#context
    const query = readFetchDataQuery(exchange.query)
    if (exchange.ticket !== undefined && !query.stream) throw ticketIsForStreams()
    if (query.refresh) requireScope(principal, 'sync')
    const source = sourceOf(query, sources, snapshots, principal)
    if (query.stream) return await streamFetchData(this.#context, exchange, { query, source, principal })

    // Before a run is asked for: who may not see the table starts nothing, nor does who wants no answer so old.
    const before = shownTarget(query, source, snapshots, principal)
    if (before) this.#requireFresh(exchange, before)
    const refresh =
      query.refresh && !exchange.isHead ? await triggerRefresh(engine.request(source, 'refresh'), log) : undefined
    const target = shownTarget(query, source, snapshots, principal)
    if (!target) throw noSnapshot(source, feed.fresh(source), principal)
    const view = viewOf(target, query.selection)
    if (view.isWhole && !query.refresh) await this.#sendWhole(exchange, target, view)
    else await this.#sendRows(exchange, { target, view, principal, ...(query.refresh && { extra: { refresh } }) })
  }

  async #sendWhole(exchange: Exchange, target: ShownTarget, view: RowView): Promise<void> {
    const accepted = acceptedCodings(exchange.header('accept-encoding'))
    const coding = this.#renderedCoding(target, accepted) ?? this.#freeCoding(accepted)
    const rendered = this.#describe(target, coding)
    if (matchesTag(exchange.header('if-none-match'), rendered.tag)) {
      return exchange.empty(304, [
        ...validatorHeaders(target.mounted.pointer, rendered.tag, target.isPart),
        ...this.#freshness(target),
      ])
    }
    const cache = exchange.isHead ? undefined : this.#context.bodies
    using ready = await openRendered(cache, target.mounted, target.table.name, coding)
    const headers = [
      ...contentHeaders(FORMAT_TYPES.json, coding),
      ...validatorHeaders(target.mounted.pointer, rendered.tag, target.isPart),
      ...this.#freshness(target),
    ]
    if (ready) return await exchange.stream(200, headers, ready)
    using body = fromRows(target.mounted, view)
    await this.#streamEncoded(exchange, headers, body, coding)
  }

  /** Rows that were asked for, or a whole table that carries more than its snapshot: not rendered beforehand. */
  async #sendRows(exchange: Exchange, { target, view, principal, extra }: Rows): Promise<void> {
    const { pointer } = target.mounted
    const coding = this.#freeCoding(acceptedCodings(exchange.header('accept-encoding')))
    const tag = entityTag(
      pointer,
      {
        ...view,
        table: view.table.name,
        fields: view.columns.map(({ name }) => name),
        ...(target.isNarrowed && { access: principal.view }),
      },
      coding,
    )
    if (!extra && matchesTag(exchange.header('if-none-match'), tag)) {
      return exchange.empty(304, [...validatorHeaders(pointer, tag, target.isPart), ...this.#freshness(target)])
    }
    const headers = [
      ...contentHeaders(FORMAT_TYPES[view.format], coding),
      ...(extra
        ? ['Cache-Control', 'no-store', 'Vary', VARY, ...snapshotHeaders(pointer, target.isPart)]
        : validatorHeaders(pointer, tag, target.isPart)),
      ...this.#freshness(target),
      ...monitorLink(extra?.refresh),
    ]
    const members = extra?.refresh && view.format === 'json' ? extra.refresh.members : undefined
    using body = await this.#openRows(target, view, members)
    const isShort = !view.isWhole && view.to - view.from < ROWS_A_TURN
    const all = isShort ? await gathered(body, MAX_GATHERED) : body
    if (typeof all !== 'string') return await this.#streamEncoded(exchange, headers, all, coding)
    exchange.send(200, headers, await compress(coding, Buffer.from(all)))
  }

  async #openRows(
    { mounted, table }: Target,
    view: RowView,
    members: RefreshOutcome['members'] | undefined,
  ): Promise<Body> {
    const ready = view.isWhole ? await openRendered(this.#context.bodies, mounted, table.name, 'identity') : undefined
    const body = ready ?? fromRows(mounted, view)
    return members ? withMembers(body, { ...members }) : body
  }

  async #streamEncoded(exchange: Exchange, headers: readonly string[], body: Body, coding: Coding): Promise<void> {
    if (coding !== 'identity') this.#compressing++
    try {
      await exchange.stream(200, headers, body, coding)
    } finally {
      if (coding !== 'identity') this.#compressing--
    }
  }

  /** The best coding a client accepts of those that are rendered. */
  #renderedCoding(target: Target, accepted: readonly Coding[]): Coding | undefined {
    for (const coding of accepted) if (this.#describe(target, coding).file !== undefined) return coding
    return undefined
  }

  /** The best coding a client accepts for what is made while it is sent. */
  #freeCoding(accepted: readonly Coding[]): Coding {
    const [best] = accepted
    if (best === undefined) {
      throw new Failure(
        'not_acceptable',
        `Accept-Encoding leaves nothing to answer with. There is: ${CODINGS.join(', ')}.`,
        {
          facts: { available: CODINGS },
        },
      )
    }
    return this.#compressing >= MAX_COMPRESSING && accepted.includes('identity') ? 'identity' : best
  }

  /** @throws Failure `not_cached` */
  #requireFresh(exchange: Exchange, { source, mounted: { pointer } }: Target): void {
    const { feed, clock } = this.#context
    requireFresh(exchange.header('cache-control'), { pointer, record: feed.latest(source), now: clock.now() })
  }

  #freshness({ source, mounted }: Target): string[] {
    return freshnessHeaders(mounted.pointer, this.#context.feed.latest(source), this.#context.clock.now())
  }

  #describe({ mounted, table }: Target, coding: Coding): Rendered {
    const { pointer } = mounted
    let known = this.#rendered.get(pointer)
    if (!known) this.#rendered.set(pointer, (known = new Map()))
    const name = `${coding}/${table.name}`
    let rendered = known.get(name)
    if (rendered) return rendered
    rendered = this.#prepare(mounted, table, coding)
    // One that is rendered behind the publish may be there at the next look.
    if (rendered.file !== undefined || !(pointer.rendersLater || pointer.isRolledBack)) known.set(name, rendered)
    return rendered
  }

  #prepare(mounted: MountedSnapshot, table: TableInfo, coding: Coding): Rendered {
    const tag = entityTag(
      mounted.pointer,
      { table: table.name, from: 1, to: table.rows, fields: undefined, format: 'json' },
      coding,
    )
    const validators = validatorHeaders(mounted.pointer, tag)
    const { constantHeaders } = this.#context
    return {
      tag,
      file: mounted.bodyFile(table.name, coding),
      notModified: [...constantHeaders, ...validators],
      ok: [...constantHeaders, ...contentHeaders(FORMAT_TYPES.json, coding), ...validators],
    }
  }

  #readPlain(query: string): FetchDataQuery | null {
    const known = this.#plain.get(query)
    if (known !== undefined) return known
    let read: FetchDataQuery | null = null
    try {
      const asked = readFetchDataQuery(query)
      if (asked.selection.isWhole && !asked.refresh && !asked.stream) read = asked
    } catch {
      // The other path says what is wrong with it.
    }
    if (this.#plain.size >= MEMO) this.#plain.clear()
    if (query.length <= MEMO) this.#plain.set(query, read)
    return read
  }

  #peekTarget(wanted: FetchDataQuery, principal: Principal): Target | undefined {
    const { sources, snapshots } = this.#context
    try {
      return findTarget(wanted, sourceOf(wanted, sources, snapshots, principal), snapshots, principal)
    } catch {
      return undefined // likewise
    }
  }
}

/** What is made of rows, and for whom. */
interface Rows {
  readonly target: ShownTarget
  readonly view: RowView
  readonly principal: Principal
  readonly extra?: { readonly refresh: RefreshOutcome | undefined }
}

/** What came of `refresh=true`. */
interface RefreshOutcome {
  readonly run: string | undefined
  /** What it adds to the answer. */
  readonly members: { readonly _info: string; readonly refresh: object }
}

export function ticketIsForStreams(): Failure {
  return new Failure('unauthorized', 'A ticket for /fetch-data is good for stream=true only. Send a key.')
}

/** Data is served whatever becomes of the wish to refresh it. */
async function triggerRefresh(request: ReturnType<Engine['request']>, log: HttpLog): Promise<RefreshOutcome> {
  try {
    const { run, joined } = await request
    const _info = joined
      ? 'A refresh is already running in the background.'
      : 'A refresh was started in the background.'
    return { run: run.id, members: { _info, refresh: { triggered: true, run: run.id, joined } } }
  } catch (error) {
    const { code, message } = toFailure(error)
    if (code === 'internal') log.error({ error }, 'a refresh could not be requested')
    const detail = code === 'internal' ? 'The refresh could not be started.' : message
    return {
      run: undefined,
      members: { _info: `No refresh was started. ${detail}`, refresh: { triggered: false, reason: code, detail } },
    }
  }
}

function monitorLink(refresh: RefreshOutcome | undefined): string[] {
  return refresh?.run === undefined ? [] : ['Link', `</api/runs/${encodeURIComponent(refresh.run)}>; rel="monitor"`]
}
