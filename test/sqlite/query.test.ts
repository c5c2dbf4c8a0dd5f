import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Value } from '../../lib/column.ts'
import { Failure } from '../../lib/errors.ts'
import type { Answer, Condition, Output, Query } from '../../lib/query.ts'
import { all, any, by, is, not, operand, QuerySite, type QuerySiteOptions } from './query-site.ts'
import { TestClock } from './site.ts'

const failsWith = (code: string) => (error: unknown) => error instanceof Failure && error.code === code
const search = (text: string): Condition => ({ kind: 'search', text })
const since = (at: number): Condition => ({ kind: 'modified_after', at })

describe('which rows are found', () => {
  const SMALL: QuerySiteOptions = {
    columns: { id: 'integer', title: 'text', note: 'text', price: 'decimal', data: 'json', at: 'text' },
    key: ['id'],
    rows: [
      [1, 'The quick Brown fox', 'crème brûlée', '10.50', { tags: ['a', 'b'], n: 12 }, '2026-01-02T03:04:05Z'],
      [2, 'A brown dog', null, '9.99', { tags: ['b'], n: 9 }, '1767323045'],
      [3, 'quick, quick!', 'the end', '10.5', [1, 2, [3]], 'never'],
      [4, null, 'Brown', '-1', null, null],
    ],
    table: { search: ['title', 'note'], times: { modified: 'at', created: 'at' } },
  }

  test('words: all of them, phrases, alternatives, and what must not be there', async () => {
    using site = await QuerySite.publish(SMALL)
    const found: [Condition, string[]][] = [
      [search('brown'), ['1', '2', '4']],
      [search('quick brown'), ['1']],
      [search('"quick brown"'), ['1']],
      [search('"brown quick"'), []],
      [search('dog or fox'), ['1', '2']],
      [search('brown -dog'), ['1', '4']],
      [search('-brown'), ['3']],
      [search('creme BRULEE'), ['1']],
      [search('!!! …'), []],
      [search(''), []],
      [search('"unclosed'), []],
      [search('NEAR(a b) AND title:x* ^y'), []],
      [is('title', 'plfts', 'fox quick'), ['1']],
      [is('title', 'phfts', 'quick brown'), ['1']],
      [is('title', 'wfts', 'brown'), ['1', '2']],
      [is('title', 'fts', 'fox | (dog & !cat)'), ['1', '2']],
      [is('title', 'fts', 'bro:*'), ['1', '2']],
      [is('title', 'fts', "'quick' <-> brown"), ['1']],
      [is('title', 'fts', '!fox'), ['2', '3']],
      [not(is('title', 'wfts', 'brown')), ['3']],
      [not(search('brown')), ['3']],
      [any(is('note', 'wfts', 'end'), is('title', 'wfts', 'dog')), ['2', '3']],
    ]
    for (const [where, ids] of found) assert.deepEqual(await site.ids(where), ids, JSON.stringify(where))
    for (const text of ['a &', '(a', '| b', ')']) {
      await assert.rejects(site.ids(is('title', 'fts', text)), failsWith('bad_filter'))
    }
  })

  test('JSON is compared by what it says, and looked into', async () => {
    using site = await QuerySite.publish(SMALL)
    const found: [Condition, string[]][] = [
      [is('data', 'eq', '{"n":9.0,"tags":["b"]}'), ['2']],
      [is('data->n', 'gt', '10'), ['1']],
      [is('data->>n', 'gt', '10'), ['1', '2']],
      [is('data->tags->-1', 'eq', '"b"'), ['1', '2']],
      [is('data->tags', 'cs', '{a}'), ['1']],
      [is('data', 'cs', '{"tags":["b"]}'), ['1', '2']],
      [is('data', 'cs', '[[3]]'), ['3']],
      [is('data', 'cs', '[3]'), []],
      [is('data->tags', 'cd', '["b","c"]'), ['2']],
      [is('data->tags', 'ov', '{a,x}'), ['1']],
      [is('data->nope', 'is', 'null'), ['1', '2', '3', '4']],
    ]
    for (const [where, ids] of found) assert.deepEqual(await site.ids(where), ids, JSON.stringify(where))
  })

  test('decimals are numbers, exactly', async () => {
    using site = await QuerySite.publish(SMALL)
    assert.deepEqual(await site.ids(is('price', 'eq', '10.500')), ['1', '3'])
    assert.deepEqual(await site.ids(null, { order: by('price.desc') }), ['1', '3', '2', '4'])
    assert.deepEqual(await site.ids(is('price', 'lt', 'NaN')), ['1', '2', '3', '4'])
  })

  test('times are those of upstream where it has them, and ours where not', async () => {
    const clock = new TestClock(Date.UTC(2026, 5, 1))
    using site = await QuerySite.publish({ ...SMALL, clock })
    const { facts } = await site.ask({})
    const at = Date.UTC(2026, 0, 2, 3, 4, 5)
    const ours = facts[3]!.modifiedAt
    assert.ok(ours >= Date.UTC(2026, 5, 1))
    assert.deepEqual(facts.map(({ modifiedAt, createdAt }) => [modifiedAt, createdAt]), [[at, at], [at, at], [ours, ours], [ours, ours]]) // prettier-ignore
    assert.deepEqual(await site.ids(since(at - 1)), ['1', '2', '3', '4'])
    assert.deepEqual(await site.ids(since(at)), ['3', '4'])
    assert.deepEqual(await site.ids(since(ours)), [])
  })

  test('outputs are columns, places in JSON, and casts', async () => {
    using site = await QuerySite.publish(SMALL)
    const output = (text: string, cast: Output['cast'] = null): Output => ({ operand: operand(text), name: text + (cast ?? ''), cast })
    const outputs = [output('data->n'), output('data->>n'), output('data->n', 'integer'), output('price', 'integer'), output('id', 'text'), output('price', 'real')] // prettier-ignore
    const { columns, rows } = await site.ask({ outputs, limit: 2 })
    assert.deepEqual(rows, [['12', '12', 12, 11, '1', 10.5], ['9', '9', 9, 10, '2', 9.99]])
    assert.deepEqual(columns.map(({ type }) => type), ['json', 'text', 'integer', 'integer', 'text', 'real'])
    await assert.rejects(site.ask({ outputs: [output('title', 'integer')] }), failsWith('bad_value'))
  }) // prettier-ignore

  test('answers that are too large are refused, wherever they are made', async () => {
    const rows = Array.from({ length: 50 }, (_, id): Value[] => [id, 'x'.repeat(100)])
    using site = await QuerySite.publish({
      columns: { id: 'integer', t: 'text' },
      key: ['id'],
      rows,
      answerMaxBytes: 2000,
    })
    await assert.rejects(site.ask({}), failsWith('answer_too_large'))
    assert.equal((await site.ask({ limit: 10 })).rows.length, 10)
    assert.equal((await site.ask({ outputs: [{ operand: operand('id'), name: 'id', cast: null }] })).rows.length, 50)
  })

  test('whatever names and values hold, they stay names and values', async () => {
    const nasty = `"; DROP TABLE wares; --`
    const columns = { 'id" --': 'text', "it's": 'text', _hf_row: 'integer', 'a AND b>?': 'text', é: 'text' } as const
    const rows = [[nasty, `' OR 1=1 --`, 2, 'x', '\0'], [`a,b%`, '%', 1, 'y', '']]
    using site = await QuerySite.publish({
      columns, key: ['id" --', 'é'], rows, table: { indexes: [['a AND b>?', '_hf_row'], "it's"], search: ["it's"] },
    }) // prettier-ignore
    assert.equal((await site.ask({ where: is("it's", 'eq', `' OR 1=1 --`) })).rows.length, 1)
    assert.equal((await site.ask({ where: is("it's", 'like', '\\%') })).rows.length, 1)
    assert.equal((await site.ask({ where: is("it's", 'wfts', '"or" 1=1') })).rows.length, 1)
    assert.deepEqual((await site.ask({ order: by('_hf_row') })).rows.map(([, , n]) => n), [1, 2])
    assert.equal((await site.ask({ where: all(is('a AND b>?', 'eq', 'x'), is('_hf_row', 'gt', '1')) })).rows.length, 1)
    const id = (await site.ids(null))[0]!
    assert.deepEqual(site.snapshot.record('wares', site.table.columns, id)?.cells.slice(0, 2), [nasty, `' OR 1=1 --`])
  }) // prettier-ignore
})

describe('a record', () => {
  test('is found by the one text of its key, and by no other', async () => {
    const big = 2n ** 62n
    const rows: Value[][] = [
      [1, 'a b'],
      [big, 'é,'],
      [-5, ''],
    ]
    using site = await QuerySite.publish({ columns: { id: 'integer', part: 'text' }, key: ['part', 'id'], rows })
    const record = (id: string) => site.snapshot.record('wares', site.table.columns, id)
    assert.deepEqual(record('a%20b,1')?.cells, [1, 'a b'])
    assert.deepEqual(record(`%C3%A9%2C,${big}`)?.cells, [String(big), 'é,'])
    assert.deepEqual(record(',-5')?.facts.id, ',-5')
    for (const id of [
      'a b,1',
      'a%20b,01',
      'a%20b,1.0',
      'a%20b,+1',
      'a%20b',
      'a%20b,1,',
      ',-05',
      ',%2D5',
      '%',
      `x,${2n ** 64n}`,
      '',
    ]) {
      assert.equal(record(id), undefined, id)
    }
    const name = site.table.columns.filter((column) => column.name === 'part')
    assert.deepEqual(site.snapshot.record('wares', name, 'a%20b,1')?.cells, ['a b'])
  })

  test('of a decimal key is found by its digits as they are', async () => {
    using site = await QuerySite.publish({ columns: { no: 'decimal' }, key: ['no'], rows: [['10.50'], ['10.5']] })
    const record = (id: string) => site.snapshot.record('wares', site.table.columns, id)?.cells
    assert.deepEqual([record('10.50'), record('10.5'), record('10.500')], [['10.50'], ['10.5'], undefined])
  })
})

describe('which queries are answered on the spot', () => {
  const ROWS = 20_000
  const clock = new TestClock(Date.UTC(2026, 0, 1))
  const row = (id: number): Value[] => [
    id, id % 100 === 7 ? null : `C${id % 20}`, `name ${String(id % 9973).padStart(5, '0')}`, id % 1000, id % 2 === 0,
    `${id}.5`, `word${id % 5000} common`,
  ] // prettier-ignore
  const LARGE: QuerySiteOptions = {
    columns: {
      id: 'integer',
      country: 'text',
      name: 'text',
      size: 'integer',
      flag: 'boolean',
      price: 'decimal',
      text: 'text',
    },
    key: ['id'],
    rows: Array.from({ length: ROWS }, (_, id) => row(id)),
    table: { indexes: [['country', 'name'], 'name', 'flag', ['size', 'country']], search: ['text'] },
    clock,
  }
  let site: QuerySite
  before(async () => {
    site = await QuerySite.publish(LARGE)
  })
  after(() => site[Symbol.dispose]())

  async function ask(query: Partial<Query>): Promise<{ here: boolean; answer: Answer }> {
    const left = site.left.length
    const answer = await site.ask({ limit: 20, ...query })
    return { here: site.left.length === left, answer }
  }

  const HERE: Record<string, Partial<Query>> = {
    'rows in upstream order, however deep': { offset: ROWS - 5 },
    'rows in key order': { byKey: true },
    'behind a key': { byKey: true, after: [15_000] },
    'behind a position': { after: [15_000] },
    'one key': { where: is('id', 'eq', '77'), count: 'exact' },
    'some keys': { where: is('id', 'in', ['1', '2', '19999', '99999999999999999999']), count: 'exact' },
    'a range of keys': { where: all(is('id', 'gte', '100'), is('id', 'lt', '200')), count: 'exact' },
    'what rows are sorted by already, again and again': { where: is('country', 'eq', 'C3'), order: by(...Array.from({ length: 90 }, (_, n) => (n % 2 ? 'name.desc' : 'name'))), after: [...Array.from({ length: 90 }, () => 'name 05003'), 5004] },
    'a value of an indexed column, sorted by the next': { where: is('country', 'eq', 'C3'), order: by('name') },
    'the same, backwards': { where: is('country', 'eq', 'C3'), order: by('name.desc') },
    'the same, counted': { where: is('country', 'eq', 'C3'), order: by('name'), count: 'exact' },
    'sorted by an indexed column': { order: by('name') },
    'backwards, with ties': { order: by('flag.desc') },
    'backwards, with NULLs first': { order: by('country.desc') },
    'with NULLs last': { order: by('country'), offset: 9000 },
    'behind a row with NULL': { order: by('country'), after: [null, 10_000] },
    'in the midst of an index, from a lower end': { where: is('name', 'gte', 'name 09'), order: by('name'), after: ['name 09100', 1] },
    'NULLs': { where: is('country', 'is', 'null'), count: 'exact' },
    'what begins with': { where: is('name', 'like', 'name 012%'), count: 'exact' },
    'few rows of an index, whatever else is asked': { where: all(is('size', 'eq', '5'), is('price', 'gt', '100'), not(is('text', 'ilike', '%WORD1 %'))), order: by('price.desc'), count: 'exact' },
    'a rare word': { where: search('word77'), count: 'exact' },
    'a rare word, and more': { where: all(search('word77'), is('flag', 'is', 'true')), order: by('size') },
    'what cannot be': { where: all(is('name', 'eq', 'a'), is('name', 'gt', 'b')), count: 'exact' },
    'how many there are about': { where: is('size', 'lt', '500'), order: by('size'), count: 'planned' },
    'nothing changed since': { where: since(Date.UTC(2027, 0, 1)), count: 'exact' },
    'everything changed since': { where: since(0), count: 'exact' },
  } // prettier-ignore

  const LEFT: Record<string, Partial<Query>> = {
    'a column without an index': { where: is('text', 'eq', 'word1 common') },
    'an order without an index': { order: by('price') },
    'an order that an index has only a part of': { order: by('country', 'size') },
    'an index that leaves many rows to look at': { where: all(is('flag', 'is', 'true'), is('price', 'gt', '5')) },
    'a deep page of an index': { order: by('name'), offset: 15_000 },
    'a deep page of keys': { byKey: true, offset: 15_000 },
    'an exact count of many': { where: is('size', 'lt', '900'), order: by('size'), count: 'exact' },
    'a frequent word': { where: search('common') },
    'a word and a frequent one': { where: search('word77 common') },
    'beginnings of words': { where: is('text', 'fts', 'word7:*') },
    'a word that must not be there': { where: search('-common') },
    'one or the other': { where: any(is('id', 'eq', '1'), is('size', 'eq', '1')) },
    'a regular expression over a hundred rows and more': { where: all(is('country', 'eq', 'C3'), is('name', 'match', '1.*7')) },
    'decimals that have no index': { where: is('price', 'gt', '19990') },
  } // prettier-ignore

  for (const [what, query] of Object.entries(HERE)) {
    test(`here: ${what}`, async () => assert.ok((await ask(query)).here))
  }
  for (const [what, query] of Object.entries(LEFT)) {
    test(`left to a reader: ${what}`, async () => assert.ok(!(await ask(query)).here))
  }

  test('and either way the answer is the same', async () => {
    const wide = { ...LARGE, table: {}, clock: new TestClock(Date.UTC(2026, 0, 1)) }
    using other = await QuerySite.publish(wide)
    for (const [what, query] of [...Object.entries(HERE), ...Object.entries(LEFT)]) {
      if (JSON.stringify(query.where ?? '').match(/search|fts/) || query.count === 'planned') continue
      const [one, two] = [await site.ask({ limit: 20, ...query }), await other.ask({ limit: 20, ...query })]
      assert.deepEqual(one, two, what)
    }
  })

  test('large rows count for more, also where nobody knows how large all of them are', async () => {
    const rows = Array.from({ length: 200 }, (_, id): Value[] => [id, `${id} `.repeat(10_000)])
    for (const bodyFileBytes of [undefined, 0]) {
      const options = { columns: { id: 'integer', text: 'text' }, key: ['id'], rows } as const
      using large = await QuerySite.publish({ ...options, ...(bodyFileBytes !== undefined && { bodyFileBytes }) })
      assert.equal(large.table.bodyBytes === 0, bodyFileBytes === 0)
      await large.ask({ where: is('text', 'ilike', '%1 2%'), limit: 1 })
      assert.equal(large.left.length, 1, `bodyFileBytes ${bodyFileBytes}`)
    }
  })

  test('an order of many parts is left to a reader where it goes on behind a row, however few rows there are', async () => {
    const names = Array.from({ length: 40 }, (_, n) => `x${n}`)
    const rows = Array.from({ length: 60 }, (_, id): Value[] => [
      id, Object.fromEntries(names.map((name, n) => [name, (id >> (n % 6)) & 1])),
    ]) // prettier-ignore
    using deep = await QuerySite.publish({ columns: { id: 'integer', data: 'json' }, key: ['id'], rows })
    for (const [count, isHere] of [[2, true], [20, true], [30, false]] as const) {
      const order = by(...names.slice(0, count).map((name) => `data->${name}`))
      const asked = { order, limit: 5, where: is('id', 'gte', '50') }
      const first = await deep.ask(asked)
      const left = deep.left.length
      const next = await deep.ask({ ...asked, after: first.last })
      assert.equal(deep.left.length === left, isHere, `by ${count} places`)
      const ids = [...first.facts, ...next.facts].map(({ id }) => Number(id))
      assert.deepEqual(ids.toSorted((a, b) => a - b), [50, 51, 52, 53, 54, 55, 56, 57, 58, 59])
    } // prettier-ignore
  })

  test('without readers, queries that nothing bounds fail clearly', async () => {
    const { Mounts } = await import('../../lib/sqlite/mounts.ts')
    using mounts = new Mounts(site.site.publisher.folders)
    const { resolveQuery } = await import('../../lib/resolve-query.ts')
    const { EVERYTHING } = await import('./query-site.ts')
    const query = resolveQuery({ ...EVERYTHING, order: by('price') }, site.table, undefined)
    const options = { principal: 'a', signal: new AbortController().signal }
    await assert.rejects(mounts.active('wares')!.query(query, options), /no reader processes/)
  })

  test('counts are exact, or say that they are not', async () => {
    const planned = await site.ask({ where: is('size', 'lt', '500'), limit: 1, order: by('size'), count: 'planned' })
    assert.ok(planned.isEstimate && planned.total! > 9000 && planned.total! < 11_000, String(planned.total))
    const few = await site.ask({ where: is('country', 'eq', 'C3'), limit: 1, order: by('name'), count: 'estimated' })
    assert.deepEqual([few.total, few.isEstimate], [1000, false])
    const many = await site.ask({ where: is('flag', 'is', 'true'), limit: 1, count: 'estimated' })
    assert.equal(many.isEstimate, true)
    const table = await site.ask({ limit: 1, count: 'planned' })
    assert.deepEqual([table.total, table.isEstimate], [ROWS, false])
  })

  test('what changed is found by what changed, in few steps', async () => {
    const first = clock.now()
    clock.move(3_600_000)
    const changed = (id: number, size: number): Value[] => row(id).with(3, size)
    const second = LARGE.rows.map((cells, id) => (id % 5000 === 1 ? changed(id, 5000) : cells))
    await site.republish({ ...LARGE, rows: second })
    const between = clock.now()
    clock.move(3_600_000)
    await site.republish({ ...LARGE, rows: second.map((cells, id) => (id === 2 ? changed(id, 5001) : cells)) })
    const { here, answer } = await ask({ where: since(first), count: 'exact' })
    assert.ok(here)
    assert.deepEqual(
      answer.facts.map(({ id }) => id),
      ['1', '2', '5001', '10001', '15001'],
    )
    assert.equal(answer.total, 5)
    const later = await ask({ where: since(between), order: by('size') })
    assert.ok(later.here)
    assert.deepEqual(
      later.answer.facts.map(({ id, createdAt, modifiedAt }) => [id, createdAt < modifiedAt]),
      [['2', true]],
    )
    assert.deepEqual(
      (await ask({ where: not(since(between)), limit: 2 })).answer.facts.map(({ id }) => id),
      ['0', '1'],
    )
  })
})
