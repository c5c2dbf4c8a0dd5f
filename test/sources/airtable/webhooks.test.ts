import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { AirtableClient } from '../../../lib/sources/airtable/client.ts'
import { Webhooks } from '../../../lib/sources/airtable/webhooks.ts'
import { webhookIn } from '../../../lib/webhook.ts'
import { Base } from '../../../simulators/airtable/base.ts'
import type { Webhook } from '../../../simulators/airtable/webhooks.ts'
import { upstreamOf, type Upstream } from './upstream.ts'

const URL_HERE = 'https://mirror.example/webhooks/airtable/crm'
const SPECIFICATION = { options: { filters: { dataTypes: ['tableData', 'tableFields', 'tableMetadata'] } } }
const DAY_MS = 86_400_000
const live = { signal: new AbortController().signal }

interface Scene {
  readonly upstream: Upstream
  readonly hooks: () => Webhook[]
  webhooks(notificationUrl?: string | null): Webhooks
  calls(): string[]
}

async function scene(t: TestContext): Promise<Scene> {
  const base = new Base({ seed: 12 })
  base.createTable({ name: 'Orders', fields: [{ name: 'Name', type: 'singleLineText' }] })
  const upstream = await upstreamOf(t, base, { sim: { webhooks: { ping: false } } })
  const { sim, parts, memory } = upstream
  let counted = 0
  return {
    upstream,
    hooks: () => sim.webhooks.of(base),
    webhooks(notificationUrl = URL_HERE) {
      const client = new AirtableClient({ baseId: base.id, token: sim.token, endpointUrl: sim.url }, parts)
      return new Webhooks(client, { baseId: base.id, memory, notificationUrl })
    },
    calls() {
      const fresh = sim.requests.slice(counted)
      counted = sim.requests.length
      return fresh.map(
        ({ method, path }) =>
          `${method} ${path
            .split('/')
            .slice(4)
            .join('/')
            .replace(/ach\w+/, 'ID')}`,
      )
    },
  }
}

describe('the webhook of a source', () => {
  test('is made once, and its secret is kept where notifications are checked', async (t) => {
    const { upstream, webhooks, hooks, calls } = await scene(t)
    const { hook, next } = await webhooks().ensure(live)
    assert.equal(next, 1)
    assert.deepEqual(calls(), ['GET webhooks', 'POST webhooks'])
    assert.deepEqual(await webhooks().ensure(live), { hook, next: 1 })
    assert.deepEqual(calls(), ['GET webhooks'])
    assert.deepEqual(
      hooks().map(({ id, notificationUrl }) => [id, notificationUrl]),
      [[hook, URL_HERE]],
    )
    assert.deepEqual(webhookIn(upstream.memory.value), { id: hook, secret: hooks()[0]?.secret })
    assert.deepEqual(upstream.memory.value, {
      webhook: {
        id: hook,
        macSecretBase64: hooks()[0]?.secret.toString('base64'),
        expiresAt: hooks()[0]?.expiresAt,
        notificationUrl: URL_HERE,
      },
    })
  })

  test('begins behind what it has heard already', async (t) => {
    const { upstream, webhooks } = await scene(t)
    await webhooks().ensure(live)
    upstream.base.table('Orders').create({ Name: 'a' })
    assert.equal((await webhooks().ensure(live)).next, 2)
  })

  test('takes the place of all others that tell the same URL, and leaves those of others alone', async (t) => {
    const { upstream, webhooks, hooks } = await scene(t)
    const { sim, base } = upstream
    for (const notificationUrl of [URL_HERE, URL_HERE, 'https://elsewhere.example/', null]) {
      sim.webhooks.create(base, { ...(notificationUrl && { notificationUrl }), specification: SPECIFICATION })
    }
    const { hook } = await webhooks().ensure(live)
    assert.deepEqual(
      hooks().map(({ id, notificationUrl }) => (id === hook ? 'own' : notificationUrl)),
      ['https://elsewhere.example/', null, 'own'],
    )
  })

  test('is made anew where its secret is lost', async (t) => {
    const { upstream, webhooks, hooks } = await scene(t)
    const { hook } = await webhooks().ensure(live)
    upstream.memory.value = undefined
    const again = await webhooks().ensure(live)
    assert.notEqual(again.hook, hook)
    assert.equal(hooks().length, 1)
  })

  test('without a URL is any that hears everything, and needs no secret', async (t) => {
    const { upstream, webhooks, hooks } = await scene(t)
    const { sim, base } = upstream
    const narrow = { options: { filters: { dataTypes: ['tableData'], recordChangeScope: base.tables[0]!.id } } }
    sim.webhooks.create(base, { specification: narrow })
    const { hook } = await webhooks(null).ensure(live)
    upstream.memory.value = undefined
    assert.equal((await webhooks(null).ensure(live)).hook, hook)
    assert.equal(hooks().length, 2)
    assert.equal(webhookIn(upstream.memory.value), undefined)
  })

  test('moves with the URL', async (t) => {
    const { webhooks, hooks } = await scene(t)
    await webhooks().ensure(live)
    await webhooks('https://new.example/webhooks/airtable/crm').ensure(live)
    assert.deepEqual(
      hooks().map(({ notificationUrl }) => notificationUrl),
      ['https://new.example/webhooks/airtable/crm'],
    )
  })

  test('is made anew where Airtable has switched it off, and told to tell again where it stopped telling', async (t) => {
    const { webhooks, hooks, calls } = await scene(t)
    const { hook } = await webhooks().ensure(live)
    hooks()[0]!.areNotificationsEnabled = false
    calls()
    assert.equal((await webhooks().ensure(live)).hook, hook)
    assert.deepEqual(calls(), ['GET webhooks', 'POST webhooks/ID/enableNotifications'])
    assert.equal(hooks()[0]?.areNotificationsEnabled, true)
    hooks()[0]!.isEnabled = false
    assert.notEqual((await webhooks().ensure(live)).hook, hook)
    assert.equal(hooks().length, 1)
  })

  test('lives on: it is renewed in time, and not before', async (t) => {
    const { upstream, webhooks, hooks, calls } = await scene(t)
    await webhooks().ensure(live)
    await upstream.clock.advance(3 * DAY_MS)
    await webhooks().payloads(hooks()[0]!.id, 1, live)
    calls()
    await webhooks().renew(live)
    assert.deepEqual(calls(), [])
    await upstream.clock.advance(DAY_MS)
    const client = webhooks()
    await client.payloads(hooks()[0]!.id, 1, live)
    calls()
    await client.renew(live)
    assert.deepEqual(calls(), ['POST webhooks/ID/refresh'])
    assert.equal(client.known?.expiresAt, upstream.clock.now() + 7 * DAY_MS)
  })

  for (const fault of ['cut', 'reset', 'bad gateway'] as const) {
    test(`is made once even where the answer is lost (${fault})`, async (t) => {
      const { upstream, webhooks, hooks } = await scene(t)
      upstream.sim.fault({ match: { kind: 'webhook', method: 'POST' }, kind: fault })
      const { hook } = await webhooks().ensure(live)
      assert.deepEqual(
        hooks().map(({ id }) => id),
        [hook],
      )
      assert.deepEqual(webhookIn(upstream.memory.value)?.secret, hooks()[0]?.secret)
    })
  }

  test('leaves other things in the memory alone', async (t) => {
    const { upstream, webhooks } = await scene(t)
    upstream.memory.value = { other: [1, 2] }
    await webhooks().ensure(live)
    assert.deepEqual((upstream.memory.value as { other: unknown }).other, [1, 2])
    await webhooks().delete(webhooks().known!.id, live)
    assert.deepEqual(upstream.memory.value, { other: [1, 2] })
  })

  test('that is gone already can be deleted', async (t) => {
    const { webhooks } = await scene(t)
    await webhooks().delete('achNotThere0000000', live)
  })
})
