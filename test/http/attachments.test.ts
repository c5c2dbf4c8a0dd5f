import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import type { Value } from '../../lib/column.ts'
import { fileName } from '../../lib/files.ts'
import { visibleFile } from '../../lib/http/attachments/visible-file.ts'
import { shownType } from '../../lib/http/attachments/shown-type.ts'
import { savedName } from '../../lib/http/attachments/saved-name.ts'
import type { KeySpec } from '../../lib/keys.ts'
import { filesFolder } from '../../lib/sqlite/file-index-database.ts'
import { SqliteFileIndex } from '../../lib/sqlite/file-index.ts'
import type { UpstreamTable } from '../sqlite/site.ts'
import { KEY, until } from './fakes.ts'
import { ask, assertProblem, type Answer } from './raw.ts'
import { serveReal, type RealOptions } from './real.ts'
import { storedKeys } from './stored-keys.ts'

interface Attachment {
  readonly id: string
  readonly filename?: unknown
  readonly type?: unknown
  readonly size?: unknown
}

const key = { 'X-API-Key': KEY }
const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('base64')
const PHOTO: Attachment = { id: 'attPhoto', filename: 'photo.png', type: 'image/png', size: 26 }
const TEXT = 'abcdefghijklmnopqrstuvwxyz'

/** A server with tables that have files, of which a test says which are here. */
async function served(t: TestContext, options: RealOptions = {}) {
  const keys = storedKeys(t)
  const server = await serveReal(t, { ...keys.parts, ...options })
  const folder = server.site.folder()
  const index = new SqliteFileIndex(folder, server.site.clock)
  t.after(() => index[Symbol.dispose]())
  const get = (path: string, headers: Record<string, string> = key, method = 'GET') =>
    ask(server.port, path, { headers, method })
  return {
    ...server,
    index,
    keys,
    ask: get,
    /** Publishes tables whose rows have a `sku`, and files in `files`. */
    async tables(tables: Readonly<Record<string, readonly (readonly Value[])[]>>, shape: Partial<UpstreamTable> = {}) {
      const columns = shape.columns ?? ['sku', 'country', 'files']
      const run = await server.site.sync({
        identity: JSON.stringify([tables, shape]),
        tables: Object.entries(tables).map(([name, rows]) =>
          Object.assign(
            { name, key: ['sku'], types: { files: 'json' } as const, fileColumns: ['files'], columns, rows },
            shape,
          ),
        ),
      })
      assert.equal(run.status, 'completed', run.error?.message)
      server.mounts.look()
    },
    /** The file is here. */
    hold(id: string, content: Buffer | string) {
      writeFileSync(join(filesFolder(folder), fileName(id)), content)
      index.mirrored(id, { bytes: Buffer.byteLength(content), sha256: sha256(content) })
    },
    async json<T>(path: string, headers?: Record<string, string>): Promise<T> {
      const answer = await get(path, headers)
      assert.equal(answer.status, 200, answer.body.toString())
      return JSON.parse(answer.body.toString()) as T
    },
  }
}

async function withPhoto(t: TestContext, content: Buffer | string = TEXT, photo: Partial<Attachment> = {}) {
  const server = await served(t)
  await server.tables({ wares: [['a', 'DE', [{ ...PHOTO, ...photo }] as never]] })
  server.hold(PHOTO.id, content)
  return server
}

describe('GET /api/attachments/:id', () => {
  test('gives the bytes, with a digest and under a tag that never change', async (t) => {
    const server = await withPhoto(t)
    const { status, headers, body } = await server.ask('/api/attachments/attPhoto')
    assert.deepEqual([status, body.toString()], [200, TEXT])
    assert.equal(headers['content-type'], 'image/png')
    assert.equal(headers['content-length'], '26')
    assert.equal(headers['content-disposition'], `inline; filename="photo.png"; filename*=UTF-8''photo.png`)
    assert.equal(headers['repr-digest'], `sha-256=:${sha256(TEXT)}:`)
    assert.equal(headers.etag, `"${Buffer.from(sha256(TEXT), 'base64').toString('base64url')}"`)
    assert.equal(headers['accept-ranges'], 'bytes')
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.equal(headers['cache-control'], 'private, max-age=31536000, immutable, no-transform')
    assert.equal(headers.vary, 'Authorization, X-API-Key, apikey')
    await server.tables({
      wares: [
        ['a', 'DE', [PHOTO] as never],
        ['b', 'DE', null],
      ],
    })
    assert.equal((await server.ask('/api/attachments/attPhoto')).headers.etag, headers.etag)
    assert.deepEqual(server.errors, [])
  })

  test('answers HEAD, and 304 to whoever has it', async (t) => {
    const server = await withPhoto(t)
    const whole = await server.ask('/api/attachments/attPhoto')
    const head = await server.ask('/api/attachments/attPhoto', key, 'HEAD')
    assert.deepEqual([head.status, head.body.length], [200, 0])
    for (const name of ['content-length', 'content-type', 'etag', 'content-disposition', 'repr-digest'])
      assert.equal(head.headers[name], whole.headers[name], name)
    for (const condition of [whole.headers.etag!, `W/${whole.headers.etag}`, `"x", ${whole.headers.etag}`, '*']) {
      const again = await server.ask('/api/attachments/attPhoto', { ...key, 'If-None-Match': condition })
      assert.deepEqual([again.status, again.body.length, again.headers.etag], [304, 0, whole.headers.etag])
    }
    assert.equal((await server.ask('/api/attachments/attPhoto', { ...key, 'If-None-Match': '"x"' })).status, 200)
  })

  test('gives a range, and the whole where If-Range names something else', async (t) => {
    const server = await withPhoto(t)
    const get = (headers: Record<string, string>) => server.ask('/api/attachments/attPhoto', { ...key, ...headers })
    const { etag } = (await get({})).headers
    for (const [Range, expected] of [
      ['bytes=0-2', 'abc'],
      ['bytes=24-', 'yz'],
      ['bytes=-1', 'z'],
    ] as const) {
      const part = await get({ Range, 'If-Range': etag! })
      assert.deepEqual([part.status, part.body.toString(), part.headers.etag], [206, expected, etag])
      assert.equal(
        part.headers['content-range'],
        `bytes ${TEXT.indexOf(expected)}-${TEXT.indexOf(expected) + expected.length - 1}/26`,
      )
    }
    for (const other of ['"x"', `W/${etag}`, new Date(0).toUTCString(), 'Fri, 01 Jan 2100 00:00:00 GMT'])
      assert.equal((await get({ Range: 'bytes=0-2', 'If-Range': other })).status, 200, other)
    const outside = await get({ Range: 'bytes=26-' })
    assertProblem(outside, 416, 'range_not_satisfiable')
    assert.equal(outside.headers['content-range'], 'bytes */26')
  })

  test('saves it when asked to, and takes no other parameter', async (t) => {
    const server = await withPhoto(t)
    const saved = await server.ask('/api/attachments/attPhoto?download=1')
    assert.match(saved.headers['content-disposition']!, /^attachment; filename="photo.png"/)
    assert.equal(saved.headers['content-type'], 'image/png')
    assertProblem(await server.ask('/api/attachments/attPhoto?download=2'), 400, 'bad_parameter')
    assertProblem(await server.ask('/api/attachments/attPhoto?path=/etc/passwd'), 400, 'unknown_parameter')
    assertProblem(await server.ask('/api/attachments/attPhoto', {}), 401, 'unauthorized')
  })

  test('takes a ticket, for one of them alone, and ranges with it: what plays a video can send no key', async (t) => {
    const server = await withPhoto(t)
    const body = JSON.stringify({ url: '/api/attachments/attPhoto' })
    const headers = { ...key, 'Content-Type': 'application/json', 'Content-Length': String(body.length) }
    const issued = await ask(server.port, '/api/tickets', { method: 'POST', headers, body })
    const { url, ticket } = JSON.parse(issued.body.toString()) as { url: string; ticket: string }
    const part = await server.ask(url, { Range: 'bytes=0-2' })
    assert.deepEqual([part.status, part.body.toString()], [206, 'abc'])
    assertProblem(await server.ask(`/api/attachments/attOther?ticket=${ticket}`, {}), 401, 'unauthorized')
    assertProblem(await server.ask(`/api/attachments?table=wares&ticket=${ticket}`, {}), 401, 'unauthorized')
  })

  test('says whether it is still on its way, could not be fetched, or is not there', async (t) => {
    const server = await served(t)
    await server.tables({ wares: [['a', 'DE', [PHOTO] as never]] })
    const waiting = await server.ask('/api/attachments/attPhoto')
    assertProblem(waiting, 503, 'attachment_pending')
    assert.equal(waiting.headers['retry-after'], '5')
    server.index.failed(
      'attPhoto',
      { code: 'upstream_unavailable', message: 'It stalled.' },
      { nextAt: 0, isFinal: false },
    )
    assertProblem(await server.ask('/api/attachments/attPhoto'), 503, 'attachment_pending')
    server.index.failed(
      'attPhoto',
      { code: 'upstream_refused', message: 'It answered 403.' },
      { nextAt: 0, isFinal: true },
    )
    const failed = assertProblem(await server.ask('/api/attachments/attPhoto'), 502, 'attachment_failed')
    assert.match(failed.detail, /answered 403/)
    assert.equal(failed.reason, 'upstream_refused')
    server.hold('attPhoto', TEXT)
    assert.equal((await server.ask('/api/attachments/attPhoto')).status, 200)
    assertProblem(await server.ask('/api/attachments/attOther'), 404, 'attachment_not_found')
  })

  test('is gone with the last row that speaks of it', async (t) => {
    const server = await withPhoto(t)
    await server.tables({ wares: [['a', 'DE', null]] })
    assertProblem(await server.ask('/api/attachments/attPhoto'), 404, 'attachment_not_found')
  })

  test('never sends half: a file that was taken away or is not as long as it was is fetched again', async (t) => {
    const server = await withPhoto(t)
    const path = join(filesFolder(server.site.folder()), 'attPhoto')
    writeFileSync(path, 'abc')
    assertProblem(await server.ask('/api/attachments/attPhoto'), 503, 'attachment_pending')
    rmSync(path)
    for (const method of ['GET', 'HEAD'])
      assert.equal((await server.ask('/api/attachments/attPhoto', key, method)).status, 503)
    assert.deepEqual(server.errors, [])
  })

  const HOSTILE = [
    '..%2f..%2factive.json', '..%2Findex.sqlite', '%2e%2e%2f%2e%2e%2factive.json', 'index.sqlite', 'attPhoto%00', '%2Fetc%2Fpasswd',
    '..', '.', 'attPhoto%2f..%2findex.sqlite', '-rf', '%0d%0aX:%20y', 'a'.repeat(5000), '%F0%9F%93%B7',
  ] // prettier-ignore
  test('finds no file by anything but an id that a row has', async (t) => {
    const server = await withPhoto(t)
    for (const id of HOSTILE) {
      const { status, body } = await server.ask(`/api/attachments/${id}`)
      assert.ok([404, 400].includes(status), `${id}: ${status}`)
      assert.doesNotMatch(body.toString(), /SQLite format|"snapshot":"s/)
    }
    assertProblem(await server.ask('/api/attachments/%ff'), 400, 'bad_request')
    assert.deepEqual(server.errors, [])
  })

  test('finds the file of an id that is a path, and nothing else by it', async (t) => {
    const server = await served(t)
    const id = '../../active.json'
    await server.tables({
      wares: [['a', 'DE', [{ id, filename: '../../x\r\nSet-Cookie: a=b.txt', type: 'text/plain' }] as never]],
    })
    server.hold(id, 'harmless')
    const { status, body, headers } = await server.ask(`/api/attachments/${encodeURIComponent(id)}`)
    assert.deepEqual([status, body.toString()], [200, 'harmless'])
    assert.equal(headers['set-cookie'], undefined)
    assert.doesNotMatch(headers['content-disposition']!, /\.\.\/|[\r\n]/)
  })
})

describe('what an upstream calls a file', () => {
  const DANGEROUS = [
    'text/html', 'TEXT/HTML; charset=utf-8', 'image/svg+xml', 'image/svg', 'application/xhtml+xml', 'text/xml', 'application/xml',
    'application/javascript', 'text/javascript', 'text/css', 'application/x-shockwave-flash', 'image/png+xml', 'multipart/x-mixed-replace',
    'message/rfc822', 'text/html\r\nX: y', 'x', '', 'image/', '__proto__', 'video/x-html',
  ] // prettier-ignore
  for (const type of DANGEROUS) {
    test(`${JSON.stringify(type)} is saved, as bytes without a type`, async (t) => {
      const server = await withPhoto(t, '<script>alert(1)</script>', { type, size: 25, filename: 'x.html' })
      const { status, headers } = await server.ask('/api/attachments/attPhoto')
      assert.equal(status, 200)
      assert.equal(headers['content-type'], 'application/octet-stream')
      assert.match(headers['content-disposition']!, /^attachment;/)
      assert.match(headers['content-security-policy'] as string, /^sandbox; default-src 'none'/)
      assert.equal(headers['x-content-type-options'], 'nosniff')
    })
  }

  test('is cut inside of no character', () => {
    assert.equal(savedName('\uD800', 'attId'), 'attId')
    assert.equal(savedName('', '\uD800/'), '__')
  })

  test('decides on what is shown: images, sound, video and plain text', () => {
    const shown = ['image/jpeg', 'IMAGE/PNG', ' image/webp ; x=y', 'audio/mpeg', 'video/mp4']
    for (const type of shown) assert.equal(shownType(type).disposition, 'inline', type)
    assert.deepEqual(shownType('text/plain; charset=latin1'), {
      type: 'text/plain; charset=utf-8',
      disposition: 'inline',
    })
    assert.deepEqual(shownType('application/pdf'), { type: 'application/pdf', disposition: 'attachment' })
    assert.deepEqual(shownType(null), { type: 'application/octet-stream', disposition: 'attachment' })
  })

  const NAMES: readonly (readonly [upstream: string, saved: string])[] = [
    ['Ünïcödé ☃.pdf', 'Ünïcödé ☃.pdf'],
    ['../../etc/passwd', '__.._etc_passwd'],
    ['..\\..\\x', '__.._x'],
    ['.htaccess', '_htaccess'],
    ['x\r\nSet-Cookie: a=b', 'xSet-Cookie_ a=b'],
    ['photo\u202Egnp.exe', 'photognp.exe'],
    ['a\u0000b\u200Bc\u2066d', 'abcd'],
    ['quote".png', 'quote".png'],
    ['trailing. . ', 'trailing'],
    ['', 'attId'],
    ['   ', 'attId'],
    [`${'a'.repeat(500)}.jpeg`, `${'a'.repeat(195)}.jpeg`],
    [`${'a'.repeat(199)}📷`, 'a'.repeat(199)],
  ]
  for (const [upstream, saved] of NAMES) {
    test(`${JSON.stringify(upstream).slice(0, 40)} is saved as a name, and reads as what it is`, async (t) => {
      assert.equal(savedName(upstream, 'attId'), saved)
      const server = await served(t)
      await server.tables({ wares: [['a', 'DE', [{ ...PHOTO, id: 'attId', filename: upstream }] as never]] })
      server.hold('attId', TEXT)
      const { status, headers } = await server.ask('/api/attachments/attId')
      assert.equal(status, 200)
      const [, plain, extended] =
        /^inline; filename="([ !#-~]*)"; filename\*=UTF-8''([\w.!~%-]*)$/.exec(headers['content-disposition']!) ?? []
      assert.ok(plain !== undefined && !/[/\\%]/.test(plain), headers['content-disposition'])
      assert.equal(decodeURIComponent(extended!), saved)
    })
  }
})

describe('a key that does not see everything', () => {
  const rows: Readonly<Record<string, readonly (readonly Value[])[]>> = {
    orders: [
      [
        'a',
        'DE',
        [
          { id: 'attGerman', filename: 'de.txt', type: 'text/plain' },
          { id: 'attBoth', filename: 'of de.txt' },
        ] as never,
      ],
      [
        'b',
        'CH',
        [
          { id: 'attSwiss', filename: 'ch.txt' },
          { id: 'attBoth', filename: 'of ch.txt' },
        ] as never,
      ],
    ],
    salaries: [['s', 'DE', [{ id: 'attSalary' }, { id: 'attSwiss', filename: 'of salaries.txt' }] as never]],
  }
  const ALL = ['attGerman', 'attBoth', 'attSwiss', 'attSalary']
  const CASES: readonly (readonly [what: string, spec: Partial<KeySpec>, sees: readonly string[]])[] = [
    ['sees one table', { limits: ['wares.orders'] }, ['attGerman', 'attBoth', 'attSwiss']],
    ['sees another table', { limits: ['wares.salaries'] }, ['attSwiss', 'attSalary']],
    ['sees another source', { limits: ['elsewhere'] }, []],
    ['sees some rows', { limits: ['wares.orders'], rules: { 'wares.orders': { hidden: [], filter: 'country=eq.DE' } } }, ['attGerman', 'attBoth']],
    ['sees some rows of one of the tables', { rules: { 'wares.orders': { hidden: [], filter: 'country=eq.FR' } } }, ['attSwiss', 'attSalary']],
    ['does not see the column', { limits: ['wares.orders'], rules: { 'wares.orders': { hidden: ['files'], filter: null } } }, []],
    ['does not see the column of one of the tables', { rules: { 'wares.orders': { hidden: ['files'], filter: null } } }, ['attSwiss', 'attSalary']],
    ['does not see what rows are called', { limits: ['wares.orders'], rules: { 'wares.orders': { hidden: ['sku'], filter: null } } }, []],
    ['has a filter that fits no more', { limits: ['wares.orders'], rules: { 'wares.orders': { hidden: [], filter: 'gone=eq.1' } } }, []],
  ] // prettier-ignore
  for (const [what, spec, sees] of CASES) {
    test(`and ${what} has the files of the rows that it sees, and of no others`, async (t) => {
      const server = await served(t)
      await server.tables(rows)
      for (const id of ALL) server.hold(id, `content of ${id}`)
      const { headers } = await server.keys.make(spec)
      for (const id of ALL) {
        for (const method of ['GET', 'HEAD']) {
          const answer = await server.ask(`/api/attachments/${id}`, headers, method)
          assert.equal(answer.status, sees.includes(id) ? 200 : 404, `${method} ${id}`)
        }
        if (sees.includes(id)) continue
        const problem = assertProblem(await server.ask(`/api/attachments/${id}`, headers), 404, 'attachment_not_found')
        assert.doesNotMatch(JSON.stringify(problem), /orders|salaries|\.txt/)
      }
      assert.deepEqual(server.errors, [])
    })
  }

  test('has it under the name that a row gives it that it sees', async (t) => {
    const server = await served(t)
    await server.tables(rows)
    for (const id of ALL) server.hold(id, TEXT)
    const { headers } = await server.keys.make({ rules: { 'wares.orders': { hidden: [], filter: 'country=eq.CH' } } })
    const name = async (id: string, as: Record<string, string>) =>
      (await server.ask(`/api/attachments/${id}`, as)).headers['content-disposition']
    assert.match((await name('attBoth', headers))!, /of ch\.txt/)
    assert.match((await name('attBoth', key))!, /of de\.txt/)
  })

  test('sees it also where a thousand rows speak of it that it does not see', async (t) => {
    const server = await served(t)
    const photo = [PHOTO] as never
    const many = Array.from(
      { length: 2500 },
      (_, at) => [`w${String(at).padStart(4, '0')}`, at === 2321 ? 'CH' : 'DE', photo] as const,
    )
    await server.tables({ orders: many })
    server.hold(PHOTO.id, TEXT)
    const seeing = await server.keys.make({ rules: { 'wares.orders': { hidden: [], filter: 'country=eq.CH' } } })
    assert.equal((await server.ask('/api/attachments/attPhoto', seeing.headers)).status, 200)
    const blind = await server.keys.make({ rules: { 'wares.orders': { hidden: [], filter: 'country=eq.FR' } } })
    assert.equal((await server.ask('/api/attachments/attPhoto', blind.headers)).status, 404)
  })

  test('holds nobody up while thousands of rows are looked at that it does not see', async (t) => {
    const server = await served(t)
    await server.tables({ orders: Array.from({ length: 2500 }, (_, at) => [`w${at}`, 'DE', [PHOTO] as never]) })
    const { headers } = await server.keys.make({ rules: { 'wares.orders': { hidden: [], filter: 'country=eq.FR' } } })
    let turns = 0
    let tick = setImmediate(function again() {
      turns++
      tick = setImmediate(again)
    })
    t.after(() => clearImmediate(tick))
    const principal = server.keys.parts.keys.check(headers['X-API-Key'])!
    const snapshots = server.mounts
    const { signal } = new AbortController()
    const lookup = { sources: ['wares'], snapshots, files: { find: () => ({ kind: 'waiting' }) as const, counts: () => undefined } }
    assert.equal(await visibleFile(lookup, principal, PHOTO.id, signal), undefined)
    assert.ok(turns >= 49, `${turns} turns in fifty queries`)
  }) // prettier-ignore

  test('is found by rows with a key of several columns too', async (t) => {
    const server = await served(t)
    const shape = { columns: ['sku', 'no', 'files'], key: ['sku', 'no'] }
    await server.tables(
      {
        orders: [
          ['a,b', 1, [{ id: 'attA' }] as never],
          ['a/b', 2, [{ id: 'attB' }] as never],
        ],
      },
      shape,
    )
    for (const id of ['attA', 'attB']) server.hold(id, TEXT)
    const { headers } = await server.keys.make({ rules: { 'wares.orders': { hidden: [], filter: 'no=gt.1' } } })
    assert.equal((await server.ask('/api/attachments/attA', headers)).status, 404)
    assert.equal((await server.ask('/api/attachments/attB', headers)).status, 200)
  })
})

interface List {
  readonly source: string
  readonly table: string
  readonly attachments: { id: string; record: string; field: string; state: string; url: string }[]
  readonly pagination: { limit: number; hasMore: boolean; cursor: string | null }
}

describe('GET /api/attachments', () => {
  const ids = ({ attachments }: List) => attachments.map(({ id }) => id)
  const shape = { columns: ['sku', 'country', 'files', 'more'], types: { files: 'json', more: 'json' }, fileColumns: ['files', 'more'] } as const // prettier-ignore
  const rows: readonly (readonly Value[])[] = [
    ['a', 'DE', [{ id: 'attA1', filename: 'a.txt', type: 'text/plain', size: 3 }, { id: 'attA2' }] as never, null],
    ['b', 'DE', null, null],
    ['c', 'CH', null, [{ id: 'attC' }] as never],
    ['d', 'DE', [] as never, null],
    ['e', 'CH', [{ id: 'attE' }, { filename: 'no id' }, 7] as never, [{ id: 'attE2' }] as never],
  ]

  test('lists the files of a table with what is known of each', async (t) => {
    const server = await served(t)
    await server.tables({ orders: rows }, shape)
    server.hold('attA1', 'abc')
    server.index.failed('attC', { code: 'upstream_refused', message: 'No.' }, { nextAt: 0, isFinal: true })
    const list = await server.json<List>('/api/attachments?table=orders')
    assert.deepEqual(list, {
      backend: 'sqlite',
      source: 'wares',
      table: 'orders',
      attachments: [
        { id: 'attA1', record: 'a', field: 'files', name: 'a.txt', type: 'text/plain', bytes: 3, state: 'mirrored', url: '/api/attachments/attA1' },
        { id: 'attA2', record: 'a', field: 'files', name: null, type: null, bytes: null, state: 'waiting', url: '/api/attachments/attA2' },
        { id: 'attC', record: 'c', field: 'more', name: null, type: null, bytes: null, state: 'failed', url: '/api/attachments/attC' },
        { id: 'attE', record: 'e', field: 'files', name: null, type: null, bytes: null, state: 'waiting', url: '/api/attachments/attE' },
        { id: 'attE2', record: 'e', field: 'more', name: null, type: null, bytes: null, state: 'waiting', url: '/api/attachments/attE2' },
      ],
      pagination: { limit: 100, hasMore: false, cursor: null },
    }) // prettier-ignore
    const answer = await server.ask(list.attachments[0]!.url)
    assert.equal(answer.body.toString(), 'abc')
  })

  test('lists those of one record, of one field, or of both', async (t) => {
    const server = await served(t)
    await server.tables({ orders: rows, plain: [['x', 'DE', null, null]] }, shape)
    const list = async (query: string) => ids(await server.json<List>(`/api/attachments?table=${query}`))
    assert.deepEqual(await list('orders&record=e'), ['attE', 'attE2'])
    assert.deepEqual(await list('orders&record=b'), [])
    assert.deepEqual(await list('orders&record=nothing'), [])
    assert.deepEqual(await list('orders&field=more'), ['attC', 'attE2'])
    assert.deepEqual(await list('orders&field=country'), [])
    assert.deepEqual(await list('orders&record=e&field=files'), ['attE'])
    assert.deepEqual(await list('plain'), [])
    assert.deepEqual(await list('wares.orders&record=a'), ['attA1', 'attA2'])
  })

  test('goes from page to page, each record with all of its files', async (t) => {
    const server = await served(t)
    await server.tables({ orders: rows }, shape)
    const pages: string[][] = []
    for (let query: string | null = ''; query !== null;) {
      const list: List = await server.json<List>(`/api/attachments?table=orders&limit=1${query}`)
      pages.push(ids(list))
      assert.equal(list.pagination.hasMore, list.pagination.cursor !== null)
      query = list.pagination.cursor === null ? null : `&cursor=${list.pagination.cursor}`
    }
    assert.deepEqual(
      pages.filter((page) => page.length > 0),
      [['attA1', 'attA2'], ['attC'], ['attE', 'attE2']],
    )
  })

  test('refuses what it cannot answer', async (t) => {
    const server = await served(t)
    await server.tables({ orders: rows }, shape)
    const refused: readonly (readonly [query: string, status: number, code: string])[] = [
      ['', 400, 'bad_parameter'],
      ['?table=nothing', 404, 'table_not_found'],
      ['?table=orders&field=nothing', 400, 'column_not_found'],
      ['?table=orders&limit=0', 400, 'bad_parameter'],
      ['?table=orders&limit=1001', 400, 'bad_parameter'],
      ['?table=orders&cursor=x', 400, 'bad_parameter'],
      ['?table=orders&path=x', 400, 'unknown_parameter'],
    ]
    for (const [query, status, code] of refused)
      assertProblem(await server.ask(`/api/attachments${query}`), status, code)
    assert.deepEqual(server.errors, [])
  })

  test('is refused where it would be larger than answers may be, however small the cells are', async (t) => {
    const server = await served(t, { settings: { answerMaxBytes: 100_000 } })
    const cell = Array.from({ length: 10 }, (_, at) => ({ id: `a${at}` })) as never
    await server.tables({ orders: Array.from({ length: 200 }, (_, at) => [`o${at}`, null, cell]) })
    assertProblem(await server.ask('/api/attachments?table=orders&limit=200'), 400, 'answer_too_large')
    const { body } = await server.ask('/api/attachments?table=orders&limit=60')
    assert.ok(body.length > 50_000 && body.length < 110_000, `${body.length}`)
    assert.equal((JSON.parse(body.toString()) as List).attachments.length, 600)
  })

  test('shows a key the files of what it sees', async (t) => {
    const server = await served(t)
    await server.tables({ orders: rows, secret: rows }, shape)
    const list = async (spec: Partial<KeySpec>, query = 'orders') => {
      const { headers } = await server.keys.make(spec)
      return ids(await server.json<List>(`/api/attachments?table=${query}`, headers))
    }
    const rule = (hidden: string[], filter: string | null) => ({ rules: { 'wares.orders': { hidden, filter } } })
    assert.deepEqual(await list(rule([], 'country=eq.CH')), ['attC', 'attE', 'attE2'])
    assert.deepEqual(await list(rule([], 'country=eq.CH'), 'orders&record=a'), [])
    assert.deepEqual(await list(rule(['more'], null)), ['attA1', 'attA2', 'attE'])
    const { headers } = await server.keys.make({ limits: ['wares.orders'], ...rule(['more', 'sku'], null) })
    assertProblem(await server.ask('/api/attachments?table=secret', headers), 404, 'table_not_found')
    assertProblem(await server.ask('/api/attachments?table=orders', headers), 403, 'forbidden')
    const blind = await server.keys.make(rule(['more'], null))
    assertProblem(await server.ask('/api/attachments?table=orders&field=more', blind.headers), 400, 'column_not_found')
  })

  test('begins URLs with where the server is reached, if it was told', async (t) => {
    const server = await served(t, { settings: { publicUrl: 'https://data.example.com' } })
    await server.tables({ orders: [['a', 'DE', [{ id: 'a/b ö' }] as never]] })
    const { attachments } = await server.json<List>('/api/attachments?table=orders')
    assert.equal(attachments[0]?.url, 'https://data.example.com/api/attachments/a%2Fb%20%C3%B6')
  })
})

describe('/status', () => {
  test('counts files, and warns of those that do not come', async (t) => {
    const server = await served(t)
    await server.tables({ orders: [['a', 'DE', [{ id: 'attA' }, { id: 'attB' }, { id: 'attC' }] as never]] })
    const read = async (headers?: Record<string, string>) =>
      (await server.json<{ sources: { attachments: object | null; warnings: string[] }[] }>('/status', headers))
        .sources[0]!
    assert.equal((await read()).attachments, null)
    server.index.follow()
    server.hold('attA', TEXT)
    server.index.failed('attB', { code: 'upstream_refused', message: 'No.' }, { nextAt: 0, isFinal: true })
    server.index.count({ trouble: { code: 'disk_failed', message: 'The volume is full.' }, nextAt: 1_800_000_000_000 })
    const { attachments, warnings } = await read()
    assert.deepEqual(attachments, {
      mirrored: 1,
      waiting: 1,
      failed: 1,
      counted_at: new Date(server.site.clock.now()).toISOString(),
      next_at: '2027-01-15T08:00:00.000Z',
      trouble: { code: 'disk_failed', message: 'The volume is full.' },
    })
    assert.match(
      warnings.join('\n'),
      /cannot be fetched at the moment: The volume is full\.\nAttachments that could not be fetched: 1\./,
    )
    const metrics = (await server.ask('/metrics')).body.toString()
    for (const state of ['mirrored', 'waiting', 'failed']) {
      assert.match(metrics, new RegExp(`^holdfast_attachments\\{source="wares",state="${state}"\\} 1$`, 'm'))
    }
    const { headers } = await server.keys.make({ limits: ['wares.orders'] })
    assert.equal((await read(headers)).attachments, null, 'it counts those of all tables')
  })
})

describe('a large file', () => {
  const content = Buffer.alloc(64 * 1024 * 1024, 'x')

  test('goes to slow readers a piece at a time', async (t) => {
    const server = await withPhoto(t, content, { size: content.length })
    const before = process.memoryUsage().rss
    const sockets = Array.from({ length: 8 }, () => {
      const socket = connect(server.port, '127.0.0.1')
      socket.write(
        `GET /api/attachments/attPhoto HTTP/1.1\r\nHost: x\r\nX-API-Key: ${KEY}\r\nConnection: close\r\n\r\n`,
      )
      return socket
    })
    await Promise.all(sockets.map((socket) => once(socket, 'readable')))
    await new Promise((resolve) => setTimeout(resolve, 200))
    const held = process.memoryUsage().rss - before
    assert.ok(held < content.length, `${Math.round(held / 1e6)} MB for eight readers that do not read`)
    for (const socket of sockets) socket.destroy()
    await until(() => server.errors.length === 0)
  })

  test('that is on its way may be finished while the server drains, and is cut when its time is over', async (t) => {
    const server = await withPhoto(t, content, { size: content.length })
    const answer: Promise<Answer> = server.ask('/api/attachments/attPhoto')
    const stuck = connect(server.port, '127.0.0.1')
    stuck.write(`GET /api/attachments/attPhoto HTTP/1.1\r\nHost: x\r\nX-API-Key: ${KEY}\r\n\r\n`)
    await once(stuck, 'readable')
    const closed = once(stuck, 'close')
    const drained = server.http.drain()
    const { status, body } = await answer
    assert.deepEqual([status, body.length], [200, content.length])
    await drained
    stuck.resume()
    await closed
    assert.deepEqual(server.errors, [])
  })
})
