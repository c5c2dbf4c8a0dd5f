import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { encodeCursor } from '../../lib/change-feed.ts'
import { FakeChangeLog, put } from './fake-change-log.ts'
import { AUTH, cities, serve } from './fakes.ts'
import { openStream, typesOf } from './sse.ts'

const STREAM = '/fetch-data?stream=true&refresh=true&payload=changes'

/** A server whose first snapshot is published, in the log and on disk. */
async function site(t: TestContext, settings = {}) {
  const log = new FakeChangeLog()
  const server = await serve(t, { changes: log, settings, publish: false })
  let number = 0
  const publish = (...keys: string[]) => {
    log.commit(
      'cities',
      keys.map((key) => put('cities', key)),
    )
    return server.snapshots.publish('cities', [cities(3, String(++number))])
  }
  publish('first')
  const finish = (...keys: string[]) => {
    const { snapshot } = publish(...keys)
    server.engine.finish('cities', { status: 'completed', result: 'published', snapshot })
  }
  return { ...server, log, publish, finish }
}

describe('/fetch-data?stream=true&payload=changes', () => {
  test('tells where it is, then what the run has changed', async (t) => {
    const { port, log, finish } = await site(t)
    const stream = await openStream(port, STREAM)
    const cached = (await stream.next())!
    assert.deepEqual([cached.data.type, cached.data.position], ['cached', encodeCursor(log.epoch, log.head())])
    assert.equal(cached.data.payload, undefined)
    finish('1', '2')
    const frames = await stream.rest()
    assert.deepEqual(typesOf(frames).slice(-2), ['updated', 'done'])
    assert.deepEqual(frames.at(-2)!.data.payload, {
      changes: ['1', '2'].map((key) => ({ table: 'cities', key, op: 'put', row: { id: key } })),
      position: encodeCursor(log.epoch, log.head()),
    })
  })

  test('links to the changes where they are too many for a frame', async (t) => {
    const { port, url, log, finish } = await site(t, { sseMaxBytes: 200 })
    const stream = await openStream(port, STREAM)
    const { position } = (await stream.next())!.data
    finish(...Array.from({ length: 30 }, (_, index) => String(index)))
    const payload = (await stream.rest()).at(-2)!.data.payload as { href: string; position: string }
    assert.equal(payload.position, position)
    const page = (await (await fetch(url + payload.href, { headers: AUTH })).json()) as {
      changes: object[]
      next: string
    }
    assert.deepEqual([page.changes.length, page.next], [30, encodeCursor(log.epoch, log.head())])
  })

  test('says to fetch all rows where the log does not tell', async (t) => {
    const { port, url, log, finish } = await site(t)
    const stream = await openStream(port, STREAM)
    await stream.next()
    log.commit('cities', [put('cities', 'lost')])
    log.prune([{ source: 'cities', tables: ['cities'] }])
    finish('1')
    const payload = (await stream.rest()).at(-2)!.data.payload as { href: string; resync: boolean; position: string }
    assert.deepEqual([payload.resync, 'changes' in payload], [true, false])
    const rows = (await (await fetch(url + payload.href, { headers: AUTH })).json()) as { data: object[] }
    assert.equal(rows.data.length, 3)
  })

  test('before the first snapshot brings no changes but says to fetch all rows', async (t) => {
    const server = await serve(t, { publish: false })
    const stream = await openStream(server.port, STREAM)
    assert.equal((await stream.next())?.data.type, 'progress')
    const { snapshot } = server.snapshots.publish('cities', [cities(3)])
    server.engine.finish('cities', { status: 'completed', result: 'published', snapshot })
    const updated = (await stream.rest()).at(-2)!.data
    assert.deepEqual([updated.type, (updated.payload as { resync: boolean }).resync], ['updated', true])
  })
})
