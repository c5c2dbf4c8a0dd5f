import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { systemClock } from '../../lib/base/clock.ts'
import { AUTH, cities, KEY, serve, until } from './fakes.ts'
import { ask, readAll } from './raw.ts'
import { openStream } from './sse.ts'

describe('draining', () => {
  test('says bye to streams, with a time to come back, and ends them', async (t) => {
    const { port, http, engine } = await serve(t)
    engine.begin('cities')
    const streams = await Promise.all(
      ['/fetch-data?stream=true', '/api/sources/cities/events'].map((path) => openStream(port, path)),
    )
    for (const stream of streams) await stream.next()
    const drained = http.drain()
    assert.equal(http.drain(), drained, 'draining twice is draining once')
    for (const stream of streams) {
      await stream.rest()
      assert.match(stream.text(), /: bye\nretry: 1000\n\n$/)
      assert.doesNotMatch(stream.text(), /"done"/)
    }
    await drained
    await assert.rejects(ask(port, '/health'), { code: 'ECONNREFUSED' })
    await until(() => engine.watchers === 0)
  })

  test('closes idle connections at once, and lets what has begun finish', async (t) => {
    const { port, http, snapshots } = await serve(t, { publish: false })
    snapshots.publish('cities', [cities(100_000)])
    const idle = connect(port, '127.0.0.1')
    idle.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(idle, 'data')
    const begun = connect(port, '127.0.0.1')
    begun.write('GET /ready HTTP/1.1\r\n')
    const alive = connect(port, '127.0.0.1')
    alive.write('GET /health HTTP/1.1\r\n')
    const slow = connect(port, '127.0.0.1')
    slow.write(`GET /fetch-data HTTP/1.1\r\nHost: x\r\nX-API-Key: ${KEY}\r\n\r\n`)
    await once(slow, 'readable')
    // The server has seen the first half of both requests once it has answered one that came later.
    await ask(port, '/health')

    const drained = http.drain()
    await once(idle.resume(), 'close')
    begun.write('Host: x\r\n\r\n')
    alive.write('Host: x\r\n\r\n')
    const [ready, health, data] = await Promise.all([begun, alive, slow].map(readAll))
    assert.match(ready!, /^HTTP\/1\.1 503 [^]*connection: close[^]*"code":"draining"/i)
    assert.match(health!, /^HTTP\/1\.1 200 [^]*"draining":true/)
    assert.equal((JSON.parse(data!.slice(data!.indexOf('\r\n\r\n') + 4)) as { count: number }).count, 100_000)
    await drained
  })

  test('lets nobody hold it up for long', async (t) => {
    const sleeps: number[] = []
    const clock = {
      ...systemClock,
      sleep: async (ms: number) => {
        sleeps.push(ms)
        await new Promise(setImmediate)
      },
    }
    const { port, http } = await serve(t, { clock })
    const stuck = connect(port, '127.0.0.1')
    stuck.on('error', () => undefined)
    stuck.write('GET /health HTTP/1.1\r\n')
    await ask(port, '/health')
    sleeps.length = 0
    await http.drain()
    assert.ok(sleeps.filter((ms) => ms === 50).reduce((sum, ms) => sum + ms, 0) <= 8000)
  })

  test('refuses new streams', async (t) => {
    const { port, http } = await serve(t)
    const socket = connect(port, '127.0.0.1')
    socket.write('GET /fetch-data?stream=true HTTP/1.1\r\n')
    await ask(port, '/health', { headers: AUTH })
    const drained = http.drain()
    socket.write(`Host: x\r\nX-API-Key: ${KEY}\r\n\r\n`)
    assert.match(await readAll(socket), /^HTTP\/1\.1 503 [^]*"code":"draining"/)
    await drained
  })
})
