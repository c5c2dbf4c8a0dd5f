import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import type { Principal, TableRule } from '../../lib/access.ts'
import { encodeCursor } from '../../lib/change-feed.ts'
import { CHANGES_PARAMETERS } from '../../lib/http/changes-query.ts'
import { environmentKeys } from '../../lib/http/keys.ts'
import { parseRowFilter } from '../../lib/keys.ts'
import { encodeWatermark } from '../../lib/watermark.ts'
import { WIDE_LOG } from '../sqlite/site.ts'
import { FakeChangeLog, put } from './fake-change-log.ts'
import { AUTH, KEY, serve, until, type Harness } from './fakes.ts'
import { serveReal, type RealServer } from './real.ts'
import { openStream, typesOf, type Frame, type OpenStream } from './sse.ts'

interface Wire {
  readonly watermark: string
  readonly source: string
  readonly table: string
  readonly key: string | null
  readonly op: string
  readonly row: Record<string, unknown> | null
  readonly at: string
}
interface Page {
  readonly changes: readonly Wire[]
  readonly next: string
  readonly has_more: boolean
}

const row = (sku: number, v = 'a') => ({ sku, v })
const SSE = { Accept: 'text/event-stream' }
const read = (server: Pick<RealServer, 'get'>, query = '', headers = {}) =>
  server.get(`/api/changes${query}`, headers).then(async (response) => (await response.json()) as Page)
const told = (changes: readonly Wire[]) => changes.map(({ op, table, key }) => `${op} ${table}:${key}`)
const toldBy = ({ data }: Frame) => told(data.changes as Wire[])

/** A server whose log and snapshots are the test's. */
async function serveFake(t: TestContext, options: Parameters<typeof serve>[1] = {}) {
  const log = new FakeChangeLog()
  const harness = await serve(t, { changes: log, ...options })
  const commit = (...changes: Parameters<FakeChangeLog['commit']>[1]) => {
    const watermark = log.commit('cities', changes)
    harness.snapshots.publish('cities', [], { rendered: [] })
    return watermark
  }
  return { ...harness, log, commit, open: opener(t, harness) }
}

function opener(t: TestContext, { port }: Pick<Harness, 'port'>) {
  return async (query = '', headers: Record<string, string> = SSE): Promise<OpenStream> => {
    const stream = await openStream(port, `/api/changes${query}`, headers)
    t.after(() => stream.close())
    return stream
  }
}

/** Keys of one principal, who sees less than everything. */
function restricted(rules: Record<string, Partial<TableRule>>, limits: readonly string[] | null = null) {
  const all = environmentKeys([KEY])
  const principal: Principal = {
    ...all.check(KEY)!,
    limits: limits && new Set(limits),
    rules: new Map(Object.entries(rules).map(([name, rule]) => [name, { hidden: [], filter: null, ...rule }])),
    view: 'less',
  }
  return { ...all, check: (key: string) => (all.check(key) ? principal : undefined), find: () => principal }
}

describe('GET /api/changes', () => {
  test('without a position begins now, and each page says where the next begins', async (t) => {
    const server = await serveReal(t)
    await server.publish([row(1)])
    const first = await read(server)
    assert.deepEqual([first.changes, first.has_more], [[], false])
    await server.publish([row(1, 'b'), row(2)])
    const second = await read(server, `?since=${first.next}`)
    assert.deepEqual(told(second.changes), ['put wares:1', 'put wares:2'])
    const { at, ...change } = second.changes[0]!
    assert.deepEqual(change, {
      watermark: encodeWatermark(2),
      source: 'wares',
      table: 'wares',
      key: '1',
      op: 'put',
      row: { sku: 1, v: 'b' },
    })
    assert.equal(at, new Date(server.site.pointer().publishedAt).toISOString())
    assert.deepEqual((await read(server, `?since=${second.next}`)).changes, [])
  })

  test('names rows as /api/tables does', async (t) => {
    const server = await serveReal(t)
    const key = ['flag', 'name']
    await server.publish(
      [
        { flag: true, name: 'a,b', v: 1 },
        { flag: false, name: 'ü/', v: 1 },
      ],
      { key, types: { flag: 'boolean' } },
    )
    const { next } = await read(server)
    await server.publish(
      [
        { flag: true, name: 'a,b', v: 2 },
        { flag: false, name: 'ü/', v: 2 },
      ],
      { key, types: { flag: 'boolean' } },
    )
    const { changes } = await read(server, `?since=${next}`)
    assert.equal(changes.length, 2)
    for (const change of changes) {
      const { record } = await server.json<{ record: Record<string, unknown> }>(
        `/api/tables/wares/${encodeURIComponent(change.key!)}`,
      )
      assert.equal(record._id, change.key)
      for (const [name, value] of Object.entries(change.row!)) assert.deepEqual(record[name], value)
    }
  })

  test('beginning is as far back as the log goes, and says what it does not tell', async (t) => {
    const server = await serveReal(t, { site: { changeLog: { ...WIDE_LOG, maxEntries: 2 } } })
    for (let n = 0; n < 6; n++) await server.publish([row(1, String(n))])
    for (const since of ['0', 'beginning']) {
      const page = await read(server, `?since=${since}`)
      assert.deepEqual(told(page.changes), ['resync wares:null'])
      assert.equal(page.has_more, true)
      assert.deepEqual(new Set(told((await read(server, `?since=${page.next}`)).changes)), new Set(['put wares:1']))
    }
  })

  test('a position too old is 410, names what to fetch again, and the position to go on from', async (t) => {
    const server = await serveReal(t, { site: { changeLog: { ...WIDE_LOG, maxEntries: 2 } } })
    await server.publish([row(1)])
    const { next } = await read(server)
    for (let n = 0; n < 6; n++) await server.publish([row(1, String(n))])
    const response = await server.get(`/api/changes?since=${next}`)
    assert.equal(response.status, 410)
    const problem = (await response.json()) as { code: string; resync: string[]; since: string }
    assert.deepEqual([problem.code, problem.resync], ['watermark_too_old', ['wares.wares']])
    const rest = await read(server, `?since=${problem.since}`)
    assert.deepEqual(rest.changes.at(-1)?.row, { sku: 1, v: '5' })
  })

  test('a position of another directory or of the future is 410, and one that is none 400', async (t) => {
    const { get, log } = await serveFake(t)
    for (const [since, status, code] of [
      ['other-a0', 410, 'watermark_foreign'],
      [encodeCursor(log.epoch, encodeWatermark(7)), 410, 'watermark_foreign'],
      ['nonsense', 400, 'bad_parameter'],
      [`${log.epoch}-b1`, 400, 'bad_parameter'],
      ['1', 400, 'bad_parameter'],
    ] as const) {
      const response = await get(`/api/changes?since=${since}`)
      const { code: found } = (await response.json()) as { code: string }
      assert.deepEqual([since, response.status, found], [since, status, code])
    }
  })

  test('filters by source, table and key, and still moves the position', async (t) => {
    const server = await serveReal(t, { site: { sources: ['a', 'b'] } })
    const sync = async (source: string, v: string) => {
      await server.site.sync(
        {
          identity: source + v,
          tables: [
            {
              name: `of_${source}`,
              key: ['id'],
              columns: ['id', 'v'],
              rows: [
                [1, v],
                [2, v],
              ],
            },
          ],
        },
        { source },
      )
      server.mounts.look()
    }
    for (const source of ['a', 'b']) await sync(source, '1')
    const { next } = await read(server)
    for (const source of ['a', 'b']) await sync(source, '2')
    const head = (await read(server)).next
    for (const [query, expected] of [
      ['source=a', ['put of_a:1', 'put of_a:2']],
      ['table=of_b', ['put of_b:1', 'put of_b:2']],
      ['table=b.of_b&key=2', ['put of_b:2']],
      ['key=2', ['put of_a:2', 'put of_b:2']],
      ['source=a&table=of_a&key=1&key=2&key=3', ['put of_a:1', 'put of_a:2']],
      ['source=a&key=nobody', []],
    ] as const) {
      const page = await read(server, `?since=${next}&${query}`)
      assert.deepEqual([query, told(page.changes), page.next], [query, expected, head])
    }
    for (const [query, code] of [
      ['source=c', 'source_not_found'],
      ['table=c', 'table_not_found'],
      ['source=a&table=of_b', 'table_not_found'],
      ['wait=0', 'bad_parameter'],
      ['wait=1&stream=true', 'bad_parameter'],
      ['since=0&since=0', 'bad_parameter'],
    ] as const) {
      assert.deepEqual([query, (await server.json(`/api/changes?${query}`)).code], [query, code])
    }
  })

  test('HEAD says what GET would', async (t) => {
    const { url } = await serveFake(t)
    for (const query of ['wait=60', 'stream=true']) {
      const response = await fetch(`${url}/api/changes?${query}`, { method: 'HEAD', headers: AUTH })
      assert.equal(response.status, 200)
      assert.match(response.headers.get('cache-control')!, /no-store/)
    }
  })
})

describe('a request that waits', () => {
  test('is answered when something comes, by what it asked for', async (t) => {
    const { get, commit, http: _http, snapshots: _snapshots, log } = await serveFake(t)
    commit(put('cities', '0'))
    const since = encodeCursor(log.epoch, log.head())
    let answered = false
    const waiting = read({ get }, `?since=${since}&key=7&wait=60`).then((page) => ((answered = true), page))
    await until(() => log.reads > 0)
    commit(put('cities', '6'))
    const first = await read({ get }, `?since=${since}&wait=60`)
    assert.deepEqual([told(first.changes), answered], [['put cities:6'], false])
    commit(put('cities', '7'))
    const page = await waiting
    assert.deepEqual([told(page.changes), page.next], [['put cities:7'], encodeCursor(log.epoch, log.head())])
  })

  test('is answered with an empty page when its time is over', async (t) => {
    const { get } = await serveFake(t)
    const page = await read({ get }, '?wait=1')
    assert.deepEqual([page.changes, page.has_more], [[], false])
  })

  test('counts as a stream until it is answered or left', async (t) => {
    const { url, get } = await serveFake(t, { settings: { maxStreams: 1 } })
    const leaving = new AbortController()
    const waiting = fetch(`${url}/api/changes?wait=60`, { headers: AUTH, signal: leaving.signal }).catch(() => 'left')
    await until(async () => (await get('/api/changes?wait=1')).status === 429)
    leaving.abort()
    assert.equal(await waiting, 'left')
    await until(async () => (await get('/api/changes?wait=1')).status === 200)
  })

  test('is answered at once when the process leaves', async (t) => {
    const { get, http, log } = await serveFake(t)
    const waiting = read({ get }, '?wait=60')
    await until(() => log.reads > 0)
    await http.drain()
    assert.deepEqual((await waiting).changes, [])
  })
})

describe('an event stream of changes', () => {
  test('says where it is, then brings each batch as one frame as it comes', async (t) => {
    const { open, commit, log } = await serveFake(t)
    commit(put('cities', '0'))
    const stream = await open()
    assert.match(stream.headers['content-type']!, /^text\/event-stream/)
    assert.equal(stream.headers['cache-control'], 'no-store, no-transform')
    const first = await stream.next()
    assert.deepEqual(
      [first?.id, first?.data],
      [encodeCursor(log.epoch, log.head()), { type: 'position', watermark: log.head() }],
    )
    commit(put('cities', '1'), put('cities', '2'))
    const frame = (await stream.next())!
    assert.equal(frame.id, encodeCursor(log.epoch, log.head()))
    assert.deepEqual([frame.data.type, frame.data.source, frame.data.watermark], ['batch', 'cities', log.head()])
    assert.deepEqual(toldBy(frame), ['put cities:1', 'put cities:2'])
    assert.match(stream.text(), /^: holdfast\nretry: \d+\n\n/)
  })

  test('brings history first, then what comes, from Last-Event-ID rather than since', async (t) => {
    const { open, commit, log } = await serveFake(t)
    const marks = ['1', '2', '3'].map((key) => commit(put('cities', key)))
    const stream = await open('?since=beginning&stream=true', { 'Last-Event-ID': encodeCursor(log.epoch, marks[0]!) })
    assert.deepEqual(toldBy((await stream.next())!), ['put cities:2'])
    assert.deepEqual(toldBy((await stream.next())!), ['put cities:3'])
    commit(put('cities', '4'))
    assert.deepEqual(toldBy((await stream.next())!), ['put cities:4'])
  })

  test('leaves nothing out and repeats nothing, whatever is published while readers join', async (t) => {
    const { open, commit, log } = await serveFake(t)
    commit(put('cities', '1'))
    const since = encodeCursor(log.epoch, log.head())
    let number = 1
    const publishing = setInterval(() => commit(put('cities', String(++number))), 1)
    t.after(() => clearInterval(publishing))
    const streams: OpenStream[] = []
    for (let n = 0; n < 20; n++) streams.push(await open(`?since=${since}`))
    await until(() => number > 200)
    clearInterval(publishing)
    commit(put('cities', 'last'))
    for (const stream of streams) {
      const keys: string[] = []
      while (keys.at(-1) !== 'last') {
        const frame = (await stream.next())!
        if (frame.data.type === 'batch') keys.push(...(frame.data.changes as Wire[]).map(({ key }) => key!))
        else assert.equal(frame.data.type, 'position')
      }
      assert.deepEqual(keys, [...Array.from({ length: number - 1 }, (_, index) => String(index + 2)), 'last'])
    }
  })

  test('of a filter that fits nothing says its position when it is asked again', async (t) => {
    const { open, commit, log } = await serveFake(t)
    const since = encodeCursor(log.epoch, log.head())
    for (const key of ['1', '2']) commit(put('cities', key))
    const stream = await open(`?since=${since}&key=nobody`)
    assert.deepEqual((await stream.next())?.data, { type: 'position', watermark: log.head() })
  })

  test('has a heartbeat, and a position once a minute where nothing of it fits the filter', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const { open, commit, log } = await serveFake(t)
    const stream = await open('?key=mine')
    await stream.next()
    const marks = ['mine', 'other'].map((key) => commit(put('cities', key)))
    assert.equal((await stream.next())?.data.watermark, marks[0])
    const next = stream.next()
    t.mock.timers.tick(15_000)
    await until(() => stream.text().includes(': still here'))
    t.mock.timers.tick(45_000)
    const frame = (await next)!
    assert.deepEqual(
      [frame.id, frame.data],
      [encodeCursor(log.epoch, marks[1]!), { type: 'position', watermark: marks[1] }],
    )
  })

  test('says what to fetch again where its position means nothing or is too old', async (t) => {
    const { open, commit, log, snapshots } = await serveFake(t)
    const old = encodeCursor(log.epoch, commit(put('cities', '1')))
    commit(put('cities', '2'))
    log.prune([{ source: 'cities', tables: ['cities', 'gone'] }])
    const start = log.head()
    commit(put('cities', '3'))
    snapshots.publish('cities', [{ name: 'cities', columns: [], rows: [] }], { rendered: [] })
    for (const [id, reason, tables] of [
      [old, 'too_old', ['cities.cities', 'cities.gone']],
      ['other-a0', 'foreign', ['cities.cities']],
      ['nonsense', 'foreign', ['cities.cities']],
      [encodeCursor(log.epoch, encodeWatermark(99)), 'foreign', ['cities.cities']],
    ] as const) {
      const stream = await open('', { ...SSE, 'Last-Event-ID': id })
      const { id: next, data } = (await stream.next())!
      const watermark = reason === 'too_old' ? start : log.head()
      assert.deepEqual(data, { type: 'resync', watermark, reason, tables })
      assert.equal(next, encodeCursor(log.epoch, watermark))
      if (reason === 'too_old') assert.deepEqual(toldBy((await stream.next())!), ['put cities:3'])
    }
  })

  test('of a client that does not read is let go, and the others get everything', async (t) => {
    const { open, commit, port, log, get } = await serveFake(t)
    commit(put('cities', '0'))
    const since = encodeCursor(log.epoch, log.head())
    const slow = connect(port, '127.0.0.1')
    t.after(() => slow.destroy())
    slow.on('error', () => {})
    slow.write(`GET /api/changes?stream=true HTTP/1.1\r\nHost: x\r\nX-API-Key: ${KEY}\r\n\r\n`)
    await new Promise((resolve) => slow.once('data', resolve))
    slow.pause()
    const reader = await open()
    await reader.next()
    await until(async () => (await subscribers(get)) === 2)
    const text = 'x'.repeat(500_000)
    let count = 0
    while ((await subscribers(get)) === 2) {
      commit(put('cities', String(++count), { text }))
      assert.deepEqual(toldBy((await reader.next())!), [`put cities:${count}`])
    }
    assert.equal(await subscribers(get), 1)
    const back = await open(`?since=${since}`)
    for (let n = 1; n <= count; n++) assert.deepEqual(toldBy((await back.next())!), [`put cities:${n}`])
  })

  test('says bye when the process leaves', async (t) => {
    const { open, http } = await serveFake(t)
    const stream = await open()
    await stream.next()
    const drained = http.drain()
    assert.deepEqual(await stream.rest(), [])
    assert.match(stream.text(), /: bye\nretry: \d+\n\n$/)
    await drained
  })

  test('ends when its key does', async (t) => {
    let isLive = true
    const keys = { ...environmentKeys([KEY]), isLive: () => isLive }
    const { port } = await serveFake(t, { keys })
    const response = await fetch(`http://127.0.0.1:${port}/api/changes`, { headers: { ...AUTH, ...SSE } })
    isLive = false
    assert.match(await response.text(), /data: \{"type":"error","code":"unauthorized"/)
  })

  test('beyond the bound of streams is refused', async (t) => {
    const { open, get } = await serveFake(t, { settings: { maxStreams: 1 } })
    const stream = await open()
    await stream.next()
    assert.equal((await get('/api/changes?stream=true')).status, 429)
    stream.close()
    await until(async () => {
      const response = await get('/api/changes?stream=true')
      await response.body!.cancel()
      return response.status === 200
    })
  })

  test('stays while what follows a publish is not committed yet, and then goes on', async (t) => {
    const { open, log, snapshots } = await serveFake(t)
    const stream = await open()
    await stream.next()
    // The pointer is seen first.
    snapshots.publish('cities', [], { rendered: [] })
    snapshots.publish('cities', [], { rendered: [] })
    await new Promise((resolve) => setTimeout(resolve, 20))
    log.commit('cities', [put('cities', '1')])
    assert.deepEqual(toldBy((await stream.next())!), ['put cities:1'])
  })
})

describe('a key that does not see everything', () => {
  test('sees no changes of what it is not limited to, not even that there were some', async (t) => {
    const { get, log, open } = await serveFake(t, { keys: restricted({}, ['cities.open']) })
    const since = encodeCursor(log.epoch, log.head())
    log.commit('cities', [put('closed', '1'), put('open', '2'), { table: 'closed', key: '', op: 'resync', row: null }])
    log.commit('cities', [put('closed', '3')])
    const page = await read({ get }, `?since=${since}`)
    assert.deepEqual([told(page.changes), page.next], [['put open:2'], encodeCursor(log.epoch, log.head())])
    log.prune([{ source: 'cities', tables: ['closed', 'open'] }])
    log.commit('cities', [])
    assert.deepEqual(((await (await get(`/api/changes?since=${since}`)).json()) as { resync: string[] }).resync, [
      'cities.open',
    ])
    const stream = await open(`?since=${since}`)
    assert.deepEqual((await stream.next())?.data.tables, ['cities.open'])
  })

  test('sees rows without hidden columns, the rest as it is', async (t) => {
    const { get, log } = await serveFake(t, { keys: restricted({ 'cities.cities': { hidden: ['secret'] } }) })
    log.commit('cities', [
      { table: 'cities', key: '1', op: 'put', row: '{"secret":1,"n":12345678901234567890.50,"j":{"secret":2}}' },
    ])
    const text = await (await get(`/api/changes?since=0`)).text()
    assert.ok(text.includes('"row":{"n":12345678901234567890.50,"j":{"secret":2}}'), text)
  })

  test('is refused where rows are hidden or the key of a table is, and not elsewhere', async (t) => {
    const keys = restricted({
      'cities.hidden': { filter: parseRowFilter('country=eq.CH') },
      'cities.cities': { hidden: ['id'] },
    })
    const { get, snapshots, commit } = await serveFake(t, { keys })
    commit(put('cities', '1'))
    const tables = ['hidden', 'cities', 'other'].map((name) => ({
      name,
      columns: [{ name: 'id', type: 'integer' as const }],
      rows: [],
    }))
    snapshots.publish('cities', tables, { rendered: [] })
    for (const query of ['', '?table=hidden', '?table=cities']) {
      const response = await get(`/api/changes${query}`)
      assert.equal(response.status, 403)
      assert.equal(((await response.json()) as { code: string }).code, 'forbidden')
    }
    assert.equal((await get('/api/changes?table=other')).status, 200)
  })

  test('shares frames only with those who see the same', async (t) => {
    const all = environmentKeys([KEY, 'another-key-0123456789abcdef0123'])
    const less = restricted({ 'cities.cities': { hidden: ['secret'] } })
    const keys = {
      ...all,
      check: (key: string) => (key === KEY ? less.check(key) : all.check(key)),
      find: (id: string) => (id === all.check(KEY)!.id ? less.find() : all.find(id)),
    }
    const { open, commit } = await serveFake(t, { keys })
    const [one, other] = await Promise.all([
      open(),
      open('', { ...SSE, 'X-API-Key': 'another-key-0123456789abcdef0123' }),
    ])
    await Promise.all([one.next(), other.next()])
    commit(put('cities', '1', { id: 1, secret: 2 }))
    const rows = await Promise.all(
      [one, other].map(async (stream) => ((await stream.next())!.data.changes as Wire[])[0]!.row),
    )
    assert.deepEqual(rows, [{ id: 1 }, { id: 1, secret: 2 }])
  })
})

test('docs/changes.md has every parameter, and no other', () => {
  const docs = readFileSync(new URL('../../docs/changes.md', import.meta.url), 'utf8')
  const section = docs.slice(docs.indexOf('\n## Parameters'), docs.indexOf('\n## Pages'))
  const documented = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)
  assert.deepEqual(documented, Object.keys(CHANGES_PARAMETERS))
})

/** How many are told of what comes, as the metrics say. */
async function subscribers(get: Harness['get']): Promise<number> {
  const text = await (await get('/metrics')).text()
  return Number(/^holdfast_change_subscribers (\d+)/m.exec(text)?.[1])
}

test('the metrics tell how late the last subscriber was', async (t) => {
  const { open, commit, get } = await serveFake(t)
  const stream = await open()
  await stream.next()
  commit(put('cities', '1'))
  assert.deepEqual(typesOf([await stream.next()]), ['batch'])
  assert.match(await (await get('/metrics')).text(), /^holdfast_stream_lag_seconds [\d.e-]+$/m)
})
