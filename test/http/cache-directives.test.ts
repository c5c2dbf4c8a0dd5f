import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { TestClock } from '../sqlite/site.ts'
import { FakeEngine, until } from './fakes.ts'
import { serveReal } from './real.ts'

const ROWS = Array.from({ length: 5 }, (_, index) => ({ sku: `w-${index}`, name: `Ware ${index}` }))

/** Every way to data of a snapshot: from memory, from SQLite, whole and in part. */
const PATHS = [
  '/fetch-data',
  '/fetch-data?limit=2',
  '/fetch-data?format=csv',
  '/api/tables/wares?limit=2',
  '/api/tables/wares/w-1',
  '/rest/v1/wares?limit=2',
]

/** Data that was read `age` seconds ago, and is to be read again 100 seconds after it was. */
async function served(t: TestContext, age: number) {
  const clock = new TestClock()
  const engine = new FakeEngine(['wares'])
  const server = await serveReal(t, { engine, site: { clock } })
  await server.publish(ROWS)
  const { publishedAt } = server.mounts.active('wares')!.pointer
  engine.set('wares', { nextRunAt: publishedAt + 100_000 })
  clock.move(publishedAt + age * 1000 - clock.now())
  // Until then nothing is known to be planned, and what is served is fresh for ever.
  await until(async () => (await server.get(PATHS[1]!, { 'Cache-Control': 'min-fresh=1000000' })).status === 504)
  // In memory from here on, where there is a memory.
  for (const path of PATHS) assert.equal((await server.get(path)).status, 200, path)
  return { ...server, engine, clock }
}

describe('Cache-Control of a request', () => {
  const CASES: readonly (readonly [age: number, directives: string, status: number])[] = [
    [40, 'max-stale', 200],
    [40, 'max-stale=0', 200],
    [40, 'only-if-cached', 200],
    [40, 'min-fresh=60', 200],
    [40, 'min-fresh=61', 504],
    [40, 'Min-Fresh="61"', 504],
    [40, 'no-cache, min-fresh=61', 504],
    [40, 'max-age=39', 200],
    [40, 'only-if-cached, max-age=40', 200],
    [40, 'only-if-cached, max-age=39', 504],
    [40, 'only-if-cached, max-age=0', 200],
    [160, 'no-cache', 200],
    [160, 'max-age=0', 200],
    [160, 'max-age=10', 200],
    [160, 'only-if-cached', 504],
    [160, 'max-stale=60', 200],
    [160, 'max-stale=59', 504],
    [160, 'only-if-cached, max-stale', 200],
    [160, 'only-if-cached,max-stale=59', 504],
    [160, 'max-stale, min-fresh=1', 504],
    [160, 'min-fresh=0', 504],
    [160, 'max-stale=often, min-fresh=-1, ;;, =, "only-if-cached"', 200],
  ]
  for (const age of [40, 160]) {
    test(`is kept to by every answer of data, ${age} s old`, async (t) => {
      const server = await served(t, age)
      for (const [, directives, status] of CASES.filter(([at]) => at === age)) {
        for (const path of PATHS) {
          const response = await server.get(path, { 'Cache-Control': directives })
          assert.equal(response.status, status, `${directives} of ${path}`)
          if (status === 200) assert.equal(response.headers.get('age'), String(age), path)
          else assert.equal(response.headers.get('cache-control'), 'no-store', path)
          await response.arrayBuffer()
        }
      }
      assert.deepEqual(server.errors, [])
    })
  }

  test('says how old the data is where that is too old, in the words of the interface', async (t) => {
    const server = await served(t, 160)
    const headers = { 'Cache-Control': 'only-if-cached' }
    const problem = await server.json('/fetch-data', headers)
    assert.deepEqual(
      [problem.code, problem.source, problem.age_seconds, problem.stale_seconds],
      ['not_cached', 'wares', 160, 60],
    )
    const rest = await server.json('/rest/v1/wares', headers)
    assert.equal(rest.code, 'holdfast_not_cached')
  })

  test('comes before what the client has already: 304 would say that it is good', async (t) => {
    const server = await served(t, 160)
    for (const path of PATHS) {
      const etag = (await server.get(path)).headers.get('etag') ?? ''
      const refused = await server.get(path, { 'If-None-Match': etag, 'Cache-Control': 'only-if-cached' })
      assert.equal(refused.status, 504, path)
      const allowed = await server.get(path, { 'If-None-Match': etag, 'Cache-Control': 'max-stale=100' })
      assert.equal(allowed.status, 304, path)
    }
  })

  test('starts no run on the way to being refused', async (t) => {
    const { get, engine } = await served(t, 160)
    assert.equal((await get('/fetch-data?refresh=true', { 'Cache-Control': 'only-if-cached' })).status, 504)
    assert.deepEqual(engine.requests, [])
    assert.equal((await get('/fetch-data?refresh=true')).status, 200)
    assert.equal(engine.requests.length, 1)
  })

  test('counts from the end of a run that failed: what it did not bring is missing', async (t) => {
    const { get, engine, clock } = await served(t, 40)
    engine.begin('wares')
    engine.finish('wares', { status: 'failed', finishedAt: clock.now() - 5000 })
    await until(async () => /stale/.test((await get('/fetch-data')).headers.get('cache-status') ?? ''))
    assert.equal((await get('/fetch-data', { 'Cache-Control': 'max-stale=5' })).status, 200)
    assert.equal((await get('/fetch-data', { 'Cache-Control': 'max-stale=4' })).status, 504)
  })
})
