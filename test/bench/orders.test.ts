import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { orderRow } from '../../bench/lib/orders.ts'

const ROWS = 2_000

function texts(version: 'a' | 'b'): string[] {
  return Array.from({ length: ROWS }, (_, index) => JSON.stringify(orderRow(index, version)))
}

describe('the orders file of the bench', () => {
  test('is the same on every machine', () => {
    const digest = createHash('sha256').update(texts('a').join('\n')).digest('hex')
    assert.equal(digest.slice(0, 16), '3ebae2eab6a8a07e')
  })

  test('has about 800 bytes a row, with what makes rows hard', () => {
    const rows = texts('a')
    const mean = rows.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / ROWS
    assert.ok(mean > 750 && mean < 850, `${mean} bytes`)
    const all = rows.join('\n')
    for (const hard of ['null', 'true', '🙂', '東京', '"0', '.00"', '\\"Fa\\"', '"items":[{'])
      assert.ok(all.includes(hard), hard)
  })

  test('differs between its versions in one row of a hundred', () => {
    const [a, b] = [texts('a'), texts('b')]
    assert.equal(a.filter((text, index) => text !== b[index]).length, ROWS / 100)
  })
})
