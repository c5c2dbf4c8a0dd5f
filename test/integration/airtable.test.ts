import assert from 'node:assert/strict'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, test } from 'node:test'
import { generateBase } from '../../simulators/airtable/generate.ts'
import { startSimulator, type Simulator } from '../../simulators/airtable/simulator.ts'
import { assertMirrors, Mirror } from '../airtable/mirror.ts'
import { API_KEY, Site, until, type Server } from '../support/holdfast.ts'
import { seeded, testSeed } from '../support/random.ts'

const LIB = JSON.stringify(fileURLToPath(new URL('../../lib/index.ts', import.meta.url)))
/** So that a test of many runs does not wait for Airtable's five a second. */
const CALLS_PER_SECOND = 40

/** A data directory that mirrors a simulated base, by a configuration file. */
function siteOf(sim: Simulator, options: object = {}, env: Record<string, string> = {}): Site {
  const site = new Site({ env: { LEASE_TTL: '1500ms', ...env } })
  const source = {
    baseId: sim.base.id,
    token: sim.token,
    endpointUrl: sim.url,
    callsPerSecond: CALLS_PER_SECOND,
    ...options,
  }
  writeFileSync(
    site.folder.file('holdfast.config.ts'),
    `import { airtable, defineConfig } from ${LIB}
     export default defineConfig({ sources: { airtable: airtable(${JSON.stringify(source)}) } })`,
  )
  return site
}

const FAST = { limiter: { perBase: CALLS_PER_SECOND } }

async function published(server: Server, what = 'a snapshot'): Promise<void> {
  await until(async () => (await server.get('/ready')).status === 200, { what })
}

describe('a mirror of an Airtable base, in processes of its own', () => {
  test('starts by the environment of the original alone', async () => {
    await using sim = await startSimulator({ base: generateBase({ seed: 1, tables: 2, records: 150 }) })
    await using site = new Site()
    rmSync(site.folder.file('holdfast.config.ts'))
    const env = {
      HOLDFAST_CONFIG: '',
      API_KEY: '',
      BEARER_TOKEN: API_KEY,
      AIRTABLE_PERSONAL_TOKEN: sim.token,
      AIRTABLE_BASE_ID: sim.base.id,
      AIRTABLE_ENDPOINT_URL: sim.url,
    }
    const server = await site.server(env)
    await published(server)
    const bearer = { Authorization: `Bearer ${API_KEY}` }
    const answer = await fetch(`${server.url}/api/tables/orders?pageSize=2`, { headers: bearer })
    assert.equal(answer.status, 200)
    const { records } = (await answer.json()) as { records: { _id: string }[] }
    assert.equal(records.length, 2)
    assert.match(records[0]!._id, /^rec/)
    assert.ok(!server.output().includes(sim.token), 'the token is in the log')
    sim.assertLimitKept()
  })

  test('has what the base has after kill -9 at any moment, record for record and file for file', async (t) => {
    const seed = testSeed()
    const kills = Number(process.env.HOLDFAST_KILLS ?? 5)
    t.diagnostic(`seed ${seed}`)
    const random = seeded(seed)
    await using sim = await startSimulator({ base: generateBase({ seed, records: 1500 }), ...FAST })
    await using site = siteOf(sim)
    for (let kill = 0; kill < kills; kill++) {
      const server = await site.server()
      const from = sim.requests.length
      const calls = 1 + Math.floor(random() * 25)
      await until(() => sim.requests.length >= from + calls || isPublished(site), { what: `${calls} calls` })
      await new Promise((resolve) => setTimeout(resolve, random() * 300))
      server.kill('SIGKILL')
      await server.ended
      const orders = sim.base.table('Orders')
      const record = orders.records[Math.floor(random() * orders.records.length)]!
      orders.update(record.id, { Status: random() < 0.5 ? 'Shipped' : 'Open' })
    }
    const server = await site.server()
    await published(server)
    const started = (await (await server.post('/api/sources/airtable/start')).json()) as { run: string }
    await until(
      async () => {
        const run = (await (await server.get(`/api/runs/${started.run}`)).json()) as { status: string }
        return run.status === 'completed'
      },
      { what: () => `the last run; ${server.output()}` },
    )
    using mirror = await Mirror.of(sim, { dataDir: site.dataDir })
    assertMirrors(mirror, sim.base)
    await everyFile(server, sim)
    sim.assertLimitKept()
  })

  test('a changed record reaches a reader by a webhook, with no more than three calls', async () => {
    await using sim = await startSimulator({ base: generateBase({ seed: 3, records: 400 }), ...FAST })
    await using site = siteOf(sim, { mode: 'webhook' })
    const port = await freePort()
    const server = await site.server({ PORT: String(port), PUBLIC_URL: `http://127.0.0.1:${port}` })
    await published(server)
    const orders = sim.base.table('Orders')
    await until(() => sim.count({ kind: 'webhook' }) > 0, { what: 'a webhook that is set up' })
    await settled(server)
    for (const status of ['Shipped', 'Open', 'Shipped']) {
      const before = sim.requests.length
      const record = orders.records[7]!
      orders.update(record.id, { Status: status })
      await until(
        async () => {
          const answer = await server.get(`/api/tables/Orders/${record.id}`)
          return ((await answer.json()) as { record: { Status: string } }).record.Status === status
        },
        { what: () => `the change; ${server.output()}` },
      )
      await settled(server)
      const calls = sim.requests.slice(before).filter(({ kind }) => kind !== 'file')
      assert.ok(calls.length <= 3, JSON.stringify(calls.map(({ method, path, query }) => `${method} ${path}?${query}`)))
    }
    sim.assertLimitKept()
  })
})

function isPublished(site: Site): boolean {
  return existsSync(`${site.dataDir}/sources/airtable/active.json`)
}

async function settled(server: Server): Promise<void> {
  await until(
    async () => !((await (await server.get('/status')).json()) as { update_in_progress: boolean }).update_in_progress,
    { what: 'the end of the runs' },
  )
}

async function everyFile(server: Server, sim: Simulator): Promise<void> {
  for (const table of sim.base.tables) {
    for (const { fields } of table.readAll()) {
      for (const cell of Object.values(fields)) {
        for (const attachment of Array.isArray(cell) ? cell : []) {
          if (typeof attachment !== 'object' || attachment === null || !('filename' in attachment)) continue
          const { id } = attachment as { id: string }
          const bytes = await until(
            async () => {
              const answer = await server.get(`/api/attachments/${id}`)
              return answer.status === 200 && Buffer.from(await answer.arrayBuffer())
            },
            { what: `the file ${id}` },
          )
          assert.deepEqual(bytes, Buffer.from(sim.bytesOf({ id })))
        }
      }
    }
  }
}

async function freePort(): Promise<number> {
  const { createServer } = await import('node:net')
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
