import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AUTH, serve } from './fakes.ts'
import { ask, type Answer } from './raw.ts'
import { openStream } from './sse.ts'

const ORIGIN = 'https://app.example.com'
const PREFLIGHT = { 'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Headers': 'x-api-key' }
const corsOf = ({ headers }: Pick<Answer, 'headers'>) =>
  Object.keys(headers).filter((name) => name.startsWith('access-control-'))

async function every(port: number, headers: Record<string, string>): Promise<Answer[]> {
  const all = { ...AUTH, ...headers }
  const whole = await ask(port, '/fetch-data', { headers: all })
  return [
    whole,
    await ask(port, '/fetch-data', { headers: all }),
    await ask(port, '/fetch-data', { headers: { ...all, 'If-None-Match': whole.headers.etag! } }),
    await ask(port, '/fetch-data?limit=1', { headers: all }),
    await ask(port, '/fetch-data', { headers }),
    await ask(port, '/nowhere', { headers: all }),
    await ask(port, '/status', { headers: all }),
    await ask(port, '/status', { method: 'DELETE', headers: all }),
    await ask(port, '/health', { headers: all }),
    await ask(port, '/refresh', { method: 'POST', headers: all }),
  ]
}

describe('pages of other origins', () => {
  test('are told nothing unless it is set', async (t) => {
    const { port } = await serve(t)
    for (const answer of await every(port, { Origin: ORIGIN })) assert.deepEqual(corsOf(answer), [])
    const preflight = await ask(port, '/status', { method: 'OPTIONS', headers: { Origin: ORIGIN, ...PREFLIGHT } })
    assert.deepEqual([preflight.status, corsOf(preflight)], [204, []])
  })

  test('that are on the list may read every answer, and the others none', async (t) => {
    const { port } = await serve(t, { settings: { corsOrigins: ['https://other.example.com', ORIGIN] } })
    for (const answer of await every(port, { Origin: ORIGIN })) {
      assert.equal(answer.headers['access-control-allow-origin'], ORIGIN)
      assert.match(answer.headers['access-control-expose-headers']!, /^ETag, Link, .*X-Request-Id/)
      assert.match(answer.headers.vary!, /\bOrigin\b/)
      assert.equal(answer.headers['access-control-allow-credentials'], undefined)
    }
    for (const Origin of ['https://evil.example.com', `${ORIGIN}.evil.com`, 'http://app.example.com', 'null']) {
      for (const answer of await every(port, { Origin })) {
        assert.equal(answer.headers['access-control-allow-origin'], undefined)
        assert.match(answer.headers.vary!, /\bOrigin\b/)
      }
    }
    for (const answer of await every(port, {})) assert.equal(answer.headers['access-control-allow-origin'], undefined)
  })

  test('may all read where all are allowed', async (t) => {
    const { port } = await serve(t, { settings: { corsOrigins: ['*'] } })
    for (const answer of await every(port, { Origin: ORIGIN })) {
      assert.equal(answer.headers['access-control-allow-origin'], '*')
      assert.doesNotMatch(answer.headers.vary ?? '', /\bOrigin\b/)
    }
  })

  test('ask before they send a key', async (t) => {
    const { port } = await serve(t, { settings: { corsOrigins: [ORIGIN] } })
    const preflight = (path: string, Origin = ORIGIN) =>
      ask(port, path, { method: 'OPTIONS', headers: { Origin, ...PREFLIGHT } })
    const allowed = await preflight('/refresh')
    assert.equal(allowed.status, 204)
    assert.equal(allowed.headers['access-control-allow-origin'], ORIGIN)
    assert.equal(allowed.headers['access-control-allow-methods'], 'POST, OPTIONS')
    assert.equal(allowed.headers['access-control-max-age'], '600')
    const names = allowed.headers['access-control-allow-headers']!.toLowerCase().split(', ')
    for (const name of ['x-api-key', 'authorization', 'apikey', 'content-type', 'if-none-match', 'last-event-id']) {
      assert.ok(names.includes(name), name)
    }
    // What Airtable's client, postgrest-js and downloads in parts send: a retry that fails its preflight hides what it was
    // to be told.
    for (const name of [
      'x-api-version',
      'x-airtable-application-id',
      'x-airtable-user-agent',
      'accept-profile',
      'content-profile',
      'prefer',
      'x-retry-count',
      'range',
      'range-unit',
      'if-range',
    ]) {
      assert.ok(names.includes(name), name)
    }
    const refused = await preflight('/refresh', 'https://evil.example.com')
    assert.deepEqual([refused.status, corsOf(refused)], [204, ['access-control-expose-headers']])
    const plain = await ask(port, '/refresh', { method: 'OPTIONS', headers: { Origin: ORIGIN } })
    assert.equal(plain.headers['access-control-allow-methods'], undefined)
  })

  test('may read event streams', async (t) => {
    const { port } = await serve(t, { settings: { corsOrigins: [ORIGIN] } })
    const stream = await openStream(port, '/fetch-data?stream=true&payload=none', { Origin: ORIGIN })
    assert.equal(stream.headers['access-control-allow-origin'], ORIGIN)
    await stream.rest()
  })
})
