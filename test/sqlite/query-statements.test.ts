import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import Database from 'better-sqlite3'
import { Statements } from '../../lib/sqlite/query-statements.ts'

function statements(t: TestContext): Statements {
  const db = new Database(':memory:')
  t.after(() => db.close())
  return new Statements(db)
}
/** A statement like no other, of about so many characters. */
const sqlOf = (number: number, length: number) => `SELECT ${number}, '${'x'.repeat(length)}'`

describe('statements of a snapshot', () => {
  test('are prepared once, and of more than two hundred the least used is forgotten', (t) => {
    const kept = statements(t)
    const [first, second] = [kept.prepare(sqlOf(0, 10), []), kept.prepare(sqlOf(1, 10), [])]
    for (let number = 2; number < 200; number++) kept.prepare(sqlOf(number, 10), [])
    assert.equal(kept.prepare(sqlOf(0, 10), []), first)
    kept.prepare(sqlOf(200, 10), [])
    assert.equal(kept.prepare(sqlOf(0, 10), []), first)
    assert.notEqual(kept.prepare(sqlOf(1, 10), []), second)
  })

  test('that are long are forgotten sooner: together they have a bound', (t) => {
    const kept = statements(t)
    const first = kept.prepare(sqlOf(0, 300_000), [])
    for (let number = 1; number < 6; number++) kept.prepare(sqlOf(number, 300_000), [])
    assert.equal(kept.prepare(sqlOf(0, 300_000), []), first)
    for (let number = 6; number < 12; number++) kept.prepare(sqlOf(number, 300_000), [])
    assert.notEqual(kept.prepare(sqlOf(0, 300_000), []), first)
    assert.equal(kept.number(sqlOf(12, 3_000_000), []), 12, 'one that is longer than all may be is answered as well')
  })
})
