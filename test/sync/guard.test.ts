import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Failure } from '../../lib/errors.ts'
import type { Pointer } from '../../lib/snapshot.ts'
import type { Plan } from '../../lib/source.ts'
import type { PulledTable } from '../../lib/store.ts'
import { guard } from '../../lib/sync/guard.ts'

const table = (name: string, rows: number, columns = ['a', 'b']): PulledTable => ({ name, rows, columns })
const published = (...tables: PulledTable[]) =>
  ({
    tables: tables.map(({ name, rows, columns }) => ({
      name,
      rows,
      columns: columns.map((column) => ({ name: column, type: 'text' })),
    })),
  }) as unknown as Pointer
const LIMITS = { maxLostShare: 0.5, freezeColumns: true }

/** Why the guard refuses, or undefined if it does not. */
function reason(
  pulled: PulledTable[],
  options: { active?: Pointer; expected?: Record<string, number>; limits?: typeof LIMITS } = {},
): unknown {
  const plan: Plan = {
    identity: 'i',
    tables: pulled.map(({ name }) => ({
      name,
      ...(options.expected?.[name] !== undefined && { expectedRows: options.expected[name] }),
    })),
  }
  try {
    guard(pulled, { plan, active: options.active, limits: options.limits ?? LIMITS })
    return undefined
  } catch (error) {
    assert.ok(error instanceof Failure && error.code === 'snapshot_rejected')
    return error.facts.reason
  }
}

describe('the publish guard', () => {
  test('has nothing against a first snapshot, even an empty one', () => {
    assert.equal(reason([table('t', 0)]), undefined)
    assert.equal(reason([table('t', 5)]), undefined)
  })

  test('refuses another count than the upstream promised, from the first snapshot on', () => {
    assert.equal(reason([table('t', 5)], { expected: { t: 5 } }), undefined)
    assert.equal(reason([table('t', 0)], { expected: { t: 0 } }), undefined)
    assert.equal(reason([table('t', 4)], { expected: { t: 5 } }), 'count_differs')
    assert.equal(reason([table('t', 6)], { expected: { t: 5 } }), 'count_differs')
    assert.equal(reason([table('s', 1), table('t', 1)], { expected: { t: 0 } }), 'count_differs')
  })

  test('refuses a table that is gone', () => {
    assert.equal(reason([table('s', 1)], { active: published(table('s', 1), table('t', 0)) }), 'table_missing')
  })

  test('refuses a table that had rows and is empty, whatever the limits', () => {
    const limits = { maxLostShare: 1, freezeColumns: false }
    assert.equal(reason([table('t', 0)], { active: published(table('t', 1)), limits }), 'table_empty')
    assert.equal(reason([table('t', 0)], { active: published(table('t', 0)), limits }), undefined)
  })

  test('refuses a table that lost more than its share, and not one that lost just that', () => {
    const active = published(table('t', 10))
    assert.equal(reason([table('t', 5)], { active }), undefined)
    assert.equal(reason([table('t', 4)], { active }), 'rows_lost')
    assert.equal(reason([table('t', 9)], { active, limits: { ...LIMITS, maxLostShare: 0 } }), 'rows_lost')
    assert.equal(reason([table('t', 1)], { active, limits: { ...LIMITS, maxLostShare: 1 } }), undefined)
    assert.equal(reason([table('t', 1000)], { active }), undefined)
  })

  test('refuses a schema that lost a column, where columns are frozen; a new one is welcome', () => {
    const active = published(table('t', 1))
    assert.equal(reason([table('t', 1, ['a'])], { active }), 'columns_lost')
    assert.equal(reason([table('t', 1, ['a'])], { active, limits: { ...LIMITS, freezeColumns: false } }), undefined)
    assert.equal(reason([table('t', 1, ['c', 'b', 'a'])], { active }), undefined)
  })

  test('says which table and what is wrong with it', () => {
    assert.throws(
      () =>
        guard([table('t', 1, [])], {
          plan: { identity: '', tables: [] },
          active: published(table('t', 1)),
          limits: LIMITS,
        }),
      /Table t: the columns "a", "b" are missing/,
    )
  })
})
