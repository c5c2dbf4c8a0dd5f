import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AirtableMode } from '../../../lib/settings.ts'
import type { FaultKind } from '../../../simulators/airtable/faults.ts'
import { generateBase } from '../../../simulators/airtable/generate.ts'
import { seeded, testSeed } from '../../support/random.ts'
import { Replica } from './replica.ts'
import { upstreamOf, type Upstream } from './upstream.ts'

const STEPS = 60
const HOUR_MS = 3_600_000
const FAULTS: FaultKind[] = [
  'server error',
  'bad gateway',
  'unavailable',
  'cut',
  'reset',
  'stall',
  'repeat page',
  'iterator',
  'rate limit',
]
const seed = testSeed()

/** Does something to the base, at random. */
function change({ base }: Upstream, random: () => number, hasDeletions: boolean): void {
  const [table] = base.tables
  assert.ok(table)
  const any = () => table.records[Math.floor(random() * table.size)]!
  const kind = Math.floor(random() * (hasDeletions ? 9 : 7))
  const name = `note ${Math.floor(random() * 1e6)}`
  if (kind === 0) table.create({ Number: name })
  else if (kind === 1)
    base.transaction(() => table.records.slice(0, 150).forEach(({ id }) => table.update(id, { Notes: name })))
  else if (kind === 2) table.createField({ name, type: 'singleLineText' })
  else if (kind === 3) table.renameField(table.fields.at(-1)!.id, name)
  else if (kind === 7) table.delete(any().id)
  else if (kind === 8) base.transaction(() => table.records.slice(-20).forEach(({ id }) => table.delete(id)))
  else table.update(any().id, { Notes: name, Quantity: Math.floor(random() * 100) })
}

for (const mode of ['webhook', 'polling'] satisfies AirtableMode[]) {
  describe(`whatever happens to a base (${mode})`, () => {
    test(`each run that nothing disturbs ends with what the base has (${STEPS} steps)`, async (t) => {
      t.diagnostic(`HOLDFAST_SEED=${seed}`)
      const random = seeded(seed)
      const upstream = await upstreamOf(t, generateBase({ seed, tables: 1, records: 420 }), {
        sim: { webhooks: { ping: false }, latencyMs: [20, 300], arrivalJitterMs: 50 },
      })
      const { sim, clock, base } = upstream
      const replica = new Replica()
      const hasDeletions = mode === 'webhook'
      for (let step = 0; step < STEPS; step++) {
        for (let changes = Math.floor(random() * 4); changes > 0; changes--) change(upstream, random, hasDeletions)
        await clock.advance(random() < 0.1 ? random() * 20 * HOUR_MS : random() * HOUR_MS)
        if (random() < 0.1) sim.dropIterators()
        if (random() < 0.1) for (const hook of sim.webhooks.of(base)) sim.webhooks.delete(base, hook.id)
        const troubles = []
        if (random() < 0.5) {
          const kind = FAULTS[Math.floor(random() * FAULTS.length)]!
          // A page that comes again is one of the same list.
          const match = { kind: 'list', ...(kind === 'repeat page' && { isPaged: true }) } as const
          troubles.push(sim.fault({ match, kind, skip: Math.floor(random() * 4) }))
        }
        if (random() < 0.3) {
          const run = () => change(upstream, random, hasDeletions)
          troubles.push(sim.fault({ match: { kind: 'list' }, kind: 'call', skip: Math.floor(random() * 4), run }))
        }
        const killAfter = random() < 0.3 ? 1 + Math.floor(random() * 4) : Infinity
        await replica.sync(upstream.source({ mode }), { killAfter })
        for (const trouble of troubles) trouble[Symbol.dispose]()
        if (random() < 0.5) continue
        // Two: one that takes up what is left, and one that sees what happened during it.
        await replica.sync(upstream.source({ mode }))
        await replica.sync(upstream.source({ mode }))
        replica.assertMirrors(base)
      }
      sim.assertLimitKept()
    })
  })
}
