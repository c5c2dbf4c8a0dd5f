import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { ColumnType, Value } from '../../lib/column.ts'
import { Failure } from '../../lib/errors.ts'
import { readTablesQuery } from '../../lib/http/tables/tables-query.ts'
import { readRestRequest } from '../../lib/http/rest/request.ts'
import type { Query } from '../../lib/query.ts'
import { resolveQuery } from '../../lib/resolve-query.ts'
import { openSnapshot, type Database } from '../../lib/sqlite/database.ts'
import { QueryEngine } from '../../lib/sqlite/query-engine.ts'
import { seeded, testSeed } from '../support/random.ts'
import { QuerySite } from './query-site.ts'

const SEED = testSeed()
const RUNS = Number(process.env.HOLDFAST_UNBOUND_RUNS ?? 3000)

const COLUMNS = {
  sku: 'text', 'we"ird': 'text', no: 'integer', real: 'real', amount: 'decimal', active: 'boolean', data: 'json', note: 'text',
} as const satisfies Record<string, ColumnType> // prettier-ignore

/** Around each token: what ends a text, a name or a statement in SQL, in FTS5 or in the grammar. */
const WRAPS = ['TOKEN', "'TOKEN", '"TOKEN"', '`TOKEN`', '[TOKEN]', "TOKEN'--", 'TOKEN;', 'TOKEN)', '(TOKEN', 'TOKEN*', 'TOKEN%_', 'TOKEN\\', '{TOKEN}', ' TOKEN ', 'TOKEN\0', 'ü TOKEN', '^TOKEN', 'TOKEN:c0', 'NEAR(TOKEN)', '/*TOKEN*/'] // prettier-ignore

describe(`what a request says (seed ${SEED})`, () => {
  let site: QuerySite
  let db: Database
  /** The same, and everything it is told is noted. */
  let spied: Database
  let engine: QueryEngine
  /** All SQL that SQLite was given since it was last emptied. */
  let prepared: string[]

  before(async () => {
    const rows = Array.from({ length: 40 }, (_, index): Value[] => [
      `s-${index}`, `odd ${index % 3}`, index, index / 2, `${index}.5`, index % 2 === 0, { a: [index], b: { c: 'x' } }, index % 4 ? `words ${index}` : null,
    ]) // prettier-ignore
    const table = { search: ['note', 'we"ird'], indexes: ['no', ['active', 'no'], 'we"ird'] }
    site = await QuerySite.publish({ columns: COLUMNS, key: ['sku'], rows, table })
    db = openSnapshot(site.site.folder().file(site.site.pointer().file))
    prepared = []
    spied = new Proxy(db, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        return (...args: unknown[]): unknown => {
          // Also what is run without being prepared: pragmas, functions, scripts.
          for (const text of args) if (typeof text === 'string') prepared.push(text)
          return Reflect.apply(value, target, args)
        }
      },
    })
    engine = new QueryEngine(spied, site.site.pointer().tables)
  })

  after(() => {
    db.close()
    site[Symbol.dispose]()
  })

  test('is bound to statements, and never a part of their text', () => {
    const random = seeded(SEED)
    const seen = { answered: 0, refused: 0, statements: 0 }
    for (let run = 0; run < RUNS; run++) {
      const made = new Requests(random)
      const { text, isRest } = made.next()
      prepared = []
      try {
        const query = queryOf(text, isRest, made)
        for (const isBounded of [true, false]) {
          engine.answer(resolveQuery(query, site.table, undefined), { maxBytes: 1e7, isBounded })
        }
        engine.record('wares', site.table.columns, made.value())
        seen.answered++
      } catch (error) {
        assert.ok(error instanceof Failure, `${text}: ${String(error)}`)
        assert.notEqual(error.code, 'internal', text)
        seen.refused++
      }
      seen.statements += prepared.length
      for (const sql of prepared) {
        for (const token of made.tokens) assert.ok(!sql.includes(token), `${token} of ${text} is in ${sql}`)
      }
    }
    assert.ok(
      seen.answered > RUNS / 10 && seen.refused > RUNS / 100 && seen.statements > RUNS / 10,
      JSON.stringify(seen),
    )
  })

  test('would be seen in the text of a statement', () => {
    prepared = []
    spied.prepare(`SELECT 'tq1z'`).get()
    assert.ok(prepared.some((sql) => sql.includes('tq1z')))
    assert.ok(engine.answer(resolveQuery(EVERY, site.table, undefined), { maxBytes: 1e7, isBounded: false }))
    assert.ok(prepared.some((sql) => sql.includes('FROM')))
  })
})

const EVERY: Query = {
  outputs: ['*'], where: null, order: [], byKey: true, offset: 0, limit: 5, after: null, count: 'none',
} // prettier-ignore

function queryOf(text: string, isRest: boolean, made: Requests): Query {
  if (isRest) return readRestRequest(text, { prefer: made.prefer() }, { maxRows: 100 }).query
  const { outputs, where, order, offset, limit } = readTablesQuery(text, 100)
  return {
    outputs,
    where,
    order,
    offset,
    limit,
    byKey: order.length === 0,
    after: made.after(order.length + 1),
    count: 'exact',
  }
}

/** Makes requests with a token of its own in every place that a client can fill. */
class Requests {
  readonly tokens: string[] = []
  readonly #random: () => number

  constructor(random: () => number) {
    this.#random = random
  }

  next(): { text: string; isRest: boolean } {
    const isRest = this.#random() < 0.5
    const parts = Array.from({ length: 1 + Math.floor(this.#random() * 3) }, () => this.#filter())
    if (this.#chance(0.4))
      parts.push(
        `${isRest ? 'order' : 'sort'}=${encodeURIComponent(`${this.#operand()}${this.#pick(['', '.desc', '.asc.nullsfirst'])}`)}`,
      )
    if (this.#chance(0.4)) parts.push(`${isRest ? 'select' : 'fields'}=${encodeURIComponent(this.#outputs())}`)
    if (!isRest && this.#chance(0.3)) parts.push(`q=${encodeURIComponent(this.value())}`)
    if (!isRest && this.#chance(0.1)) parts.push('modifiedAfter=2020-01-01')
    return { text: [...new Map(parts.map((part) => [part.split('=')[0]!, part])).values()].join('&'), isRest }
  }

  /** A token, and with it whatever might set it free. */
  value(): string {
    return this.#pick(WRAPS).replace('TOKEN', this.#token())
  }

  prefer(): string {
    return this.#pick(['', 'count=exact', 'count=planned', 'count=estimated'])
  }

  after(length: number): Query['after'] {
    if (this.#chance(0.7)) return null
    return Array.from({ length }, () => this.#pick([this.value(), 1, null, 2n ** 60n, '1.5', '{}']))
  }

  #filter(): string {
    const condition = `${this.#chance(0.2) ? 'not.' : ''}${this.#test()}`
    if (this.#chance(0.8)) return `${encodeURIComponent(this.#operand())}=${encodeURIComponent(condition)}`
    const inner = `${this.#operand()}.${this.#test()}`
    return `${this.#pick(['and', 'or', 'not.or'])}=${encodeURIComponent(`(${inner},${this.#operand()}.is.null)`)}`
  }

  #test(): string {
    const quoted = () => `"${this.value().replaceAll(/["\\]/g, '\\$&')}"`
    return this.#pick([
      () => `${this.#pick(['eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'isdistinct'])}.${this.value()}`,
      () => `${this.#pick(['eq', 'gt', 'lt'])}.${Math.floor(this.#random() * 50)}`,
      () => `${this.#pick(['like', 'ilike'])}.${this.value()}*`,
      () => `${this.#pick(['match', 'imatch'])}.${this.#token()}`,
      () => `in.(${quoted()},${quoted()})`,
      () => `${this.#pick(['eq', 'like'])}(any).{${quoted()},${quoted()}}`,
      () => `${this.#pick(['fts', 'plfts', 'phfts', 'wfts'])}.${this.value()}`,
      () => `fts.${this.#token()} & (!${this.#token()} | ${this.#token()}:*)`,
      () => `${this.#pick(['cs', 'cd', 'ov', 'eq'])}.${JSON.stringify({ [this.value()]: [this.value()] })}`,
      () => `${this.#pick(['cs', 'cd', 'ov'])}.{${quoted()}}`,
      () => `is.${this.#pick(['null', 'true', this.#token()])}`,
    ])()
  }

  #operand(): string {
    const column = this.#pick([...Object.keys(COLUMNS), 'note', 'data', 'sku'])
    const name = column.includes('"') ? `"${column.replaceAll('"', '\\"')}"` : column
    if (this.#chance(0.03)) return this.#token()
    if (column !== 'data' || this.#chance(0.3)) return name
    return `data${this.#pick(['->', '->>'])}${this.#pick(['a', '0', this.#token(), `"${this.value().replaceAll(/["\\]/g, '\\$&')}"`])}`
  }

  #outputs(): string {
    const alias = () => (this.#chance(0.5) ? `${this.#token()}:` : `"${this.value().replaceAll(/["\\]/g, '\\$&')}":`)
    const cast = () => this.#pick(['', '::text', '::json', this.#chance(0.1) ? `::${this.#token()}` : ''])
    return Array.from({ length: 3 }, () => `${alias()}${this.#operand()}${cast()}`).join(',')
  }

  #token(): string {
    const token = `tq${Math.floor(this.#random() * 2 ** 40).toString(36)}z`
    this.tokens.push(token)
    return token
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)]!
  }

  #chance(share: number): boolean {
    return this.#random() < share
  }
}
