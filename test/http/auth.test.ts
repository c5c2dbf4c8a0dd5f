import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { KeyCheck, Principal } from '../../lib/access.ts'
import { environmentKeys, NOBODY } from '../../lib/http/keys.ts'
import { KEY, serve } from './fakes.ts'
import { ask, assertProblem } from './raw.ts'

describe('keys', () => {
  test('every key of the environment is known, and may do everything; nothing else is', () => {
    const keys = environmentKeys(['first-key', 'second-key', ''])
    const everything = { limits: null, rules: new Map(), view: '', rate: null }
    assert.deepEqual(keys.check('first-key'), {
      id: 'environment:1',
      scopes: new Set(['read', 'sync', 'admin']),
      ...everything,
    })
    assert.equal(keys.check('second-key')?.id, 'environment:2')
    for (const wrong of ['', 'first-ke', 'first-key ', 'FIRST-KEY', 'x'.repeat(10_000)])
      assert.equal(keys.check(wrong), undefined)
  })

  test('no key is ever valid where there is none', () => assert.equal(environmentKeys([]).check(''), undefined))
})

describe('a request', () => {
  const accepted: [string, Record<string, string | string[]>][] = [
    ['X-API-Key', { 'X-API-Key': KEY }],
    ['Bearer', { Authorization: `Bearer ${KEY}` }],
    ['bearer in any case', { Authorization: `bEARER ${KEY}` }],
    ['both, the same', { Authorization: `Bearer ${KEY}`, 'X-API-Key': KEY }],
    ['X-API-Key beside the Basic sign-in of a proxy', { Authorization: 'Basic YTpi', 'X-API-Key': KEY }],
  ]
  const refused: [string, Record<string, string | string[]>][] = [
    ['no key', {}],
    ['an empty key', { 'X-API-Key': '' }],
    ['a wrong key', { 'X-API-Key': 'wrong' }],
    ['a wrong bearer', { Authorization: 'Bearer wrong' }],
    ['bearer without a key', { Authorization: 'Bearer' }],
    ['the key without a scheme', { Authorization: KEY }],
    ['two that differ', { Authorization: `Bearer ${KEY}`, 'X-API-Key': 'wrong' }],
    ['two that differ, the other way', { Authorization: 'Bearer wrong', 'X-API-Key': KEY }],
    ['the header twice', { 'X-API-Key': [KEY, KEY] }],
    ['two bearers', { Authorization: [`Bearer ${KEY}`, 'Bearer wrong'] }],
    ['two bearers beside a key', { Authorization: [`Bearer ${KEY}`, 'Bearer wrong'], 'X-API-Key': KEY }],
  ]

  test('is let in with its key however it is sent', async (t) => {
    const { port } = await serve(t)
    for (const [name, headers] of accepted) {
      for (const path of ['/status', '/fetch-data', '/fetch-data?limit=1']) {
        assert.equal((await ask(port, path, { headers })).status, 200, `${name} ${path}`)
      }
    }
  })

  test('is refused without a valid one, with a challenge', async (t) => {
    const { port, http } = await serve(t)
    for (const [name, headers] of refused) {
      for (const path of ['/fetch-data', '/status']) {
        const answer = await ask(port, path, { headers })
        assertProblem(answer, 401, 'unauthorized')
        assert.equal(answer.headers['www-authenticate'], 'Bearer realm="holdfast"', name)
      }
    }
    for (const { method, path, scope, problemOf, takesBytes } of http.routes) {
      const answer = await ask(port, path, { method })
      // Written as other products write it, but the same.
      if (problemOf) assert.equal(answer.status, 401, path)
      else if (scope) assertProblem(answer, 401, 'unauthorized')
      // In the place of a key there is a signature.
      else if (takesBytes) assertProblem(answer, 401, 'bad_signature')
      else assert.equal(answer.status, 200, path)
    }
  })

  test('a key in the URL is refused, with advice, and not repeated', async (t) => {
    const { port } = await serve(t)
    for (const name of ['api_key', 'access_token', 'token', 'key']) {
      const answer = await ask(port, `/fetch-data?${name}=${KEY}`, { headers: { 'X-API-Key': KEY } })
      assert.match(assertProblem(answer, 400, 'unknown_parameter').detail, /X-API-Key or Authorization/)
      assert.ok(!answer.body.includes(KEY))
    }
  })

  test('needs the scope of what it asks for', async (t) => {
    const one: Principal = { ...NOBODY, id: 'reader', scopes: new Set(['read'] as const), limits: null, view: '' }
    const reader: KeyCheck = {
      ...environmentKeys([]),
      check: (key) => (key === 'r' ? one : undefined),
      isLive: () => true,
      find: () => one,
    }
    const { port, engine, http } = await serve(t, { keys: reader })
    const headers = { 'X-API-Key': 'r' }
    assert.equal((await ask(port, '/fetch-data', { headers })).status, 200)
    for (const path of ['/fetch-data?refresh=true', '/fetch-data?refresh=true&stream=true']) {
      const answer = await ask(port, path, { headers })
      assertProblem(answer, 403, 'forbidden')
      assert.match(answer.headers['www-authenticate']!, /insufficient_scope.*scope="sync"/)
    }
    for (const { method, path, scope } of http.routes.filter(
      (route) => route.scope !== null && route.scope !== 'read',
    )) {
      const problem = assertProblem(
        await ask(port, path.replace(':id', 'cities'), { method, headers }),
        403,
        'forbidden',
      )
      assert.equal(problem.scope, scope)
    }
    assert.deepEqual(engine.requests, [])
  })
})
