import { hash } from 'node:crypto'
import { ruleOf, type Principal } from '../../access.ts'
import { Failure } from '../../errors.ts'
import { keyOfRecordId } from '../../record-id.ts'
import type { Condition, Query, RowFacts } from '../../query.ts'
import { parseKeyText } from '../../row-key.ts'
import type { CachedAnswer } from '../answer-cache.ts'
import type { AnswerSender } from '../answer-spec.ts'
import { tagOf } from '../answers.ts'
import { requireFresh } from '../cache-directives.ts'
import type { Context } from '../context.ts'
import { JSON_TYPE, type Exchange } from '../exchange.ts'
import { freshnessHeaders } from '../freshness.ts'
import { matchesTag } from '../negotiate.ts'
import { validatorHeaders } from '../representation.ts'
import { askVisible } from '../visible-query.ts'
import type { Bases, PlacedTable } from './bases.ts'
import type { Iterations } from './iterations.ts'
import { identityOf, planList } from './list-plan.ts'
import { readRecordQuery, type ListQuery } from './list-query.ts'
import { readOffset, type Offset } from './offset.ts'
import { recordWriter } from './record-text.ts'

/** A table as a path names it. */
export interface TablePath {
  readonly baseId: string
  readonly table: string
}

type FoundRecord = { readonly cells: readonly unknown[]; readonly facts: RowFacts }

/** `/v0/:baseId/:table…`: records as Airtable lists them. */
export class Records {
  readonly #context: Context
  readonly #answers: AnswerSender
  readonly #bases: Bases
  readonly #iterations: Iterations

  constructor(parts: { context: Context; answers: AnswerSender; bases: Bases; iterations: Iterations }) {
    this.#context = parts.context
    this.#answers = parts.answers
    this.#bases = parts.bases
    this.#iterations = parts.iterations
  }

  /** `isPosted`: what is asked for is in the body, so that nobody may keep the answer by its URL. */
  async list(
    exchange: Exchange,
    principal: Principal,
    { path, query, isPosted }: { path: TablePath; query: ListQuery; isPosted: boolean },
  ): Promise<void> {
    const { table, place } = this.#locate(path, query, principal)
    const { clock, settings } = this.#context
    const { maxRows } = settings
    const plan = planList({ query, name: path.table, table, principal, place, now: clock.now(), maxRows })
    const { hasForeignView, isMomentary } = plan
    await this.#answers.send(exchange, {
      target: table,
      principal,
      query: plan.query,
      variant: '',
      ...((isPosted || isMomentary) && { isMomentary: true }),
      write: (answer) => {
        const { body, offset } = plan.write(answer)
        if (offset !== null) this.#iterations.readOn(table.mounted)
        return {
          status: 200,
          headers: ['Content-Type', JSON_TYPE, ...(hasForeignView ? ['View-Applied', 'false'] : [])],
          body,
        }
      },
    })
  }

  /** The table, in the snapshot that the list goes on in. */
  #locate(
    { baseId, table: name }: TablePath,
    query: ListQuery,
    principal: Principal,
  ): { table: PlacedTable; place: Offset | undefined } {
    if (query.offset === null) return { table: this.#bases.table(baseId, name, principal), place: undefined }
    const place = readOffset(query.offset, identityOf(query, name))
    const { source, snapshot } = place
    const isOfBase = this.#bases.sources(baseId, principal).includes(source)
    const mounted = isOfBase ? this.#iterations.find(source, snapshot) : undefined
    if (mounted === undefined) throw ended(source)
    // Also where the page is in memory, and nothing is read.
    this.#iterations.readOn(mounted)
    return { table: this.#bases.tableIn(source, mounted, name, principal), place }
  }

  async record(exchange: Exchange, principal: Principal, path: TablePath, id: string): Promise<void> {
    const { isByFieldId } = readRecordQuery(exchange.query)
    const table = this.#bases.table(path.baseId, path.table, principal)
    const { pointer } = table.mounted
    const { feed, clock } = this.#context
    const record = feed.latest(table.source)
    requireFresh(exchange.header('cache-control'), { pointer, record, now: clock.now() })
    const tag = tagOf(stemOf(table, principal, id, isByFieldId), 'identity')
    const headers = [
      ...validatorHeaders(pointer, tag, principal.view !== ''),
      ...freshnessHeaders(pointer, record, clock.now()),
    ]
    const condition = exchange.header('if-none-match')
    if (condition?.trim() !== '*' && matchesTag(condition, tag)) return exchange.empty(304, headers)
    const text = await this.#anywhere(table, principal, path.baseId, { id, isByFieldId })
    if (text === undefined) throw notThere(table, id)
    if (matchesTag(condition, tag)) return exchange.empty(304, headers)
    exchange.send(200, ['Content-Type', JSON_TYPE, ...headers], text)
  }

  /** The answer to those who see everything, where it can be had at once; undefined for all else, errors included. */
  hotRecord(principal: Principal, path: string, query: string): CachedAnswer | undefined {
    if (query !== '' || principal.view !== '' || path.includes('%')) return undefined
    const [, , baseId, name, id, ...rest] = path.split('/')
    if (!baseId || baseId === 'meta' || !name || !id || rest.length > 0) return undefined
    const table = this.#hotTable(baseId, name, principal)
    const found = table && findRecord(table, id)
    if (!table || !found) return undefined
    const { pointer } = table.mounted
    const [, , ...validators] = validatorHeaders(pointer, '')
    return {
      source: table.source,
      pointer,
      status: 200,
      headers: [...validators, 'Content-Type', JSON_TYPE],
      tagStem: stemOf(table, principal, id, false),
      isPlain: true,
      bodies: new Map([['identity', Buffer.from(writeRecord(table, found, false))]]),
    }
  }

  #hotTable(baseId: string, name: string, principal: Principal): PlacedTable | undefined {
    try {
      return this.#bases.table(baseId, name, principal)
    } catch (error) {
      if (error instanceof Failure) return undefined
      throw error
    }
  }

  /** The upstream's ids are those of one record of the whole base: Airtable finds it whichever table is named. */
  async #anywhere(
    table: PlacedTable,
    principal: Principal,
    baseId: string,
    { id, isByFieldId }: { id: string; isByFieldId: boolean },
  ): Promise<string | undefined> {
    const isOther = ({ schema, source }: PlacedTable) =>
      schema.ids === 'keys' && schema.id !== table.schema.id && source === table.source
    const others = table.schema.ids === 'keys' ? this.#bases.tables(baseId, principal).filter(isOther) : []
    for (const one of [table, ...others]) {
      const found = await this.#find(one, principal, id)
      if (found !== undefined) return writeRecord(one, found, isByFieldId)
    }
    return undefined
  }

  async #find(table: PlacedTable, principal: Principal, id: string): Promise<FoundRecord | undefined> {
    if (!ruleOf(principal, table.source, table.table.name)) return findRecord(table, id)
    for (const key of keysOf(table, id)) {
      const found = await this.#findVisible(table, principal, key)
      if (found !== undefined) return found
    }
    return undefined
  }

  async #findVisible(table: PlacedTable, principal: Principal, key: string): Promise<FoundRecord | undefined> {
    const { mounted, table: info } = table
    const parts = parseKeyText(key, info.key.length)
    if (parts === undefined) return undefined
    const where: Condition = {
      kind: 'and',
      of: parts.map((value, index) => ({ kind: 'test', operand: plain(info.key[index]!), test: { op: 'eq', value } })),
    }
    const outputs = table.columns.map(({ name }) => ({ operand: plain(name), name, cast: null }))
    const asked: Query = { outputs, where, order: [], byKey: true, offset: 0, limit: 1, after: null, count: 'none' }
    try {
      using _pin = mounted.pin()
      const { rows, facts } = await askVisible(asked, table, principal, new AbortController().signal)
      const [cells, fact] = [rows[0], facts[0]]
      return cells !== undefined && fact?.id === key ? { cells, facts: fact } : undefined
    } catch (error) {
      // A value that no key can have is a record that is not there.
      if (error instanceof Failure && error.code === 'bad_value') return undefined
      throw error
    }
  }
}

/** What a record may be called: by its id, or by its key as other routes know it. */
function keysOf({ schema }: PlacedTable, id: string): string[] {
  if (schema.ids === 'keys') return [id]
  const key = keyOfRecordId(id)
  return key === undefined || key === id ? [id] : [key, id]
}

function findRecord(table: PlacedTable, id: string): FoundRecord | undefined {
  for (const key of keysOf(table, id)) {
    const found = table.mounted.record(table.table.name, table.columns, key)
    if (found !== undefined) return found
  }
  return undefined
}

const writers = new WeakMap<PlacedTable, ReturnType<typeof recordWriter>>()

function writeRecord(table: PlacedTable, { cells, facts }: FoundRecord, isByFieldId: boolean): string {
  const { schema } = table
  let write = isByFieldId ? undefined : writers.get(table)
  if (write === undefined) {
    write = recordWriter({ table: schema, fields: schema.fields, isByFieldId, countsComments: false })
    if (!isByFieldId) writers.set(table, write)
  }
  return write(cells, facts)
}

function plain(column: string) {
  return { column, path: [], asText: false }
}

function stemOf({ mounted, schema }: PlacedTable, { view }: Principal, id: string, isByFieldId: boolean): string {
  const digest = hash('sha256', JSON.stringify([schema.id, id, isByFieldId]), 'base64url').slice(0, 16)
  return `${mounted.pointer.snapshot}-${digest}${view === '' ? '' : `-${view}`}`
}

function ended(source: string): Failure {
  return new Failure(
    'cursor_expired',
    'The snapshot that this list came from is no longer kept. Begin again without the offset.',
    { facts: { source } },
  )
}

function notThere({ schema }: PlacedTable, id: string): Failure {
  return new Failure('record_not_found', `The table ${schema.name} has no record ${JSON.stringify(id.slice(0, 100))}.`)
}
