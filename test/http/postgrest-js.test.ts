import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { PostgrestClient, PostgrestFilterBuilder, PostgrestQueryBuilder } from '@supabase/postgrest-js'
import { AUTH } from './fakes.ts'
import { serveReal, type Rows } from './real.ts'

/** The client as it is published, against a real socket over a real snapshot. */

const ROWS: Rows = [
  {
    sku: 'a1',
    name: 'Apple',
    price: 10,
    kind: 'fruit',
    active: true,
    tags: ['red', 'sweet'],
    data: { color: 'red', n: { size: 1, none: null } },
    note: 'a crisp red apple from the north',
  },
  {
    sku: 'b1',
    name: 'Banana',
    price: 20,
    kind: 'fruit',
    active: false,
    tags: ['yellow', 'sweet'],
    data: { color: 'yellow' },
    note: 'long and yellow',
  },
  {
    sku: 'c1',
    name: 'Carrot',
    price: null,
    kind: 'root',
    active: null,
    tags: ['orange'],
    data: null,
    note: 'the apple that is orange, not red',
  },
  {
    sku: 'd1',
    name: 'apple (dried), sour',
    price: 30,
    kind: 'dried, fruit',
    active: true,
    tags: [],
    data: { color: 'brown' },
    note: 'red apple, sour and dried',
  },
]

async function served(t: TestContext) {
  const server = await serveReal(t, { site: { tables: { wares: { search: ['note'] } } } })
  await server.publish(ROWS)
  const client = new PostgrestClient(`${server.url}/rest/v1`, { headers: AUTH })
  return { ...server, client, wares: () => client.from('wares') }
}

type Client = PostgrestClient
type Filtered = ReturnType<ReturnType<Client['from']>['select']>
type Ask = (wares: Filtered) => PromiseLike<{ data: unknown; error: unknown }>
type Finds = readonly (readonly [Ask, readonly string[]])[]
type Refuses = readonly (readonly [Ask, number, string, RegExp])[]

const ALL = ['a1', 'b1', 'c1', 'd1']

/** What each method of filters finds. */
const FINDS: Readonly<Record<string, Finds>> = {
  eq: [
    [(wares) => wares.eq('name', 'Apple'), ['a1']],
    [(wares) => wares.eq('price', 20), ['b1']],
    [(wares) => wares.eq('active', true), ['a1', 'd1']],
    [(wares) => wares.eq('data->>color', 'red'), ['a1']],
    [(wares) => wares.eq('data->n->>size', '1'), ['a1']],
    [(wares) => wares.eq('name', 'apple (dried), sour'), ['d1']],
    [(wares) => wares.eq('kind', 'fruit').eq('kind', 'root'), []],
  ],
  neq: [[(wares) => wares.neq('price', 10), ['b1', 'd1']]],
  gt: [[(wares) => wares.gt('price', 10), ['b1', 'd1']]],
  gte: [[(wares) => wares.gte('price', 10).gte('price', 20), ['b1', 'd1']]],
  lt: [[(wares) => wares.lt('price', 20), ['a1']]],
  lte: [[(wares) => wares.gt('price', 10).lte('price', 20), ['b1']]],
  like: [
    [(wares) => wares.like('name', 'A%'), ['a1']],
    [(wares) => wares.like('name', '*pp*'), ['a1', 'd1']],
  ],
  likeAllOf: [[(wares) => wares.likeAllOf('name', ['%a%', '%n%']), ['b1']]],
  likeAnyOf: [[(wares) => wares.likeAnyOf('name', ['A%', 'B%']), ['a1', 'b1']]],
  ilike: [[(wares) => wares.ilike('name', 'apple%'), ['a1', 'd1']]],
  ilikeAllOf: [[(wares) => wares.ilikeAllOf('name', ['APPLE%', '%SOUR']), ['d1']]],
  ilikeAnyOf: [[(wares) => wares.ilikeAnyOf('name', ['apple', 'carrot']), ['a1', 'c1']]],
  regexMatch: [[(wares) => wares.regexMatch('name', '^(A|B)'), ['a1', 'b1']]],
  regexIMatch: [[(wares) => wares.regexIMatch('name', '^a'), ['a1', 'd1']]],
  is: [
    [(wares) => wares.is('price', null), ['c1']],
    [(wares) => wares.is('active', true), ['a1', 'd1']],
    [(wares) => wares.is('active', false), ['b1']],
  ],
  isDistinct: [[(wares) => wares.isDistinct('price', 10), ['b1', 'c1', 'd1']]],
  in: [
    [(wares) => wares.in('kind', ['root', 'dried, fruit']), ['c1', 'd1']],
    [(wares) => wares.in('price', [10, 30]), ['a1', 'd1']],
    [(wares) => wares.in('kind', []), []],
  ],
  notIn: [[(wares) => wares.notIn('price', [10]), ['b1', 'd1']]],
  contains: [
    [(wares) => wares.contains('tags', ['sweet', 'red']), ['a1']],
    [(wares) => wares.contains('data', { color: 'red', n: { size: 1 } }), ['a1']],
  ],
  containedBy: [[(wares) => wares.containedBy('tags', ['red', 'sweet', 'orange']), ['a1', 'c1', 'd1']]],
  overlaps: [[(wares) => wares.overlaps('tags', ['red', 'orange']), ['a1', 'c1']]],
  textSearch: [
    [(wares) => wares.textSearch('note', 'apple & !orange'), ['a1', 'd1']],
    [(wares) => wares.textSearch('note', 'orange apple', { type: 'plain' }), ['c1']],
    [(wares) => wares.textSearch('note', 'red apple', { type: 'phrase' }), ['a1', 'd1']],
    [(wares) => wares.textSearch('note', '"red apple" -sour', { type: 'websearch' }), ['a1']],
    [(wares) => wares.textSearch('note', 'yellow', { config: 'simple' }), ['b1']],
  ],
  match: [[(wares) => wares.match({ kind: 'fruit', active: true }), ['a1']]],
  not: [
    [(wares) => wares.not('price', 'is', null), ['a1', 'b1', 'd1']],
    [(wares) => wares.not('kind', 'in', '(fruit,root)'), ['d1']],
  ],
  or: [
    [(wares) => wares.or('price.eq.10,and(kind.eq.root,price.is.null)'), ['a1', 'c1']],
    [(wares) => wares.or('kind.eq."dried, fruit",price.in.(10,20)').or('active.is.true'), ['a1', 'd1']],
  ],
  filter: [[(wares) => wares.filter('kind', 'in', '("root","dried, fruit")'), ['c1', 'd1']]],
  order: [
    [(wares) => wares.order('price', { ascending: false }), ['c1', 'd1', 'b1', 'a1']],
    [(wares) => wares.order('price', { ascending: false, nullsFirst: false }), ['d1', 'b1', 'a1', 'c1']],
    [(wares) => wares.order('price', { nullsFirst: true }), ['c1', 'a1', 'b1', 'd1']],
    [(wares) => wares.order('kind').order('price', { ascending: false }), ['d1', 'b1', 'a1', 'c1']],
  ],
  limit: [[(wares) => wares.limit(2), ['a1', 'b1']]],
  range: [[(wares) => wares.range(1, 2), ['b1', 'c1']]],
  setHeader: [[(wares) => wares.setHeader('Range', '3-9'), ['d1']]],
  // These change nothing of what is read, and nothing breaks.
  retry: [[(wares) => wares.retry(false), ALL]],
  rollback: [[(wares) => wares.rollback(), ALL]],
  returns: [[(wares) => wares.returns<{ sku: string }[]>(), ALL]],
  overrideTypes: [[(wares) => wares.overrideTypes<{ sku: string }[]>(), ALL]],
  abortSignal: [[(wares) => wares.abortSignal(new AbortController().signal), ALL]],
  maxAffected: [[(wares) => wares.maxAffected(1) as unknown as Filtered, ALL]],
}

/** What there is no answer to, and how that is said. */
const REFUSES: Readonly<Record<string, Refuses>> = {
  eq: [
    [(wares) => wares.eq('nmae', 1), 400, '42703', /nmae/],
    [(wares) => wares.eq('price', 'dear'), 400, '22P02', /price/],
    [(wares) => wares.eq('other.name', 1), 400, 'PGRST127', /not embedded/],
  ],
  rangeGt: [[(wares) => wares.rangeGt('price', '[1,2)'), 400, 'PGRST127', /sr compares ranges/]],
  rangeGte: [[(wares) => wares.rangeGte('price', '[1,2)'), 400, 'PGRST127', /nxl compares ranges/]],
  rangeLt: [[(wares) => wares.rangeLt('price', '[1,2)'), 400, 'PGRST127', /sl compares ranges/]],
  rangeLte: [[(wares) => wares.rangeLte('price', '[1,2)'), 400, 'PGRST127', /nxr compares ranges/]],
  rangeAdjacent: [[(wares) => wares.rangeAdjacent('price', '[1,2)'), 400, 'PGRST127', /adj compares ranges/]],
  textSearch: [
    [(wares) => wares.textSearch('note', 'x', { config: 'english' }), 400, 'PGRST127', /fts\(english\)/],
    [(wares) => wares.textSearch('kind', 'x'), 400, 'PGRST127', /kind/],
  ],
  or: [
    [(wares) => wares.or('price.eq'), 400, 'PGRST100', /position 10/],
    [(wares) => wares.or('a.eq.1', { referencedTable: 'other' }), 400, 'PGRST127', /not embedded/],
  ],
  filter: [[(wares) => wares.filter('price', 'between', 1), 400, 'PGRST100', /an operator/]],
  select: [
    [(wares) => wares.select('sku,other(*)'), 400, 'PGRST127', /not embedded/],
    [(wares) => wares.select('price.sum()'), 400, 'PGRST127', /Aggregates/],
    [(wares) => wares.select('sku::uuid'), 400, 'PGRST127', /no cast to uuid/],
  ],
  order: [[(wares) => wares.order('name', { referencedTable: 'other' }), 400, 'PGRST127', /not embedded/]],
  limit: [
    [(wares) => wares.limit(1, { referencedTable: 'other' }), 400, 'PGRST127', /not embedded/],
    [(wares) => wares.limit(-1), 416, 'PGRST103', /negative/],
  ],
  range: [[(wares) => wares.range(1, 2, { referencedTable: 'other' }), 400, 'PGRST127', /not embedded/]],
  geojson: [[(wares) => wares.geojson(), 406, 'PGRST107', /GeoJSON/]],
  explain: [
    [(wares) => wares.explain(), 406, 'PGRST107', /Plans/],
    [(wares) => wares.explain({ analyze: true, format: 'json' }), 406, 'PGRST107', /Plans/],
  ],
  setHeader: [
    [(wares) => wares.setHeader('Prefer', 'handling=strict, wait=1'), 400, 'PGRST122', /wait=1/],
    [(wares) => wares.setHeader('X-API-Key', 'wrong'), 401, 'PGRST301', /key/],
  ],
}

/** Methods that have a test of their own below. */
const ELSEWHERE = ['select', 'single', 'maybeSingle', 'csv', 'stripNulls', 'throwOnError', 'from', 'schema', 'rpc']
const NOT_FOR_READING = ['insert', 'upsert', 'update', 'delete']
const INTERNAL = ['constructor', 'then', 'processResponse', 'cloneRequestState']

function methodsOf(...prototypes: readonly object[]): Set<string> {
  const names = new Set<string>()
  for (let prototype of prototypes) {
    for (; prototype !== Object.prototype; prototype = Object.getPrototypeOf(prototype) as object) {
      for (const name of Object.getOwnPropertyNames(prototype)) names.add(name)
    }
  }
  return names
}

const skus = (data: unknown) => (data as { sku: string }[]).map(({ sku }) => sku)

interface RestError {
  readonly code: string
  readonly details: string | null
  readonly hint: string | null
  readonly message: string
}

describe('postgrest-js', () => {
  test('has no method that is neither tested here nor known to be about something else', () => {
    const known = [...Object.keys(FINDS), ...Object.keys(REFUSES), ...ELSEWHERE, ...NOT_FOR_READING, ...INTERNAL]
    const methods = methodsOf(
      PostgrestFilterBuilder.prototype,
      PostgrestQueryBuilder.prototype,
      PostgrestClient.prototype,
    )
    assert.deepEqual(
      [...methods].filter((name) => !known.includes(name)),
      [],
    )
    assert.deepEqual(
      known.filter((name) => !methods.has(name)),
      [],
    )
  })

  test('finds the rows that each method asks for', async (t) => {
    const { wares, errors } = await served(t)
    for (const [method, cases] of Object.entries(FINDS)) {
      for (const [index, [ask, expected]] of cases.entries()) {
        const { data, error } = await ask(wares().select('sku'))
        assert.deepEqual([method, index, error, data && skus(data)], [method, index, null, expected])
      }
    }
    assert.deepEqual(errors, [])
  })

  test('is told precisely what is not there', async (t) => {
    const { wares, errors } = await served(t)
    for (const [method, cases] of Object.entries(REFUSES)) {
      for (const [ask, status, code, says] of cases) {
        const answer = (await ask(wares().select('sku'))) as unknown as { status: number; error: RestError }
        assert.deepEqual([method, answer.status, answer.error.code], [method, status, code])
        assert.match(answer.error.message, says)
        assert.deepEqual(Object.keys(answer.error).toSorted(), ['code', 'details', 'hint', 'message'])
      }
    }
    assert.deepEqual(errors, [])
  })

  test('select: columns, renames, casts and paths', async (t) => {
    const { wares } = await served(t)
    const all = await wares().select().eq('sku', 'a1')
    assert.deepEqual(all.data, [ROWS[0]])
    // As PostgREST has it since version 11.
    const empty = await wares().select('').eq('sku', 'a1')
    assert.deepEqual(empty.data, [ROWS[0]])
    const some = await wares().select('id:sku, price::text, color:data->>color, data->n->size').eq('sku', 'a1')
    assert.deepEqual(some.data, [{ id: 'a1', price: '10', color: 'red', size: 1 }])
    const again = await wares().select('name').select('sku, tags->>0').eq('sku', 'a1')
    assert.deepEqual(again.data, [{ sku: 'a1', tags: 'red' }])
  })

  test('select with count, with and without rows', async (t) => {
    const { wares } = await served(t)
    const exact = await wares().select('sku', { count: 'exact' }).range(1, 2)
    assert.deepEqual([exact.status, exact.count, skus(exact.data)], [206, 4, ['b1', 'c1']])
    const head = await wares().select('*', { count: 'exact', head: true }).eq('kind', 'fruit')
    assert.deepEqual([head.error, head.status, head.count, head.data], [null, 200, 2, null])
    for (const count of ['planned', 'estimated'] as const) {
      const guess = await wares().select('sku', { count })
      assert.ok(guess.error === null && (guess.count ?? 0) >= 4, JSON.stringify(guess))
    }
    const uncounted = await wares().select('sku').range(1, 2)
    assert.deepEqual([uncounted.status, uncounted.count], [200, null])
    const beyond = await wares().select('sku', { count: 'exact' }).range(10, 20)
    assert.deepEqual([beyond.status, beyond.error?.code], [416, 'PGRST103'])
    const empty = await wares().select('sku').range(10, 20)
    assert.deepEqual([empty.status, empty.data], [200, []])
  })

  test('single and maybeSingle', async (t) => {
    const { wares } = await served(t)
    const one = await wares().select('sku,name').eq('sku', 'b1').single()
    assert.deepEqual(one.data, { sku: 'b1', name: 'Banana' })
    const none = await wares().select('sku').eq('sku', 'z1').single()
    assert.deepEqual(
      [none.status, none.error?.code, none.error?.details],
      [406, 'PGRST116', 'The result contains 0 rows'],
    )
    const many = await wares().select('sku').single()
    assert.deepEqual([many.status, many.error?.code], [406, 'PGRST116'])
    const maybe = await wares().select('sku').eq('sku', 'b1').maybeSingle()
    assert.deepEqual(maybe.data, { sku: 'b1' })
    const nothing = await wares().select('sku').eq('sku', 'z1').maybeSingle()
    assert.deepEqual([nothing.error, nothing.data], [null, null])
    const several = await wares().select('sku').maybeSingle()
    assert.equal(several.error?.code, 'PGRST116')
  })

  test('csv and stripNulls', async (t) => {
    const { wares } = await served(t)
    const csv = await wares().select('sku,name,price').gt('sku', 'b1').csv()
    assert.equal(csv.data, 'sku,name,price\r\nc1,Carrot,\r\nd1,"apple (dried), sour",30\r\n')
    const list = await wares().select('sku,price,data').in('sku', ['a1', 'c1']).stripNulls()
    assert.deepEqual(list.data, [{ sku: 'a1', price: 10, data: { color: 'red', n: { size: 1 } } }, { sku: 'c1' }])
    const object = await wares().select('sku,price').eq('sku', 'c1').stripNulls().single()
    assert.deepEqual(object.data, { sku: 'c1' })
  })

  test('throwOnError throws what was answered', async (t) => {
    const { wares } = await served(t)
    await assert.rejects(async () => await wares().select('nmae').throwOnError(), { code: '42703' })
    assert.equal((await wares().select('sku').limit(1).throwOnError()).data.length, 1)
  })

  test('abortSignal ends a request that is not wanted any more', async (t) => {
    const { wares } = await served(t)
    const { error } = await wares().select('sku').abortSignal(AbortSignal.abort())
    assert.match(error?.message ?? '', /AbortError/)
  })

  test('tables, schemas and functions that are not there', async (t) => {
    const { client } = await served(t)
    const table = await client.from('waers').select()
    assert.deepEqual([table.status, table.error?.code], [404, 'PGRST205'])
    assert.match(table.error?.hint ?? '', /wares/)
    const named = await client.from('wares.wares').select('sku')
    assert.deepEqual(skus(named.data), ALL)
    const schema = await client
      .schema('private' as 'public')
      .from('wares')
      .select()
    assert.deepEqual([schema.status, schema.error?.code], [406, 'PGRST106'])
    const known = await client.schema('public').from('wares').select('sku')
    assert.deepEqual(skus(known.data), ALL)
    for (const get of [true, false]) {
      const called = await client.rpc('sum', { a: 1 }, { get })
      assert.deepEqual([called.status, called.error?.code], [404, 'PGRST202'])
    }
  })

  test('writing is not allowed', async (t) => {
    const { wares } = await served(t)
    const writes = [
      wares().insert({ sku: 'x' }),
      wares().upsert({ sku: 'x' }),
      wares().update({ sku: 'x' }).eq('sku', 'a1'),
      wares().delete().eq('sku', 'a1'),
    ]
    for (const write of writes) {
      const { status, error } = await write
      assert.deepEqual([status, error?.code], [405, 'PGRST117'])
    }
  })
})
