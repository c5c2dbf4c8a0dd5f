import { hash } from 'node:crypto'
import type { AirtableSourceOptions } from '../../settings.ts'
import type { Plan, PlanOptions, Published } from '../../source.ts'
import type { AirtableClient } from './client.ts'
import { followAnew, followingOf, NOT_FOLLOWED } from './following.ts'
import { budgetWarning, reservedCalls, sweepCalls, type Consumption } from './forecast.ts'
import { rungFor } from './ladder.ts'
import type { Batch } from './payloads.ts'
import { planTables, tablesAsPublished, type PlannedTables } from './plan-tables.ts'
import { fetchTables } from './schema.ts'
import { decodeState, type State } from './state.ts'
import type { Webhooks } from './webhooks.ts'

/** Changes with what plans and states mean: what an older Holdfast began, this one begins again. */
const FORMAT = 1
const DAY_MS = 86_400_000
/** Less than a run may be silent for: nobody hears of it while it plans. */
const PATIENCE_MS = 90_000

/** A plan, and where its pull begins. */
export interface Planned {
  readonly plan: Plan
  readonly start: State
  /** Payloads that were read while planning. */
  readonly peeked: Batch | undefined
}

export interface PlannerParts {
  readonly options: AirtableSourceOptions
  readonly client: AirtableClient
  readonly webhooks: Webhooks
  /** How often its schedule runs it in a month; null: not known, or never. */
  readonly runsPerMonth: number | null
  /** Ids of tables with cells that did not fit their columns. */
  readonly misfits: ReadonlySet<string>
}

/**
 * Looks at the upstream and decides what is to be read: everything, or what changed, and of which tables everything. The
 * point after which changes count is taken before anything is read, so that none falls in between.
 */
export async function planPull(
  parts: PlannerParts,
  { signal, trigger, published, wantsAll, refusedAt }: PlanOptions,
): Promise<Planned> {
  const { options, client, webhooks, misfits } = parts
  const { baseId, mode = 'polling', sweepEveryMs = DAY_MS } = options
  const leftMs = client.sharedPatience(PATIENCE_MS)
  const call = {
    signal,
    get patienceMs() {
      return leftMs()
    },
  }
  const known = wantsAll ? undefined : decodeState(published?.cursor)
  const isFresh = known === undefined || trigger === 'start'

  let following = mode === 'webhook' ? await followingOf(webhooks, { known, isFresh }, call) : NOT_FOLLOWED
  // Payloads tell when tables or fields change; without them it has to be asked.
  const isToldSame = following.peeked?.changesSchema === false && known?.isStale === false && known.kept.length === 0
  let described = isToldSame ? undefined : await fetchTables(client, baseId, call)
  const consumption: Consumption = {
    records: Object.values(known?.records ?? {}),
    mode: following.payloads === null ? 'polling' : 'webhook',
    sweepEveryMs,
    runsPerMonth: parts.runsPerMonth,
  }
  const rung = rungFor({
    known,
    trigger,
    refusedAt,
    gap: following.gap,
    now: client.upstreamNow,
    sweepEveryMs,
    usage: client.usage,
    sweepCalls: sweepCalls(consumption),
    reservedCalls: reservedCalls(consumption, client.upstreamNow),
  })
  if (rung.isSweep) {
    described ??= await fetchTables(client, baseId, call)
    // What it heard so far is read with everything else; and it is looked after.
    if (following.peeked !== undefined) following = await followAnew(webhooks, null, call)
  }

  const base = rung.isSweep ? undefined : known
  const planned =
    described === undefined && published !== undefined && base !== undefined
      ? tablesAsPublished(published, base)
      : planTables(described ?? [], { options, published, known: base, misfits })
  const facts = { kind: base === undefined ? 'all' : 'changes', baseId, basis: published?.cursor ?? null }
  const identity = identityOf(facts, planned)
  const start = startOf(
    { identity, known, base, planned, payloads: following.payloads, gap: following.gap },
    client.upstreamNow,
  )
  const warnings = [...following.warnings, ...rung.warnings, ...planned.warnings, ...forecast(consumption, options)]
  const plan: Plan = { identity, tables: planned.tables, ...(warnings.length > 0 && { warnings }) }
  const isNothingNew =
    base !== undefined &&
    published !== undefined &&
    hasNothing(following.peeked) &&
    isAsPublished(plan, published, base)
  if (!isNothingNew) return { plan, start, peeked: following.peeked }
  const seen = published.seen ?? published.plan.identity
  return { plan: { ...plan, identity: seen }, start: { ...start, identity: seen }, peeked: following.peeked }
}

/** What names a pull: whoever takes it up again after a crash finds the same, and no other pull has it. */
function identityOf(facts: { kind: string; baseId: string; basis: string | null }, { tables }: PlannedTables): string {
  const layouts = tables.map(({ estimatedRows: _estimate, ...table }) => table)
  const digest = hash('sha256', JSON.stringify([FORMAT, facts.baseId, facts.basis, layouts]), 'hex')
  return `${facts.kind}-${digest.slice(0, 24)}`
}

interface Beginning {
  readonly identity: string
  readonly known: State | undefined
  /** Undefined: everything is read. */
  readonly base: State | undefined
  readonly planned: PlannedTables
  readonly payloads: State['payloads']
  readonly gap: string | null
}

function startOf({ identity, known, base, planned, payloads, gap }: Beginning, now: number): State {
  const ids = new Set(planned.tables.map(({ origin }) => origin.id))
  const records = Object.fromEntries(Object.entries(known?.records ?? {}).filter(([id]) => ids.has(id)))
  const toRead = Object.fromEntries(planned.toRead.map((id) => [id, { offset: null, records: 0 }]))
  const gaps = gap === null ? 0 : (known?.gaps ?? 0) + 1
  const isBlind = gap !== null && base !== undefined
  const common = { identity, payloads, isBlind, gaps, records, toRead, look: null, isStale: false, kept: [] }
  if (base === undefined) return { ...common, sweptAt: now, since: now, seen: {} }
  return { ...common, sweptAt: base.sweptAt, since: base.since, seen: base.seen }
}

function forecast(consumption: Consumption, { callsPerMonth }: AirtableSourceOptions): string[] {
  if (callsPerMonth === undefined || consumption.records.length === 0) return []
  const warning = budgetWarning(consumption, callsPerMonth)
  return warning === undefined ? [] : [warning]
}

function hasNothing(peeked: Batch | undefined): boolean {
  return peeked !== undefined && peeked.next === peeked.from && !peeked.hasMore
}

function isAsPublished(plan: Plan, published: Published, base: State): boolean {
  const facts = ({ tables }: Plan) => JSON.stringify(tables.map(({ name, origin }) => [name, origin]))
  const isWhole = plan.tables.some(({ from }) => from !== 'active')
  return !isWhole && !base.isStale && facts(plan) === facts(published.plan)
}
