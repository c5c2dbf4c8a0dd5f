import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { ColumnType, Value } from '../../lib/column.ts'
import type { Answer, Query } from '../../lib/query.ts'
import { resolveQuery } from '../../lib/resolve-query.ts'
import type { TableOptions } from '../../lib/settings.ts'
import { openOwn, openSnapshot, type Database } from '../../lib/sqlite/database.ts'
import { QueryEngine } from '../../lib/sqlite/query-engine.ts'
import { indexHint } from '../../lib/sqlite/query-hint.ts'
import { decimalKey } from '../../lib/sqlite/sql-decimal.ts'
import { all, any, by, EVERYTHING, is, not, QuerySite, type QuerySiteOptions } from './query-site.ts'
import { sourceOf, TestSite, wares, withSnapshot, type Upstream } from './site.ts'
import { planOptions } from '../support/plan-options.ts'

const INDEXED: TableOptions = { indexes: ['price', ['kind', 'price']] }
const TYPES: Readonly<Record<string, ColumnType>> = { sku: 'text', kind: 'text', price: 'decimal', cost: 'decimal' }

const ROWS = [
  { sku: 'a', kind: 'x', price: '10.50', cost: '1' },
  { sku: 'b', kind: 'x', price: null, cost: '2' },
  { sku: 'c', kind: 'y', price: '-3', cost: '3' },
  { sku: 'd', kind: 'x', price: '9.99', cost: null },
]

const priced = (rows: readonly Readonly<Record<string, Value>>[]): Upstream => wares(rows, { types: TYPES })

function look<T>(site: TestSite, at: (db: Database) => T): T {
  return withSnapshot(site.folder().file(site.pointer().file), at)
}

/** Names of the columns of ours that decimals are compared by. */
const hiddenColumns = (db: Database): unknown[] =>
  db.prepare(`SELECT name FROM pragma_table_info('wares') WHERE name GLOB '_hf_decimal_*'`).pluck().all()

const indexColumns = (db: Database): unknown[] =>
  db
    .prepare(
      `SELECT s.name || ' ' || group_concat(i.name) FROM sqlite_schema s, pragma_index_info(s.name) i
        WHERE s.name GLOB '_hf_index_*' GROUP BY s.name ORDER BY s.name`,
    )
    .pluck()
    .all()

/** The digits and the key of each price, in upstream order. */
const keys = (site: TestSite): unknown[] =>
  look(site, (db) => db.prepare('SELECT price, _hf_decimal_3 FROM wares ORDER BY _hf_row').raw().all())

const keysOf = (...prices: (string | null)[]) =>
  prices.map((price) => [price, price === null ? null : decimalKey(price)])

describe('an index on decimals', () => {
  test('has what they compare by, for the columns that are in an index and no others', async () => {
    using site = new TestSite({ tables: { wares: INDEXED } })
    await site.sync(priced(ROWS))
    assert.deepEqual(look(site, hiddenColumns), ['_hf_decimal_3'])
    assert.deepEqual(look(site, indexColumns), ['_hf_index_1_0 _hf_decimal_3', '_hf_index_1_1 kind,_hf_decimal_3'])
    assert.deepEqual(keys(site), keysOf('10.50', null, '-3', '9.99'))
    assert.deepEqual(site.pointer().tables[0]?.indexes, [['price'], ['kind', 'price']])
  })

  test('is no content: nothing of it is shown, logged, or in the way of unchanged rows', async () => {
    using plain = new TestSite()
    await plain.sync(priced(ROWS))
    using site = new TestSite({ tables: { wares: INDEXED } })
    await site.sync(priced(ROWS))
    const { digest, tables } = site.pointer()
    assert.equal(digest, plain.pointer().digest)
    assert.deepEqual(tables[0]?.columns, plain.pointer().tables[0]?.columns)
    assert.deepEqual(site.published('wares'), ROWS)

    assert.equal((await site.sync({ ...priced(ROWS), identity: 'touched' })).result, 'unchanged')
    assert.equal((await site.sync(priced(ROWS.with(2, { ...ROWS[2]!, price: '-4.0' })))).result, 'published')
    assert.deepEqual(keys(site), keysOf('10.50', null, '-4.0', '9.99'))
    const log = look(site, (db) => db.prepare('SELECT key, op, row FROM _hf_log').raw().all())
    assert.deepEqual(log.at(-1), ['c', 'put', '{"sku":"c","kind":"y","price":"-4.0","cost":"3"}'])
    assert.equal(log.length, 2, 'and the one before, which had the table read whole')
  })

  test('that is configured later, or on another column, is there with the next run', async () => {
    using site = new TestSite()
    await site.sync(priced(ROWS))
    assert.deepEqual(look(site, hiddenColumns), [])
    const options = { dataDir: site.dataDir, clock: site.clock }
    using later = new TestSite({ ...options, tables: { wares: INDEXED } })
    assert.equal((await later.sync(priced(ROWS))).result, 'published')
    assert.deepEqual(keys(later), keysOf('10.50', null, '-3', '9.99'))
    using other = new TestSite({ ...options, tables: { wares: { indexes: ['cost'] } } })
    assert.equal((await other.sync(priced(ROWS))).result, 'published')
    assert.deepEqual(look(other, hiddenColumns), ['_hf_decimal_4'])
  })

  for (const killedAfter of [1, 2, 3]) {
    test(`is whole when a run is taken up that was killed behind ${killedAfter} of its 3 steps`, async () => {
      using site = new TestSite({ tables: { wares: INDEXED } })
      await site.sync(priced(ROWS.slice(0, 1)))
      const upstream = priced(ROWS)
      const first = await site.claim()
      const source = sourceOf('wares', upstream)
      const plan = await source.plan(planOptions())
      {
        using stage = site.store.stage({ lease: first.lease, run: first.run.id, plan })
        for await (const page of source.pull({ plan, signal: new AbortController().signal })) stage.write(page)
        stage.finishPull()
        stage.compare()
        const ending = new AbortController()
        let steps = 0
        const busy = (work: () => void) => {
          work()
          if (++steps === killedAfter) ending.abort(new Error('killed'))
        }
        await assert.rejects(stage.finish({ signal: ending.signal, onProgress: () => {}, busy }), /killed/)
      }
      await site.control.release(first.lease)
      const second = await site.control.claim('wares', 'another', 1000)
      const nothing = wares([], { columns: ['sku'], types: TYPES })
      assert.equal((await site.work(second!, { ...nothing, identity: upstream.identity })).result, 'published')
      assert.deepEqual(look(site, hiddenColumns), ['_hf_decimal_3'])
      assert.equal(look(site, indexColumns).length, 2)
      assert.deepEqual(keys(site), keysOf('10.50', null, '-3', '9.99'))
    })
  }

  test('fits the widest of tables', async () => {
    const names = Array.from({ length: 1899 }, (_, index) => `d${index}`)
    const types = Object.fromEntries(names.map((name) => [name, 'decimal' as const]))
    const indexes = Array.from({ length: 20 }, (_, index) => names.slice(8 * index, 8 * index + 8))
    using site = new TestSite({ tables: { wares: { indexes } } })
    const row = Object.fromEntries([['sku', 'a'], ...names.map((name) => [name, '1.0'])]) as Record<string, Value>
    const run = await site.sync(wares([row], { types }))
    assert.deepEqual([run.error, run.result], [null, 'published'])
    assert.ok(look(site, hiddenColumns).length > 80)
  })

  test('is looked for under what the file has: one that was made over the digits is no help, and no harm', async () => {
    using site = new TestSite({ tables: { wares: INDEXED } })
    await site.sync(priced(ROWS))
    const path = site.folder().file(site.pointer().file)
    const file = openOwn(path)
    file.exec(`DROP INDEX _hf_index_1_0; DROP INDEX _hf_index_1_1; ALTER TABLE wares DROP COLUMN _hf_decimal_3;
      CREATE INDEX _hf_index_1_0 ON wares (price); CREATE INDEX _hf_index_1_1 ON wares (kind, price)`)
    file.close()
    const db = openSnapshot(path)
    try {
      const engine = new QueryEngine(db, site.pointer().tables)
      const query = resolveQuery(
        { ...EVERYTHING, where: all(is('kind', 'eq', 'x'), is('price', 'gt', '-5')), order: by('price') },
        site.pointer().tables[0]!,
        undefined,
      )
      const answer = engine.answer(query, { maxBytes: 2 ** 26, isBounded: false })
      assert.deepEqual(answer?.facts.map(({ id }) => id), ['d', 'a'])
    } finally {
      db.close()
    }
  }) // prettier-ignore
})

/** Asks a table that has indexes, and one that has none: the rows have to be the same. */
class Twins implements Disposable {
  readonly #indexed: QuerySite
  readonly #plain: QuerySite

  private constructor(indexed: QuerySite, plain: QuerySite) {
    this.#indexed = indexed
    this.#plain = plain
  }

  static async publish(options: QuerySiteOptions): Promise<Twins> {
    const { table: _table, ...plain } = options
    return new Twins(await QuerySite.publish(options), await QuerySite.publish(plain))
  }

  async ask(query: Partial<Query>): Promise<{ here: boolean; answer: Answer; ids: string[] }> {
    const { length } = this.#indexed.left
    const answer = await this.#indexed.ask({ limit: 20, ...query })
    const here = this.#indexed.left.length === length
    const other = await this.#plain.ask({ limit: 20, ...query })
    const ids = answer.facts.map(({ id }) => id)
    assert.deepEqual([answer.rows, answer.last, answer.hasMore, answer.total], [other.rows, other.last, other.hasMore, other.total]) // prettier-ignore
    return { here, answer, ids }
  }

  [Symbol.dispose](): void {
    this.#indexed[Symbol.dispose]()
    this.#plain[Symbol.dispose]()
  }
}

describe('queries over indexed decimals', () => {
  const COUNT = 12_000
  /** Every tenth is NULL; values repeat, in several spellings, and are not in the order of their digits. */
  const priceOf = (id: number): string | null => {
    const value = ((id * 7919) % 5000) - 1000
    return id % 10 === 3 ? null : id % 3 === 0 ? `${value}.50` : id % 3 === 1 ? `${value}.5` : `${value}`
  }
  let twins: Twins
  before(async () => {
    twins = await Twins.publish({
      columns: { id: 'integer', kind: 'text', price: 'decimal', cost: 'decimal' },
      key: ['id'],
      rows: Array.from({ length: COUNT }, (_, id): Value[] => [id, `K${id % 3}`, priceOf(id), `${id}.1`]),
      table: INDEXED,
    })
  })
  after(() => twins[Symbol.dispose]())

  const kind = is('kind', 'eq', 'K1')
  const HERE: Record<string, Partial<Query>> = {
    'a value': { where: is('price', 'eq', '312.5'), count: 'exact' },
    'a value in another spelling': { where: is('price', 'eq', '3.1250e2'), count: 'exact' },
    'some values': { where: is('price', 'in', ['312.50', '-7', '1e3']), count: 'exact' },
    'a range at its end': { where: is('price', 'gt', '3990'), order: by('price'), count: 'exact' },
    'a range between': { where: all(is('price', 'gte', '-10'), is('price', 'lt', '9.99')), count: 'exact' },
    'a range below zero': { where: is('price', 'lte', '-990.5'), order: by('price.desc'), count: 'exact' },
    'what no number is': { where: is('price', 'gt', 'Infinity'), count: 'exact' },
    'two values at once': { where: all(is('price', 'eq', '5'), is('price', 'gt', '5.0')), count: 'exact' },
    'the least': { order: by('price') },
    'the least, behind NULLs': { order: by('price.nullsfirst'), offset: 1190 },
    'the greatest, behind NULLs': { order: by('price.desc'), offset: 1190 },
    'the greatest, before NULLs': { order: by('price.desc.nullslast') },
    'NULLs': { where: is('price', 'is', 'null'), order: by('id'), count: 'exact' },
    'of one kind, the least': { where: kind, order: by('price') },
    'of one kind, the greatest': { where: kind, order: by('price.desc') },
    'of one kind, a value': { where: all(kind, is('price', 'eq', '312.5')), count: 'exact' },
    'of one kind, a range': { where: all(kind, is('price', 'gt', '3900')), order: by('price'), count: 'exact' },
    'of one kind, a range and a column that has no index': { where: all(kind, is('price', 'gt', '3900'), is('cost', 'lt', '900')), order: by('cost') },
  } // prettier-ignore
  for (const [what, query] of Object.entries(HERE)) {
    test(`here: ${what}`, async () => assert.ok((await twins.ask(query)).here))
  }

  const LEFT: Record<string, Partial<Query>> = {
    'a decimal that has no index': { where: is('cost', 'gt', '11990') },
    'sorted by it': { order: by('cost') },
    'one or the other': { where: any(is('price', 'eq', '1'), is('cost', 'eq', '1.1')) },
    'all but a value': { where: not(is('price', 'eq', '1')), order: by('cost') },
  }
  for (const [what, query] of Object.entries(LEFT)) {
    test(`left to a reader: ${what}`, async () => assert.ok(!(await twins.ask(query)).here))
  }

  for (const order of ['price', 'price.desc', 'price.nullsfirst', 'price.desc.nullslast']) {
    test(`pages behind one another, by ${order}, have each row once`, async () => {
      const inOrder = (await twins.ask({ order: by(order), limit: COUNT })).ids
      const pages = await walk({ order: by(order), limit: 3000 })
      assert.ok(pages.every(({ here }) => here))
      const seen = pages.flatMap(({ ids }) => ids)
      assert.equal(new Set(seen).size, COUNT)
      assert.deepEqual(seen, inOrder)
      const few = await walk({ where: is('id', 'lt', '40'), order: by(order), limit: 7 })
      const expected = seen.filter((id) => Number(id) < 40)
      assert.deepEqual(few.flatMap(({ ids }) => ids), expected) // prettier-ignore
    })
  }

  async function walk(query: Partial<Query>) {
    const pages = [await twins.ask(query)]
    for (let last = pages[0]!.answer; last.hasMore; last = pages.at(-1)!.answer) {
      pages.push(await twins.ask({ ...query, after: last.last }))
    }
    return pages
  }
})

describe('a decimal key', () => {
  test('is sorted as a number and as it is stored, whichever is asked for', async () => {
    using twins = await Twins.publish({
      columns: { no: 'decimal', kind: 'text' },
      key: ['no'],
      rows: Array.from({ length: 12_000 }, (_, no): Value[] => [String(no), `K${no % 2}`]),
      table: { indexes: ['no', ['kind', 'no']] },
    })
    const kind = is('kind', 'eq', 'K1')
    const asked: [Partial<Query>, string[]][] = [
      [{ where: is('no', 'eq', '77.0'), count: 'exact' }, ['77']],
      [{ order: by('no'), byKey: true, limit: 3 }, ['0', '1', '2']],
      [{ order: by('no.desc'), limit: 2 }, ['11999', '11998']],
      [{ byKey: true, limit: 3 }, ['0', '1', '10']],
      [{ byKey: true, limit: 3, after: ['10'] }, ['100', '1000', '10000']],
      [{ where: kind, order: by('no'), limit: 3 }, ['1', '3', '5']],
      [{ where: kind, byKey: true, limit: 3 }, ['1', '10001', '10003']],
      [{ where: kind, byKey: true, limit: 2, after: ['10001'] }, ['10003', '10005']],
    ]
    for (const [query, expected] of asked) {
      const { here, ids } = await twins.ask(query)
      assert.deepEqual([here, ids], [true, expected], JSON.stringify(query))
    }
  })

  test('has no other use for its own index, and the advice says so', async () => {
    const options: QuerySiteOptions = {
      columns: { part: 'text', no: 'decimal' },
      key: ['part', 'no'],
      rows: [['a', '1']],
    }
    const hint = (site: QuerySite, query: Partial<Query>) =>
      indexHint(site.table, resolveQuery({ ...EVERYTHING, ...query }, site.table, undefined))
    using site = await QuerySite.publish(options)
    const both = { where: is('part', 'eq', 'a'), order: by('no') }
    assert.equal(hint(site, both), "Add indexes: [['part', 'no']] to tables.wares.")
    assert.match(hint(site, { where: is('part', 'eq', 'a') }), /^Narrow it/)
    using followed = await QuerySite.publish({ ...options, table: { indexes: [['part', 'no']] } })
    assert.deepEqual(followed.table.indexes, [['part', 'no']])
    assert.match(hint(followed, both), /^Narrow it/)
  })
})
