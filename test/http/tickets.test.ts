import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { tempFolder } from '../support/temp.ts'
import { TestClock } from '../sqlite/site.ts'
import { ControlDatabase } from '../../lib/sqlite/control-database.ts'
import { AUTH, KEY, serve, until } from './fakes.ts'
import { ask, assertProblem } from './raw.ts'
import { openStream } from './sse.ts'
import { storedKeys } from './stored-keys.ts'

/** Nothing that is sent along by default. */
const NO_KEY = { 'X-API-Key': '' }
const EVENTS = '/api/sources/cities/events'
const STREAM = '/fetch-data?stream=true&source=cities&payload=none'

async function site(t: TestContext, options: Parameters<typeof storedKeys>[1] = {}) {
  const keys = storedKeys(t, options)
  const server = await serve(t, keys.parts)
  const issue = async (body: unknown, headers: Record<string, string> = AUTH) => {
    const text = JSON.stringify(body)
    const all = { 'Content-Type': 'application/json', 'Content-Length': String(text.length), ...headers }
    return await ask(server.port, '/api/tickets', { method: 'POST', headers: all, body: text })
  }
  const ticketFor = async (url: string, headers?: Record<string, string>) =>
    JSON.parse(String((await issue({ url }, headers)).body)) as {
      ticket: string
      url: string
      expires_in_seconds: number
    }
  /** As an EventSource asks: without a header. */
  const knock = async (url: string) => await ask(server.port, url, { headers: {} })
  return { ...keys, ...server, issue, ticketFor, knock }
}

/** Reads an endless stream's status, and leaves. */
async function statusOf(port: number, url: string): Promise<number> {
  const stream = await openWithout(port, url)
  stream.close()
  return stream.status
}

async function openWithout(port: number, url: string) {
  const { request } = await import('node:http')
  const sent = request({ host: '127.0.0.1', port, path: url, agent: false })
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  sent.on('response', (response) => {
    response.resume()
    resolve(response.statusCode!)
  })
  sent.on('error', reject)
  sent.end()
  const status = await promise
  return { status, close: () => void sent.on('error', () => undefined).destroy() }
}

describe('a ticket', () => {
  test('opens the stream it is for, again and again, whatever the reader has seen', async (t) => {
    const { issue, port, knock } = await site(t)
    const answer = await issue({ path: '/fetch-data', query: 'stream=true&source=cities&payload=none' })
    assert.equal(answer.status, 201)
    const { ticket, url, expires_in_seconds } = JSON.parse(String(answer.body)) as {
      ticket: string
      url: string
      expires_in_seconds: number
    }
    assert.equal(url, `${STREAM}&ticket=${ticket}`)
    assert.equal(expires_in_seconds, 600)
    for (let count = 0; count < 3; count++) assert.equal((await knock(url)).status, 200)
    assert.equal((await knock(`/fetch-data?ticket=${ticket}&payload=none&stream=true&source=cities`)).status, 401)
    assert.equal((await knock(`/fetch-data?ticket=${ticket}&stream=true&source=cities&payload=none`)).status, 200)
    const events = JSON.parse(String((await issue({ url: EVENTS })).body)) as { url: string }
    assert.equal(events.url.split('=')[0], `${EVENTS}?ticket`)
    assert.equal(await statusOf(port, events.url), 200)
  })

  test('opens nothing else', async (t) => {
    const { ticketFor, knock } = await site(t)
    const { ticket } = await ticketFor(STREAM)
    const others = [
      `/fetch-data?stream=true&source=cities&ticket=${ticket}`,
      `/fetch-data?source=cities&payload=none&ticket=${ticket}`,
      `${STREAM}&refresh=true&ticket=${ticket}`,
      `${EVENTS}?ticket=${ticket}`,
      `${STREAM}&ticket=${ticket}x`,
      `${STREAM}&ticket=${ticket}&ticket=${ticket}`,
      `${STREAM}&ticket=`,
      `/status?ticket=${ticket}`,
      `/api/tables/cities?ticket=${ticket}`,
    ]
    for (const url of others) assertProblem(await knock(url), 401, 'unauthorized')
  })

  test('counts only where no key is sent', async (t) => {
    const { ticketFor, port } = await site(t)
    const { url } = await ticketFor(STREAM)
    assertProblem(await ask(port, url, { headers: { 'X-API-Key': 'wrong' } }), 401, 'unauthorized')
    assertProblem(await ask(port, url, { headers: NO_KEY }), 401, 'unauthorized')
    assert.equal((await ask(port, `${STREAM}&ticket=nonsense`, { headers: AUTH })).status, 200)
  })

  test('is good in every process, and after a restart, but not for another key in the same place', async (t) => {
    using folder = tempFolder()
    const path = folder.file('control.sqlite')
    const { url } = await (await site(t, { path })).ticketFor(STREAM)
    assert.equal((await (await site(t, { path })).knock(url)).status, 200)
    const renewed = await site(t, { path, environment: ['another-key-0123456789'] })
    assertProblem(await renewed.knock(url), 401, 'unauthorized')
  })

  test('ends with its key, and when it has been idle for ten minutes', async (t) => {
    const clock = new TestClock()
    const { ticketFor, make, keyStore, knock } = await site(t, { clock })
    const { id, headers } = await make()
    const own = await ticketFor(STREAM, headers)
    const idle = await ticketFor(STREAM)
    clock.move(9 * 60_000)
    assert.equal((await knock(own.url)).status, 200)
    clock.move(2 * 60_000)
    assertProblem(await knock(idle.url), 401, 'unauthorized')
    assert.equal((await knock(own.url)).status, 200)
    await keyStore.revoke(id)
    assertProblem(await knock(own.url), 401, 'unauthorized')
  })

  test('is not idle while its stream is open', async (t) => {
    using folder = tempFolder()
    const path = folder.file('control.sqlite')
    const clock = new TestClock()
    const { ticketFor, port, knock } = await site(t, { clock, path })
    const { url } = await ticketFor(EVENTS)
    const other = await ticketFor(STREAM)
    const stream = await openWithout(port, url)
    const control = new ControlDatabase(path, clock)
    t.after(() => control.close())
    const newest = control.db.prepare<[], number>('SELECT max(used_at) FROM tickets').pluck()
    for (let count = 0; count < 2; count++) {
      clock.move(9 * 60_000)
      await until(() => newest.get() === clock.now())
    }
    stream.close()
    assert.equal(await statusOf(port, url), 200)
    assertProblem(await knock(other.url), 401, 'unauthorized')
  })

  test('shows what its key may see, and no more', async (t) => {
    const { ticketFor, make, issue, port } = await site(t)
    const limited = await make({ limits: ['elsewhere'] })
    const { url } = await ticketFor(STREAM, limited.headers)
    assertProblem(await ask(port, url, { headers: {} }), 404, 'source_not_found')
    const narrowed = await make({ rules: { 'cities.cities': { filter: null, hidden: ['name'] } } })
    assertProblem(await issue({ url: EVENTS }, narrowed.headers), 403, 'forbidden')
    const full = await ticketFor(STREAM.replace('none', 'full'), narrowed.headers)
    const body = String((await ask(port, full.url, { headers: {} })).body)
    assert.match(body, /"country":"CH"/)
    assert.doesNotMatch(body, /city 1/)
    assertProblem(await issue({ url: `${STREAM}&refresh=true` }, narrowed.headers), 403, 'forbidden')
  })

  const refused: [string, unknown, number, string][] = [
    ['for nothing', {}, 400, 'bad_parameter'],
    ['for a route that takes none', { url: '/status' }, 400, 'bad_parameter'],
    ['for a path that is none', { path: 'fetch-data', query: 'stream=true' }, 400, 'bad_parameter'],
    ['for another host', { url: 'http://elsewhere/fetch-data?stream=true' }, 400, 'bad_parameter'],
    ['for /fetch-data that is no stream', { path: '/fetch-data', query: 'source=cities' }, 401, 'unauthorized'],
    [
      'for a query that would be refused',
      { path: '/fetch-data', query: 'stream=true&surprise=1' },
      400,
      'unknown_parameter',
    ],
    ['twice over', { path: '/fetch-data', url: STREAM }, 400, 'bad_parameter'],
    ['with more than that', { url: STREAM, key: KEY }, 400, 'unknown_parameter'],
  ]
  for (const [name, body, status, code] of refused) {
    test(`is refused ${name}`, async (t) => {
      const { issue } = await site(t)
      assertProblem(await issue(body), status, code)
    })
  }

  test('never shows up where things are logged or repeated', async (t) => {
    const logged: string[] = []
    const note = (facts: object, message: string) => void logged.push(JSON.stringify(facts) + message)
    const keys = storedKeys(t)
    const { port } = await serve(t, { ...keys.parts, log: { debug: note, info: note, warn: note, error: note } })
    const body = JSON.stringify({ url: EVENTS })
    const headers = { ...AUTH, 'Content-Type': 'application/json', 'Content-Length': String(body.length) }
    const issued = await ask(port, '/api/tickets', { method: 'POST', headers, body })
    const { ticket, url } = JSON.parse(String(issued.body)) as { ticket: string; url: string }
    const stream = await openStream(port, url)
    await stream.next()
    assert.ok(!stream.text().includes(ticket))
    stream.close()
    const answer = await ask(port, `${EVENTS}?surprise=1&ticket=${ticket}`, { headers: {} })
    assert.ok(!answer.body.includes(ticket))
    assert.ok(!logged.join('\n').includes(ticket))
  })
})
