import type { Registry } from 'prom-client'
import { isActive, type Run } from '../sync-run.ts'
import type { Distribution, Figure } from '../telemetry.ts'
import type { Context } from './context.ts'
import { figuresOf, textOf } from './figures.ts'
import { checkedAt } from './freshness.ts'
import type { RequestDurations } from './request-durations.ts'

/** Runs that ended between two scrapes; more than these are not counted. */
const MAX_PENDING = 1000

/**
 * What Prometheus is told of this process. prom-client is loaded by the first scrape; until then only what ended is
 * remembered, within a bound.
 */
export class Metrics {
  readonly #context: Context
  readonly #durations: RequestDurations
  readonly #ended: Run[] = []
  /** Per source, the last run that was seen to end. */
  readonly #seen = new Map<string, string | undefined>()
  #scraper: Promise<Scraper> | undefined
  requests = 0

  constructor(context: Context, durations: RequestDurations) {
    this.#context = context
    this.#durations = durations
  }

  /** Watches runs end; those that had ended before do not count. */
  start(): void {
    const { sources, feed } = this.#context
    for (const source of sources) {
      feed.onChange(source, () => this.#note(source, feed.latest(source)?.run ?? null))
    }
  }

  async scrape(): Promise<{ type: string; text: string }> {
    const registry = await this.#update()
    return { type: registry.contentType, text: (await registry.metrics()) + textOf(this.#durationsHere()) }
  }

  /** The same for those who do not speak Prometheus. */
  async figures(): Promise<Figure[]> {
    return [...(await figuresOf(await this.#update())), this.#durations.figure()]
  }

  #durationsHere(): Figure & { readonly kind: 'histogram' } {
    const figure = this.#durations.figure()
    const own = labelsOf(this.#context)
    const labelled = ({ labels, ...others }: Distribution) => ({ labels: { ...own, ...labels }, ...others })
    return { ...figure, points: figure.points.map(labelled) }
  }

  async #update(): Promise<Registry> {
    const scraper = await (this.#scraper ??= createScraper(this.#context, this))
    return scraper(this.#ended.splice(0))
  }

  #note(source: string, run: Run | null): void {
    const isFirst = !this.#seen.has(source)
    const ended = run && !isActive(run) && run.finishedAt !== null ? run : undefined
    if (isFirst) return void this.#seen.set(source, ended?.id)
    if (!ended || this.#seen.get(source) === ended.id) return
    this.#seen.set(source, ended.id)
    if (this.#ended.length < MAX_PENDING) this.#ended.push(ended)
  }
}

/** What tells the figures of one process from those of the others on its port: a scrape reaches any of them. */
function labelsOf({ process }: Context): { process?: string } {
  return process === undefined ? {} : { process }
}

/** Brings a registry up to date. */
type Scraper = (ended: readonly Run[]) => Registry

async function createScraper(context: Context, metrics: Metrics): Promise<Scraper> {
  const prom = await import('prom-client')
  const registry: Registry = new prom.default.Registry()
  const { Counter, Gauge, Histogram, collectDefaultMetrics } = prom.default
  registry.setDefaultLabels(labelsOf(context))
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const { sources, snapshots, files, feed, clock, streams, bodies, changeHub } = context

  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers })
  const age = gauge(
    'holdfast_snapshot_age_seconds',
    'Seconds since the data was last known to be what the upstream has',
    ['source'],
  )
  const rows = gauge('holdfast_snapshot_rows', 'Rows in the active snapshot', ['source', 'table'])
  const attachments = gauge('holdfast_attachments', 'Files that rows speak of, by what became of them', [
    'source',
    'state',
  ])
  const running = gauge('holdfast_sync_running', '1 while a run is queued or running', ['source'])
  const clients = gauge('holdfast_stream_clients', 'Open event streams')
  const followers = gauge('holdfast_change_subscribers', 'Event streams of /api/changes that are told what comes')
  const lag = gauge(
    'holdfast_stream_lag_seconds',
    'From the last publish being seen here to its changes being handed to the last subscriber',
  )
  const cached = gauge('holdfast_body_cache_bytes', 'Rendered bodies in memory')
  const duration = new Histogram({
    name: 'holdfast_sync_duration_seconds', help: 'How long runs took', labelNames: ['source', 'outcome'],
    buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600], registers,
  }) // prettier-ignore
  const items = new Counter({
    name: 'holdfast_sync_items_total',
    help: 'Rows of runs that ended',
    labelNames: ['source', 'outcome'],
    registers,
  })
  const refused = new Counter({
    name: 'holdfast_publish_refused_total', help: 'Runs that the publish guard refused', labelNames: ['source', 'reason'], registers,
  }) // prettier-ignore
  const requests = new Counter({ name: 'holdfast_http_requests_total', help: 'Requests', registers })
  const hits = new Counter({ name: 'holdfast_body_cache_hits_total', help: 'Bodies that were in memory', registers })
  const misses = new Counter({
    name: 'holdfast_body_cache_misses_total',
    help: 'Bodies that were read from disk',
    registers,
  })

  const count = (run: Run) => {
    const outcome = run.result ?? run.status
    const took = ((run.finishedAt ?? 0) - (run.startedAt ?? run.requestedAt)) / 1000
    duration.observe({ source: run.source, outcome }, took)
    for (const table of run.progress?.tables ?? []) {
      items.inc({ source: run.source, outcome: 'completed' }, table.completed)
      items.inc({ source: run.source, outcome: 'failed' }, table.failed)
    }
    const reason = run.error?.facts.reason
    if (run.status === 'rejected')
      refused.inc({ source: run.source, reason: typeof reason === 'string' ? reason : 'snapshot_rejected' })
  }
  const set = (counter: InstanceType<typeof Counter>, value: number) => {
    counter.reset()
    counter.inc(value)
  }

  return (ended) => {
    ended.forEach(count)
    rows.reset()
    for (const source of sources) {
      const record = feed.latest(source)
      const pointer = snapshots.active(source)?.pointer
      if (pointer) age.set({ source }, (clock.now() - checkedAt(pointer, record)) / 1000)
      for (const table of pointer?.tables ?? []) rows.set({ source, table: table.name }, table.rows)
      const counts = files.counts(source)
      for (const state of ['mirrored', 'waiting', 'failed'] as const) {
        if (counts) attachments.set({ source, state }, counts[state])
      }
      running.set({ source }, record?.run && isActive(record.run) ? 1 : 0)
    }
    clients.set(streams.size)
    followers.set(changeHub.size)
    lag.set(changeHub.lagSeconds)
    cached.set(bodies.heldBytes)
    set(requests, metrics.requests)
    set(hits, bodies.hits)
    set(misses, bodies.misses)
    return registry
  }
}
