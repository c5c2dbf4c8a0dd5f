import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Statement } from 'better-sqlite3'
import fc from 'fast-check'
import type { ColumnType, Value } from '../../lib/column.ts'
import type { Query, RecordNames, TextShape } from '../../lib/query.ts'
import { recordToJson } from '../../lib/record-json.ts'
import { resolveQuery } from '../../lib/resolve-query.ts'
import { rowToJson } from '../../lib/row-json.ts'
import { openSnapshot } from '../../lib/sqlite/database.ts'
import { QueryEngine } from '../../lib/sqlite/query-engine.ts'
import { addQueryFunctions } from '../../lib/sqlite/sql-functions.ts'
import { readBases } from '../../lib/sqlite/snapshot-schema.ts'
import { rowJsonSql } from '../../lib/sqlite/sql-row-json.ts'
import { testSeed } from '../support/random.ts'
import { by, EVERYTHING, is, operand, QuerySite, type QuerySiteOptions } from './query-site.ts'
import { TestClock, withSnapshot } from './site.ts'

const NAMES: RecordNames = { id: '_id', created: '_created_at', modified: '_modified_at' }
const RECORDS: TextShape = { separator: '\n', names: NAMES }

/** What SQLite writes of each row, line by line. */
function writtenBySql(site: QuerySite, query: Partial<Query> = {}): string[] {
  const resolved = resolveQuery({ ...EVERYTHING, text: RECORDS, ...query }, site.table, undefined)
  return withSnapshot(site.site.folder().file(site.site.pointer().file), (db, tables) => {
    addQueryFunctions(db)
    const [table] = tables
    const sql = rowJsonSql(table!, resolved, readBases(db).get('wares')!)
    assert.ok(sql !== undefined, 'SQLite does not write it')
    return db.prepare<[], string>(`SELECT ${sql} FROM "wares" AS t ORDER BY _hf_row`).pluck().all()
  })
}

async function writtenByUs(site: QuerySite, { text = RECORDS, ...query }: Partial<Query> = {}): Promise<string[]> {
  const { columns, rows, facts } = await site.ask(query)
  const { names } = text
  const write = names === null ? rowToJson(columns) : recordToJson(columns, names)
  return rows.map((row, index) => write(row, facts[index]!))
}

async function assertSame(options: QuerySiteOptions, query: Partial<Query> = {}): Promise<void> {
  using site = await QuerySite.publish(options)
  const lines = writtenBySql(site, query)
  assert.deepEqual(lines, await writtenByUs(site, query))
  assert.equal(lines.length, options.rows.length)
  for (const line of lines) JSON.parse(line)
}

describe('rows that SQLite writes', () => {
  test('have every character as JSON.stringify writes it', async () => {
    const texts = Array.from({ length: 0x3000 / 16 }, (_, block) =>
      String.fromCharCode(...Array.from({ length: 16 }, (__, at) => block * 16 + at)),
    )
    texts.push('\ud7ff\ue000\uffff', '😀', '\u2028\u2029\ufeff', `it's "quoted" \\ / \u007f`, 'a\0b')
    const rows = texts.map((text, index) => [index, text])
    await assertSame({ columns: { n: 'integer', t: 'text' }, key: ['n'], rows })
    await assertSame({ columns: { t: 'text', n: 'integer' }, key: ['t'], rows: rows.map((row) => row.toReversed()) })
  })

  test('have numbers as JavaScript writes them', async () => {
    const numbers = fc.sample(fc.double({ noNaN: true, noDefaultInfinity: true }), { numRuns: 900, seed: testSeed() })
    numbers.push(0, -0, 0.1, 1 / 3, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 123456789012345680, 2 ** 53, -1.5)
    const rows = numbers.map((number, index) => [index, number])
    await assertSame({ columns: { n: 'integer', r: 'real' }, key: ['n'], rows })
    const keys = [...new Set(numbers)].map((number, index) => [number, index])
    await assertSame({ columns: { r: 'real', n: 'integer' }, key: ['r'], rows: keys })
  })

  const types: Record<string, ColumnType> = {
    part: 'text', no: 'integer', r: 'real', d: 'decimal', b: 'boolean', j: 'json', t: 'text',
  } // prettier-ignore
  const rows: Value[][] = [
    ['a,b/ü', 9007199254740993n, 1.5, '1.50', true, { a: [1, { "it's": null }] }, "it's"],
    ['', -9223372036854775808n, null, null, null, null, null],
    ['\0', 1, -0.25, '-100000000000000000000.000001', false, 'text', ''],
  ]

  test('have cells of every type, and keys of several columns', async () => {
    for (const key of [['part', 'no'], ['no'], ['part'], ['no', 'r', 'part'].slice(0, 1)]) {
      await assertSame({ columns: types, key, rows })
    }
    await assertSame({ columns: { b: 'boolean', t: 'text' }, key: ['b'], rows: [[true, 'x'], [false, 'y']] }) // prettier-ignore
    await assertSame({ columns: { d: 'decimal', t: 'text' }, key: ['d'], rows: [['1.50', 'x'], ['2', 'y']] }) // prettier-ignore
  })

  test('have members of any name, in the order of an object', async () => {
    const names = ['b', '10', "it's", '"', '2', 'a?b', 'ünï', '\n', 'concat(', '__proto__x', 'rank']
    const columns = Object.fromEntries(names.map((name) => [name, 'text' as const]))
    await assertSame({ columns, key: ['b'], rows: [Object.keys(columns).map((name) => `of ${name}`)] })
  })

  test('may have hundreds of columns', async () => {
    const columns = Object.fromEntries(Array.from({ length: 700 }, (_, index) => [`c${index}`, 'integer' as const]))
    await assertSame({ columns, key: ['c0'], rows: [Array.from({ length: 700 }, (_, index) => index)] })
  })

  test('may have keys of more columns than a function takes', async () => {
    const key = Array.from({ length: 1001 }, (_, index) => `k${index}`)
    const many = Object.fromEntries(key.map((name) => [name, 'integer' as const]))
    using site = await QuerySite.publish({ columns: many, key, rows: [key.map((_, index) => index)] })
    const page = await site.ask({ text: RECORDS })
    assert.equal(Buffer.from(page.text!).toString(), (await writtenByUs(site)).join())
  })

  test('have the outputs that were asked for, under other names, or none', async () => {
    const outputs = [
      { operand: operand('t'), name: 'wörd', cast: null },
      { operand: operand('no'), name: '1', cast: null },
    ]
    for (const text of [RECORDS, { separator: ',', names: null } as const]) {
      await assertSame({ columns: types, key: ['part', 'no'], rows }, { outputs, text })
      await assertSame({ columns: types, key: ['part', 'no'], rows }, { outputs: [], text })
    }
  })

  test('have the times of each row to the millisecond, upstream’s where it has such', async () => {
    const clock = new TestClock(1_700_000_000_001)
    const columns = { n: 'integer', v: 'text', made: 'text', changed: 'integer' } as const
    const made = ['2026-01-02T03:04:05.678Z', '1999-12-31', null, 'no time', '+012345-01-01T00:00:00Z', '-000001-01-01']
    const rowsOf = (v: string) =>
      made.map((time, index) => [index, index % 2 === 0 ? v : 'a', time, 1_600_000_000_000 + index])
    const options = { columns, key: ['n'], clock, rows: rowsOf('a') }
    for (const times of [undefined, { created: 'made' }, { created: 'made', modified: 'changed' }]) {
      using site = await QuerySite.publish({ ...options, ...(times && { table: { times } }) })
      for (const v of ['b', 'c']) {
        clock.move(86_399_999)
        await site.republish({ ...options, rows: rowsOf(v) })
        assert.deepEqual(writtenBySql(site), await writtenByUs(site))
      }
      assert.notEqual(writtenBySql(site)[0], writtenBySql(site)[1])
    }
    using site = await QuerySite.publish({ ...options, rows: rowsOf('a') })
    for (const ms of [1, 999, 86_399_999, 951_782_399_999, 4_102_444_799_999]) {
      clock.move(ms)
      await site.republish({ ...options, rows: rowsOf(`after ${ms}`) })
      assert.deepEqual(writtenBySql(site), await writtenByUs(site))
    }
  })
})

describe('a page as text', () => {
  const columns = { n: 'integer', t: 'text' } as const
  const rows = Array.from({ length: 30 }, (_, index) => [index, index % 3 === 0 ? null : `t${index % 7}`])
  const text = { separator: ',', names: null } as const

  test('is made of the steps of a query, with its end in sight or not', async () => {
    using site = await QuerySite.publish({ columns, key: ['n'], rows, table: { indexes: ['t'] } })
    for (const order of [by('t'), by('t.desc'), by('t.nullsfirst', 'n.desc'), []]) {
      for (const limit of [0, 1, 19, 20, 21, 29, 30, 31]) {
        for (const offset of [0, 1, 19, 20, 25, 30, 40]) {
          const cells = await site.ask({ order, limit, offset, count: 'exact' })
          const page = await site.ask({ order, limit, offset, count: 'exact', text })
          assert.deepEqual(page, { ...cells, text: page.text, rows: [], facts: [] })
          assert.equal(Buffer.from(page.text!).toString(), cells.rows.map(rowToJson(cells.columns)).join(','))
        }
      }
    }
    assert.deepEqual(site.left, [])
  })

  test('is the same where it is too long to be read in one go, or has what SQLite does not write', async () => {
    using site = await QuerySite.publish({ columns, key: ['n'], rows })
    const outputs = [{ operand: operand('n'), name: 'n', cast: 'text' as const }]
    const page = await site.ask({ outputs, text, limit: 3 })
    assert.equal(Buffer.from(page.text!).toString(), '{"n":"0"},{"n":"1"},{"n":"2"}')
    const long = await site.ask({ text, limit: 1000 })
    assert.equal(JSON.parse(`[${Buffer.from(long.text!).toString()}]`).length, 30)
    const none = await site.ask({ text, limit: 5, offset: 100 })
    assert.deepEqual([none.length, Buffer.from(none.text!).toString(), none.last], [0, '', null])
  })

  test('has every row of a long page', async () => {
    const many = Array.from({ length: 1000 }, (_, index) => [index, `t${index}`])
    using site = await QuerySite.publish({ columns, key: ['n'], rows: many })
    for (const limit of [63, 64, 65, 128, 999, 1000]) {
      const page = await site.ask({ text, limit, order: by('n.desc') })
      const shown = JSON.parse(`[${Buffer.from(page.text!).toString()}]`) as { n: number }[]
      assert.deepEqual(
        shown.map(({ n }) => n),
        many.map(([n]) => n).toReversed().slice(0, limit), // prettier-ignore
      )
    }
  })

  test('is found once, however it has to be found', async () => {
    using site = await QuerySite.publish({ columns, key: ['n'], rows })
    const db = openSnapshot(site.site.folder().file(site.site.pointer().file))
    try {
      const engine = new QueryEngine(db, site.site.pointer().tables)
      let looks = 0
      // In place of the pattern: counts what is looked at.
      db.function('hf_match', { deterministic: true, directOnly: true, varargs: true }, () => {
        looks++
        return 1
      })
      const where = is('t', 'match', 't')
      const query = resolveQuery({ ...EVERYTHING, where, order: by('t'), text, limit: 5 }, site.table, undefined)
      const page = engine.answer(query, { maxBytes: 1e6, isBounded: true })
      assert.equal(page?.hasMore, true)
      assert.ok(looks > 0 && looks <= rows.length, `${looks} rows were looked at`)
    } finally {
      db.close()
    }
  })

  test('gives up soon where a column that is asked for again and again makes it too large', async () => {
    const wide = Array.from({ length: 200 }, (_, index) => [index, 'x'.repeat(4096)])
    using site = await QuerySite.publish({ columns, key: ['n'], rows: wide, answerMaxBytes: 4_000_000 })
    const outputs = Array.from({ length: 250 }, (_, index) => ({ operand: operand('t'), name: `${index}`, cast: null }))
    const before = process.resourceUsage().maxRSS
    await assert.rejects(site.ask({ outputs, text, limit: 200 }), { code: 'answer_too_large' })
    const grown = (process.resourceUsage().maxRSS - before) / 1024
    assert.ok(grown < 100, `${grown} MB`)
    assert.equal((await site.ask({ outputs, text, limit: 3 })).length, 3)
  })

  test('is written a few rows at a time where one of them may be large, however small most are', async () => {
    const uneven = Array.from({ length: 3000 }, (_, index) => [index, '漢'.repeat(index % 100 === 99 ? 333_333 : 1)])
    using site = await QuerySite.publish({ columns, key: ['n'], rows: uneven })
    const db = openSnapshot(site.site.folder().file(site.site.pointer().file))
    try {
      const written: number[] = []
      const prepare = db.prepare.bind(db) as (sql: string) => Statement
      db.prepare = ((sql: string) => {
        const statement = prepare(sql)
        const get = statement.get.bind(statement)
        statement.get = (...params: unknown[]) => {
          if (sql.includes('json_each(?)')) written.push((JSON.parse(String(params[0])) as number[]).length)
          return get(...params)
        }
        return statement
      }) as typeof db.prepare
      const engine = new QueryEngine(db, site.site.pointer().tables)
      const query = resolveQuery({ ...EVERYTHING, text, limit: 64, offset: 40 }, site.table, undefined)
      const page = engine.answer(query, { maxBytes: 1e8, isBounded: true })!
      assert.deepEqual(written, [16, 16, 16, 16])
      const shown = JSON.parse(`[${Buffer.from(page.text!).toString()}]`) as { n: number; t: string }[]
      assert.deepEqual(
        shown.map(({ n, t }) => [n, t]),
        uneven.slice(40, 104),
      )
    } finally {
      db.close()
    }
  })

  test('is refused where it would be too large', async () => {
    const wide = Array.from({ length: 20 }, (_, index) => [index, index === 7 ? 'x'.repeat(5000) : 'x'])
    using site = await QuerySite.publish({ columns, key: ['n'], rows: wide, answerMaxBytes: 4000 })
    await assert.rejects(site.ask({ text, limit: 10 }), { code: 'answer_too_large' })
    assert.equal((await site.ask({ text, limit: 5 })).length, 5)
  })
})
