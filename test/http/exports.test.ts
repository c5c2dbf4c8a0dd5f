import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { parse } from 'csv-parse/sync'
import type { KeyCheck, Principal } from '../../lib/access.ts'
import { environmentKeys, NOBODY } from '../../lib/http/keys.ts'
import { createHttp } from '../../lib/http/server.ts'
import type { MountedSnapshot, Snapshots } from '../../lib/snapshot.ts'
import { openSnapshot } from '../../lib/sqlite/database.ts'
import { until } from '../support/holdfast.ts'
import { seeded, testSeed } from '../support/random.ts'
import { tempFolder } from '../support/temp.ts'
import { FakeEngine, httpParts, KEY } from './fakes.ts'
import { ask, assertProblem } from './raw.ts'
import { serveReal, type RealOptions, type RealServer, type Rows } from './real.ts'

const ROWS: Rows = Array.from({ length: 3000 }, (_, index) => ({
  sku: `w-${String(index).padStart(5, '0')}`,
  name: index % 4 === 0 ? null : `Ware "${index}", ☃`,
  price: index * 3,
}))
const FORMATS = ['json', 'ndjson', 'csv', 'sqlite'] as const
const key = { 'X-API-Key': KEY }

async function served(t: TestContext, options?: RealOptions): Promise<RealServer> {
  const server = await serveReal(t, options)
  await server.publish(ROWS)
  return server
}

/** Where the export of a table is, as the redirect says. */
async function locate(server: RealServer, format: string, table = 'wares'): Promise<string> {
  const response = await server.get(`/api/tables/${encodeURIComponent(table)}/export?format=${format}`)
  assert.equal(response.status, 307, await response.text())
  return response.headers.get('location')!
}

const digestOf = (bytes: Buffer) => `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`

describe('GET /api/tables/:table/export', () => {
  test('leads to the export of the active snapshot, which a client that follows gets', async (t) => {
    const server = await served(t)
    const { snapshot } = server.site.pointer()
    for (const format of FORMATS) assert.equal(await locate(server, format), `/api/exports/${snapshot}/wares.${format}`)
    const plain = await server.get('/api/tables/wares/export')
    assert.equal(plain.headers.get('location'), `/api/exports/${snapshot}/wares.json`)
    assert.equal(plain.headers.get('cache-control'), 'private, no-cache')
    const followed = await fetch(`${server.url}/api/tables/wares/export?format=csv`, { headers: key })
    assert.equal((await followed.text()).split('\r\n').length, ROWS.length + 2)
    await server.publish(ROWS.slice(1))
    assert.notEqual(await locate(server, 'csv'), `/api/exports/${snapshot}/wares.csv`)
  })

  test('refuses tables and formats that there are not', async (t) => {
    const server = await served(t)
    assertProblem(await ask(server.port, '/api/tables/nothing/export', { headers: key }), 404, 'table_not_found')
    const wrong = await ask(server.port, '/api/tables/wares/export?format=xml', { headers: key })
    assertProblem(wrong, 400, 'bad_parameter')
  })
})

describe('an export', () => {
  test('has every row, and headers that say which bytes, which snapshot and how many rows', async (t) => {
    const server = await served(t)
    const bodies: Record<string, Buffer> = {}
    for (const format of FORMATS) {
      const path = await locate(server, format)
      const { status, headers, body } = await ask(server.port, path, { headers: { ...key, 'Accept-Encoding': 'br' } })
      assert.equal(status, 200)
      assert.equal(headers['repr-digest'], digestOf(body))
      assert.match(headers.etag ?? '', /^"[\w-]{43}"$/)
      assert.equal(headers['content-length'], String(body.length))
      assert.equal(headers['row-count'], '3000')
      assert.equal(headers['accept-ranges'], 'bytes')
      assert.equal(headers['content-encoding'], undefined)
      assert.equal(headers['snapshot-id'], server.site.pointer().snapshot)
      assert.match(headers['cache-control'] ?? '', /private.*immutable.*no-transform/)
      assert.equal(
        headers['content-disposition'],
        `attachment; filename="wares.${format}"; filename*=UTF-8''wares.${format}`,
      )

      const head = await ask(server.port, path, { method: 'HEAD', headers: key })
      assert.deepEqual({ ...head.headers, date: '', 'x-request-id': '' }, { ...headers, date: '', 'x-request-id': '' })
      assert.equal(head.body.length, 0)
      bodies[format] = body
    }
    const expected = server.site.published('wares')
    assert.deepEqual((JSON.parse(bodies.json!.toString()) as { data: unknown }).data, expected)
    const lines = bodies.ndjson!.toString().trimEnd().split('\n')
    assert.deepEqual(
      lines.map((line) => JSON.parse(line) as unknown),
      expected,
    )
    const cells = parse<Record<string, string>>(bodies.csv!, { columns: true })
    assert.deepEqual(cells.at(-1), { sku: 'w-02999', name: 'Ware "2999", ☃', price: '8997' })
    assert.equal(cells.length, ROWS.length)
    assert.deepEqual(bodies.sqlite, readFileSync(server.site.folder().file(server.site.pointer().file)))
  })

  test('as sqlite opens where nothing of ours is', async (t) => {
    const server = await served(t)
    const { body } = await ask(server.port, await locate(server, 'sqlite'), { headers: key })
    using folder = tempFolder()
    writeFileSync(folder.file('copy.sqlite'), body)
    const db = openSnapshot(folder.file('copy.sqlite'))
    assert.deepEqual(db.prepare('SELECT count(*) AS rows, sum(price) AS prices FROM wares').get(), {
      rows: 3000,
      prices: (3 * 2999 * 3000) / 2,
    })
    db.close()
  })

  test('is not sent again to who has it', async (t) => {
    const server = await served(t)
    const path = await locate(server, 'csv')
    const { headers } = await ask(server.port, path, { headers: key })
    for (const match of [headers.etag!, `"x", W/${headers.etag!}`, '*']) {
      const again = await ask(server.port, path, { headers: { ...key, 'If-None-Match': match, Range: 'bytes=0-1' } })
      assert.equal(again.status, 304)
      assert.equal(again.headers.etag, headers.etag)
      assert.equal(again.body.length, 0)
    }
  })

  test('stays the same while others are published, until it is two snapshots old', async (t) => {
    const server = await served(t)
    const path = await locate(server, 'ndjson')
    const before = await ask(server.port, path, { headers: key })
    await server.publish(ROWS.slice(1))
    assert.deepEqual((await ask(server.port, path, { headers: key })).body, before.body)
    await server.publish(ROWS.slice(2))
    const { detail } = assertProblem(await ask(server.port, path, { headers: key }), 404, 'snapshot_not_found')
    assert.match(detail, /\/api\/tables\/:table\/export/)
  })

  test('of the previous snapshot can be made by a process that never had it active', async (t) => {
    const server = await served(t)
    const path = await locate(server, 'csv')
    await server.publish(ROWS.slice(1))
    const answer = await ask(server.port, path, { headers: key })
    assert.equal(answer.headers['row-count'], '3000')
    assert.equal(answer.headers['repr-digest'], digestOf(answer.body))
  })

  test('has its table’s name, whatever that is', async (t) => {
    const server = await serveReal(t)
    const names = ['a.b', 'x/y', '...', 'ÄÖ ☃', "it's (1)*", 'wares.sqlite', '%2e', '\ud800', 'a?b#c', 'csv']
    const tables = names.map((name) => ({ name, key: ['id'], columns: ['id'], rows: [[1], [2]] }))
    await server.site.sync({ identity: 'names', tables })
    server.mounts.look()
    for (const name of names) {
      const asked = name.toWellFormed()
      const path = `/api/exports/${server.site.pointer().snapshot}/${encodeURIComponent(`${asked}.csv`)}`
      if (asked === name) assert.equal(await locate(server, 'csv', name), path)
      const answer = await ask(server.port, path, { headers: key })
      assert.equal(answer.body.toString(), 'id\r\n1\r\n2\r\n', name)
      assert.match(answer.headers['content-disposition']!, /^attachment; filename="[^"%\\/]+\.csv"; /)
      const saved = /filename\*=UTF-8''([\w!#$&+.^`|~%-]+)$/.exec(answer.headers['content-disposition']!)?.[1]
      assert.equal(decodeURIComponent(saved!), `${asked}.csv`)
    }
  })

  test('that is not there is refused, and no path leads out of the folder', async (t) => {
    const server = await served(t)
    const { snapshot } = server.site.pointer()
    for (const file of [
      'nothing.csv',
      'wares',
      'wares.',
      '.csv',
      'wares.xml',
      'wares.CSV',
      'other.sqlite',
      '..%2Factive.json',
    ]) {
      assertProblem(
        await ask(server.port, `/api/exports/${snapshot}/${file}`, { headers: key }),
        404,
        'table_not_found',
      )
    }
    for (const other of ['nothing', '..', '%2e%2e%2f', 's'.repeat(500), 'staged-1']) {
      const answer = await ask(server.port, `/api/exports/${other}/wares.csv`, { headers: key })
      assertProblem(answer, 404, 'snapshot_not_found')
    }
  })

  test('beyond the bound is refused in words', async (t) => {
    const server = await served(t, { settings: { exportFileBytes: 1000 } })
    for (const format of FORMATS) {
      const answer = await ask(server.port, await locate(server, format), { headers: key })
      assert.equal(assertProblem(answer, 400, 'answer_too_large').max_bytes, 1000)
    }
  })

  test('that takes too long is 503 with how far it is, and found by who comes back', async (t) => {
    const server = await served(t)
    const hurried = await serveHurried(t, server)
    const path = await locate(server, 'csv')
    const first = await ask(hurried.port, path, { headers: key })
    const problem = assertProblem(first, 503, 'export_building')
    assert.equal(problem.rows, 3000)
    assert.ok(Number(first.headers['retry-after']) > 0)
    await until(async () => (await ask(hurried.port, path, { headers: key })).status === 200, { what: 'the export' })
  })
})

/** A second server over the same mounts, whose exports wait for nothing. */
async function serveHurried(t: TestContext, { mounts }: RealServer): Promise<{ port: number }> {
  const hurry = (mounted: MountedSnapshot | undefined): MountedSnapshot | undefined =>
    mounted && {
      pointer: mounted.pointer,
      table: (name) => mounted.table(name),
      reader: (...args) => mounted.reader(...args),
      record: (...args) => mounted.record(...args),
      query: (...args) => mounted.query(...args),
      origin: (name) => mounted.origin(name),
      fileReferences: (...args) => mounted.fileReferences(...args),
      bodyFile: (...args) => mounted.bodyFile(...args),
      exportFile: (wanted) => mounted.exportFile({ ...wanted, waitMs: 0 }),
      fileSizes: () => mounted.fileSizes(),
      pin: () => mounted.pin(),
    }
  const snapshots: Snapshots = {
    active: (source) => hurry(mounts.active(source)),
    find: (source, snapshot) => hurry(mounts.find(source, snapshot)),
    onPublish: (listener) => mounts.onPublish(listener),
    tellReading: (pointer) => mounts.tellReading(pointer),
    lastReading: (pointer) => mounts.lastReading(pointer),
  }
  const http = createHttp({
    ...httpParts({ engine: new FakeEngine(['wares']), errors: [] }),
    snapshots,
    sources: ['wares'],
  })
  await new Promise<void>((resolve) => http.server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    http.server.closeAllConnections()
    http.server.close()
  })
  return { port: (http.server.address() as { port: number }).port }
}

describe('a range of an export', () => {
  test('is the bytes that were asked for, with the digest of the whole', async (t) => {
    const server = await served(t)
    const path = await locate(server, 'csv')
    const whole = await ask(server.port, path, { headers: key })
    const size = whole.body.length
    const cases: [string, number, number][] = [
      ['bytes=0-0', 0, 0],
      ['bytes=100-199', 100, 199],
      [`bytes=${size - 1}-`, size - 1, size - 1],
      ['bytes=5-99999999999999999999', 5, size - 1],
      ['bytes=-10', size - 10, size - 1],
      ['bytes=-99999999999', 0, size - 1],
    ]
    for (const [Range, from, to] of cases) {
      const part = await ask(server.port, path, { headers: { ...key, Range } })
      assert.equal(part.status, 206, Range)
      assert.equal(part.headers['content-range'], `bytes ${from}-${to}/${size}`)
      assert.equal(part.headers['content-length'], String(to - from + 1))
      assert.deepEqual(part.body, whole.body.subarray(from, to + 1))
      for (const name of ['etag', 'repr-digest', 'row-count', 'cache-control', 'last-modified'])
        assert.equal(part.headers[name], whole.headers[name], name)
    }
  })

  test('that cannot be answered as such is the whole, or 416 where it lies behind the end', async (t) => {
    const server = await served(t)
    const path = await locate(server, 'csv')
    const whole = await ask(server.port, path, { headers: key })
    const size = whole.body.length
    for (const Range of [
      'bytes=0-1,5-6',
      'items=0-1',
      'bytes=9-1',
      'bytes=a-b',
      'bytes',
      `bytes=${'0-1,'.repeat(2000)}`,
    ]) {
      const answer = await ask(server.port, path, { headers: { ...key, Range } })
      assert.deepEqual(
        [answer.status, answer.body.length, answer.headers['content-range']],
        [200, size, undefined],
        Range,
      )
    }
    for (const Range of [`bytes=${size}-`, `bytes=${size}-${size + 5}`, 'bytes=-0', `bytes=${'9'.repeat(5000)}-`]) {
      const answer = await ask(server.port, path, { headers: { ...key, Range } })
      assert.equal(assertProblem(answer, 416, 'range_not_satisfiable').bytes, size)
      assert.equal(answer.headers['content-range'], `bytes */${size}`)
    }
    const head = await ask(server.port, path, { method: 'HEAD', headers: { ...key, Range: 'bytes=0-1' } })
    assert.deepEqual([head.status, head.headers['content-length']], [200, String(size)])
  })

  test('counts only for what If-Range names', async (t) => {
    const server = await served(t)
    const path = await locate(server, 'csv')
    const { headers } = await ask(server.port, path, { headers: key })
    const status = async (ifRange: string) =>
      (await ask(server.port, path, { headers: { ...key, Range: 'bytes=0-9', 'If-Range': ifRange } })).status
    assert.equal(await status(headers.etag!), 206)
    assert.equal(await status(headers['last-modified']!), 206)
    assert.equal(await status(`W/${headers.etag!}`), 200)
    assert.equal(await status('"another"'), 200)
    assert.equal(await status(new Date(0).toUTCString()), 200)
  })

  test('of an empty export is the empty whole', async (t) => {
    const server = await serveReal(t)
    await server.publish([], { columns: ['sku'] })
    const path = await locate(server, 'ndjson')
    for (const headers of [key, { ...key, Range: 'bytes=-5' }]) {
      const answer = await ask(server.port, path, { headers })
      assert.deepEqual([answer.status, answer.body.length, answer.headers['row-count']], [200, 0, '0'])
    }
    assertProblem(
      await ask(server.port, path, { headers: { ...key, Range: 'bytes=0-' } }),
      416,
      'range_not_satisfiable',
    )
  })
})

describe('a download', () => {
  test('that is cut again and again, wherever, goes on where it was, and the digest matches', async (t) => {
    const seed = testSeed()
    const random = seeded(seed)
    const server = await served(t)
    for (const format of FORMATS) {
      const path = await locate(server, format)
      const { headers, body } = await ask(server.port, path, { headers: key })
      let got = Buffer.alloc(0)
      let cuts = 0
      while (got.length < body.length) {
        const most = cuts < 8 ? 1 + Math.floor((random() * body.length) / 4) : Infinity
        got = Buffer.concat([got, await fetchUpTo(server.port, path, got.length, most, headers.etag!)])
        cuts++
        if (cuts === 4 && format === 'csv') await server.publish(ROWS.slice(1))
      }
      assert.equal(digestOf(got), headers['repr-digest'], `${format}, seed ${seed}`)
      assert.ok(cuts > 1)
    }
    assert.deepEqual(server.errors, [], 'who leaves is no error')
  })

  test('that is not taken any further holds its snapshot and little else, and lets go when the client leaves', async (t) => {
    const server = await serveReal(t, { site: { bodyFileBytes: 0 } })
    await server.publish(Array.from({ length: 20 }, (_, sku) => ({ sku, text: 'abcd'.repeat(250_000) })))
    const path = await locate(server, 'ndjson')
    assert.equal((await ask(server.port, path, { method: 'HEAD', headers: key })).status, 200)
    const mounted = server.mounts.active('wares')!
    const pin = mounted.pin.bind(mounted)
    let pins = 0
    mounted.pin = () => {
      pins++
      const pinned = pin()
      return { [Symbol.dispose]: () => (pins--, pinned[Symbol.dispose]()) }
    }
    const before = process.memoryUsage().arrayBuffers
    const sockets = Array.from({ length: 10 }, () => {
      const socket = connect(server.port, '127.0.0.1').on('error', () => undefined)
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nX-API-Key: ${KEY}\r\n\r\n`)
      return socket.pause()
    })
    await until(() => pins === 10, { what: 'ten downloads' })
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.equal(pins, 10, 'none of them fits into the buffers of a connection')
    assert.ok(process.memoryUsage().arrayBuffers - before < 100e6, 'nobody keeps the rest of it in memory')
    for (const socket of sockets) socket.destroy()
    await until(() => pins === 0, { what: 'all to let go' })
    assert.deepEqual(server.errors, [])
  })
})

/** Reads from a position, and destroys the socket once more than `most` bytes of the body have come. */
function fetchUpTo(port: number, path: string, from: number, most: number, tag: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: x\r\nX-API-Key: ${KEY}\r\nConnection: close\r\n` +
        `${from === 0 ? '' : `Range: bytes=${from}-\r\nIf-Range: ${tag}\r\n`}\r\n`,
    )
    let all = Buffer.alloc(0)
    const body = () => {
      const end = all.indexOf('\r\n\r\n')
      if (end === -1) return undefined
      const status = all.subarray(9, 12).toString()
      if (status !== (from === 0 ? '200' : '206')) reject(new Error(all.subarray(0, end).toString()))
      return all.subarray(end + 4)
    }
    socket.on('data', (piece: Buffer) => {
      all = Buffer.concat([all, piece])
      if ((body()?.length ?? 0) >= most) socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(body()?.subarray(0, most) ?? Buffer.alloc(0)))
  })
}

describe('a key that sees only some tables', () => {
  const reader = (id: string, limits: string[], rules: Principal['rules'] = new Map()): Principal => ({
    ...NOBODY,
    id,
    scopes: new Set(['read']),
    limits: limits.length === 0 ? null : new Set(limits),
    rules,
    view: id,
  })
  const readers: Record<string, Principal> = {
    table: reader('table', ['wares.one']),
    source: reader('source', ['wares']),
    other: reader('other', ['elsewhere']),
    rows: reader('rows', [], new Map([['wares.one', { hidden: ['id'], filter: null }]])),
  }
  const all = environmentKeys([KEY])
  const keys: KeyCheck = {
    ...all,
    check: (text) => readers[text] ?? all.check(text),
    isLive: () => true,
    find: (id) => readers[id] ?? all.find(id),
  }

  test('exports those, and does not know the others', async (t) => {
    const server = await serveReal(t, { keys })
    const tables = ['one', 'two'].map((name) => ({ name, key: ['id'], columns: ['id'], rows: [[1]] }))
    await server.site.sync({ identity: 'two tables', tables })
    server.mounts.look()
    const { snapshot } = server.site.pointer()
    const as = (who: string, file: string) =>
      ask(server.port, `/api/exports/${snapshot}/${file}`, { headers: { 'X-API-Key': who } })

    assert.equal((await as('table', 'one.csv')).status, 200)
    const unknown = assertProblem(await as('table', 'two.csv'), 404, 'table_not_found')
    assert.deepEqual(unknown.known, ['one'])
    assertProblem(await as('table', 'wares.sqlite'), 403, 'forbidden')
    assert.equal((await as('source', 'wares.sqlite')).status, 200)
    assertProblem(await as('other', 'one.csv'), 404, 'snapshot_not_found')
    for (const file of ['one.csv', 'two.csv', 'wares.sqlite']) assertProblem(await as('rows', file), 403, 'forbidden')

    const lead = (who: string, path: string) =>
      ask(server.port, `/api/tables/${path}`, { headers: { 'X-API-Key': who } })
    assert.equal((await lead('table', 'one/export')).status, 307)
    assertProblem(await lead('table', 'one/export?format=sqlite'), 403, 'forbidden')
    assertProblem(await lead('table', 'two/export'), 404, 'table_not_found')
    assertProblem(await lead('rows', 'two/export'), 403, 'forbidden')
  })
})
