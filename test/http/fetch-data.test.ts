import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { describe, test } from 'node:test'
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { Column } from '../../lib/column.ts'
import { AUTH, cities, renderBody, serve, until, type FakeTable } from './fakes.ts'
import { ask, assertProblem } from './raw.ts'

const DECODE: Record<string, (bytes: Buffer) => Buffer> = {
  identity: (bytes) => bytes,
  zstd: zstdDecompressSync,
  br: brotliDecompressSync,
  gzip: gunzipSync,
}

describe('a whole table', () => {
  test('is the envelope that was rendered, byte for byte, in each coding', async (t) => {
    const { port, snapshots } = await serve(t)
    const { snapshot, publishedAt } = snapshots.active('cities')!.pointer
    const expected = renderBody('cities', snapshot, publishedAt, cities(25))
    for (const coding of ['identity', 'zstd', 'br', 'gzip']) {
      for (const round of ['from disk', 'from memory']) {
        const { status, headers, body } = await ask(port, '/fetch-data', {
          headers: { ...AUTH, 'Accept-Encoding': coding },
        })
        assert.equal(status, 200)
        assert.equal(headers['content-encoding'], coding === 'identity' ? undefined : coding, round)
        assert.equal(headers['content-length'], String(body.length))
        assert.deepEqual(DECODE[coding]!(body), expected)
      }
    }
  })

  test('says what it is, how old it is and where it comes from', async (t) => {
    const publishedAt = Date.now() - 90_000
    const { port, snapshots } = await serve(t, { publish: false })
    const { snapshot, digest } = snapshots.publish('cities', [cities(3)], { publishedAt })
    for (const accept of ['identity', 'gzip']) {
      const { headers } = await ask(port, '/fetch-data', {
        headers: { ...AUTH, 'Accept-Encoding': accept, 'X-Request-Id': 'mine.1' },
      })
      assert.equal(headers['content-type'], 'application/json; charset=utf-8')
      assert.equal(headers['cache-control'], 'private, no-cache')
      assert.equal(headers.vary, 'Accept-Encoding, Authorization, X-API-Key, apikey')
      assert.equal(headers['cache-status'], 'holdfast; hit')
      assert.equal(headers['last-modified'], new Date(publishedAt).toUTCString())
      assert.equal(headers['snapshot-id'], snapshot)
      assert.equal(headers['snapshot-digest'], digest)
      assert.equal(headers['x-request-id'], 'mine.1')
      assert.ok(Number(headers.age) >= 90)
      assert.match(headers.etag!, /^"s1-[\w-]+-(identity|gzip)"$/)
      assert.ok(headers['content-security-policy'])
      assert.equal(headers['x-powered-by'], undefined)
    }
  })

  test('counts its age from when the upstream was last checked, and says when the last run failed', async (t) => {
    const publishedAt = Date.now() - 3_600_000
    const { port, snapshots, engine } = await serve(t, { publish: false })
    snapshots.publish('cities', [cities(3)], { publishedAt })
    const headersOf = async () => (await ask(port, '/fetch-data', { headers: AUTH })).headers
    assert.ok(Number((await headersOf()).age) >= 3600)
    engine.begin('cities')
    engine.finish('cities')
    await until(async () => Number((await headersOf())['age']) < 60)
    engine.begin('cities')
    engine.fail('cities')
    await until(async () => (await headersOf())['cache-status'] === 'holdfast; hit; detail=stale')
  })

  test('an identifier of a request that could break a header is not repeated', async (t) => {
    const { port } = await serve(t)
    const { headers } = await ask(port, '/health', { headers: { 'X-Request-Id': 'a b"c' } })
    assert.match(String(headers['x-request-id']), /^[\w-]+$/)
  })

  test('that is larger than the cache is streamed from its file, whole', async (t) => {
    const { port, snapshots, http } = await serve(t, { publish: false, settings: { bodyCacheBytes: 1000 } })
    const { snapshot, publishedAt } = snapshots.publish('cities', [cities(30_000)])
    const expected = renderBody('cities', snapshot, publishedAt, cities(30_000))
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(port, '/fetch-data', { headers: AUTH })))
    for (const { headers, body } of answers) {
      assert.equal(headers['content-length'], String(expected.length))
      assert.ok(body.equals(expected))
    }
    // A client may have it all before the server has seen the end of it.
    await until(() => snapshots.pins === 0)
    assert.equal(http.server.listening, true)
  })

  for (const coding of ['identity', 'zstd', 'br', 'gzip']) {
    test(`that was not rendered is written from its rows, as ${coding}, a bounded read a turn`, async (t) => {
      const { port, snapshots } = await serve(t, { publish: false })
      const { snapshot, publishedAt } = snapshots.publish('cities', [cities(2500)], { rendered: [] })
      const { headers, body } = await ask(port, '/fetch-data', { headers: { ...AUTH, 'Accept-Encoding': coding } })
      assert.equal(headers['content-encoding'], coding === 'identity' ? undefined : coding)
      assert.deepEqual(DECODE[coding]!(body), renderBody('cities', snapshot, publishedAt, cities(2500)))
      assert.deepEqual(
        snapshots.reads.map(({ from, to }) => [from, to]),
        [
          [1, 1000],
          [1001, 2000],
          [2001, 2500],
        ],
      )
      assert.equal(snapshots.pins, 0)
    })
  }

  test('whose rendered file is gone is written from its rows', async (t) => {
    const { port, snapshots, errors } = await serve(t)
    rmSync(snapshots.folder, { recursive: true })
    const { status, body } = await ask(port, '/fetch-data', { headers: AUTH })
    assert.equal(status, 200)
    assert.equal(JSON.parse(body.toString()).data.length, 25)
    assert.deepEqual(errors, [])
  })

  test('without a row is an empty list', async (t) => {
    const { port, snapshots } = await serve(t, { publish: false })
    for (const rendered of [['identity'], []] as const) {
      snapshots.publish('cities', [cities(0)], { rendered })
      const { body } = await ask(port, '/fetch-data', { headers: AUTH })
      assert.deepEqual(JSON.parse(body.toString()).data, [])
    }
  })

  test('in a coding nobody has is 406', async (t) => {
    const { port } = await serve(t)
    for (const path of ['/fetch-data', '/fetch-data?limit=1']) {
      const answer = await ask(port, path, { headers: { ...AUTH, 'Accept-Encoding': 'identity;q=0' } })
      assert.deepEqual(assertProblem(answer, 406, 'not_acceptable').available, ['identity', 'zstd', 'br', 'gzip'])
    }
  })

  test('is served in the next coding where the best is not rendered', async (t) => {
    const { port, snapshots } = await serve(t, { publish: false })
    snapshots.publish('cities', [cities(5)], { rendered: ['gzip', 'identity'] })
    const { headers } = await ask(port, '/fetch-data', { headers: { ...AUTH, 'Accept-Encoding': 'zstd, br, gzip' } })
    assert.equal(headers['content-encoding'], 'gzip')
  })

  test('is one snapshot, old or new, whatever is published meanwhile', async (t) => {
    const { port, snapshots } = await serve(t, { publish: false })
    snapshots.publish('cities', [cities(3000, 'v0')])
    let isPublishing = true
    const reader = async () => {
      while (isPublishing) {
        const { headers, body } = await ask(port, '/fetch-data', { headers: AUTH })
        const { snapshot, count, data } = JSON.parse(body.toString()) as {
          snapshot: string
          count: number
          data: { name: string }[]
        }
        assert.equal(snapshot, headers['snapshot-id'])
        assert.equal(count, data.length)
        assert.equal(new Set(data.map(({ name }) => name.split('v')[1])).size, 1)
      }
    }
    const readers = Array.from({ length: 4 }, reader)
    for (let round = 1; round <= 30; round++) {
      snapshots.publish('cities', [cities(3000 + round, `v${round}`)])
      await new Promise(setImmediate)
    }
    isPublishing = false
    await Promise.all(readers)
  })
})

describe('validators', () => {
  test('differ by coding, view, table and snapshot, and stay the same otherwise', async (t) => {
    const { port, snapshots } = await serve(t, { publish: false })
    snapshots.publish('cities', [cities(25), { ...cities(25), name: 'towns' }])
    const views = [
      '',
      '?table=towns',
      '?limit=5',
      '?offset=5',
      '?fields=id',
      '?fields=name',
      '?format=csv',
      '?format=ndjson',
    ]
    const collect = async () => {
      const tags: string[] = []
      for (const view of views) {
        for (const coding of ['identity', 'zstd', 'br', 'gzip']) {
          tags.push(
            (await ask(port, `/fetch-data${view}`, { headers: { ...AUTH, 'Accept-Encoding': coding } })).headers.etag!,
          )
        }
      }
      return tags
    }
    const tags = await collect()
    assert.equal(new Set(tags).size, views.length * 4)
    assert.deepEqual(await collect(), tags)
    snapshots.publish('cities', [cities(25), { ...cities(25), name: 'towns' }])
    assert.equal(new Set([...tags, ...(await collect())]).size, views.length * 8)
    const same = ['?start_row=1&end_row=5', '?limit=5&offset=0', '?limit=5&source=cities&table=cities']
    const equal = await Promise.all(
      same.map(async (view) => (await ask(port, `/fetch-data${view}`, { headers: AUTH })).headers.etag),
    )
    assert.equal(new Set(equal).size, 1)
  })

  for (const view of ['', '?limit=5', '?format=csv']) {
    test(`an unchanged ${view || 'whole table'} is 304, with the headers of the 200 and without reading a row`, async (t) => {
      const { port, snapshots, engine } = await serve(t)
      const path = `/fetch-data${view}`
      const headers = { ...AUTH, 'Accept-Encoding': 'gzip' }
      const full = await ask(port, path, { headers })
      const { etag } = full.headers
      snapshots.reads.length = 0
      const calls = engine.sourceCalls
      for (const method of ['GET', 'HEAD']) {
        for (const match of [etag!, `W/${etag}`, '*', `"x", ${etag}`]) {
          const answer = await ask(port, path, { method, headers: { ...headers, 'If-None-Match': match } })
          assert.equal(answer.status, 304, `${method} ${match}`)
          assert.equal(answer.body.length, 0)
          for (const name of [
            'etag',
            'cache-control',
            'vary',
            'snapshot-id',
            'snapshot-digest',
            'last-modified',
            'cache-status',
          ]) {
            assert.equal(answer.headers[name], full.headers[name], name)
          }
          assert.ok(answer.headers.age !== undefined && answer.headers['x-request-id'])
        }
      }
      assert.deepEqual([snapshots.reads, engine.sourceCalls], [[], calls], 'no database is touched')
      const other = await ask(port, path, { headers: { ...AUTH, 'Accept-Encoding': 'zstd', 'If-None-Match': etag! } })
      assert.equal(other.status, 200, 'the tag of another coding is another tag')
      snapshots.publish('cities', [cities(26)])
      assert.equal((await ask(port, path, { headers: { ...headers, 'If-None-Match': etag! } })).status, 200)
    })
  }

  test('HEAD is GET without the body', async (t) => {
    const { port, engine } = await serve(t)
    for (const path of [
      '/fetch-data',
      '/fetch-data?format=csv',
      '/status',
      '/health',
      '/ready',
      '/',
      '/api/runs',
      '/fetch-data?stream=true',
    ]) {
      const head = await ask(port, path, { method: 'HEAD', headers: AUTH })
      assert.equal(head.status, 200, path)
      assert.equal(head.body.length, 0)
      const get = await ask(port, path, { headers: AUTH })
      for (const name of ['content-type', 'etag', 'vary', 'cache-control'])
        assert.equal(head.headers[name], get.headers[name], `${path} ${name}`)
    }
    const [head, get] = await Promise.all(
      ['HEAD', 'GET'].map((method) => ask(port, '/fetch-data', { method, headers: AUTH })),
    )
    assert.equal(head!.headers['content-length'], get!.headers['content-length'])
    assert.equal((await ask(port, '/fetch-data?refresh=true', { method: 'HEAD', headers: AUTH })).status, 200)
    assert.deepEqual(engine.requests, [], 'HEAD starts nothing')
  })
})

describe('rows', () => {
  const range: [string, number, number][] = [
    ['start_row=3&end_row=5', 3, 5],
    ['start_row=24', 24, 25],
    ['end_row=2', 1, 2],
    ['end_row=1000', 1, 25],
    ['start_row=25&end_row=25', 25, 25],
    ['limit=3', 1, 3],
    ['limit=3&offset=23', 24, 25],
    ['offset=20', 21, 25],
    ['limit=0', 1, 0],
    ['start_row=26', 26, 25],
    ['start_row=9007199254740991', 9007199254740991, 9007199254740990],
    ['offset=9007199254740991&limit=9007199254740991', 9007199254740992, 9007199254740991],
  ]
  for (const [query, from, to] of range) {
    test(`${query} is ${to < from ? 'none' : `${from} to ${to}`}`, async (t) => {
      const { port, snapshots } = await serve(t)
      const { status, headers, body } = await ask(port, `/fetch-data?${query}`, { headers: AUTH })
      assert.equal(status, 200)
      assert.equal(headers['content-length'], String(body.length))
      const { pointer } = snapshots.active('cities')!
      const { data, ...envelope } = JSON.parse(body.toString()) as { data: { id: number }[] }
      assert.deepEqual(envelope, {
        status: 'success', source: 'cities', snapshot: pointer.snapshot, count: Math.max(0, to - from + 1),
        last_updated: new Date(pointer.publishedAt).toISOString(), total: 25, start_row: from, end_row: to,
      }) // prettier-ignore
      assert.deepEqual(
        data.map(({ id }) => id),
        Array.from({ length: data.length }, (_, index) => from + index),
      )
    })
  }

  const refused: [string, string][] = [
    ['start_row=0', 'bad_parameter'],
    ['start_row=-1', 'bad_parameter'],
    ['start_row=1.5', 'bad_parameter'],
    ['start_row=1e3', 'bad_parameter'],
    ['start_row=0x10', 'bad_parameter'],
    ['start_row=', 'bad_parameter'],
    ['start_row=9007199254740992', 'bad_parameter'],
    ['limit=99999999999999999999999', 'bad_parameter'],
    ['start_row=5&end_row=4', 'bad_parameter'],
    ['start_row=1&limit=5', 'bad_parameter'],
    ['end_row=1&offset=5', 'bad_parameter'],
    ['limit=1&limit=2', 'bad_parameter'],
    ['format=xml', 'bad_parameter'],
    ['refresh=1', 'bad_parameter'],
    ['refresh=TRUE', 'bad_parameter'],
    ['stream=yes', 'bad_parameter'],
    ['fields=', 'bad_parameter'],
    ['fields=id,', 'bad_parameter'],
    ['fields=nope', 'bad_parameter'],
    ['fields=id,id', 'bad_parameter'],
    ['fields=%22id', 'bad_parameter'],
    ['payload=none', 'bad_parameter'],
    ['stream=true&payload=changes&fields=id', 'bad_parameter'],
    ['stream=true&format=csv', 'bad_parameter'],
    ['Limit=1', 'unknown_parameter'],
    ['metadata_only=true', 'unknown_parameter'],
    ['__proto__=1', 'unknown_parameter'],
    ['constructor=1', 'unknown_parameter'],
    ['limit=%', 'bad_request'],
    ['limit=%ff', 'bad_request'],
    ['%c3%28=1', 'bad_request'],
  ]
  test('a query that cannot be meant is refused, with what was expected', async (t) => {
    const { port } = await serve(t)
    for (const [query, code] of refused) {
      const problem = assertProblem(await ask(port, `/fetch-data?${query}`, { headers: AUTH }), 400, code)
      if (code === 'unknown_parameter') assert.ok((problem.known as string[]).includes('start_row'), query)
      if (code === 'bad_parameter') assert.ok(problem.detail.includes(problem.parameter as string), query)
    }
  })

  test('fields are shown in the order asked for; a name with a comma is quoted', async (t) => {
    const { port, snapshots } = await serve(t, { publish: false })
    const columns: Column[] = [
      { name: 'a,b', type: 'text' },
      { name: 'c"d', type: 'text' },
      { name: '__proto__', type: 'text' },
    ]
    snapshots.publish('cities', [{ name: 'cities', columns, rows: [['1', '2', '3']] }])
    const query = new URLSearchParams({ fields: '__proto__,"c""d","a,b"' }).toString()
    const { body } = await ask(port, `/fetch-data?${query}`, { headers: AUTH })
    assert.match(body.toString(), /"data":\[\{"__proto__":"3","c\\"d":"2","a,b":"1"\}\]\}$/)
  })

  test('a long range is written as it is read, in every coding', async (t) => {
    const { port, snapshots } = await serve(t, { publish: false })
    snapshots.publish('cities', [cities(5000)])
    for (const coding of Object.keys(DECODE)) {
      const { body } = await ask(port, '/fetch-data?start_row=2&format=ndjson', {
        headers: { ...AUTH, 'Accept-Encoding': coding },
      })
      const lines = DECODE[coding]!(body).toString().split('\n')
      assert.equal(lines.length, 5000)
      assert.deepEqual(JSON.parse(lines[0]!), { id: 2, name: 'city 2', country: 'CH' })
    }
    assert.equal(snapshots.pins, 0)
  })

  const odd: FakeTable = {
    name: 'cities',
    columns: [
      { name: 'id', type: 'integer' }, { name: 'text', type: 'text' }, { name: 'flag', type: 'boolean' },
      { name: 'json', type: 'json' }, { name: 'dec', type: 'decimal' }, { name: 'say "hi", you', type: 'real' },
    ], // prettier-ignore
    rows: [
      [1, '', 1, '{"a":[1,"x"]}', '10.50', 1.5],
      [2, null, 0, null, null, null],
      ['9007199254740993', 'a "quote", a\ncomma\r\nand lines', null, '"text"', '00123', -0.1],
    ],
  }

  test('csv keeps NULL and the empty text apart, and quotes as RFC 4180 says', async (t) => {
    const { port, snapshots } = await serve(t, { publish: false })
    snapshots.publish('cities', [odd])
    const { headers, body } = await ask(port, '/fetch-data?format=csv', { headers: AUTH })
    assert.equal(headers['content-type'], 'text/csv; charset=utf-8; header=present')
    assert.equal(
      body.toString(),
      'id,text,flag,json,dec,"say ""hi"", you"\r\n' +
        '1,"",true,"{""a"":[1,""x""]}",10.50,1.5\r\n' +
        '2,,false,,,\r\n' +
        '9007199254740993,"a ""quote"", a\ncomma\r\nand lines",,"""text""",00123,-0.1\r\n',
    )
  })

  test('ndjson is one row a line, with the types of JSON', async (t) => {
    const { port, snapshots } = await serve(t, { publish: false })
    snapshots.publish('cities', [odd])
    const { headers, body } = await ask(port, '/fetch-data?format=ndjson&fields=id,flag,json,dec', { headers: AUTH })
    assert.equal(headers['content-type'], 'application/x-ndjson')
    assert.deepEqual(body.toString().trimEnd().split('\n').map((line) => JSON.parse(line) as object), [
      { id: 1, flag: true, json: { a: [1, 'x'] }, dec: '10.50' },
      { id: 2, flag: false, json: null, dec: null },
      { id: '9007199254740993', flag: null, json: 'text', dec: '00123' },
    ]) // prettier-ignore
  })
})

describe('which table', () => {
  test('is the first of the first source, or the one that is named', async (t) => {
    const { port, snapshots } = await serve(t, { sources: ['cities', 'shop', 'other'] })
    snapshots.publish('shop', [
      { ...cities(1, ' shop'), name: 'orders' },
      { ...cities(2), name: 'both' },
    ])
    snapshots.publish('other', [
      { ...cities(3), name: 'both' },
      { ...cities(4), name: 'only' },
    ])
    const cases: [string, string, number][] = [
      ['', 'cities', 25],
      ['source=cities', 'cities', 25],
      ['table=cities', 'cities', 25],
      ['table=cities.cities', 'cities', 25],
      ['source=shop', 'shop', 1],
      ['source=shop&table=both', 'shop', 2],
      ['table=shop.both', 'shop', 2],
      ['table=other.both', 'other', 3],
      ['table=only', 'other', 4],
      ['source=other&table=other.only', 'other', 4],
    ]
    for (const [query, source, count] of cases) {
      const { body } = await ask(port, `/fetch-data?${query}`, { headers: AUTH })
      const answer = JSON.parse(body.toString()) as { source: string; count: number }
      assert.deepEqual([answer.source, answer.count], [source, count], query)
    }
    const wrong: [string, number, string][] = [
      ['source=nope', 404, 'source_not_found'],
      ['source=../../etc/passwd', 404, 'source_not_found'],
      ['table=nope', 404, 'table_not_found'],
      ['source=shop&table=cities', 404, 'table_not_found'],
      ['table=shop.nope', 404, 'table_not_found'],
      ['table=__proto__', 404, 'table_not_found'],
      ['table=both', 400, 'bad_parameter'],
      ['source=', 400, 'bad_parameter'],
      ['table=%00', 400, 'bad_parameter'],
    ]
    for (const [query, status, code] of wrong)
      assertProblem(await ask(port, `/fetch-data?${query}`, { headers: AUTH }), status, code)
  })

  test('before the first snapshot it is 503, with how the run is doing and when to ask again', async (t) => {
    const { port, engine } = await serve(t, { publish: false })
    const idle = await ask(port, '/fetch-data', { headers: AUTH })
    assert.equal(assertProblem(idle, 503, 'no_snapshot').state, 'IDLE')
    assert.equal(idle.headers['retry-after'], '5')
    const { id } = engine.begin('cities')
    engine.progress('cities', 10, 40)
    const running = await ask(port, '/fetch-data', { headers: AUTH })
    const problem = assertProblem(running, 503, 'no_snapshot')
    assert.deepEqual([problem.state, problem.run, problem.done], ['PROCESSING', id, 0.25])
    assert.equal(running.headers['retry-after'], '1')
    engine.fail('cities')
    const failed = assertProblem(await ask(port, '/fetch-data?limit=1', { headers: AUTH }), 503, 'no_snapshot')
    assert.match(failed.detail, /The upstream is down/)
  })
})

describe('refresh=true', () => {
  for (const coding of Object.keys(DECODE)) {
    for (const rendered of [['identity', 'gzip'], []] as const) {
      test(`answers at once with the data and the run, as ${coding}${rendered.length ? '' : ' from rows'}`, async (t) => {
        const { port, snapshots, engine } = await serve(t, { publish: false })
        snapshots.publish('cities', [cities(2500)], { rendered })
        const { status, headers, body } = await ask(port, '/fetch-data?refresh=true', {
          headers: { ...AUTH, 'Accept-Encoding': coding },
        })
        assert.equal(status, 200)
        assert.equal(headers['cache-control'], 'no-store')
        assert.equal(headers.etag, undefined)
        assert.equal(headers.link, '</api/runs/r1>; rel="monitor"')
        const answer = JSON.parse(DECODE[coding]!(body).toString()) as Record<string, unknown>
        assert.equal((answer.data as object[]).length, 2500)
        assert.equal(answer.status, 'success')
        assert.equal(typeof answer._info, 'string')
        assert.deepEqual(answer.refresh, { triggered: true, run: 'r1', joined: false })
        assert.deepEqual(engine.requests, [{ source: 'cities', trigger: 'refresh' }])
        assert.equal(snapshots.pins, 0)
      })
    }
  }

  test('joins the run that is going, and goes with a range and with csv', async (t) => {
    const { port } = await serve(t)
    await ask(port, '/fetch-data?refresh=true', { headers: AUTH })
    const { body } = await ask(port, '/fetch-data?refresh=true&limit=2', { headers: AUTH })
    const answer = JSON.parse(body.toString()) as Record<string, unknown>
    assert.deepEqual(answer.refresh, { triggered: true, run: 'r1', joined: true })
    assert.equal(answer.total, 25)
    const csv = await ask(port, '/fetch-data?refresh=true&format=csv', { headers: AUTH })
    assert.match(csv.body.toString(), /^id,name,country\r\n/)
    assert.equal(csv.headers.link, '</api/runs/r1>; rel="monitor"')
  })

  test('serves the data even if no run can be started, and says why', async (t) => {
    const { port, engine } = await serve(t)
    engine.set('cities', { state: { state: 'PAUSED', reason: 'rolled_back' } })
    const { status, body } = await ask(port, '/fetch-data?refresh=true', { headers: AUTH })
    assert.equal(status, 200)
    const answer = JSON.parse(body.toString()) as { refresh: { triggered: boolean; reason: string }; data: object[] }
    assert.deepEqual(
      [answer.refresh.triggered, answer.refresh.reason, answer.data.length],
      [false, 'source_paused', 25],
    )
  })

  test('before the first snapshot starts the run and is 503', async (t) => {
    const { port } = await serve(t, { publish: false })
    const problem = assertProblem(await ask(port, '/fetch-data?refresh=true', { headers: AUTH }), 503, 'no_snapshot')
    assert.equal(problem.run, 'r1')
  })
})
