import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { KeySpec } from '../../lib/keys.ts'
import type { Run } from '../../lib/sync-run.ts'
import { AUTH, cities, serve } from './fakes.ts'
import { ask, assertProblem } from './raw.ts'
import { openStream } from './sse.ts'
import { storedKeys } from './stored-keys.ts'

interface Shown {
  readonly source: string
  readonly rows: Record<string, number>
  readonly last_error: { message: string } | null
  readonly warnings: string[]
  readonly progress: { tables: { table: string }[] } | null
}

/** Two sources, `cities` with one table and `shop` with three, and a key. */
async function site(t: TestContext, spec: Partial<KeySpec>) {
  const keys = storedKeys(t)
  const server = await serve(t, { ...keys.parts, sources: ['cities', 'shop'] })
  server.snapshots.publish('shop', [
    { ...cities(3), name: 'orders' },
    { ...cities(7), name: 'salaries' },
    { ...cities(5), name: 'wares' },
  ])
  const { headers } = await keys.make(spec)
  const get = async (path: string, more: Record<string, string> = {}) =>
    await ask(server.port, path, { headers: { ...headers, ...more } })
  const json = async <T>(path: string): Promise<T> => JSON.parse(String((await get(path)).body)) as T
  const post = async (path: string) => await ask(server.port, path, { method: 'POST', headers })
  return { ...server, headers, ask: get, json, act: post }
}

describe('a key that sees one source', () => {
  const spec = { limits: ['shop'], scopes: ['read', 'sync', 'admin'] } as const

  test('is not told that there are others', async (t) => {
    const { json, ask: get, engine } = await site(t, spec)
    const run = engine.begin('cities')
    engine.fail('cities')
    const own = engine.begin('shop')
    for (const path of ['/status', '/api/sources']) {
      const { sources } = await json<{ sources: Shown[] }>(path)
      assert.deepEqual(
        sources.map(({ source }) => source),
        ['shop'],
      )
    }
    assert.deepEqual(
      (await json<{ runs: Run[] }>('/api/runs')).runs.map(({ id }) => id),
      [own.id],
    )
    assertProblem(await get(`/api/runs/${run.id}`), 404, 'run_not_found')
    assert.equal((await get(`/api/runs/${own.id}`)).status, 200)
    const paths = [
      '/api/sources/cities', '/api/sources/cities/events', '/api/runs?source=cities', '/fetch-data?source=cities',
      '/fetch-data?source=cities&stream=true',
    ] // prettier-ignore
    for (const path of paths) {
      const problem = assertProblem(await get(path), 404, 'source_not_found')
      assert.deepEqual(problem.known, ['shop'], path)
    }
    assertProblem(await get('/fetch-data?table=cities'), 404, 'table_not_found')
  })

  test('gets its own where it names none', async (t) => {
    const { json, act, engine } = await site(t, spec)
    assert.equal((await json<{ source: string; count: number }>('/fetch-data')).source, 'shop')
    assert.equal((await json<{ count: number }>('/fetch-data?table=wares')).count, 5)
    assert.equal((await act('/refresh')).status, 202)
    assert.deepEqual(engine.requests, [{ source: 'shop', trigger: 'refresh' }])
    assertProblem(await act('/refresh?source=cities'), 404, 'source_not_found')
    assertProblem(await act('/api/sources/cities/start'), 404, 'source_not_found')
    assert.equal((await act('/api/sources/shop/stop')).status, 200)
    for (const action of ['reset', 'rollback', 'publish']) {
      assertProblem(await act(`/api/sources/shop/${action}`), 403, 'forbidden')
    }
  })
})

describe('a key that sees some tables of a source', () => {
  const spec = { limits: ['shop.wares', 'shop.orders'], scopes: ['read', 'sync'] } as const

  test('is told nothing of the others: neither names, nor rows, nor what went wrong with them', async (t) => {
    const { json, ask: get, engine, port, headers } = await site(t, spec)
    engine.begin('shop')
    const tables = ['orders', 'salaries'].map((table) => ({ table, total: 10, completed: 5, failed: 0 }))
    const progress = { phase: 'pulling', tables, done: 0.5, rate: 1, etaMs: 1, at: Date.now() } as const
    engine.update('shop', { progress })
    const [{ rows, progress: shown }] = (await json<{ sources: [Shown] }>('/api/sources')).sources
    assert.deepEqual(rows, { orders: 3, wares: 5 })
    assert.deepEqual(
      shown?.tables.map(({ table }) => table),
      ['orders'],
    )
    const stream = await openStream(port, '/api/sources/shop/events', headers)
    assert.deepEqual((await stream.next())?.data['rows'], { orders: 3, wares: 5 })
    stream.close()
    const message = 'The table salaries lost 99 of 107 rows.'
    engine.finish('shop', {
      status: 'rejected',
      error: { code: 'snapshot_rejected', message, facts: { table: 'salaries' } },
    })
    for (const path of ['/status', '/api/sources', '/api/sources/shop', '/api/runs', '/api/runs/r1']) {
      assert.doesNotMatch(String((await get(path)).body), /salaries|107/, path)
    }
    const whole = await ask(port, '/api/sources/shop', { headers: AUTH })
    assert.match(String(whole.body), /salaries/)
    assert.match(String(whole.body), /107/)
  })

  test('is told the same of a run and of failing, whatever the others are like', async (t) => {
    const told = async (others: number) => {
      const { json, engine } = await site(t, spec)
      const { id } = engine.begin('shop')
      const tables = [
        { table: 'orders', total: 10, completed: 5, failed: 1 },
        { table: 'salaries', total: 100 * others, completed: 10 * others, failed: 7 * others },
      ]
      const progress = {
        phase: 'pulling',
        tables,
        done: 1 / others,
        rate: others,
        etaMs: 9000 * others,
        at: 0,
      } as const
      engine.update('shop', { progress })
      const paths = ['/status', '/api/sources', '/api/sources/shop', '/api/runs', `/api/runs/${id}`]
      const going = await Promise.all(paths.map((path) => json(path)))
      engine.finish('shop', { status: 'completed', result: 'published', timings: { pulling: others } })
      const ended = await Promise.all(paths.map((path) => json(path)))
      return JSON.stringify([going, ended]).replaceAll(/"\w*(?:_at|_seconds|timestamp|snapshot)":(?:"[^"]*"|\d+)/g, '')
    }
    assert.equal(await told(2), await told(900))
  })

  test('is told the same before the first snapshot, however far it is', async (t) => {
    const told = async (others: number) => {
      const keys = storedKeys(t)
      const { port, engine } = await serve(t, { ...keys.parts, sources: ['shop'], publish: false })
      const { headers } = await keys.make(spec)
      engine.begin('shop')
      const progress = { phase: 'pulling', tables: [], done: 1 / others, rate: 1, etaMs: 9000 * others, at: 0 } as const
      engine.update('shop', { progress })
      const answer = await ask(port, '/fetch-data', { headers })
      const { done, eta_ms } = assertProblem(answer, 503, 'no_snapshot')
      return [done, eta_ms, answer.headers['retry-after']]
    }
    assert.deepEqual(await told(2), await told(900))
  })

  test('gets the first that it sees where it names none, and the others are not there', async (t) => {
    const { json, ask: get } = await site(t, spec)
    assert.equal((await json<{ count: number }>('/fetch-data')).count, 3)
    const problem = assertProblem(await get('/fetch-data?table=salaries'), 404, 'table_not_found')
    assert.deepEqual(problem.known, ['orders', 'wares'])
    assertProblem(await get('/metrics'), 403, 'forbidden')
  })
})

describe('a key with hidden columns', () => {
  const spec: Partial<KeySpec> = {
    scopes: ['read', 'sync'],
    rules: { 'cities.cities': { filter: null, hidden: ['name'] } },
  }

  test('never gets them from /fetch-data, in any form', async (t) => {
    const { ask: get, json, engine } = await site(t, spec)
    const { data } = await json<{ data: object[] }>('/fetch-data')
    assert.equal(data.length, 25)
    assert.deepEqual(data[0], { id: 1, country: null })
    const forms = [
      '',
      '?format=csv',
      '?format=ndjson',
      '?limit=3',
      '?refresh=true',
      '?stream=true',
      '?stream=true&limit=2',
      '?fields=id',
    ]
    for (const form of forms) {
      for (const coding of ['identity', 'gzip']) {
        const { status, body, headers } = await get(`/fetch-data${form}`, { 'Accept-Encoding': coding })
        assert.equal(status, 200, form)
        const text = headers['content-encoding'] === 'gzip' ? (await import('node:zlib')).gunzipSync(body) : body
        assert.doesNotMatch(String(text), /city \d|"name"|name,/, form)
        assert.equal(headers['snapshot-digest'], undefined, form)
      }
      engine.finish('cities')
    }
  })

  test('is told of them what is told of columns that are not there', async (t) => {
    const { ask: get } = await site(t, spec)
    const hidden = assertProblem(await get('/fetch-data?fields=id,name'), 400, 'bad_parameter')
    const missing = assertProblem(await get('/fetch-data?fields=id,nope'), 400, 'bad_parameter')
    assert.equal(hidden.detail.replace('"name"', '"nope"'), missing.detail)
    assert.deepEqual(hidden.known, missing.known)
    assertProblem(await get('/fetch-data?fields=name&stream=true'), 400, 'bad_parameter')
  })

  test('has entity tags of its own, and they work', async (t) => {
    const { ask: get, port } = await site(t, spec)
    const own = await get('/fetch-data')
    const whole = await ask(port, '/fetch-data', { headers: AUTH })
    assert.notEqual(own.headers.etag, whole.headers.etag)
    const alike = await ask(port, '/fetch-data?fields=id,country', { headers: AUTH })
    assert.notEqual(own.headers.etag, alike.headers.etag)
    assert.equal((await get('/fetch-data', { 'If-None-Match': own.headers.etag! })).status, 304)
    assert.equal((await get('/fetch-data', { 'If-None-Match': whole.headers.etag! })).status, 200)
    assert.equal(
      (await ask(port, '/fetch-data', { headers: { ...AUTH, 'If-None-Match': own.headers.etag! } })).status,
      200,
    )
    assert.equal(
      (await get('/fetch-data', { 'If-None-Match': own.headers.etag! })).headers['snapshot-digest'],
      undefined,
    )
  })

  test('gets types and mappings of what it sees; there are none of a table whose key is hidden', async (t) => {
    const { ask: get, json } = await site(t, {
      rules: { ...spec.rules, 'shop.orders': { filter: 'id=eq.1', hidden: ['id'] } },
    })
    const text = String((await get('/api/types')).body)
    assert.match(text, /interface Cities \{\n {2}"id": .*\n {2}"country": .*\n\}/)
    assert.doesNotMatch(text, /orders/i)
    const { mappings } = await json<{ mappings: { tableId: string; fields: object }[] }>('/api/mappings')
    assert.deepEqual(
      mappings.map(({ tableId, fields }) => [tableId, Object.keys(fields).length]),
      [['cities', 2], ['salaries', 3], ['wares', 3]],
    ) // prettier-ignore
    const { known } = assertProblem(await get('/api/mappings/orders'), 404, 'table_not_found')
    assert.deepEqual(known, ['cities', 'salaries', 'wares'])
  })

  test('is told what it can use where it is refused', async (t) => {
    const { ask: get } = await site(t, spec)
    assert.match(assertProblem(await get('/status'), 403, 'forbidden').detail, /\/api\/types, \/fetch-data/)
    const some = await site(t, { rules: { 'cities.cities': { filter: 'country=eq.CH', hidden: [] } } })
    assert.doesNotMatch(assertProblem(await some.ask('/status'), 403, 'forbidden').detail, /fetch-data/)
  })

  test('gets other tables as they are, and no route that shows all', async (t) => {
    const { ask: get, act, port } = await site(t, spec)
    const own = await get('/fetch-data?source=shop')
    assert.equal(own.headers.etag, (await ask(port, '/fetch-data?source=shop', { headers: AUTH })).headers.etag)
    for (const path of [
      '/status',
      '/api/sources',
      '/api/sources/shop',
      '/api/runs',
      '/metrics',
      '/api/sources/shop/events',
    ]) {
      assertProblem(await get(path), 403, 'forbidden')
    }
    assertProblem(await act('/refresh'), 403, 'forbidden')
  })
})

describe('a key that sees some rows', () => {
  test('is sent from /fetch-data to where they are', async (t) => {
    const { ask: get, engine } = await site(t, {
      scopes: ['read', 'sync'],
      rules: { 'cities.cities': { filter: 'country=eq.CH', hidden: [] } },
    })
    for (const form of [
      '',
      '?format=csv',
      '?limit=1',
      '?stream=true',
      '?refresh=true',
      '?fields=id',
      '?refresh=true&stream=true',
    ]) {
      const problem = assertProblem(await get(`/fetch-data${form}`), 403, 'forbidden')
      assert.match(problem.detail, /\/api\/tables\/cities\.cities/)
    }
    assert.deepEqual(engine.requests, [])
    assert.equal((await get('/fetch-data?source=shop')).status, 200)
  })
})
