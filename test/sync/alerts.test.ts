import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { systemClock } from '../../lib/base/clock.ts'
import type { Run } from '../../lib/sync-run.ts'
import { Alerts, type Alert } from '../../lib/sync/alerts.ts'

describe('alerts', () => {
  test('a failure is told once, a refusal too, and that it is over', async () => {
    const { alerts, heard, advance } = await webhook()

    await alerts.ended(run('completed'))
    await alerts.ended(run('failed', 'upstream_unavailable'))
    await alerts.ended(run('failed', 'upstream_unavailable'))
    await alerts.ended(run('rejected', 'snapshot_rejected'))
    await alerts.ended(run('completed'))
    await alerts.ended(run('completed'))

    assert.deepEqual(
      heard().map((alert) => alert.kind),
      ['failed', 'rejected', 'recovered'],
    )
    assert.equal(heard()[0]?.code, 'upstream_unavailable')
    assert.match(heard()[0]?.message ?? '', /upstream_unavailable/)

    await alerts.ended(run('failed', 'upstream_unavailable'))
    advance(3600 * 1000)
    await alerts.ended(run('failed', 'upstream_unavailable'))
    assert.deepEqual(
      heard()
        .slice(3)
        .map((alert) => alert.kind),
      ['failed', 'failed'],
    )
  })

  test('an old source is told once an hour by one of all who see it, and that it is over', async () => {
    const { alerts, heard, advance } = await webhook()
    const hours = new Set<number>()
    const claim = async (hour: number) => hours.size < hours.add(hour).size

    await alerts.fresh('wares')
    await alerts.stale('wares', 'It is old.', claim)
    await alerts.stale('wares', 'It is old.', claim)
    advance(3600 * 1000)
    await alerts.stale('wares', 'It is older.', claim)
    await alerts.fresh('wares')
    await alerts.fresh('wares')
    assert.deepEqual(
      heard().map((alert) => [alert.kind, alert.message, alert.code, alert.run]),
      [
        ['stale', 'It is old.', 'snapshot_stale', null],
        ['stale', 'It is older.', 'snapshot_stale', null],
        ['recovered', 'wares is up to date again.', null, null],
      ],
    )

    // Another process was faster: then it is for that one to tell, to the end.
    await alerts.stale('wares', 'It is old.', async () => false)
    await alerts.fresh('wares')
    assert.equal(heard().length, 3)
  })

  test('a source that failed and grew old is well again once', async () => {
    const { alerts, heard } = await webhook()
    await alerts.ended(run('failed', 'upstream_unavailable'))
    await alerts.stale('wares', 'It is old.', async () => true)
    await alerts.ended(run('failed', 'upstream_unavailable'))
    await alerts.ended(run('completed'))
    await alerts.fresh('wares')
    assert.deepEqual(
      heard().map(({ kind }) => kind),
      ['failed', 'stale', 'recovered'],
    )
  })

  test('a webhook that is down for a moment is tried again, and one that stays down fails nothing', async () => {
    const short = await webhook([503, 500, 204])
    await short.alerts.ended(run('failed', 'upstream_unavailable'))
    assert.deepEqual([short.heard().length, short.troubles.length], [3, 0])

    const long = await webhook([503, 503, 503, 503])
    await long.alerts.ended(run('failed', 'upstream_unavailable'))
    assert.deepEqual([long.heard().length, long.troubles.length], [3, 1])
  })
})

/** A real server that takes alerts and answers with `statuses` in turn, then 204; time stands still but for `advance`. */
async function webhook(statuses: number[] = []) {
  const alerts: Alert[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk: Buffer) => (text += chunk.toString()))
    request.on('end', () => {
      alerts.push(JSON.parse(text) as Alert)
      response.writeHead(statuses.shift() ?? 204).end()
    })
  })
  server.listen(0, '127.0.0.1').unref()
  await once(server, 'listening')
  let now = 1_800_000_000_000
  const troubles: unknown[] = []
  return {
    alerts: new Alerts({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      clock: { now: () => now, monotonic: () => now, sleep: async () => {} },
      onTrouble: (error) => troubles.push(error),
    }),
    heard: () => alerts,
    troubles,
    advance: (ms: number) => void (now += ms),
  }
}

function run(status: 'completed' | 'failed' | 'rejected', code?: 'upstream_unavailable' | 'snapshot_rejected'): Run {
  const error = code === undefined ? null : { code, message: `It is ${code}.`, facts: {} }
  return {
    id: 'r1', source: 'wares', trigger: 'refresh', status, result: null, snapshot: null, requestedAt: 0, startedAt: 0,
    finishedAt: 0, resumes: 0, republish: null, error, progress: null, timings: null,
  } // prettier-ignore
}

test('a process that ends does not wait for a webhook that does not answer', async () => {
  const ending = new AbortController()
  const server = createServer(() => {}).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const troubles: unknown[] = []
  const alerts = new Alerts({
    url: `http://127.0.0.1:${port}`,
    clock: systemClock,
    signal: ending.signal,
    onTrouble: (error) => troubles.push(error),
  })
  const from = performance.now()
  const told = alerts.ended(run('failed', 'upstream_unavailable'))
  setTimeout(() => ending.abort(), 50)
  await told
  assert.ok(performance.now() - from < 1000)
  assert.equal(troubles.length, 1)
  server.closeAllConnections()
  server.close()
})
