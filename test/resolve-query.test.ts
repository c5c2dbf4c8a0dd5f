import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TableRule } from '../lib/access.ts'
import { Failure } from '../lib/errors.ts'
import type { Condition, Query, ResolvedCondition } from '../lib/query.ts'
import { resolveQuery } from '../lib/resolve-query.ts'
import type { TableInfo } from '../lib/snapshot.ts'

const TABLE: TableInfo = {
  name: 'wares', rows: 10, key: ['id'], digest: '', bodyBytes: 0, indexes: [], search: ['name', 'note'],
  columns: [
    { name: 'id', type: 'integer' }, { name: 'name', type: 'text' }, { name: 'note', type: 'text' },
    { name: 'weight', type: 'real' }, { name: 'price', type: 'decimal' }, { name: 'sold', type: 'boolean' },
    { name: 'data', type: 'json' },
  ],
  times: { created: null, modified: 'note' },
} // prettier-ignore

const ALL: Query = {
  outputs: ['*'],
  where: null,
  order: [],
  byKey: false,
  offset: 0,
  limit: 10,
  after: null,
  count: 'none',
}

const resolve = (query: Partial<Query>, rule?: TableRule) => resolveQuery({ ...ALL, ...query }, TABLE, rule)
const at = (text: string) => {
  const [column = '', ...path] = text.split(/->>?/)
  return { column, path, asText: text.includes('->>') }
}
const where = (column: string, op: string, value: unknown): Condition => ({
  kind: 'test',
  operand: at(column),
  test: (Array.isArray(value) ? { op, values: value } : { op, value }) as never,
})
/** The value a test ends up with. */
const valueOf = (column: string, op: string, value: unknown): unknown => {
  const resolved = resolve({ where: where(column, op, value) }).where as Extract<ResolvedCondition, { kind: 'test' }>
  return 'values' in resolved.test ? resolved.test.values : resolved.test.value
}

function fails(code: string, run: () => unknown, ...texts: string[]): Failure {
  let failure: unknown
  try {
    run()
  } catch (error) {
    failure = error
  }
  assert.ok(failure instanceof Failure, 'nothing failed')
  assert.equal(failure.code, code)
  for (const text of texts) assert.ok(failure.message.includes(text), `${failure.message} does not say ${text}`)
  return failure
}

describe('a query', () => {
  test('gets the columns it names, and a star is all of them', () => {
    const { outputs } = resolve({ outputs: [{ operand: at('data->a'), name: 'a', cast: 'text' }, '*'] })
    assert.deepEqual(outputs.map(({ name, operand }) => [name, operand.type]), [
      ['a', 'json'], ['id', 'integer'], ['name', 'text'], ['note', 'text'], ['weight', 'real'], ['price', 'decimal'],
      ['sold', 'boolean'], ['data', 'json'],
    ]) // prettier-ignore
    assert.equal(
      resolve({ order: [{ operand: at('data->>a'), descending: false, nulls: 'last' }] }).order[0]?.operand.type,
      'text',
    )
  })

  test('of a column that is not there is refused, and told which ones are', () => {
    for (const query of [
      { outputs: [{ operand: at('nope'), name: 'x', cast: null }] },
      { where: where('nope', 'eq', '1') },
      { order: [{ operand: at('nope'), descending: false, nulls: 'last' as const }] },
    ]) {
      const { facts } = fails('column_not_found', () => resolve(query), 'nope', 'wares', 'price')
      assert.deepEqual(
        [facts.column, facts.table, facts.known],
        ['nope', 'wares', TABLE.columns.map(({ name }) => name)],
      )
    }
  })

  test('with two outputs of one name is refused', () => {
    fails('bad_filter', () => resolve({ outputs: ['*', { operand: at('id'), name: 'id', cast: null }] }), 'id')
  })

  test('values become what the column holds', () => {
    assert.deepEqual(
      ['5', '-0', '+7', '9007199254740993', '1' + '0'.repeat(30)].map((text) => valueOf('id', 'eq', text)),
      [5, 0, 7, 9007199254740993n, 10n ** 30n],
    )
    assert.deepEqual(['1.5', '.5', '1e3', 'NaN', '-Infinity', 'inf'].map((text) => valueOf('weight', 'gt', text)), [1.5, 0.5, 1000, NaN, -Infinity, Infinity]) // prettier-ignore
    assert.deepEqual(
      ['10.50', ' 1 ', 'nan'].map((text) => valueOf('price', 'eq', text)),
      ['10.50', '1', 'NaN'],
    )
    assert.deepEqual(['true', 'T', 'on', '1', 'no', 'off', 'F', '0'].map((text) => valueOf('sold', 'eq', text)), [1, 1, 1, 1, 0, 0, 0, 0]) // prettier-ignore
    assert.equal(valueOf('name', 'eq', ' 5 '), ' 5 ')
    assert.deepEqual(valueOf('id', 'in', ['1', '2']), [1, 2])
    assert.equal(valueOf('data', 'eq', '{"a":1}'), '{"a":1}')
    assert.equal(valueOf('data->>a', 'eq', '5'), '5')
    assert.equal(valueOf('data->a', 'gt', '5'), '5')
  })

  test('a value that the column cannot hold is refused by name, type and value', () => {
    for (const [column, text] of [
      ['id', '1.0'], ['id', 'x'], ['id', ''], ['weight', '1,5'], ['weight', '0x10'], ['price', 'one'], ['sold', 'o'],
      ['sold', 'maybe'], ['data', 'plain'], ['data->a', 'plain'], ['id', '9'.repeat(2000)],
    ] as const) {
      const { facts } = fails('bad_value', () => resolve({ where: where(column, 'eq', text) }))
      assert.deepEqual([facts.column, facts.value], [column.split('-')[0], text.slice(0, 100)])
    }
    fails('bad_value', () => resolve({ where: where('id', 'in', ['1', 'x']) }))
  }) // prettier-ignore

  test('what is contained is JSON, or an array in braces', () => {
    assert.equal(valueOf('data', 'cs', '{a,"b c",1,"1",true,null,"x\\"y"}'), '["a","b c",1,"1",true,null,"x\\"y"]')
    assert.equal(valueOf('data', 'cd', '{"a":1}'), '{"a":1}')
    assert.equal(valueOf('data->a', 'ov', '[1]'), '[1]')
    assert.equal(valueOf('data', 'ov', '{ }'), '{ }')
    for (const text of ['{a,}', '{a', 'a', '{a{b}}', '{"a}']) fails('bad_value', () => valueOf('data', 'cs', text))
  })

  test('operators that do not fit the type are refused, with what would', () => {
    fails('not_supported', () => valueOf('id', 'like', '1%'), '->>', 'text')
    fails('not_supported', () => valueOf('price', 'match', '1'))
    fails('not_supported', () => valueOf('data', 'ilike', 'a'), '->>')
    assert.equal(valueOf('data->>a', 'like', 'a%'), 'a%')
    fails('not_supported', () => valueOf('data', 'gt', '1'), 'data->a')
    fails('not_supported', () => valueOf('name', 'cs', '{a}'))
    fails('not_supported', () => valueOf('data->>a', 'cs', '{a}'))
    fails('not_supported', () => valueOf('name', 'is', 'true'))
    assert.equal(valueOf('sold', 'is', 'unknown'), 'unknown')
    fails('not_supported', () => resolve({ where: where('name->a', 'eq', '1') }), '->')
  })

  test('words are searched where that is configured', () => {
    assert.equal(valueOf('name', 'fts', 'a & b'), 'a & b')
    fails('not_supported', () => valueOf('data', 'wfts', 'a'), 'search: ["data"]')
    const none = { ...TABLE, search: [] }
    fails(
      'not_supported',
      () => resolveQuery({ ...ALL, where: { kind: 'search', text: 'a' } }, none, undefined),
      'search: [',
    )
  })

  test('without bound is refused', () => {
    let deep: Condition = where('id', 'eq', '1')
    for (let depth = 0; depth < 200; depth++) deep = { kind: 'not', of: deep }
    fails('bad_filter', () => resolve({ where: deep }))
    fails('bad_filter', () =>
      resolve({ where: { kind: 'or', of: Array.from({ length: 1001 }, () => where('id', 'eq', '1')) } }),
    )
    fails('bad_filter', () =>
      valueOf(
        'id',
        'in',
        Array.from({ length: 10_001 }, () => '1'),
      ),
    )
    fails('bad_filter', () => valueOf('name', 'like', 'x'.repeat(1001)))
  })

  test('goes on only behind what its own order can have ended with', () => {
    const order = [{ operand: at('price'), descending: false, nulls: 'last' as const }]
    assert.deepEqual(resolve({ order, after: ['1.50', 3] }).after, ['1.50', 3])
    assert.deepEqual(resolve({ order, byKey: true, after: [null, 2n ** 62n] }).after, [null, 2n ** 62n])
    for (const after of [[], ['1'], ['1', 2, 3], [1, 2], ['1', '2'], ['1', null], ['1', 1.5], ['1', 2n ** 64n]]) {
      fails('bad_parameter', () => resolve({ order, after }))
    }
    const json = [{ operand: at('data->a'), descending: false, nulls: 'last' as const }]
    fails('bad_parameter', () => resolve({ order: json, after: ['{', 1] }))
  })
})

describe('what a key may not see', () => {
  const rule: TableRule = { hidden: ['price', 'note'], filter: where('price', 'gt', '10') }

  test('is not there', () => {
    const { outputs, times } = resolve({}, rule)
    assert.deepEqual(outputs.map(({ name }) => name), ['id', 'name', 'weight', 'sold', 'data'])
    assert.equal(times.modified, null, 'nor shows in the times')
    for (const query of [
      { where: where('price', 'eq', '1') },
      { where: { kind: 'not' as const, of: where('price', 'is', 'null') } },
      { order: [{ operand: at('price'), descending: false, nulls: 'last' as const }] },
      { outputs: [{ operand: at('price'), name: 'x', cast: null }] },
    ]) {
      const { facts } = fails('column_not_found', () => resolve(query, rule))
      assert.deepEqual(facts.known, ['id', 'name', 'weight', 'sold', 'data'])
    }
  }) // prettier-ignore

  test('is not searched', () => {
    assert.deepEqual(resolve({ where: { kind: 'search', text: 'a' } }, { ...rule, filter: null }).where, {
      kind: 'search',
      text: 'a',
      columns: ['name'],
    })
    fails('column_not_found', () => resolve({ where: where('note', 'fts', 'a') }, rule))
  })

  test('the rule is a part of every question, and may look at what is hidden', () => {
    const asked = resolve({ where: { kind: 'or', of: [where('id', 'eq', '1'), where('id', 'eq', '2')] } }, rule).where
    assert.ok(asked?.kind === 'and')
    assert.deepEqual(
      asked.of.map(({ kind }) => kind),
      ['test', 'or'],
    )
    assert.equal(resolve({}, rule).where?.kind, 'test')
  })

  test('a table whose key is hidden cannot be shown at all', () => {
    fails('forbidden', () => resolve({}, { hidden: ['id'], filter: null }))
  })
})
