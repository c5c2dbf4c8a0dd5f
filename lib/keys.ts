import { hash } from 'node:crypto'
import { closest } from './base/closest.ts'
import { SCOPES, seesTable, type Principal, type Scope, type TableRule } from './access.ts'
import { Failure } from './errors.ts'
import type { Condition } from './query.ts'
import { LOGIC, parseFilter, parseLogic } from './query-grammar.ts'
import type { TableInfo } from './snapshot.ts'

/** What of one table a key may not see, as it was written. */
export interface RuleSpec {
  /** In PostgREST's words: `country=eq.DE`, `(country.eq.DE,active.is.true)`; null: all rows. */
  readonly filter: string | null
  readonly hidden: readonly string[]
}

/** What a key is for. */
export interface KeySpec {
  readonly name: string
  readonly scopes: readonly Scope[]
  /** Names of sources and of `source.table`; null: everything. */
  readonly limits: readonly string[] | null
  /** By `source.table`. */
  readonly rules: Readonly<Record<string, RuleSpec>>
  readonly rate: Principal['rate']
  /** Epoch milliseconds. */
  readonly expiresAt: number | null
}

/** A key that was made. The key itself is known to whoever got it, and to nobody else. */
export interface KeyInfo extends KeySpec {
  /** The visible part: the key begins with `hf_<id>_`. */
  readonly id: string
  readonly createdAt: number
  readonly revokedAt: number | null
  /** To the minute. */
  readonly lastUsedAt: number | null
}

/** The keys of a data directory. */
export interface KeyStore {
  /** Oldest first; those that have ended are listed for a while. Never waits. */
  list(): KeyInfo[]
  /**
   * Makes a key. Where it replaces another, that one ends after `overlapMs`, and what `spec` does not say is as it was
   * there, except when it expires. Throws `key_not_found`, `bad_parameter`, `bad_filter`.
   */
  create(
    spec: Partial<KeySpec>,
    replaces?: { readonly id: string; readonly overlapMs: number },
  ): Promise<{ readonly key: string; readonly info: KeyInfo }>
  /** Ends a key now, in all processes within a second. Throws `key_not_found`. */
  revoke(id: string): Promise<KeyInfo>
}

/** Tickets: each lets one key's owner be asked for one thing by somebody who does not have the key. */
export interface TicketStore {
  /** `target` is what it is good for; `seal` ties it to a key (see `KeyCheck.seal`). */
  issue(ticket: { readonly principal: string; readonly target: string; seal(ticket: string): string }): Promise<string>
  /** The ticket's record, unless it is unknown or has been idle for too long. Never waits. */
  find(ticket: string): { readonly principal: string; readonly target: string; readonly seal: string } | undefined
  /** Keeps tickets from getting idle. Returns at once; a time that gets lost is a minute at most. */
  touch(tickets: readonly string[]): void
  readonly idleMs: number
}

const MAX_NAME = 100
const MAX_NAMES = 1000
const MAX_FILTER = 4096

/** A spec, complete and checked: the row filters can be read. @throws Failure `bad_parameter`, `bad_filter` */
export function completeSpec(given: Partial<KeySpec>, replaced?: KeyInfo): KeySpec {
  const spec: KeySpec = {
    name: given.name ?? replaced?.name ?? '',
    scopes: given.scopes ?? replaced?.scopes ?? ['read'],
    limits: given.limits === undefined ? (replaced?.limits ?? null) : given.limits,
    rules: given.rules ?? replaced?.rules ?? {},
    rate: given.rate === undefined ? (replaced?.rate ?? null) : given.rate,
    expiresAt: given.expiresAt ?? null,
  }
  if (!/^[^\p{C}]{1,100}$/u.test(spec.name)) {
    throw bad('name', `A key needs a name of 1 to ${MAX_NAME} characters, such as whom it is for.`)
  }
  if (spec.scopes.length === 0 || !spec.scopes.every((scope) => SCOPES.includes(scope))) {
    throw bad('scopes', `A key needs at least one scope of ${SCOPES.join(', ')}.`)
  }
  if (spec.limits?.length === 0) throw bad('limits', 'A key that is limited needs a source or a table that it sees.')
  if ((spec.limits?.length ?? 0) > MAX_NAMES || Object.keys(spec.rules).length > MAX_NAMES) {
    throw bad('limits', `A key has at most ${MAX_NAMES} sources and tables.`)
  }
  const { limits, rules } = accessOf(spec)
  for (const name of rules.keys()) {
    const [source, table] = splitName(name)
    if (table === '') throw bad('rules', `A rule is for a table, as source.table; ${JSON.stringify(name)} is none.`)
    if (seesTable({ limits } as Principal, source, table)) continue
    throw bad('rules', `There is a rule for ${name}, which the key does not see: add it to what the key is limited to.`)
  }
  return { ...spec, scopes: SCOPES.filter((scope) => spec.scopes.includes(scope)) }
}

/** What a spec lets its key see. @throws Failure `bad_filter` */
export function accessOf({
  limits,
  rules,
}: Pick<KeySpec, 'limits' | 'rules'>): Pick<Principal, 'limits' | 'rules' | 'view'> {
  const read = new Map<string, TableRule>()
  for (const [name, { filter, hidden }] of Object.entries(rules)) {
    if (filter === null && hidden.length === 0) continue
    read.set(name, { filter: filter === null ? null : parseRowFilter(filter), hidden })
  }
  return { limits: limits && new Set(limits), rules: read, view: viewOf(limits, rules) }
}

/** `name=op.value` as in a query string, or `(name.op.value,…)`, of which all must be true. */
export function parseRowFilter(text: string): Condition {
  if (text.length > MAX_FILTER) {
    throw new Failure('bad_filter', `A row filter has at most ${MAX_FILTER} characters; this one has ${text.length}.`)
  }
  if (text.startsWith('(')) return parseLogic('and', text)
  const mark = text.indexOf('=')
  if (mark < 1) {
    throw new Failure(
      'bad_filter',
      `The row filter ${JSON.stringify(text)} cannot be read. Write it as country=eq.DE or (country.eq.DE,active.is.true).`,
    )
  }
  const [name, value] = [text.slice(0, mark), text.slice(mark + 1)]
  const logic = LOGIC.find((kind) => kind === name)
  return logic ? parseLogic(logic, value) : parseFilter(name, value)
}

/** Equal for all that see the same; empty for what sees everything. */
function viewOf(limits: KeySpec['limits'], rules: KeySpec['rules']): string {
  const real = Object.entries(rules).filter(([, { filter, hidden }]) => filter !== null || hidden.length > 0)
  if (limits === null && real.length === 0) return ''
  const sorted = [
    limits && [...new Set(limits)].toSorted(),
    real
      .map(([name, { filter, hidden }]) => JSON.stringify([name, filter, [...new Set(hidden)].toSorted()]))
      .toSorted(),
  ]
  return hash('sha256', JSON.stringify(sorted), 'base64url').slice(0, 16)
}

/** A source's name has no dot; a table's may have. */
export function splitName(name: string): readonly [source: string, table: string] {
  const dot = name.indexOf('.')
  return dot === -1 ? [name, ''] : [name.slice(0, dot), name.slice(dot + 1)]
}

export type KnownTable = Pick<TableInfo, 'name' | 'isKeyGenerated'> & {
  readonly columns: readonly { readonly name: string }[]
}

/**
 * What a spec names that is not there at the moment, one sentence each: a key may be made before its table, but a
 * name that is misspelt hides nothing. `tablesOf`: undefined before the first snapshot.
 */
export function doubtsAbout(
  { limits, rules }: Pick<KeySpec, 'limits' | 'rules'>,
  sources: readonly string[],
  tablesOf: (source: string) => readonly KnownTable[] | undefined,
): string[] {
  const doubts = new Set<string>()
  for (const name of [...(limits ?? []), ...Object.keys(rules)]) {
    const [source, table] = splitName(name)
    const tables = tablesOf(source)
    const known = tables?.find((candidate) => candidate.name === table)
    if (!sources.includes(source)) doubts.add(`There is no source ${source}. There is: ${sources.join(', ')}.`)
    else if (table === '') continue
    else if (!tables) doubts.add(`${source} has no snapshot yet, so ${name} could not be checked.`)
    else if (!known) doubts.add(`${source} has no table ${table}. It has: ${tables.map((one) => one.name).join(', ')}.`)
    else for (const doubt of doubtsAboutRule(name, rules[name], known)) doubts.add(doubt)
  }
  return [...doubts]
}

/**
 * Refuses rules for columns that a table does not have, since they hide nothing. Tables that are not there yet are
 * not looked at. `override`: how to have them all the same.
 *
 * @throws Failure `bad_parameter`; `bad_filter` where a filter cannot be read
 */
export function requireColumns(
  rules: KeySpec['rules'],
  tablesOf: (source: string) => readonly KnownTable[] | undefined,
  override: string,
): void {
  const wrong = Object.entries(rules).flatMap(([name, rule]) => {
    const [source, table] = splitName(name)
    const known = tablesOf(source)?.find((candidate) => candidate.name === table)
    return known ? unknownColumns(name, rule, known) : []
  })
  if (wrong.length === 0) return
  throw bad('rules', `${wrong.join(' ')} No key was made, for it would hide less than is meant; ${override}.`)
}

function doubtsAboutRule(table: string, rule: RuleSpec | undefined, known: KnownTable): string[] {
  return [...unknownColumns(table, rule, known), ...lostIds(table, rule, known)]
}

function unknownColumns(table: string, rule: RuleSpec | undefined, { columns }: KnownTable): string[] {
  const names = columns.map(({ name }) => name)
  return columnsOf(rule)
    .filter((column) => !names.includes(column))
    .map((column) => {
      const near = closest(column, names)
      return `${table} has no column ${column}.${near === undefined ? '' : ` Did you mean ${near}?`}`
    })
}

/** What else is hidden with a column of a table that has no key of its own: see `hiddenColumns`. */
function lostIds(table: string, rule: RuleSpec | undefined, { columns, isKeyGenerated }: KnownTable): string[] {
  const isHidden = columns.some(({ name }) => rule?.hidden.includes(name))
  if (!isKeyGenerated || !isHidden) return []
  return [
    `${table} has no key of its own: its ids are made of all columns, so they are hidden too, and /api/tables and /api/changes of it are refused to this key. Name a key in its source's options to have them.`,
  ]
}

function columnsOf(rule: RuleSpec | undefined): string[] {
  if (!rule) return []
  return [...rule.hidden, ...(rule.filter === null ? [] : columnsIn(parseRowFilter(rule.filter)))]
}

function columnsIn(condition: Condition): string[] {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return condition.of.flatMap(columnsIn)
    case 'not':
      return columnsIn(condition.of)
    case 'test':
      return [condition.operand.column]
    default:
      return []
  }
}

function bad(parameter: string, message: string): Failure {
  return new Failure('bad_parameter', message, { facts: { parameter } })
}
