import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ColumnType, Value } from '../../lib/column.ts'
import { openSnapshot } from '../../lib/sqlite/database.ts'
import { QueryEngine } from '../../lib/sqlite/query-engine.ts'
import type { QueryReaders } from '../../lib/sqlite/reader-pool.ts'
import { seeded, testSeed } from '../support/random.ts'
import { serveReal, type RealServer } from './real.ts'

const SEED = testSeed()
const CRAWLS = 60

const TYPES = {
  area: 'text', no: 'integer', n: 'integer', r: 'real', d: 'decimal', b: 'boolean', t: 'text', j: 'json',
} as const satisfies Record<string, ColumnType> // prettier-ignore

const AREAS = ['', 'a', 'b,c', 'd/e', '100%', '😀', '"f"', 'g&h=i+j', 'ä ö']
const TEXTS = [
  null,
  null,
  '',
  'a',
  'A',
  'ß',
  'x,y',
  'x"y',
  'line\nline',
  '\uffff',
  '😀',
  '%41',
  'null',
  'a'.repeat(300),
]
const INTEGERS = [null, null, 0, 1, -1, 10, 9, 9007199254740993n, -9007199254740993n, 2n ** 63n - 1n, -(2n ** 63n)]
const REALS = [null, 0, 0.1, -0.1, 1e300, -1e300, 5e-324, 1.5]
const DECIMALS = [null, '0', '1.5', '1.50', '-1.5', '10', '9.99', '100000000000000000000.000001', '-0.0']
const BOOLEANS = [null, true, false]
const JSONS = [null, [], {}, { a: 1 }, { a: null }, { a: 'x,"y' }, { a: true, b: [1, 2] }, [1, 2], 'text', 7]

const OPERANDS = ['area', 'no', 'n', 'r', 'd', 'b', 't', 'j', 'j->a', 'j->>a', 'j->b->0']
const FILTERS = [
  '', '', 'n=gt.0', 'b=is.null', 't=not.is.null', 'd=lte.10', 'area=in.("b,c","d/e",a)', 'j->>a=neq.1',
  'or=(b.is.true,and(n.lt.0,t.neq.a))', 'no=gte.3&no=lt.9', 'area=eq.%F0%9F%98%80', 't=like.x*', 'j=cs.{"a":1}',
] // prettier-ignore

/** Does what a reader process does, here. */
const readers: QueryReaders = {
  async run({ path, query, table }) {
    await Promise.resolve()
    const db = openSnapshot(path)
    try {
      return new QueryEngine(db, [table]).answer(query, { maxBytes: 2 ** 26, isBounded: false })!
    } finally {
      db.close()
    }
  },
}

interface Page {
  readonly records: readonly Record<string, unknown>[]
  readonly pagination: { readonly cursor: string | null; readonly hasMore: boolean; readonly total: number | null }
}

describe(`a crawl (seed ${SEED})`, () => {
  const random = seeded(SEED)
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)]!

  function makeRows(count: number): Readonly<Record<string, Value>>[] {
    return Array.from({ length: count }, (_, index) => ({
      area: AREAS[index % AREAS.length]!,
      no: Math.floor(index / AREAS.length),
      n: pick(INTEGERS),
      r: pick(REALS),
      d: pick(DECIMALS),
      b: pick(BOOLEANS),
      t: pick(TEXTS),
      j: pick(JSONS),
    }))
  }

  function makeQuery(): string {
    const operands = OPERANDS.toSorted(() => random() - 0.5).slice(0, Math.floor(random() * 4))
    const terms = operands.map((operand) =>
      random() < 0.3 ? `-${operand}` : operand + pick(['', '.asc', '.desc']) + pick(['', '.nullsfirst', '.nullslast']),
    )
    const sort = terms.length === 0 ? '' : `sort=${encodeURIComponent(terms.join(','))}`
    return [sort, pick(FILTERS)].filter(Boolean).join('&')
  }

  async function crawl(server: RealServer, query: string): Promise<Record<string, unknown>[]> {
    const seen: Record<string, unknown>[] = []
    for (let cursor: string | null = null, pages = 0; ; pages++) {
      assert.ok(pages < 400, 'it ends')
      const size = `${pick(['limit', 'pageSize'])}=${1 + Math.floor(random() * random() * 90)}`
      const at = cursor === null ? [] : [`cursor=${cursor}`]
      const page: Page = await server.json(`/api/tables/wares?${[query, size, ...at].filter(Boolean).join('&')}`)
      assert.ok(Array.isArray(page.records), JSON.stringify(page))
      assert.equal(page.pagination.cursor !== null, page.pagination.hasMore)
      seen.push(...page.records)
      cursor = page.pagination.cursor
      if (cursor === null) return seen
      assert.ok(page.records.length > 0, 'a page before the last has rows')
    }
  }

  for (const [name, indexes] of [
    ['without an index', []],
    ['with indexes', ['n', ['b', 'r'], 't', ['area', 't']]],
  ] as const) {
    test(`by cursor, in pages of any size, gives the rows of one large answer, in its order: ${name}`, async (t) => {
      const server = await serveReal(t, { queries: { readers }, site: { tables: { wares: { indexes } } } })
      await server.publish(makeRows(300), { key: ['area', 'no'], types: TYPES })
      for (let round = 0; round < CRAWLS / 2; round++) {
        const query = makeQuery()
        const whole: Page = await server.json(`/api/tables/wares?${query}&limit=1000&total=exact`)
        assert.ok(Array.isArray(whole.records), `${query}: ${JSON.stringify(whole)}`)
        assert.equal(whole.pagination.total, whole.records.length, query)
        assert.deepEqual(await crawl(server, query), whole.records, `seed ${SEED}, ${query}`)
      }
      assert.deepEqual(server.errors, [])
    })
  }

  test('downwards through an index loses no integer that JavaScript has no number for', async (t) => {
    const server = await serveReal(t, { queries: { readers }, site: { tables: { wares: { indexes: ['n'] } } } })
    const integers = [null, 2n ** 63n - 1n, 9007199254740993n, 9007199254740993n, 1, -9007199254740993n, -(2n ** 63n)]
    await server.publish(integers.map((n, index) => ({ sku: `s${index}`, n })))
    for (const limit of [1, 2, 3]) {
      const seen: unknown[] = []
      for (let cursor = '', page: Page | undefined; page === undefined || cursor !== '';) {
        page = await server.json<Page>(`/api/tables/wares?sort=-n&limit=${limit}${cursor}`)
        seen.push(...page.records.map(({ sku }) => sku))
        cursor = page.pagination.cursor === null ? '' : `&cursor=${page.pagination.cursor}`
      }
      assert.deepEqual(seen, ['s0', 's1', 's2', 's3', 's4', 's5', 's6'], `by ${limit}`)
    }
  })
})
