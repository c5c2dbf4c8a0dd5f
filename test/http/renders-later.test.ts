import assert from 'node:assert/strict'
import { test } from 'node:test'
import { active, Script, WARES } from '../sqlite/script.ts'
import { serveReal } from './real.ts'

test('rows that were changed are served at once, and from the rendered answer once there is one', async (t) => {
  const server = await serveReal(t)
  const { site, mounts } = server
  const script = new Script().next([WARES], [{ table: 'wares', rows: [['a', 'one', 1]] }])
  await site.sync(script)
  mounts.look()
  const before = await server.get('/fetch-data', { 'Accept-Encoding': 'identity' })
  await before.arrayBuffer()
  await site.sync(script.next([active(WARES)], [{ table: 'wares', put: true, rows: [['b', 'two', 2]] }]))
  mounts.look()

  const data = async () => {
    const answer = await server.get('/fetch-data', { 'Accept-Encoding': 'identity' })
    return { tag: answer.headers.get('etag'), body: (await answer.json()) as { data: unknown[] } }
  }
  const fromRows = await data()
  assert.deepEqual(fromRows.body.data, [
    { sku: 'a', name: 'one', price: 1 },
    { sku: 'b', name: 'two', price: 2 },
  ])
  assert.notEqual(fromRows.tag, before.headers.get('etag'))
  assert.equal(mounts.active('wares')?.bodyFile('wares', 'identity'), undefined)

  await site.store.renderActive('wares', { signal: AbortSignal.timeout(10_000), onProgress: () => {} })
  const { pointer } = mounts.active('wares')!
  assert.equal(pointer.tables[0]?.bodyBytes, JSON.stringify(fromRows.body).length)
  assert.deepEqual(await data(), fromRows)
  const unchanged = await server.get('/fetch-data', { 'If-None-Match': fromRows.tag!, 'Accept-Encoding': 'identity' })
  assert.equal(unchanged.status, 304)
})
