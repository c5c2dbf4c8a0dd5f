import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { text } from 'node:stream/consumers'
import type { Alert } from '../../lib/sync/alerts.ts'
import { Site, until } from '../support/holdfast.ts'

test('two servers that nobody syncs for tell once that the data is old, and then that it is not', async (t) => {
  const alerts: Alert[] = []
  const webhook = createServer((request, response) => {
    void text(request).then((body) => {
      alerts.push(JSON.parse(body) as Alert)
      response.writeHead(204).end()
    })
  }).listen(0, '127.0.0.1')
  await once(webhook, 'listening')
  t.after(() => webhook.close())
  await using site = new Site({
    env: {
      ALERT_WEBHOOK_URL: `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/`,
      READY_MAX_AGE: '1s',
      SYNC_IN_SERVER: 'false',
    },
  })
  site.write([{ sku: 'a' }])
  assert.equal((await site.once()).code, 0)

  const servers = await Promise.all([site.server(), site.server()])
  await until(() => alerts.length > 0, { what: 'an alert' })
  assert.deepEqual([alerts[0]?.kind, alerts[0]?.source, alerts[0]?.code], ['stale', 'wares', 'snapshot_stale'])
  for (const server of servers) assert.equal((await server.get('/ready')).status, 503)

  // Checked again and again, until whoever told has seen it new.
  await until(async () => (await site.once('wares')).code === 0 && alerts.some(({ kind }) => kind === 'recovered'), {
    what: 'the end of it',
  })
  const hours = new Set(alerts.filter(({ kind }) => kind === 'stale').map(({ at }) => Math.floor(at / 3_600_000)))
  assert.equal(alerts.filter(({ kind }) => kind === 'stale').length, hours.size)
})
