import type { Principal } from '../access.ts'
import { encodeCursor } from '../change-feed.ts'
import { Failure } from '../errors.ts'
import type { MountedSnapshot } from '../snapshot.ts'
import { isActive, type Run } from '../sync-run.ts'
import type { Watermark } from '../watermark.ts'
import { fromRows, openRendered } from './body.ts'
import { ChangeLens } from './change-lens.ts'
import { changesPayload } from './changes-payload.ts'
import type { Context } from './context.ts'
import type { Exchange } from './exchange.ts'
import type { FetchDataQuery } from './fetch-data-query.ts'
import { ROWS_A_TURN, rowText, type RowView } from './row-text.ts'
import type { EventStream } from './streams.ts'
import { noSnapshot, type Target } from './target.ts'
import { shownTarget, viewOf, type ShownTarget } from './view.ts'
import { errorToWire, progressToWire } from './wire.ts'

/** At most four progress frames a second. */
const PROGRESS_MS = 250
/** How long a published snapshot may take to be mounted here. */
const MOUNT_MS = 10_000

/**
 * What an id says, so that a reconnect can go on from it: the kind of frame, the snapshot the client has by then and
 * the run it follows.
 */
interface FrameId {
  readonly kind: string
  readonly snapshot: string
  readonly run: string
}

/** What a stream is about, and for whom. */
interface Asked {
  readonly query: FetchDataQuery
  readonly source: string
  readonly principal: Principal
}

/**
 * `GET /fetch-data?stream=true`: what is there, then the progress of the run, then what came of it, then `done`.
 *
 * A reconnect goes on from its `Last-Event-ID`: after `done` it gets 204, which makes an EventSource stop; after a
 * final frame only `done` is left; before, the run is followed further and data that the client has is not repeated.
 */
export async function streamFetchData(context: Context, exchange: Exchange, asked: Asked): Promise<void> {
  const { query, source, principal } = asked
  const last = readFrameId(exchange.header('last-event-id'))
  if (last?.kind === 'done') return exchange.empty(204, ['Cache-Control', 'no-store'])
  const { snapshots, feed, streams } = context
  const target = shownTarget(query, source, snapshots, principal)
  if (target) {
    viewOf(target, query.selection) // refuses early what the snapshot cannot give
    if (query.payload === 'changes') lensOf(target, asked, context)
  } else {
    const record = feed.fresh(source)
    if (!query.refresh && !(record?.run && isActive(record.run))) throw noSnapshot(source, record, principal)
  }
  await streams.serve(exchange, (stream) => new Teller(context, stream, asked).tell(last))
}

class Teller {
  readonly #context: Context
  readonly #stream: EventStream
  readonly #query: FetchDataQuery
  readonly #source: string
  readonly #principal: Principal
  /** The snapshot whose data the client has. */
  #told = ''
  /** Where that one is in the change log. */
  #position: Watermark | undefined

  constructor(context: Context, stream: EventStream, { query, source, principal }: Asked) {
    this.#context = context
    this.#stream = stream
    this.#query = query
    this.#source = source
    this.#principal = principal
  }

  async tell(last: FrameId | undefined): Promise<void> {
    const { snapshots } = this.#context
    const before = this.#active
    if (last && isFinal(last)) return await this.#sendDone(last.run)
    if (last?.snapshot) this.#position = snapshots.find(this.#source, last.snapshot)?.pointer.watermark
    if (last?.snapshot && before && last.snapshot !== before.pointer.snapshot) {
      await this.#sendData('updated', last.run)
      return await this.#sendDone(last.run)
    }

    // Asked for before the first frame goes out, awaited after it: data never waits for the engine.
    const asked = this.#runToFollow(last)
    asked.catch(() => undefined)
    if (last?.snapshot) this.#told = last.snapshot
    else if (before) await this.#sendData('cached', '')
    const run = await asked
    if (run && !this.#stream.signal.aborted) await this.#sendOutcome(await this.#follow(run))
    await this.#sendDone(run?.id ?? '')
  }

  get #active(): MountedSnapshot | undefined {
    return this.#context.snapshots.active(this.#source)
  }

  /** The run of an earlier connection, the one that is asked for now, or the one that is going anyway. */
  async #runToFollow(last: FrameId | undefined): Promise<Run | undefined> {
    const { engine, feed } = this.#context
    const known = last?.run ? engine.run(last.run) : undefined
    if (known) return known
    if (this.#query.refresh) return (await engine.request(this.#source, 'refresh')).run
    const going = feed.fresh(this.#source)?.run
    return going && isActive(going) ? going : undefined
  }

  /** Tells the progress of a run until it has ended; the newest only, when the client is slow. */
  async #follow(first: Run): Promise<Run> {
    const { feed, engine, clock } = this.#context
    const { signal } = this.#stream
    let wake = Promise.withResolvers<void>()
    using _changes = feed.onChange(this.#source, () => wake.resolve())
    let run = first
    let told: Run['progress'] | undefined
    let toldStatus: Run['status'] | undefined
    let toldAt = -Infinity
    for (;;) {
      wake = Promise.withResolvers<void>()
      const record = feed.latest(this.#source)
      run = record?.run?.id === run.id ? record.run : (engine.run(run.id) ?? run)
      const isPaused =
        run.status === 'paused' && !(record?.state.state === 'PAUSED' && record.state.reason === 'interrupted')
      if (signal.aborted || isPaused || !(isActive(run) || run.status === 'paused')) return run
      const isNews = run.progress !== told || run.status !== toldStatus
      const wait = toldAt + PROGRESS_MS - clock.now()
      if (isNews && wait <= 0) {
        told = run.progress
        toldStatus = run.status
        toldAt = clock.now()
        const { id, status } = run
        await this.#stream.send(frameId('progress', this.#told, id), {
          type: 'progress', run: id, status, ...(run.progress && progressToWire(run, this.#principal)),
        }) // prettier-ignore
        continue
      }
      const settled = new AbortController()
      const limits = AbortSignal.any([signal, settled.signal])
      await Promise.race([wake.promise, isNews ? clock.sleep(wait, limits) : aborted(limits)])
      settled.abort()
    }
  }

  async #sendOutcome(run: Run): Promise<void> {
    if (this.#stream.signal.aborted) return
    if (run.status === 'completed' && run.result === 'published') {
      await this.#mounted(run)
      return await this.#sendData('updated', run.id)
    }
    const snapshot = this.#active?.pointer.snapshot ?? ''
    if (run.status === 'completed') {
      // Another run may have published between the first frame and this run.
      if (snapshot !== this.#told) return await this.#sendData('updated', run.id)
      return await this.#stream.send(frameId('unchanged', snapshot, run.id), {
        type: 'unchanged',
        snapshot,
        run: run.id,
      })
    }
    const { code, message } = errorToWire(run, this.#principal) ?? {
      code: 'run_stopped',
      message: `The run ${run.id} was stopped; the data is as before.`,
    }
    await this.#stream.send(frameId('error', snapshot, run.id), { type: 'error', code, message, snapshot, run: run.id })
  }

  /** Waits until this process serves what a run published, or something newer. */
  async #mounted(run: Run): Promise<void> {
    const { snapshots, clock } = this.#context
    const isThere = () => {
      const pointer = this.#active?.pointer
      if (!pointer) return false
      return (
        pointer.snapshot === run.snapshot ||
        pointer.run === run.id ||
        pointer.publishedAt >= (run.finishedAt ?? Infinity)
      )
    }
    const arrived = new AbortController()
    using _publishes = snapshots.onPublish(() => isThere() && arrived.abort())
    if (!isThere()) await clock.sleep(MOUNT_MS, AbortSignal.any([arrived.signal, this.#stream.signal]))
    if (isThere() || this.#stream.signal.aborted) return
    throw new Failure(
      'control_busy',
      `The run ${run.id} published a snapshot that is not mounted here yet. Fetch again in a moment.`,
    )
  }

  /** A frame with the data, or with what stands for it. */
  async #sendData(type: 'cached' | 'updated', run: string): Promise<void> {
    const target = shownTarget(this.#query, this.#source, this.#context.snapshots, this.#principal)
    if (!target) return
    const { mounted, table } = target
    const { pointer } = mounted
    const id = frameId(type, pointer.snapshot, run)
    this.#told = pointer.snapshot
    const facts = {
      type,
      snapshot: pointer.snapshot,
      count: table.rows,
      last_updated: new Date(pointer.publishedAt).toISOString(),
      ...(run && { run }),
    }
    if (this.#query.payload === 'none') return await this.#stream.send(id, facts)
    if (this.#query.payload === 'changes') return await this.#sendChanges(id, facts, target)
    const view = viewOf(target, this.#query.selection)
    using rendered = view.isWhole
      ? await openRendered(this.#context.bodies, mounted, table.name, 'identity')
      : undefined
    const bytes = rendered?.size ?? (await estimateBytes(target, view))
    if (bytes > this.#context.settings.sseMaxBytes) {
      return await this.#stream.send(id, { ...facts, payload: { href: linkTo(target, view), bytes } })
    }
    using rows = rendered ? undefined : fromRows(mounted, view)
    await this.#stream.sendPayload(id, facts, rendered ?? rows!)
  }

  /** Of what is there, the position alone; of what comes, what is different. */
  async #sendChanges(id: string, facts: { readonly type: string }, target: ShownTarget): Promise<void> {
    const { changeHub, settings } = this.#context
    const after = this.#position
    const until = (this.#position = target.mounted.pointer.watermark)
    if (facts.type === 'cached') {
      return await this.#stream.send(id, { ...facts, position: encodeCursor(changeHub.log.epoch, until) })
    }
    const lens = lensOf(target, { source: this.#source, principal: this.#principal }, this.#context)
    const rows = linkTo(target, viewOf(target, this.#query.selection))
    using payload = changesPayload(changeHub, { lens, after, until, rows, maxBytes: settings.sseMaxBytes })
    await this.#stream.sendPayload(id, facts, payload)
  }

  async #sendDone(run: string): Promise<void> {
    if (this.#stream.signal.aborted) return
    const snapshot = this.#active?.pointer.snapshot ?? ''
    await this.#stream.send(frameId('done', snapshot, run), { type: 'done', snapshot: snapshot || null })
  }
}

/** @throws Failure `forbidden` for a key that cannot follow the table's changes */
function lensOf({ table }: Target, { source, principal }: Pick<Asked, 'source' | 'principal'>, { snapshots }: Context) {
  return new ChangeLens({ sources: [source], table: table.name, keys: null }, principal, snapshots)
}

/** About how long an answer will be that is not rendered, from its first rows. */
async function estimateBytes({ mounted }: Target, view: RowView): Promise<number> {
  const rows = view.to - view.from + 1
  if (rows <= 0) return 0
  const sample = Math.min(rows, ROWS_A_TURN)
  using _pin = mounted.pin()
  let length = 0
  for await (const piece of rowText(mounted, { ...view, to: view.from + sample - 1 }))
    length += Buffer.byteLength(piece)
  return Math.round((length / sample) * rows)
}

/** The same answer as a request of its own. */
function linkTo({ source, table }: Target, view: RowView): string {
  const query = new URLSearchParams({ source, table: table.name })
  if (!view.isWhole) {
    query.set('offset', String(view.from - 1))
    query.set('limit', String(view.to - view.from + 1))
    query.set(
      'fields',
      view.columns.map(({ name }) => (/[",]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name)).join(','),
    )
  }
  return `/fetch-data?${query.toString()}`
}

function frameId(kind: string, snapshot: string, run: string): string {
  return [kind, snapshot, run].map(encodeURIComponent).join(':')
}

/** An id that we did not make means nothing, as if there were none. */
function readFrameId(text: string | undefined): FrameId | undefined {
  const match = text && /^(cached|progress|updated|unchanged|error|done):([^:]*)(?::([^:]*))?$/.exec(text)
  if (!match) return undefined
  try {
    return { kind: match[1]!, snapshot: decodeURIComponent(match[2]!), run: decodeURIComponent(match[3] ?? '') }
  } catch {
    return undefined
  }
}

function isFinal({ kind }: FrameId): boolean {
  return kind === 'updated' || kind === 'unchanged' || kind === 'error'
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
}
