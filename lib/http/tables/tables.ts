import { hash } from 'node:crypto'
import { ruleOf, type Principal } from '../../access.ts'
import { Failure } from '../../errors.ts'
import { parseKeyText } from '../../row-key.ts'
import type { Condition, Query } from '../../query.ts'
import type { CachedAnswer } from '../answer-cache.ts'
import type { Pointer } from '../../snapshot.ts'
import { tagOf } from '../answers.ts'
import type { AnswerSender } from '../answer-spec.ts'
import { requireFresh } from '../cache-directives.ts'
import type { Context } from '../context.ts'
import { JSON_TYPE, type Exchange } from '../exchange.ts'
import { freshnessHeaders } from '../freshness.ts'
import { matchesTag } from '../negotiate.ts'
import { validatorHeaders } from '../representation.ts'
import { resolveTable, type Target } from '../target.ts'
import { resolveVisible, seesSomeRows } from '../visible-query.ts'
import { acceptedFormat } from './accepted-format.ts'
import { readCursor } from './cursor.ts'
import { recordToJson } from '../../record-json.ts'
import { recordNames } from './record-names.ts'
import { countOf, readTablesQuery } from './tables-query.ts'
import { textShapeOf, writeRecords } from './write-records.ts'

const PREFIX = '/api/tables/'

/** `GET /api/tables/:table` and `GET /api/tables/:table/:id`. */
export class Tables {
  readonly #context: Context
  readonly #answers: AnswerSender
  /** Headers of all records of a snapshot. */
  readonly #headers = new WeakMap<Pointer, readonly string[]>()
  /** How records of a table are written. */
  readonly #writers = new WeakMap<Target['table'], ReturnType<typeof recordToJson>>()

  constructor(context: Context, answers: AnswerSender) {
    this.#context = context
    this.#answers = answers
  }

  async list(exchange: Exchange, principal: Principal, name: string): Promise<void> {
    const query = readTablesQuery(exchange.query, this.#context.settings.maxRows)
    const found = resolveTable(this.#context, principal, name)
    const isByKey = query.order.length === 0
    const cursor = query.cursor === null ? undefined : readCursor(query.cursor, query.identity)
    const target = cursor === undefined || cursor.snapshot === null ? found : this.#pinned(found, cursor.snapshot)
    const format = query.format ?? acceptedFormat(exchange.header('accept'))
    const asked: Query = {
      outputs: query.outputs,
      where: query.where,
      order: query.order,
      // Else its cursors would tell how many rows are hidden before the last one.
      byKey: isByKey || seesSomeRows(target, principal),
      offset: cursor !== undefined && cursor.after === null ? cursor.seen : query.offset,
      limit: query.limit,
      after: cursor?.after ?? null,
      count: countOf(query),
      ...textShapeOf(format, target.table),
    }
    const start = cursor?.seen ?? query.offset
    const path = exchange.path.replaceAll('<', '%3C').replaceAll('>', '%3E')
    await this.#answers.send(exchange, {
      target,
      principal,
      query: resolveVisible(asked, target, principal),
      variant: '',
      write: (answer) => writeRecords(answer, { target, query, format, path, text: exchange.query, isByKey, start }),
    })
  }

  async record(exchange: Exchange, principal: Principal, name: string, id: string): Promise<void> {
    const target = resolveTable(this.#context, principal, name)
    const { pointer } = target.mounted
    const { feed, clock } = this.#context
    const record = feed.latest(target.source)
    requireFresh(exchange.header('cache-control'), { pointer, record, now: clock.now() })
    const tag = tagOf(recordStem(target, principal, id), 'identity')
    const headers = [
      ...validatorHeaders(pointer, tag, principal.view !== ''),
      ...freshnessHeaders(pointer, record, clock.now()),
    ]
    const condition = exchange.header('if-none-match')
    if (condition?.trim() !== '*' && matchesTag(condition, tag)) return exchange.empty(304, headers)
    const text = await this.#recordText(target, principal, id)
    if (text === undefined) throw recordNotFound(target, id)
    if (matchesTag(condition, tag)) return exchange.empty(304, headers)
    exchange.send(200, ['Content-Type', JSON_TYPE, ...headers], text)
  }

  /**
   * The answer for one record, to those who see everything; undefined for all else, errors included, which the router
   * takes care of.
   */
  hotRecord(principal: Principal, path: string, query: string): CachedAnswer | undefined {
    if (query !== '' || principal.view !== '') return undefined
    const slash = path.indexOf('/', PREFIX.length)
    if (slash === -1 || path.includes('/', slash + 1) || path.includes('%')) return undefined
    const target = this.#find(path.slice(PREFIX.length, slash))
    const id = path.slice(slash + 1)
    if (target === undefined || id === 'export') return undefined
    const text = this.#wholeRecord(target, id)
    if (text === undefined) return undefined
    const { pointer } = target.mounted
    return {
      source: target.source,
      pointer,
      status: 200,
      headers: this.#recordHeaders(pointer),
      tagStem: recordStem(target, principal, id),
      isPlain: true,
      bodies: new Map([['identity', Buffer.from(text)]]),
    }
  }

  #recordHeaders(pointer: Pointer): readonly string[] {
    let known = this.#headers.get(pointer)
    if (!known) {
      const [, , ...validators] = validatorHeaders(pointer, '')
      this.#headers.set(pointer, (known = [...validators, 'Content-Type', JSON_TYPE]))
    }
    return known
  }

  #find(name: string): Target | undefined {
    const { sources, snapshots } = this.#context
    // It may be meant as `source.table`, which comes first.
    if (name.includes('.') && sources.some((source) => name.startsWith(`${source}.`))) return undefined
    let found: Target | undefined
    for (const source of sources) {
      const mounted = snapshots.active(source)
      const table = mounted?.table(name)
      if (!mounted || !table) continue
      if (found) return undefined
      found = { source, mounted, table }
    }
    return found
  }

  /** The same table in the snapshot that a cursor goes on in. */
  #pinned({ source, table }: Target, snapshot: string): Target {
    const mounted = this.#context.snapshots.find(source, snapshot)
    const before = mounted?.table(table.name)
    if (mounted && before) return { source, mounted, table: before }
    throw new Failure(
      'cursor_expired',
      `The cursor goes on in the snapshot ${snapshot.slice(0, 40)} of ${source}, which is no longer kept. Begin again, or leave out sort: in key order a crawl goes on across snapshots.`,
      { facts: { source } },
    )
  }

  async #recordText(target: Target, principal: Principal, id: string): Promise<string | undefined> {
    const { source, table, mounted } = target
    const rule = ruleOf(principal, source, table.name)
    if (!rule) return this.#wholeRecord(target, id)
    const parts = parseKeyText(id, table.key.length)
    const where: Condition = {
      kind: 'and',
      of: (parts ?? []).map((value, index) => ({
        kind: 'test',
        operand: { column: table.key[index]!, path: [], asText: false },
        test: { op: 'eq', value },
      })),
    }
    const asked: Query = {
      outputs: ['*'], where, order: [], byKey: true, offset: 0, limit: 1, after: null, count: 'none',
    } // prettier-ignore
    const resolved = resolveKeyQuery(asked, target, principal)
    if (!resolved || !parts) return undefined
    using _pin = mounted.pin()
    const answer = await mounted.query(resolved, { principal: principal.id, signal: new AbortController().signal })
    const [row, facts] = [answer.rows[0], answer.facts[0]]
    if (!row || facts?.id !== id) return undefined
    return recordEnvelope(recordToJson(answer.columns, recordNames(table))(row, facts))
  }

  #wholeRecord({ mounted, table }: Target, id: string): string | undefined {
    const found = mounted.record(table.name, table.columns, id)
    if (!found) return undefined
    let write = this.#writers.get(table)
    if (!write) this.#writers.set(table, (write = recordToJson(table.columns, recordNames(table))))
    return recordEnvelope(write(found.cells, found.facts))
  }
}

/** A value that no key can have is a record that is not there. */
function resolveKeyQuery(query: Query, target: Target, principal: Principal) {
  try {
    return resolveVisible(query, target, principal)
  } catch (error) {
    if (error instanceof Failure && error.code === 'bad_value') return undefined
    throw error
  }
}

function recordEnvelope(record: string): string {
  return `{"backend":"sqlite","record":${record}}`
}

function recordStem({ mounted: { pointer }, table }: Target, { view }: Principal, id: string): string {
  // Which table it is by its number would tell how many there are that are not seen.
  if (view !== '') return `${pointer.snapshot}-${digestOf(JSON.stringify([table.name, id]))}-${view}`
  const name = /^[\w.~-]{1,60}$/.test(id) ? id : digestOf(id)
  return `${pointer.snapshot}-${pointer.tables.indexOf(table)}-${name}`
}

function digestOf(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 16)
}

function recordNotFound({ source, table }: Target, id: string): Failure {
  const shown = JSON.stringify(id.slice(0, 100))
  const key = table.key.length === 1 ? table.key[0]! : `${table.key.join(', ')}, each percent-encoded, joined by commas`
  return new Failure('record_not_found', `${source}.${table.name} has no record ${shown}. Its id is made of ${key}.`, {
    facts: { source, table: table.name },
  })
}
