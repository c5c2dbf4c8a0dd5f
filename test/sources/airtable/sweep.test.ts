import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { generateBase } from '../../../simulators/airtable/generate.ts'
import { Replica } from './replica.ts'
import { upstreamOf } from './upstream.ts'

describe('a base that is read in full', () => {
  test('comes with every record and cell of every type, errors of formulas among them', async (t) => {
    const upstream = await upstreamOf(t, generateBase({ seed: 1, records: 1100 }))
    const replica = new Replica()
    await replica.sync(upstream.source())
    replica.assertMirrors(upstream.base)
    upstream.sim.assertLimitKept()
  })

  test('goes on where it was when the process is killed behind any page', async (t) => {
    const upstream = await upstreamOf(t, generateBase({ seed: 2, records: 620 }))
    const replica = new Replica()
    for (let kills = 0, isKilled = true; isKilled; kills++) {
      ;({ isKilled } = await replica.sync(upstream.source(), { killAfter: 1 }))
      assert.ok(kills < 40, 'it does not end')
    }
    replica.assertMirrors(upstream.base)
    const lists = upstream.sim.requests.filter(({ kind }) => kind === 'list')
    const asked = new Set(lists.map(({ path, query }) => `${path}?${query}`))
    assert.ok(lists.length > asked.size, 'pages under way are asked for again')
  })
})
