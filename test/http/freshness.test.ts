import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkedAt } from '../../lib/http/freshness.ts'
import type { Pointer } from '../../lib/snapshot.ts'
import type { SourceRecord } from '../../lib/sync-run.ts'

const published = { publishedAt: 1000, checkedAt: 900, isRolledBack: false } as Pointer
const cameBack = { ...published, isRolledBack: true }
const checked = (at: number | null) => ({ checkedAt: at }) as SourceRecord

describe('when data was last known to be right', () => {
  test('is the publish, or the last look at the upstream since', () => {
    assert.equal(checkedAt(published, undefined), 1000)
    assert.equal(checkedAt(published, checked(null)), 1000)
    assert.equal(checkedAt(published, checked(900)), 1000)
    assert.equal(checkedAt(published, checked(5000)), 5000)
  })

  test('is, of a snapshot that came back, when it was read, until somebody looked again', () => {
    assert.equal(checkedAt(cameBack, undefined), 900)
    assert.equal(checkedAt(cameBack, checked(null)), 900)
    assert.equal(checkedAt(cameBack, checked(950)), 900, 'what was looked at then was the other one')
    assert.equal(checkedAt(cameBack, checked(5000)), 5000)
  })
})
