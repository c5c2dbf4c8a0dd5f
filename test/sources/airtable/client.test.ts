import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { systemClock } from '../../../lib/base/clock.ts'
import type { CallBudget, CallLimit } from '../../../lib/call-limiter.ts'
import { AirtableClient, type ClientLimits } from '../../../lib/sources/airtable/client.ts'
import type { Call } from '../../../lib/sources/airtable/exchange.ts'
import { Base } from '../../../simulators/airtable/base.ts'
import { upstreamOf, type Upstream } from './upstream.ts'

const CALL: Call = { method: 'GET', path: 'meta/whoami' }
const DOING = { doing: 'say who asks' }
const live = () => ({ signal: new AbortController().signal, ...DOING })

interface Scene {
  readonly upstream: Upstream
  client(options?: { callsPerMonth?: number; limits?: Partial<ClientLimits> }): AirtableClient
}

async function scene(t: TestContext): Promise<Scene> {
  const upstream = await upstreamOf(t, new Base({ seed: 13 }))
  const { sim, parts } = upstream
  const account = { baseId: sim.base.id, token: sim.token, endpointUrl: sim.url }
  return {
    upstream,
    client: ({ limits, ...options } = {}) => new AirtableClient({ ...account, ...options }, parts, limits),
  }
}

describe('calls', () => {
  test('are limited for each base and each token, which its account does not show', () => {
    const opened: { limits: readonly CallLimit[]; budget: CallBudget }[] = []
    const openLimiter = (limits: readonly CallLimit[], budget: CallBudget) => {
      opened.push({ limits, budget })
      return {
        slot: async () => {},
        pause: () => {},
        usage: () => ({ month: '', calls: 0, budget: null, pausedUntil: null }),
      }
    }
    const options = { baseId: 'app1', token: 'patSecret.123' }
    void new AirtableClient(options, { clock: systemClock, openLimiter })
    void new AirtableClient({ ...options, callsPerSecond: 2, callsPerMonth: 1000 }, { clock: systemClock, openLimiter })
    const [first, second] = opened
    assert.deepEqual(
      first?.limits.map(({ calls, windowMs }) => [calls, windowMs]),
      [
        [5, 1000],
        [50, 1000],
      ],
    )
    assert.equal(first?.limits[0]?.account, 'airtable:app1')
    assert.equal(first?.budget.calls, null)
    assert.equal(second?.limits[0]?.calls, 2)
    assert.equal(second?.budget.calls, 1000)
    assert.ok(!JSON.stringify(opened).includes('Secret'))
  })

  test('stop at the budget of the month, before they are sent', async (t) => {
    const { upstream, client } = await scene(t)
    const thrifty = client({ callsPerMonth: 3 })
    for (let call = 0; call < 3; call++) await thrifty.call(CALL, live())
    await assert.rejects(thrifty.call(CALL, live()), { code: 'upstream_budget_spent' })
    assert.equal(upstream.sim.requests.length, 3)
    assert.deepEqual([thrifty.usage.calls, thrifty.usage.budget], [3, 3])
  })

  test('of all processes wait when one of them is told that there were too many', async (t) => {
    const { upstream, client } = await scene(t)
    upstream.sim.fault({ kind: 'rate limit', retryAfterSeconds: 20 })
    const refused = client().call(CALL, live())
    while (client().usage.pausedUntil === null) await upstream.clock.sleep(1)
    await Promise.all([refused, client().call(CALL, live()), client().call(CALL, live())])
    const [first, ...others] = upstream.sim.requests
    assert.equal(others.length, 3)
    assert.ok(others.every(({ arrivedAt }) => arrivedAt - first!.answeredAt! >= 20_000))
  })

  test('end when their caller has no more patience, whatever they wait for', async (t) => {
    for (const fault of ['stall', 'unavailable', 'rate limit'] as const) {
      const { upstream, client } = await scene(t)
      upstream.sim.fault({ kind: fault, times: Infinity })
      const before = upstream.clock.monotonic()
      await assert.rejects(client().call(CALL, { ...live(), patienceMs: 70_000 }), { code: 'upstream_unavailable' })
      assert.ok(upstream.clock.monotonic() - before <= 70_000, fault)
    }
  })

  test('end at once with the reason of their signal', async (t) => {
    const { upstream, client } = await scene(t)
    upstream.sim.fault({ kind: 'stall', times: Infinity })
    const reason = new Error('enough')
    for (const afterMs of [0, 10, 46_000]) {
      const stop = new AbortController()
      const call = client().call(CALL, { signal: stop.signal, ...DOING })
      void upstream.clock.sleep(afterMs).then(() => stop.abort(reason))
      await assert.rejects(call, reason)
    }
    await assert.rejects(client().call(CALL, { signal: AbortSignal.abort(reason), ...DOING }), reason)
  })

  test('that must not be repeated are not, unless they were surely refused', async (t) => {
    const { upstream, client } = await scene(t)
    upstream.sim.fault({ kind: 'bad gateway' })
    await assert.rejects(client().call(CALL, { ...live(), isOnce: true }), { code: 'upstream_unavailable' })
    assert.equal(upstream.sim.requests.length, 1)
    upstream.sim.fault({ kind: 'rate limit' })
    await client().call(CALL, { ...live(), isOnce: true })
    assert.equal(upstream.sim.requests.length, 3)
  })

  test('never show the token, though the answer may', async (t) => {
    const { upstream } = await scene(t)
    const server = createServer((request, response) => {
      const message = `Bad ${String(request.headers.authorization)}`
      response.writeHead(422).end(JSON.stringify({ error: { type: 'X', message } }))
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    t.after(() => server.close())
    const endpointUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const client = new AirtableClient({ baseId: 'app1', token: 'patSecret.123', endpointUrl }, upstream.parts)
    await assert.rejects(client.call(CALL, live()), { message: /Bad Bearer …/ })
    server.closeAllConnections()
    await assert.rejects(
      client.call(CALL, { ...live(), isOnce: true }),
      (error: Error) => !error.message.includes('Secret'),
    )
  })

  test('tell the time that Airtable has, and that of this machine where it tells none', async (t) => {
    const { upstream, client } = await scene(t)
    const skewed = new AirtableClient(
      { baseId: upstream.base.id, token: upstream.sim.token, endpointUrl: upstream.sim.url },
      { ...upstream.parts, clock: { ...upstream.parts.clock, now: () => 7 } },
    )
    assert.equal(skewed.upstreamNow, 7)
    await skewed.call(CALL, live())
    assert.ok(Math.abs(skewed.upstreamNow - upstream.clock.now()) <= 1000)
    assert.equal(client().upstreamNow, upstream.clock.now())
  })
})
