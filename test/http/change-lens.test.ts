import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Batch, Change } from '../../lib/change-feed.ts'
import { ChangeLens } from '../../lib/http/change-lens.ts'
import { NOBODY } from '../../lib/http/keys.ts'
import type { Snapshots } from '../../lib/snapshot.ts'
import { encodeWatermark } from '../../lib/watermark.ts'

const NO_SNAPSHOTS = { active: () => undefined } as unknown as Snapshots
const ALL = { ...NOBODY, id: 'all', limits: null, view: '' }

const INFO = { columns: [{ name: 'id' }, { name: 'email' }] }

function lensOf(keys: readonly string[] | null, table: string | null = null): ChangeLens {
  return new ChangeLens({ sources: ['shop'], table, keys }, ALL, NO_SNAPSHOTS)
}

function batchOf(changes: readonly Change[]): Batch {
  return { watermark: encodeWatermark(1), source: 'shop', at: 0, changes }
}

const put = (table: string, key: string): Change => ({ table, key, op: 'put', row: `{"id":${JSON.stringify(key)}}` })

/** Names of what a lens shows, in its order. */
function shown(lens: ChangeLens, batch: Batch): string[] {
  return lens.changes(batch).map((text) => {
    const { table, key } = JSON.parse(`{${text}}`) as Change
    return `${table}/${key}`
  })
}

describe('a reader of some rows', () => {
  const batch = batchOf([
    put('orders', '1'),
    put('orders', '2'),
    put('orders', 'ä'),
    { table: 'prices', key: '', op: 'resync', row: null },
    put('wares', '1'),
    { table: 'wares', key: '3', op: 'delete', row: null },
  ])

  test('is shown those, of every table, in the order of the batch, and what is to be fetched again', () => {
    assert.deepEqual(shown(lensOf(['3', '1']), batch), ['orders/1', 'prices/null', 'wares/1', 'wares/3'])
    assert.deepEqual(shown(lensOf(['ä']), batch), ['orders/ä', 'prices/null'])
    assert.deepEqual(shown(lensOf(['1', '1'], 'wares'), batch), ['wares/1'])
    assert.deepEqual(shown(lensOf(['nobody'], 'orders'), batch), [])
    assert.deepEqual(shown(lensOf(null, 'orders'), batch), ['orders/1', 'orders/2', 'orders/ä'])
  })

  test('whose key does not see what rows of a table are called by now, is told to fetch that one again', () => {
    const rules = new Map([['shop.orders', { filter: null, hidden: ['email'] }]])
    let key = ['id']
    const snapshots = { active: () => ({ table: (name: string) => ({ ...INFO, name, key }) }) } as unknown as Snapshots
    const lens = new ChangeLens({ sources: ['shop'], table: null, keys: ['3'] }, { ...ALL, rules }, snapshots)
    assert.deepEqual(shown(lens, batch), ['prices/null', 'wares/3'])
    key = ['email']
    assert.deepEqual(shown(lens, batch), ['orders/null', 'prices/null', 'wares/3'])
  })

  test('costs what it is shown, not what the batch has, once one of them has been looked at', () => {
    let looks = 0
    const changes = Array.from({ length: 5000 }, (_, index): Change => {
      const change = put('wares', `w${String(index).padStart(4, '0')}`)
      return {
        ...change,
        get key() {
          looks++
          return change.key
        },
      }
    })
    const large = batchOf(changes)
    assert.deepEqual(shown(lensOf(['w0001']), large), ['wares/w0001'])
    looks = 0
    for (let index = 0; index < 1000; index++) {
      const key = `w${String(index).padStart(4, '0')}`
      assert.deepEqual(shown(lensOf([key]), large), [`wares/${key}`])
    }
    assert.ok(looks <= 5000, `${looks} keys were looked at for 1000 readers of one row each`)
  })
})
