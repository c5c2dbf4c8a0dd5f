import type { CallUsage } from '../../call-limiter.ts'
import { Failure } from '../../errors.ts'
import type { FileOffer } from '../../files.ts'
import type { AirtableSourceOptions } from '../../settings.ts'
import type { SourceParts } from '../../source-parts.ts'
import type { Cursor, Page, Plan, PlanOptions, Source } from '../../source.ts'
import type { AttachmentOptions } from './attachments.ts'
import { AirtableClient, type ClientLimits } from './client.ts'
import { follow } from './follow.ts'
import { look } from './look.ts'
import { offersOf } from './offers.ts'
import { planPull, type Planned } from './planner.ts'
import { Pull } from './pull.ts'
import { RecordReader } from './records.ts'
import { Misfit } from './rows.ts'
import { withSignsOfLife } from './signs-of-life.ts'
import { stateAt, type State } from './state.ts'
import { sweep } from './sweep.ts'
import { Webhooks } from './webhooks.ts'

const DEFAULT_OVERLAP_MS = 120_000
const DEFAULT_CURSORS = 2
const MONTH_MS = 31 * 86_400_000

/** A base at Airtable, followed by payloads of a webhook or by what was modified, and read in full now and then. */
export function airtableSource(
  id: string,
  options: AirtableSourceOptions,
  parts: SourceParts,
  limits: Partial<ClientLimits> = {},
): Source {
  return new AirtableSource(id, options, parts, limits)
}

class AirtableSource implements Source {
  readonly id: string
  readonly #options: AirtableSourceOptions
  readonly #parts: SourceParts
  readonly #client: AirtableClient
  readonly #reader: RecordReader
  readonly #webhooks: Webhooks
  readonly #attachments: AttachmentOptions
  /** Of tables with cells that did not fit their columns: planned with a place for them from then on. */
  readonly #misfits = new Set<string>()
  /** The last plan: pulls begin with what it found. */
  #planned: Planned | undefined

  constructor(id: string, options: AirtableSourceOptions, parts: SourceParts, limits: Partial<ClientLimits>) {
    const { baseId, attachments = true } = options
    const { memory, publicUrl, clock } = parts
    this.id = id
    this.#options = options
    this.#parts = parts
    this.#client = new AirtableClient(options, parts, limits)
    this.#reader = new RecordReader(this.#client, baseId, () => clock.now())
    this.#webhooks = new Webhooks(this.#client, { baseId, memory, notificationUrl: notificationUrl(id, publicUrl) })
    this.#attachments = { publicUrl, mirrorsFiles: attachments }
  }

  async plan(asked: PlanOptions): Promise<Plan> {
    asked.signal.throwIfAborted()
    const planned = await planPull(
      {
        options: this.#options,
        client: this.#client,
        webhooks: this.#webhooks,
        misfits: this.#misfits,
        runsPerMonth: this.#runsPerMonth,
      },
      asked,
    )
    this.#planned = planned
    return planned.plan
  }

  async *pull({
    plan,
    resumeFrom,
    signal,
  }: {
    plan: Plan
    resumeFrom?: Cursor
    signal: AbortSignal
  }): AsyncGenerator<Page, void> {
    signal.throwIfAborted()
    const state = resumeFrom === undefined ? this.#startOf(plan) : stateAt(resumeFrom, plan.identity)
    const left = new AbortController()
    const pull = new Pull(plan, state, {
      signal: AbortSignal.any([signal, left.signal]),
      attachments: this.#attachments,
    })
    const pages = this.#pages(pull, resumeFrom === undefined)
    try {
      yield* withSignsOfLife(pages, this.#parts.clock, () => pull.sign())
    } catch (error) {
      signal.throwIfAborted()
      throw error instanceof Misfit ? this.#plannedAnew(error) : error
    } finally {
      // What is under way ends, and frees its connection, before this does.
      left.abort()
      await pages.return().catch(() => undefined)
    }
  }

  usage(): CallUsage {
    return this.#client.usage
  }

  offers(rows: readonly { readonly table: string; readonly key: string }[], signal: AbortSignal): Promise<FileOffer[]> {
    const { baseId, only } = this.#options
    return offersOf(rows, { client: this.#client, reader: this.#reader, baseId, only }, signal)
  }

  /** First all records of the tables that need it, then what changed since that was begun, or since the pull before. */
  async *#pages(pull: Pull, isFromStart: boolean): AsyncGenerator<Page, void> {
    let pages = 0
    for await (const page of sweep(pull, this.#reader, { cursors: this.#options.cursors ?? DEFAULT_CURSORS })) {
      pages++
      yield page
    }
    let changes = 0
    for await (const page of this.#changes(pull)) {
      changes++
      yield page
    }
    const last = pull.isUnsaid && (changes > 0 || (pages === 0 && isFromStart)) ? pull.sign() : undefined
    if (last !== undefined) yield last
  }

  async *#changes(pull: Pull): AsyncGenerator<Page, void> {
    const overlapMs = this.#options.overlapMs ?? DEFAULT_OVERLAP_MS
    const now = () => this.#client.upstreamNow
    const { payloads, isBlind } = pull.state
    if (payloads === null || isBlind) yield* look(pull, this.#reader, { now, overlapMs })
    if (payloads === null) return
    if (isBlind) pull.advance({ isBlind: false })
    const hasAll = yield* follow(pull, this.#reader, { webhooks: this.#webhooks, peeked: this.#takePeeked(pull), now })
    if (hasAll) return
    // The next plan sees that there is no telling what happened, and reads everything; this much is known by other means.
    pull.advance({ payloads: null })
    yield* look(pull, this.#reader, { now, overlapMs })
  }

  #startOf({ identity }: Plan): State {
    if (this.#planned?.plan.identity === identity) return this.#planned.start
    throw new Failure('upstream_changed', 'The plan is not the last one that was made here. Plan again.')
  }

  /** Once: later it would be old. */
  #takePeeked({ state }: Pull): Planned['peeked'] {
    const planned = this.#planned
    if (planned?.plan.identity !== state.identity) return undefined
    this.#planned = { ...planned, peeked: undefined }
    return planned.peeked
  }

  #plannedAnew({ tableId, message }: Misfit): Failure {
    this.#misfits.add(tableId)
    return new Failure('upstream_changed', `It is planned anew, since ${message}.`)
  }

  get #runsPerMonth(): number | null {
    const { every } = this.#options
    return this.#parts.runsPerMonth ?? (typeof every === 'number' ? MONTH_MS / (every * 1000) : null)
  }
}

/** Where Airtable tells of changes in the base of a source; null where it cannot reach this server. */
export function notificationUrl(source: string, publicUrl: string | null): string | null {
  return publicUrl === null ? null : `${publicUrl}/webhooks/airtable/${encodeURIComponent(source)}`
}
