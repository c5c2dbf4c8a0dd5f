import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { environmentKeys } from '../../lib/http/keys.ts'
import { AUTH, KEY, serve } from './fakes.ts'
import { ask, assertProblem } from './raw.ts'
import { openStream } from './sse.ts'
import { storedKeys } from './stored-keys.ts'

const json = (value: unknown) => ({ body: JSON.stringify(value), headers: { 'Content-Type': 'application/json' } })

async function site(t: Parameters<typeof serve>[0]) {
  const keys = storedKeys(t)
  const server = await serve(t, keys.parts)
  const post = async (path: string, body?: unknown) => await server.post(path, body === undefined ? {} : json(body))
  return { ...keys, ...server, post }
}

describe('/api/keys', () => {
  test('makes a key that works at once, lists it without its secret, and revokes it', async (t) => {
    const { post, get } = await site(t)
    const made = await post('/api/keys', {
      name: 'partner',
      scopes: ['read'],
      limits: ['cities'],
      filters: { 'cities.cities': 'country=eq.CH' },
      hidden: { 'cities.cities': ['name'] },
      rate: { limit: 600, window_seconds: 60 },
      expires_in_seconds: 3600,
    })
    assert.equal(made.status, 201)
    assert.equal(made.headers.get('cache-control'), 'no-store')
    const { key, warnings, ...info } = (await made.json()) as Record<string, unknown> & { key: string; id: string }
    assert.deepEqual(warnings, [])
    assert.equal(info.prefix, key.slice(0, 11))
    assert.deepEqual(info.rate, { limit: 600, window_seconds: 60 })
    assert.equal((await get('/api/tables', { 'X-API-Key': key })).status, 200)

    const listed = await (await get('/api/keys')).text()
    assert.deepEqual((JSON.parse(listed) as { keys: unknown[] }).keys.length, 1)
    assert.ok(!listed.includes(key.slice(12)))

    const revoked = (await (await post(`/api/keys/${info.id}/revoke`)).json()) as { status: string }
    assert.equal(revoked.status, 'revoked')
    assert.equal((await get('/api/tables', { 'X-API-Key': key })).status, 401)
    assert.equal((await post('/api/keys/nobody22/revoke')).status, 404)
  })

  test('replaces one by another, both good for a while', async (t) => {
    const { post, get } = await site(t)
    const old = (await (await post('/api/keys', { name: 'x', limits: ['cities'] })).json()) as {
      key: string
      id: string
    }
    const next = (await (await post('/api/keys', { replaces: old.id })).json()) as Record<string, unknown>
    assert.deepEqual([next.name, next.limits], ['x', ['cities']])
    for (const key of [old.key, next.key as string])
      assert.equal((await get('/status', { 'X-API-Key': key })).status, 200)
    const now = (await (await post('/api/keys', { replaces: next.id, overlap_seconds: 0 })).json()) as { key: string }
    assert.equal((await get('/status', { 'X-API-Key': next.key as string })).status, 401)
    assert.equal((await get('/status', { 'X-API-Key': now.key })).status, 200)
  })

  test('tells of names that are not there', async (t) => {
    const { post, keyStore } = await site(t)
    const hidden = { 'cities.cities': ['nmae'], 'cities.towns': ['x'], 'shop.orders': ['x'] }
    const refused = await post('/api/keys', { name: 'x', hidden })
    assert.equal(refused.status, 400)
    assert.match(await refused.text(), /no column nmae\. Did you mean name\?/)
    assert.deepEqual(keyStore.list(), [])
    const made = await post('/api/keys', { name: 'x', hidden, force: true })
    const { warnings } = (await made.json()) as { warnings: string[] }
    assert.equal(warnings.length, 3)
    assert.match(warnings.join('\n'), /no column nmae[^]*no table towns[^]*no source shop/)
  })

  const refused: [string, unknown, string][] = [
    ['no name', {}, 'bad_parameter'],
    ['an unknown member', { name: 'x', admin: true }, 'unknown_parameter'],
    ['a scope that is none', { name: 'x', scopes: ['write'] }, 'bad_parameter'],
    ['scopes that are no list', { name: 'x', scopes: 'read' }, 'bad_parameter'],
    ['an empty limit', { name: 'x', limits: [] }, 'bad_parameter'],
    ['a filter that cannot be read', { name: 'x', filters: { 'cities.cities': 'country is DE' } }, 'bad_filter'],
    ['names that every object has', { name: 'x', hidden: { constructor: ['a'] } }, 'bad_parameter'],
    ['a rate of nothing', { name: 'x', rate: { limit: 0, window_seconds: 60 } }, 'bad_parameter'],
    ['a rate as text', { name: 'x', rate: '600/1m' }, 'bad_parameter'],
    ['a life of no whole seconds', { name: 'x', expires_in_seconds: 1.5 }, 'bad_parameter'],
    ['one to replace that is not there', { name: 'x', replaces: 'nobody22' }, 'key_not_found'],
    ['a list', [], 'bad_request'],
  ]
  for (const [name, body, code] of refused) {
    test(`refuses ${name}`, async (t) => {
      const { post, keyStore } = await site(t)
      const answer = await post('/api/keys', body)
      assert.equal(((await answer.json()) as { code: string }).code, code)
      assert.deepEqual(keyStore.list(), [])
    })
  }

  test('is for administrators, whose key is not limited', async (t) => {
    const { make, port } = await site(t)
    const limited = await make({ scopes: ['read', 'sync', 'admin'], limits: ['cities'] })
    const worker = await make({ scopes: ['read', 'sync'] })
    for (const { headers } of [limited, worker]) {
      for (const [method, path] of [
        ['GET', '/api/keys'],
        ['POST', '/api/keys'],
        ['POST', '/api/keys/x/revoke'],
      ] as const) {
        assertProblem(await ask(port, path, { method, headers }), 403, 'forbidden')
      }
    }
  })
})

describe('a key in headers', () => {
  test('may be sent as `apikey` too; all that are sent must agree', async (t) => {
    const { port } = await serve(t)
    const bearer = { Authorization: `Bearer ${KEY}` }
    for (const headers of [{ apikey: KEY }, { apikey: KEY, ...bearer }, { apikey: KEY, ...bearer, ...AUTH }]) {
      assert.equal((await ask(port, '/fetch-data', { headers })).status, 200)
    }
    for (const headers of [
      { apikey: 'wrong' },
      { apikey: 'wrong', ...bearer },
      { apikey: 'wrong', ...AUTH },
      { apikey: KEY, 'X-API-Key': '' },
    ]) {
      assertProblem(await ask(port, '/fetch-data', { headers }), 401, 'unauthorized')
    }
  })

  test('of another environment does not take the place of one before it', () => {
    const [before, after] = [environmentKeys(['a-first-key']), environmentKeys(['another-key'])]
    assert.equal(before.seal('environment:1', 'x'), environmentKeys(['a-first-key']).seal('environment:1', 'x'))
    assert.notEqual(before.seal('environment:1', 'x'), after.seal('environment:1', 'x'))
    assert.equal(before.seal('environment:2', 'x'), undefined)
  })
})

describe('a stream', () => {
  test('ends with its key, in words', async (t) => {
    const { make, keyStore, port, http } = await site(t)
    const { id, headers } = await make()
    const stream = await openStream(port, '/api/sources/cities/events', headers)
    const other = await openStream(port, '/api/sources/cities/events')
    assert.equal((await stream.next())?.data.type, 'source')
    assert.equal((await other.next())?.data.type, 'source')
    await keyStore.revoke(id)
    const [error, done, ...more] = await stream.rest()
    assert.equal(error?.data.type, 'error')
    assert.equal(error.data.code, 'unauthorized')
    assert.equal(done?.data.type, 'done')
    assert.deepEqual(more, [])
    assert.ok(http.server.listening)
    other.close()
    assert.equal((await openStream(port, '/api/sources/cities/events', headers)).status, 401)
  })
})
