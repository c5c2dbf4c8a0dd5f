import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Principal } from '../access.ts'
import { encodeCursor, type Batch, type ChangePage } from '../change-feed.ts'
import { Failure } from '../errors.ts'
import { BEGINNING, type Watermark } from '../watermark.ts'
import type { ChangeHub } from './change-hub.ts'
import { ChangeLens, type ChangeFilter } from './change-lens.ts'
import { ChangeSubscriber } from './change-subscriber.ts'
import { ChangeWaiter } from './change-waiter.ts'
import { foreignPosition, startOf, wantsStream, type ChangesQuery, type Start } from './changes-query.ts'
import type { Context } from './context.ts'
import { JSON_TYPE, type Exchange } from './exchange.ts'
import { badParameter } from './query.ts'
import { SharedPiece } from './shared-piece.ts'
import { STREAM_HEADERS } from './streams.ts'
import { resolveTable, sourceNotFound, visibleSources } from './target.ts'

/** How often a stream looks again that cannot read on and cannot join either. */
const STUCK_MS = 1000
const NEVER = new AbortController().signal

/** A reader that has to fetch tables again first, and the position to go on from. */
interface Resync {
  readonly tables: readonly string[]
  readonly through: Watermark
}

/** `GET /api/changes`. */
export class Changes {
  readonly #context: Context
  readonly #hub: ChangeHub

  constructor(context: Context, hub: ChangeHub) {
    this.#context = context
    this.#hub = hub
  }

  async answer(exchange: Exchange, principal: Principal, query: ChangesQuery): Promise<void> {
    const lens = new ChangeLens(this.#filterOf(query, principal), principal, this.#context.snapshots)
    const start = startOf(exchange, query, this.#hub.log)
    if (!wantsStream(query, exchange.header('accept'))) return await this.#sendPage(exchange, lens, { start, query })
    if (query.wait !== undefined) throw badParameter('wait', 'without stream: an event stream waits anyway')
    await this.#stream(exchange, lens, start)
  }

  #filterOf({ source, table, key }: ChangesQuery, principal: Principal): ChangeFilter {
    const visible = visibleSources(this.#context.sources, principal)
    const keys = key ?? null
    if (source !== undefined && !visible.includes(source)) throw sourceNotFound(source, visible)
    if (table === undefined) return { sources: source === undefined ? visible : [source], table: null, keys }
    const isPlain = source !== undefined && !table.startsWith(`${source}.`)
    const target = resolveTable(this.#context, principal, isPlain ? `${source}.${table}` : table)
    return { sources: [target.source], table: target.table.name, keys }
  }

  async #sendPage(exchange: Exchange, lens: ChangeLens, options: { start: Start; query: ChangesQuery }): Promise<void> {
    const { start, query } = options
    if (start.kind === 'foreign') throw foreignPosition()
    const hub = this.#hub
    const waitMs = exchange.isHead ? 0 : (query.wait ?? 0) * 1000
    let after = start.kind === 'after' ? start.watermark : start.kind === 'now' ? hub.log.now(lens.sources) : BEGINNING
    let page = hub.read(after, lens.sources)
    const resync = this.#resyncOf(page, lens)
    if (resync && start.kind !== 'beginning') throw this.#tooOld(after, resync)
    let changes = resync ? resyncsOf(page, lens, this.#context.clock.now()) : changesOf(page, lens)
    if (changes.length > 0 || waitMs === 0) return this.#send(exchange, page, changes)

    using waiter = new ChangeWaiter(exchange, this.#context.streams, waitMs)
    for (;;) {
      after = page.through
      if (page.isAtHead) await hub.moved(after, { ms: waiter.leftMs, signal: waiter.signal })
      else await nextTurn()
      if (waiter.hasLeft) return
      waiter.assertAllowed()
      const isOver = waiter.leftMs <= 0 || waiter.signal.aborted
      page = hub.read(after, lens.sources)
      const missed = this.#resyncOf(page, lens)
      if (missed) throw this.#tooOld(after, missed)
      changes = changesOf(page, lens)
      if (changes.length > 0 || isOver) return this.#send(exchange, page, changes)
    }
  }

  #send(exchange: Exchange, page: ChangePage, changes: readonly string[]): void {
    const next = JSON.stringify(encodeCursor(this.#hub.log.epoch, page.through))
    const text = `{"changes":[${changes.join(',')}],"next":${next},"has_more":${String(!page.isAtHead)}}`
    exchange.send(200, ['Content-Type', JSON_TYPE, 'Cache-Control', 'no-store'], text)
  }

  async #stream(exchange: Exchange, lens: ChangeLens, start: Start): Promise<void> {
    const { streams, held } = this.#context
    streams.admit(exchange.principal)
    exchange.begin(200, STREAM_HEADERS)
    const { response } = exchange
    if (exchange.isHead) return void response.end()
    const { log } = this.#hub
    const after =
      start.kind === 'after' ? start.watermark : start.kind === 'beginning' ? BEGINNING : log.now(lens.sources)
    const subscriber = new ChangeSubscriber(exchange, lens, after)
    streams.add(subscriber)
    response.once('close', () => {
      streams.remove(subscriber)
      this.#hub.leave(subscriber)
    })
    try {
      // Bytes, with which a head goes out as one string; before a string, thousands of pieces of it would be kept.
      await subscriber.send(Buffer.from(`: ${streams.greeting()}\n\n`), held)
      if (start.kind === 'foreign') await subscriber.send(this.#hub.frames.resync(after, 'foreign', lens.all()), held)
      await this.#catchUp(subscriber, start.kind === 'beginning' ? 'beginning' : 'too_old')
    } catch (error) {
      // Frames are whole: cutting the connection makes the client resume.
      if (!subscriber.isOver) this.#context.log.error({ error, request: exchange.id }, 'a stream failed')
      response.destroy()
    }
  }

  /** History first, no faster than the client reads; then it is one of those that are told what comes. */
  async #catchUp(subscriber: ChangeSubscriber, reason: 'beginning' | 'too_old'): Promise<void> {
    const { frames } = this.#hub
    const { lens } = subscriber
    let told: Watermark | undefined
    while (!subscriber.isOver) {
      const page = this.#hub.read(subscriber.after, lens.sources)
      const isStuck = page.isAtHead && page.through === subscriber.after
      subscriber.after = page.through
      const pieces: Buffer[] = []
      const add = (watermark: Watermark, frame: Buffer | undefined) => {
        if (frame === undefined) return
        pieces.push(frame)
        told = watermark
      }
      const resync = this.#resyncOf(page, lens)
      if (resync) add(page.through, frames.resync(page.through, reason, resync.tables))
      for (const batch of page.batches) add(batch.watermark, frames.batch(batch, lens))
      if (pieces.length > 0) {
        await subscriber.send(Buffer.concat(pieces), this.#context.held)
      } else if (page.isAtHead && this.#hub.join(subscriber)) {
        // A client that has no id yet would come back as a new one.
        if (told !== subscriber.after) subscriber.push(new SharedPiece(frames.position(subscriber.after)))
        return
      } else if (isStuck) {
        await this.#hub.moved(subscriber.after, { ms: STUCK_MS, signal: NEVER })
      } else await nextTurn()
    }
  }

  /** What the log does not tell any more of what a reader sees. */
  #resyncOf({ missed, through }: ChangePage, lens: ChangeLens): Resync | undefined {
    const tables = lens.tables(missed)
    return tables.length === 0 ? undefined : { tables, through }
  }

  #tooOld(after: Watermark, { tables, through }: Resync): Failure {
    const { epoch } = this.#hub.log
    return new Failure(
      'watermark_too_old',
      `Changes after ${encodeCursor(epoch, after)} are not all kept. Fetch the tables in resync again, then go on with since.`,
      { facts: { resync: tables, since: encodeCursor(epoch, through) } },
    )
  }
}

/** The changes of a page that a reader sees, as JSON texts. */
function changesOf({ batches }: ChangePage, lens: ChangeLens): string[] {
  return batches.flatMap((batch) => {
    const [before, behind] = membersOf(batch)
    return lens.changes(batch).map((change) => `{${before},${change},${behind}}`)
  })
}

/** All that the log does not tell any more, as changes. */
function resyncsOf({ missed, through }: ChangePage, lens: ChangeLens, at: number): string[] {
  const batches = missed.map(({ source, tables }): Batch => {
    return {
      source,
      at,
      watermark: through,
      changes: tables.map((table) => ({ table, key: '', op: 'resync', row: null })),
    }
  })
  return changesOf({ batches, through, isAtHead: false, missed: [] }, lens)
}

function membersOf({ watermark, source, at }: Batch): [before: string, behind: string] {
  const before = `"watermark":${JSON.stringify(watermark)},"source":${JSON.stringify(source)}`
  return [before, `"at":"${new Date(at).toISOString()}"`]
}
