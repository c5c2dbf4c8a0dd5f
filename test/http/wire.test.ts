import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Principal } from '../../lib/access.ts'
import { sourceToWire } from '../../lib/http/wire.ts'
import { Script, WARES } from '../sqlite/script.ts'
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

test('a source tells of tables that the upstream did not give, to those who see them', async () => {
  using site = new TestSite()
  const keeps = { code: 'upstream_refused', message: 'No access.' } as const
  const other = { ...WARES, name: 'other' }
  const both = [
    { table: 'wares', rows: [['a', 'one', 1]] },
    { table: 'other', columns: WARES.columns ?? [], rows: [['b', 'two', 2]] },
  ]
  const script = new Script().next([WARES, other], both)
  await site.sync(script)
  const since = new Date(site.clock.now() + 1000).toISOString()
  await site.sync(script.next([WARES, other], [...both, { table: 'other', keeps }]))
  const wire = (principal: Principal) =>
    sourceToWire('wares', site.control.source('wares'), site.pointer(), { now: site.clock.now(), principal })

  assert.deepEqual(wire(ANYBODY).kept, [{ table: 'other', ...keeps, since }])
  assert.deepEqual(wire(ANYBODY).warnings, [
    `The table other could not be read since ${since}, and stays as it was: No access.`,
  ])
  const restricted = wire({ ...ANYBODY, limits: new Set(['wares.wares']) })
  assert.deepEqual([restricted.kept, restricted.warnings], [[], []])
})
