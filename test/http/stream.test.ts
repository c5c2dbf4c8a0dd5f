import assert from 'node:assert/strict'
import { request } from 'node:http'
import { describe, test } from 'node:test'
import { EventSource } from 'eventsource'
import { AUTH, cities, KEY, renderBody, serve, until } from './fakes.ts'
import { ask, assertProblem } from './raw.ts'
import { openStream, typesOf, type Frame } from './sse.ts'

const REFRESH = '/fetch-data?stream=true&refresh=true'

describe('stream=true&refresh=true', () => {
  test('is cached, progress, updated, done; each frame has an id', async (t) => {
    const { port, engine, snapshots } = await serve(t)
    const stream = await openStream(port, REFRESH)
    assert.equal(stream.status, 200)
    assert.equal(stream.headers['content-type'], 'text/event-stream; charset=utf-8')
    assert.equal(stream.headers['cache-control'], 'no-store, no-transform')
    assert.equal(stream.headers['x-accel-buffering'], 'no')
    assert.equal(stream.headers['content-encoding'], undefined)
    const before = snapshots.active('cities')!.pointer
    const cached = (await stream.next())!
    assert.equal(cached.data.type, 'cached')
    const body = renderBody('cities', before.snapshot, before.publishedAt, cities(25))
    assert.deepEqual(cached.data.payload, JSON.parse(body.toString()))

    engine.progress('cities', 5, 20)
    let progress = (await stream.next())!
    while (progress.data.done !== 0.25) {
      assert.equal(progress.data.type, 'progress')
      progress = (await stream.next())!
    }
    assert.deepEqual([progress.data.run, progress.data.phase, progress.data.eta_ms], ['r1', 'pulling', 1000])
    const { snapshot } = snapshots.publish('cities', [cities(26)])
    engine.finish('cities', { status: 'completed', result: 'published', snapshot })
    const rest = await stream.rest()
    const [updated, done] = rest.slice(-2)
    assert.deepEqual(typesOf(rest.slice(-2)), ['updated', 'done'])
    assert.equal((updated!.data.payload as { data: object[] }).data.length, 26)
    assert.equal(updated!.data.snapshot, snapshot)
    assert.deepEqual(done!.data, { type: 'done', snapshot })
    for (const { id } of [cached, progress, ...rest]) assert.match(id, /^(cached|progress|updated|done):/)
    assert.match(stream.text(), /^: holdfast\nretry: 1000\n\n/)
    await until(() => snapshots.pins === 0)
  })

  test('of a run that finds nothing new is unchanged, done', async (t) => {
    const { port, engine } = await serve(t)
    const stream = await openStream(port, `${REFRESH}&payload=none`)
    assert.deepEqual(Object.keys((await stream.next())!.data), ['type', 'snapshot', 'count', 'last_updated'])
    await until(() => engine.requests.length === 1)
    engine.finish('cities')
    const rest = await stream.rest()
    assert.deepEqual(typesOf(rest.slice(-2)), ['unchanged', 'done'])
    assert.deepEqual(rest.at(-2)!.data, { type: 'unchanged', snapshot: 's1', run: 'r1' })
  })

  test('of a run that finds nothing new, after another one did, is updated, done', async (t) => {
    const { port, engine, snapshots } = await serve(t)
    const stream = await openStream(port, REFRESH)
    assert.equal((await stream.next())!.data.snapshot, 's1')
    await until(() => engine.requests.length === 1)
    snapshots.publish('cities', [cities(7)])
    engine.finish('cities')
    const rest = await stream.rest()
    assert.deepEqual(typesOf(rest.slice(-2)), ['updated', 'done'])
    assert.equal(rest.at(-2)!.data.snapshot, 's2')
  })

  for (const status of ['failed', 'rejected'] as const) {
    test(`of a run that is ${status} is error, done`, async (t) => {
      const { port, engine } = await serve(t)
      const stream = await openStream(port, REFRESH)
      await until(() => engine.requests.length === 1)
      engine.fail('cities', status)
      const frames = await stream.rest()
      assert.deepEqual(typesOf(frames.slice(-2)), ['error', 'done'])
      const { code, message } = frames.at(-2)!.data
      assert.deepEqual({ code, message }, { code: 'upstream_unavailable', message: 'The upstream is down.' })
    })
  }

  test('of a run that is stopped is error, done; one that is interrupted is waited for', async (t) => {
    const { port, engine } = await serve(t)
    const stream = await openStream(port, REFRESH)
    await until(() => engine.requests.length === 1)
    engine.update('cities', { status: 'paused' }, { state: { state: 'PAUSED', reason: 'interrupted' } })
    let frame = await stream.next()
    while (frame!.data.status !== 'paused') frame = await stream.next()
    engine.update('cities', { status: 'running' }, { state: { state: 'PROCESSING' } })
    while (frame!.data.status !== 'running') frame = await stream.next()
    await engine.stop('cities')
    const rest = await stream.rest()
    assert.deepEqual(typesOf(rest.slice(-2)), ['error', 'done'])
    assert.equal(rest.at(-2)!.data.code, 'run_stopped')
  })

  test('of a paused source is cached, error, done', async (t) => {
    const { port, engine } = await serve(t)
    engine.set('cities', { state: { state: 'PAUSED', reason: 'stopped' } })
    const frames = await (await openStream(port, REFRESH)).rest()
    assert.deepEqual(typesOf(frames), ['cached', 'error', 'done'])
    assert.equal(frames[1]!.data.code, 'source_paused')
  })

  test('waits until what was published is mounted in this process', async (t) => {
    const { port, engine, snapshots } = await serve(t)
    const stream = await openStream(port, `${REFRESH}&payload=none`)
    await until(() => engine.requests.length === 1)
    engine.finish('cities', { status: 'completed', result: 'published', snapshot: 's2' })
    const calls = snapshots.listeners
    await until(() => snapshots.listeners > calls)
    snapshots.publish('cities', [cities(30)])
    const updated = (await stream.rest()).find(({ data }) => data.type === 'updated')!
    assert.deepEqual([updated.data.snapshot, updated.data.count], ['s2', 30])
  })

  test('before the first snapshot is progress, updated, done', async (t) => {
    const { port, engine, snapshots } = await serve(t, { publish: false })
    const stream = await openStream(port, REFRESH)
    assert.equal((await stream.next())!.data.type, 'progress')
    const { snapshot } = snapshots.publish('cities', [cities(5)])
    engine.finish('cities', { status: 'completed', result: 'published', snapshot })
    assert.deepEqual(typesOf(await stream.rest()), ['updated', 'done'])
  })

  test('a hundred clients share one run and one watcher, and all get all of it', async (t) => {
    const { port, engine, snapshots, http } = await serve(t, { publish: false })
    snapshots.publish('cities', [cities(2000)])
    const streams = await Promise.all(Array.from({ length: 100 }, () => openStream(port, REFRESH)))
    const readers = streams.map((stream) => stream.rest())
    await until(() => engine.requests.length === 100)
    engine.progress('cities', 1, 2)
    const { snapshot } = snapshots.publish('cities', [cities(2001)])
    engine.finish('cities', { status: 'completed', result: 'published', snapshot })
    for (const frames of await Promise.all(readers)) {
      assert.deepEqual([typesOf(frames)[0], ...typesOf(frames.slice(-2))], ['cached', 'updated', 'done'])
      assert.equal((frames.at(-2)!.data.payload as { data: object[] }).data.length, 2001)
    }
    assert.equal(engine.runs({ limit: 200 }).length, 1)
    assert.equal(engine.watchers, 1)
    assert.equal(http.server.listening, true)
  })
})

describe('stream=true', () => {
  test('without a run is cached, done', async (t) => {
    const { port, engine } = await serve(t)
    assert.deepEqual(typesOf(await (await openStream(port, '/fetch-data?stream=true')).rest()), ['cached', 'done'])
    assert.deepEqual(engine.requests, [])
  })

  test('follows the run that is going', async (t) => {
    const { port, engine } = await serve(t)
    engine.begin('cities', 'schedule')
    const stream = await openStream(port, '/fetch-data?stream=true')
    assert.deepEqual(typesOf([await stream.next(), await stream.next()]), ['cached', 'progress'])
    engine.finish('cities')
    assert.deepEqual(typesOf((await stream.rest()).slice(-2)), ['unchanged', 'done'])
  })

  test('without a snapshot or a run is refused before it begins', async (t) => {
    const { port } = await serve(t, { publish: false })
    assertProblem(await ask(port, '/fetch-data?stream=true', { headers: AUTH }), 503, 'no_snapshot')
    assertProblem(await ask(port, '/fetch-data?stream=true&source=nope', { headers: AUTH }), 404, 'source_not_found')
  })

  test('refuses an unknown table or field before it begins', async (t) => {
    const { port, engine } = await serve(t)
    assertProblem(await ask(port, `${REFRESH}&table=nope`, { headers: AUTH }), 404, 'table_not_found')
    assertProblem(await ask(port, `${REFRESH}&fields=nope`, { headers: AUTH }), 400, 'bad_parameter')
    assert.deepEqual(engine.requests, [])
  })

  test('a body beyond the limit is a link that leads to it', async (t) => {
    for (const rendered of [['identity'], []] as const) {
      const { port, snapshots } = await serve(t, { publish: false, settings: { sseMaxBytes: 50_000 } })
      const { tables } = snapshots.publish('cities', [cities(3000)], { rendered })
      const [cached] = await (await openStream(port, '/fetch-data?stream=true')).rest()
      const { href, bytes } = cached!.data.payload as { href: string; bytes: number }
      assert.ok(Math.abs(bytes / tables[0]!.bodyBytes - 1) < 0.05)
      const { body } = await ask(port, href, { headers: AUTH })
      assert.equal((JSON.parse(body.toString()) as { count: number }).count, 3000)
      const [narrow] = await (await openStream(port, '/fetch-data?stream=true&limit=2&offset=1&fields=name')).rest()
      assert.deepEqual((narrow!.data.payload as { data: object[] }).data, [{ name: 'city 2' }, { name: 'city 3' }])
      const [wide] = await (await openStream(port, '/fetch-data?stream=true&offset=1&fields=id,name')).rest()
      const again = await ask(port, (wide!.data.payload as { href: string }).href, { headers: AUTH })
      const { start_row, count, data } = JSON.parse(again.body.toString()) as {
        start_row: number
        count: number
        data: object[]
      }
      assert.deepEqual([start_row, count, data[0]], [2, 2999, { id: 2, name: 'city 2' }])
    }
  })

  for (const [where, settings] of [
    ['memory', {}],
    ['its file', { bodyCacheBytes: 100 }],
  ] as const) {
    test(`a large body from ${where} goes out whole, in one frame, to slow readers too`, async (t) => {
      const { port, snapshots } = await serve(t, { publish: false, settings })
      snapshots.publish('cities', [cities(60_000)])
      const frames = await new Promise<string>((resolve, reject) => {
        const sent = request(
          { host: '127.0.0.1', port, path: '/fetch-data?stream=true', headers: AUTH, agent: false },
          (response) => {
            let text = ''
            response.on('error', reject)
            response.setEncoding('utf8').on('data', (piece: string) => {
              text += piece
              response.pause()
              setImmediate(() => response.resume())
            })
            response.on('end', () => resolve(text))
          },
        )
        sent.end()
      })
      const cached = frames.split('\n\n')[1]!.split('\n')[1]!.slice('data: '.length)
      assert.equal((JSON.parse(cached) as { payload: { data: object[] } }).payload.data.length, 60_000)
      await until(() => snapshots.pins === 0)
    })
  }
})

describe('a reconnect', () => {
  const after = (id: string) => ({ 'Last-Event-ID': id })

  test('after done is 204, so that an EventSource stops', async (t) => {
    const { port, engine } = await serve(t)
    for (const id of ['done:s1:r1', 'done:s0:', 'done:failed']) {
      assert.equal((await ask(port, REFRESH, { headers: { ...AUTH, ...after(id) } })).status, 204)
    }
    assertProblem(await ask(port, REFRESH, { headers: after('done:s1:r1') }), 401, 'unauthorized')
    assert.deepEqual(engine.requests, [])
  })

  test('after a final frame is only done', async (t) => {
    const { port, engine } = await serve(t)
    for (const id of ['updated:s1:r1', 'unchanged:s1:r1', 'error:s1:r1']) {
      assert.deepEqual(typesOf(await (await openStream(port, REFRESH, after(id))).rest()), ['done'])
    }
    assert.deepEqual(engine.requests, [])
  })

  test('with the snapshot that is still active does not get it again, and follows its run', async (t) => {
    const { port, engine } = await serve(t)
    const first = await openStream(port, REFRESH)
    await first.next()
    const progress = (await first.next())!
    first.close()
    const stream = await openStream(port, REFRESH, after(progress.id))
    assert.equal((await stream.next())!.data.type, 'progress')
    engine.finish('cities')
    assert.deepEqual(typesOf((await stream.rest()).slice(-2)), ['unchanged', 'done'])
    const late = await openStream(port, REFRESH, after(progress.id))
    assert.deepEqual(typesOf(await late.rest()), ['unchanged', 'done'])
    assert.equal(engine.requests.length, 1)
  })

  test('with an older snapshot gets the newer one and is done', async (t) => {
    const { port, engine, snapshots } = await serve(t)
    const first = await openStream(port, REFRESH)
    const cached = (await first.next())!
    first.close()
    await until(() => engine.requests.length === 1)
    engine.finish('cities', {
      status: 'completed',
      result: 'published',
      snapshot: snapshots.publish('cities', [cities(7)]).snapshot,
    })
    const frames = await (await openStream(port, REFRESH, after(cached.id))).rest()
    assert.deepEqual(typesOf(frames), ['updated', 'done'])
    assert.equal(frames[0]!.data.count, 7)
    assert.equal(engine.requests.length, 1)
  })

  test('with an id that is not ours is a first connect', async (t) => {
    const { port } = await serve(t)
    for (const id of ['7', 'cached', 'cached:%:%', 'x'.repeat(2000)]) {
      assert.deepEqual(typesOf(await (await openStream(port, '/fetch-data?stream=true', after(id))).rest()), [
        'cached',
        'done',
      ])
    }
  })
})

describe('an EventSource', () => {
  test('gets cached, progress, updated, done, reconnects once, and closes for good', async (t) => {
    const { url, engine, snapshots } = await serve(t)
    const seen: Frame['data'][] = []
    const statuses: number[] = []
    const source = new EventSource(url + REFRESH, {
      fetch: async (input, init) => {
        const response = await fetch(input, { ...init, headers: { ...init.headers, 'X-API-Key': KEY } })
        statuses.push(response.status)
        return response
      },
    })
    t.after(() => source.close())
    source.addEventListener('message', ({ data }) => seen.push(JSON.parse(data as string) as Frame['data']))
    await until(() => seen.some(({ type }) => type === 'progress'))
    const { snapshot } = snapshots.publish('cities', [cities(26)])
    engine.finish('cities', { status: 'completed', result: 'published', snapshot })
    await until(() => source.readyState === source.CLOSED)
    assert.deepEqual(statuses, [200, 204])
    const types = seen.map(({ type }) => type)
    assert.deepEqual([types[0], ...types.slice(-2)], ['cached', 'updated', 'done'])
    assert.ok(types.slice(1, -2).every((type) => type === 'progress'))
    assert.equal(engine.requests.length, 1)
  })
})

describe('streams', () => {
  test('are bounded, and free their place when the client leaves', async (t) => {
    const { port, engine, snapshots } = await serve(t, { settings: { maxStreams: 2 } })
    engine.begin('cities')
    const [first] = await Promise.all([
      openStream(port, '/fetch-data?stream=true'),
      openStream(port, '/api/sources/cities/events'),
    ])
    const refused = await ask(port, '/fetch-data?stream=true', { headers: AUTH })
    assert.equal(assertProblem(refused, 429, 'too_many_streams').max, 2)
    assert.ok(refused.headers['retry-after'])
    first.close()
    await until(async () => {
      const stream = await openStream(port, '/fetch-data?stream=true')
      stream.close()
      return stream.status === 200
    })
    await until(() => snapshots.pins === 0)
  })

  test('of a source tell its record, now and after each change', async (t) => {
    const { port, engine } = await serve(t)
    const stream = await openStream(port, '/api/sources/cities/events')
    assert.deepEqual([(await stream.next())!.data.state], ['IDLE'])
    engine.begin('cities')
    let frame = await stream.next()
    while (frame!.data.state !== 'PROCESSING') frame = await stream.next()
    engine.finish('cities')
    while (frame!.data.state !== 'COMPLETED') frame = await stream.next()
    assert.equal(frame!.data.type, 'source')
    stream.close()
    assertProblem(await ask(port, '/api/sources/nope/events', { headers: AUTH }), 404, 'source_not_found')
  })

  test('a client that never reads holds nothing up, and is freed when it leaves', async (t) => {
    const { port, engine, snapshots } = await serve(t, { publish: false })
    snapshots.publish('cities', [cities(200_000)])
    const silent = await new Promise<{ destroy(): void }>((resolve) => {
      const sent = request({ host: '127.0.0.1', port, path: REFRESH, headers: AUTH, agent: false }, (response) => {
        response.pause()
        resolve(sent)
      })
      sent.on('error', () => undefined)
      sent.end()
    })
    const other = await openStream(port, `${REFRESH}&payload=none`)
    await until(() => engine.requests.length === 2)
    for (let step = 0; step < 1000; step++) engine.progress('cities', step, 1000)
    engine.finish('cities')
    assert.equal(typesOf(await other.rest()).at(-1), 'done')
    silent.destroy()
    const { get } = { get: async () => (await ask(port, '/status', { headers: AUTH })).body.toString() }
    await until(async () => (JSON.parse(await get()) as { streams: number }).streams === 0)
    await until(() => snapshots.pins === 0)
  })
})
