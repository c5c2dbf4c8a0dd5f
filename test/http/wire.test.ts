import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Principal } from '../../lib/access.ts'
import { sourceToWire } from '../../lib/http/wire.ts'
import { TestSite, wares } from '../sqlite/site.ts'

const ANYBODY: Principal = { id: 'k', scopes: new Set(['read']), limits: null, rules: new Map(), view: '', rate: null }

test('a source warns of what was configured for its tables and could not be done, whoever may see all of them', async () => {
  using site = new TestSite({ tables: { wares: { indexes: ['gone'] } } })
  await site.sync(wares([{ sku: 1 }]))
  const warningsFor = (principal: Principal) =>
    sourceToWire('wares', site.control.source('wares'), site.pointer(), { now: site.clock.now(), principal }).warnings

  assert.deepEqual(warningsFor(ANYBODY), [
    'Table wares: the index on ["gone"] is left out, because there is no column "gone".',
  ])
  const rules = new Map([['wares.wares', { hidden: ['gone'], filter: null }]])
  for (const restricted of [
    { ...ANYBODY, limits: new Set(['wares']) },
    { ...ANYBODY, rules },
  ])
    assert.deepEqual(warningsFor(restricted), [])
})
