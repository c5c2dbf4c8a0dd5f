import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Site, until, type Server } from '../support/holdfast.ts'
import { sampleRows } from '../support/rows.ts'

/** Publishes three rows, then five, and goes back to the three. */
async function rolledBack(site: Site): Promise<Server> {
  site.write(sampleRows(3))
  const server = await site.server()
  await until(() => site.pointer(), { what: 'the first publish' })
  site.write(sampleRows(5))
  await untilRows(site, 5)
  assert.equal((await server.post('/api/sources/wares/rollback')).status, 200)
  await untilRows(site, 3)
  return server
}

async function untilRows(site: Site, rows: number): Promise<void> {
  await until(() => site.pointer()?.tables[0]?.rows === rows, { what: `${rows} rows` })
}

/** Replaces the file while nothing runs, and starts a server. */
async function restartedWith(site: Site, server: Server, rows: number): Promise<Server> {
  await stop(server)
  site.write(sampleRows(rows))
  return await site.server()
}

async function stop(server: Server): Promise<void> {
  server.kill('SIGTERM')
  await server.ended
}

describe('a file that is replaced after a rollback, while no process runs', () => {
  test('is synced as one starts, where the source was reset', async () => {
    await using site = new Site()
    const server = await rolledBack(site)
    assert.equal((await server.post('/api/sources/wares/reset')).status, 200)
    await restartedWith(site, server, 7)
    await untilRows(site, 7)
  })

  test('is synced as one starts, where the run behind the rollback failed', async () => {
    await using site = new Site()
    const server = await rolledBack(site)
    site.write('{{{ no JSON')
    assert.equal((await server.post('/api/sources/wares/start')).status, 202)
    await until(
      async () => {
        const response = await server.get('/api/sources/wares')
        return ((await response.json()) as { state: string }).state === 'ERROR'
      },
      { what: 'the failure' },
    )
    await restartedWith(site, server, 7)
    await untilRows(site, 7)
  })

  test('is left alone while the source is paused', async () => {
    await using site = new Site()
    const server = await restartedWith(site, await rolledBack(site), 7)
    await until(async () => (await server.get('/ready')).ok, { what: 'the server' })
    assert.equal(site.pointer()?.tables[0]?.rows, 3)
    assert.equal((await server.post('/api/sources/wares/start')).status, 202)
    await untilRows(site, 7)
  })
})
