import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { acceptedFormat } from '../../lib/http/tables/accepted-format.ts'
import { TestClock } from '../sqlite/site.ts'
import { FakeEngine, KEY } from './fakes.ts'
import { serveReal } from './real.ts'

const ROWS = Array.from({ length: 60 }, (_, index) => ({
  sku: `w-${String(index).padStart(2, '0')}`,
  name: `Ware ${index}, with a name that is as long as names of wares are`,
  price: index % 7 === 0 ? null : index * 10,
}))

async function served(t: TestContext) {
  const server = await serveReal(t)
  await server.publish(ROWS)
  const snapshot = server.mounts.active('wares')!.pointer.snapshot
  const paths = [
    '/fetch-data',
    '/fetch-data?limit=3',
    '/fetch-data?fields=sku&format=csv',
    '/api/tables/wares?limit=3',
    '/api/tables/wares?limit=50',
    '/api/tables/wares?format=csv',
    '/api/tables/wares/w-01',
    '/rest/v1/wares?limit=3',
    '/rest/v1/wares',
    `/api/exports/${snapshot}/wares.csv`,
  ]
  return { ...server, paths }
}

/** What is different each time. */
const PASSING = new Set(['date', 'x-request-id', 'age', 'connection', 'keep-alive', 'transfer-encoding'])

const lasting = ({ headers }: Response) => Object.fromEntries([...headers].filter(([name]) => !PASSING.has(name)))

describe('every answer that is data', () => {
  for (const coding of ['identity', 'gzip', 'zstd']) {
    test(`has the same headers for HEAD, Content-Length included, as ${coding}`, async (t) => {
      const { url, paths, get } = await served(t)
      for (const path of paths) {
        const options = { headers: { 'X-API-Key': KEY, 'Accept-Encoding': coding } }
        const head = await fetch(url + path, { ...options, method: 'HEAD' })
        const whole = await get(path, { 'Accept-Encoding': coding })
        await whole.arrayBuffer()
        assert.deepEqual([head.status, lasting(head)], [whole.status, lasting(whole)], path)
      }
    })
  }

  test('is 304 to whoever has it, with the headers that a cache updates, however the tag is written', async (t) => {
    const { paths, get } = await served(t)
    for (const path of paths) {
      for (const coding of ['identity', 'gzip']) {
        const whole = await get(path, { 'Accept-Encoding': coding })
        await whole.arrayBuffer()
        const etag = whole.headers.get('etag')!
        for (const condition of [etag, `W/${etag}`, `"x", ${etag}`, `"a,b",W/"c" , ${etag},`, '*']) {
          const again = await get(path, {
            'Accept-Encoding': coding,
            'If-None-Match': condition,
            'If-Modified-Since': 'Thu, 01 Jan 1970 00:00:00 GMT',
          })
          assert.equal(again.status, 304, `${condition} of ${path}`)
          for (const name of ['etag', 'vary', 'cache-control', 'last-modified', 'snapshot-id']) {
            assert.equal(again.headers.get(name), whole.headers.get(name), `${name} of ${path}`)
          }
          assert.equal(again.headers.get('age') === null, whole.headers.get('age') === null, path)
        }
        for (const condition of ['"x"', etag.slice(1, -1), `${etag.slice(0, -1)}x"`, 'W/', '']) {
          const again = await get(path, { 'Accept-Encoding': coding, 'If-None-Match': condition })
          assert.equal(again.status, 200, `${condition} of ${path}`)
          await again.arrayBuffer()
        }
      }
    }
  })

  test('names in Vary each header a key may come in, and all that it was chosen by', async (t) => {
    const { paths, get } = await served(t)
    for (const path of [...paths, '/api/tables/wares/export']) {
      const vary = ((await get(path)).headers.get('vary') ?? '').toLowerCase().split(', ')
      const chosen = path.startsWith('/rest/') ? ['accept', 'prefer', 'range', 'range-unit', 'accept-profile'] : []
      for (const name of ['authorization', 'x-api-key', 'apikey', ...chosen]) assert.ok(vary.includes(name), path)
      if (!path.includes('export')) assert.ok(vary.includes('accept-encoding'), path)
    }
  })

  test('that is 206 is 304 to whoever has it, from memory and from SQLite', async (t) => {
    const { get } = await served(t)
    const headers = { Prefer: 'count=exact', Range: '0-4' }
    const first = await get('/rest/v1/wares', headers)
    assert.equal(first.status, 206)
    for (let round = 0; round < 2; round++) {
      const again = await get('/rest/v1/wares', { ...headers, 'If-None-Match': first.headers.get('etag')! })
      assert.equal(again.status, 304)
    }
  })
})

describe('Age', () => {
  test('of an answer that goes on in the snapshot before is that of this snapshot', async (t) => {
    const clock = new TestClock()
    const engine = new FakeEngine(['wares'])
    const server = await serveReal(t, { engine, site: { clock } })
    await server.publish(ROWS)
    const first = await server.json<{ pagination: { cursor: string } }>('/api/tables/wares?sort=-sku&limit=5')
    clock.move(600_000)
    await server.publish(ROWS.slice(1))
    engine.set('wares', { checkedAt: clock.now() })
    const path = `/api/tables/wares?sort=-sku&limit=5&cursor=${first.pagination.cursor}`
    const next = await server.get(path)
    assert.equal(next.status, 200)
    assert.ok(Number(next.headers.get('age')) >= 600, `${next.headers.get('age')} s`)
    const again = await server.get(path, { 'If-None-Match': next.headers.get('etag')! })
    assert.equal(again.status, 304)
    assert.ok(Number(again.headers.get('age')) >= 600, `${again.headers.get('age')} s`)
    const active = await server.get('/api/tables/wares?sort=-sku&limit=5')
    assert.ok(Number(active.headers.get('age')) < 600)
  })
})

describe('the format of a list', () => {
  const FORMATS: readonly (readonly [accept: string | undefined, format: string])[] = [
    [undefined, 'json'],
    ['*/*', 'json'],
    ['text/csv', 'csv'],
    ['TEXT/CSV;charset=utf-8', 'csv'],
    ['text/*', 'csv'],
    ['application/x-ndjson', 'ndjson'],
    ['application/jsonl', 'ndjson'],
    ['application/*', 'json'],
    ['application/json, text/csv', 'json'],
    ['text/csv, application/json', 'csv'],
    ['application/json;q=0.5, text/csv', 'csv'],
    ['application/json;q=0.5, text/csv;q=0.4, application/x-ndjson;q=0.6', 'ndjson'],
    ['text/csv;q=0.5, */*', 'json'],
    ['text/csv, */*', 'csv'],
    ['*/*, text/csv', 'csv'],
    ['text/csv;q=0, text/*', 'json'],
    ['application/json, text/plain, */*', 'json'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'json'],
    ['text/html', 'json'],
    ['application/json;q=0', 'json'],
    [',;q=,text/csv;q=x', 'csv'],
    ['constructor', 'json'],
  ]
  test('is the one that Accept likes best, and JSON where it likes none', () => {
    for (const [accept, format] of FORMATS) assert.equal(acceptedFormat(accept), format, accept)
  })

  test('is what the parameter says, whatever Accept does', async (t) => {
    const { get } = await served(t)
    const answer = await get('/api/tables/wares?format=json', { Accept: 'text/csv' })
    assert.match(answer.headers.get('content-type')!, /^application\/json/)
    const liked = await get('/api/tables/wares', { Accept: 'application/json;q=0.2, text/csv' })
    assert.match(liked.headers.get('content-type')!, /^text\/csv/)
  })
})
