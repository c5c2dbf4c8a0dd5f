import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { generateBase } from '../../../simulators/airtable/generate.ts'
import type { Simulator, SimulatorOptions } from '../../../simulators/airtable/simulator.ts'
import { VirtualClock } from '../../../simulators/airtable/virtual-clock.ts'
import { ask, start } from './asking.ts'

interface Received {
  readonly mac: string | undefined
  readonly body: string
}

/** Somebody who is told; answers with the statuses given, the last of them for ever. */
async function listener(...statuses: number[]) {
  const received: Received[] = []
  const waiting: (() => void)[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      const status = statuses[Math.min(received.length, statuses.length - 1)] ?? 204
      received.push({ mac: request.headers['x-airtable-content-mac'] as string | undefined, body })
      response.writeHead(status).end()
      for (const wake of waiting.splice(0)) wake()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    /** Resolves when so many were received. */
    reaches: async (count: number) => {
      while (received.length < count) await new Promise<void>((resolve) => waiting.push(resolve))
    },
    [Symbol.asyncDispose]: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

const startSim = (options: Partial<SimulatorOptions> = {}) =>
  start(generateBase({ tables: 1, records: 10 }), { clock: new VirtualClock(), ...options })

function createHook(sim: Simulator, notificationUrl: string) {
  const specification = { options: { filters: { dataTypes: ['tableData'] } } }
  const body = { notificationUrl, specification }
  return ask<{ id: string; macSecretBase64: string }>(sim, `/v0/bases/${sim.base.id}/webhooks`, 'POST', body)
}

async function hookOf(sim: Simulator) {
  const path = `/v0/bases/${sim.base.id}/webhooks`
  const { webhooks } = await ask<{ webhooks: Record<string, unknown>[] }>(sim, path)
  return webhooks[0]
}

const change = (sim: Simulator) => sim.base.table('Orders').create({ Number: 'x' })

/** Until the simulator has nothing under way. */
async function until(claim: () => boolean): Promise<void> {
  while (!claim()) {
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
}

describe('a ping', () => {
  test('says that there is something to read, signed with the secret, over the bytes as they are', async () => {
    await using told = await listener(200)
    await using sim = await startSim()
    const { id, macSecretBase64 } = await createHook(sim, told.url)
    change(sim)
    await told.reaches(1)
    const [{ body, mac } = assert.fail('not told')] = told.received
    assert.deepEqual(JSON.parse(body), {
      base: { id: sim.base.id },
      webhook: { id },
      timestamp: new Date(sim.clock.now()).toISOString(),
    })
    const expected = createHmac('sha256', Buffer.from(macSecretBase64, 'base64')).update(body).digest('hex')
    assert.equal(mac, `hmac-sha256=${expected}`)
    await until(() => sim.pings.length === 1)
    assert.partialDeepStrictEqual(await hookOf(sim), {
      lastSuccessfulNotificationTime: new Date(sim.clock.now()).toISOString(),
      lastNotificationResult: { success: true },
    })
  })

  test('stands for all changes of the time that it is held back', async () => {
    await using told = await listener(204)
    await using sim = await startSim({ webhooks: { coalesceMs: 2000 } })
    await createHook(sim, told.url)
    for (let count = 0; count < 20; count += 1) {
      change(sim)
      await sim.clock.sleep(50)
    }
    await sim.clock.sleep(60_000)
    assert.equal(told.received.length, 1)
    assert.equal(sim.pings[0]?.at, sim.clock.now() - 60_000 - 1000 + 2000)
  })

  test('that is refused is sent again, later each time, until it is taken', async () => {
    await using told = await listener(500, 503, 302, 204)
    await using sim = await startSim()
    await createHook(sim, told.url)
    change(sim)
    await until(() => sim.pings.length === 4)
    const [first = assert.fail(), ...more] = sim.pings
    assert.deepEqual(
      more.map(({ at }) => at - first.at),
      [10_000, 30_000, 70_000],
    )
    assert.deepEqual(
      sim.pings.map(({ status, attempt }) => [status, attempt]),
      [
        [500, 0],
        [503, 1],
        [302, 2],
        [204, 3],
      ],
    )
    assert.partialDeepStrictEqual(await hookOf(sim), { areNotificationsEnabled: true })
  })

  test('that nobody takes for a day switches pings off; payloads go on; they can be switched on again', async () => {
    await using sim = await startSim()
    const { id } = await createHook(sim, 'http://127.0.0.1:9/nobody')
    change(sim)
    await until(() => sim.pings.length === 14)
    await until(() => sim.clock instanceof VirtualClock && sim.clock.sleeping === 0)
    assert.partialDeepStrictEqual(await hookOf(sim), {
      areNotificationsEnabled: false,
      isHookEnabled: true,
      lastNotificationResult: { success: false },
    })
    const day = 86_400_000
    const took = (sim.pings.at(-1)?.at ?? 0) - (sim.pings[0]?.at ?? 0)
    assert.ok(took > 0.8 * day && took < 1.2 * day, `${took / day} days`)

    change(sim)
    const path = `/v0/bases/${sim.base.id}/webhooks/${id}`
    assert.equal((await ask<{ payloads: object[] }>(sim, `${path}/payloads`)).payloads.length, 2)
    assert.equal(sim.pings.length, 14)
    await ask(sim, `${path}/enableNotifications`, 'POST', { enable: true })
    change(sim)
    await until(() => sim.pings.length > 14)
  })

  test('is sent again for a change that came while it was on its way', async () => {
    await using told = await listener(204)
    await using sim = await startSim()
    await createHook(sim, told.url)
    change(sim)
    await told.reaches(1)
    change(sim)
    await told.reaches(2)
    assert.equal(told.received.length, 2)
  })
})
