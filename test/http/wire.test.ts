import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Principal } from '../../lib/access.ts'
import { sourceToWire } from '../../lib/http/wire.ts'
import { active, Script, WARES } from '../sqlite/script.ts'
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

test('a source says how many calls its upstream allows and what there is to know of it, though nothing was published', async () => {
  using site = new TestSite()
  const usage = { month: '2026-11', calls: 12, budget: 1000, pausedUntil: site.clock.now() }
  const script = Object.assign(new Script(), { usage: () => usage })
  await site.sync(script.next([WARES], [{ table: 'wares', rows: [['a', 'one', 1]] }]))
  const { snapshot } = site.pointer()
  await site.sync(script.next([active(WARES)], [], { warnings: ['A month will take 2000 calls.'] }))
  const wire = (principal: Principal) =>
    sourceToWire('wares', site.control.source('wares'), site.pointer(), { now: site.clock.now(), principal })

  assert.equal(site.pointer().snapshot, snapshot)
  assert.deepEqual(wire(ANYBODY).warnings, ['A month will take 2000 calls.'])
  const paused_until = new Date(usage.pausedUntil).toISOString()
  assert.deepEqual(wire(ANYBODY).upstream, { month: '2026-11', calls: 12, budget: 1000, paused_until })
  assert.deepEqual(wire({ ...ANYBODY, limits: new Set(['wares.wares']) }).warnings, [])

  await site.sync(script.next([active(WARES)], []))
  assert.deepEqual(wire(ANYBODY).warnings, [])
})
