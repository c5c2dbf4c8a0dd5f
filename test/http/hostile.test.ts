import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Failure } from '../../lib/errors.ts'
import { FETCH_DATA_PARAMETERS } from '../../lib/http/fetch-data-query.ts'
import { AUTH, KEY, serve } from './fakes.ts'
import { ask, askRaw, assertProblem, type Answer } from './raw.ts'

const HEAD = `Host: x\r\nX-API-Key: ${KEY}\r\nConnection: close\r\n`

/** Reads an answer as it came over the wire. */
function parse(text: string): Answer {
  const end = text.indexOf('\r\n\r\n')
  const [line, ...fields] = text.slice(0, end).split('\r\n')
  const headers = Object.fromEntries(
    fields.map((field) => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 2)]),
  )
  return { status: Number(line!.split(' ')[1]), headers, body: Buffer.from(text.slice(end + 4), 'latin1') }
}

describe('a request that is not right', () => {
  const raw: [string, string, number, string][] = [
    ['is not HTTP', 'hello\r\n\r\n', 400, 'bad_request'],
    ['has a method nobody knows', `FROB /health HTTP/1.1\r\n${HEAD}\r\n`, 400, 'bad_request'],
    ['has no Host', 'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'bad_request'],
    [
      'has two lengths',
      `POST /refresh HTTP/1.1\r\n${HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
      400,
      'bad_request',
    ],
    [
      'has a length and chunks',
      `POST /refresh HTTP/1.1\r\n${HEAD}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
      'bad_request',
    ],
    [
      'has a length that is no number',
      `POST /refresh HTTP/1.1\r\n${HEAD}Content-Length: -1\r\n\r\n`,
      400,
      'bad_request',
    ],
    [
      'has a chunk that is not one',
      `POST /refresh HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n`,
      400,
      'bad_request',
    ],
    ['has a header with a control character', `GET /health HTTP/1.1\r\n${HEAD}X-Odd: a\0b\r\n\r\n`, 400, 'bad_request'],
    ['has a folded header', `GET /health HTTP/1.1\r\n${HEAD}X-Odd: a\r\n b\r\n\r\n`, 400, 'bad_request'],
    [
      'has headers that are too large',
      `GET /health HTTP/1.1\r\n${HEAD}X-Big: ${'x'.repeat(30_000)}\r\n\r\n`,
      431,
      'headers_too_large',
    ],
    [
      'has too many headers',
      `GET /health HTTP/1.1\r\n${HEAD}${Array.from({ length: 3000 }, (_, index) => `X-${index}: y\r\n`).join('')}\r\n`,
      431,
      'headers_too_large',
    ],
    ['has a long target', `GET /fetch-data?${'x'.repeat(9000)} HTTP/1.1\r\n${HEAD}\r\n`, 414, 'uri_too_long'],
    ['has a very long target', `GET /fetch-data?${'x'.repeat(40_000)} HTTP/1.1\r\n${HEAD}\r\n`, 414, 'uri_too_long'],
    ['has a target that is no path', `GET fetch-data HTTP/1.1\r\n${HEAD}\r\n`, 400, 'bad_request'],
    ['wants a tunnel', `CONNECT example.com:443 HTTP/1.1\r\n${HEAD}\r\n`, 405, 'method_not_allowed'],
    ['speaks TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'bad_request'],
    ['speaks HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'bad_request'],
  ]
  for (const [name, text, status, code] of raw) {
    test(`as it ${name} gets ${status}`, async (t) => {
      const { port, errors } = await serve(t)
      assertProblem(parse(await askRaw(port, text)), status, code)
      assert.deepEqual(errors, [])
      assert.equal((await ask(port, '/health')).status, 200, 'the server lives on')
    })
  }

  test('is told that a URL is ASCII', async (t) => {
    const { port } = await serve(t)
    const answer = parse(await askRaw(port, `GET /fetch-data?name=Zürich HTTP/1.1\r\n${HEAD}\r\n`))
    assert.match(assertProblem(answer, 400, 'bad_request').detail, /Percent-encode/)
  })

  test('is fine in forms that are rare', async (t) => {
    const { port } = await serve(t)
    const rare: [string, number][] = [
      [`GET http://example.com/health HTTP/1.1\r\n${HEAD}\r\n`, 200],
      [`GET http://example.com HTTP/1.1\r\n${HEAD}\r\n`, 200],
      [`GET http://example.com?x=1 HTTP/1.1\r\n${HEAD}\r\n`, 200],
      [`GET http://example.com/fetch-data?limit=1 HTTP/1.1\r\n${HEAD}\r\n`, 200],
      [`GET /health HTTP/1.0\r\n\r\n`, 200],
      [`GET /fetch-data HTTP/1.0\r\nX-API-Key: ${KEY}\r\n\r\n`, 200],
      [`OPTIONS * HTTP/1.1\r\n${HEAD}\r\n`, 204],
      [`GET /health HTTP/1.1\r\n${HEAD}Expect: miracles\r\n\r\n`, 200],
      [`GET /health HTTP/1.1\r\n${HEAD}Upgrade: websocket\r\nConnection: upgrade\r\n\r\n`, 200],
      [`GET /fetch-data HTTP/1.1\r\n${HEAD}Content-Length: 3\r\n\r\nabc`, 200],
      [`GET /fetch-data? HTTP/1.1\r\n${HEAD}\r\n`, 200],
      [`GET /fetch-data?&&limit=1& HTTP/1.1\r\n${HEAD}\r\n`, 200],
      [`GET /fetch-data HTTP/1.1\r\n${HEAD}Accept-Encoding: gzip\r\nAccept-Encoding: br;q=0\r\n\r\n`, 200],
      [`GET /fetch-data HTTP/1.1\r\n${HEAD}If-None-Match: "a"\r\nIf-None-Match: "b"\r\n\r\n`, 200],
      [`GET /fetch-data HTTP/1.1\r\n${HEAD}Range: bytes=0-1\r\n\r\n`, 200],
    ]
    for (const [text, status] of rare) assert.equal(parse(await askRaw(port, text)).status, status, text)
  })

  test('for a path that is not there gets 404, however it is written', async (t) => {
    const { port } = await serve(t)
    const paths = [
      '/nope', '/fetch-data/', '/Fetch-Data', '/health/', '//health', '/../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '/..%2f..%2fetc%2fpasswd',
      '/api', '/api/', '/api/sources/', '/api/sources/cities/', '/api/sources/cities/nope', '/.git/config', '/package.json', '/%00',
      '/api/runs/a/b', '/fetch-data;x=1', '/\\..\\..', '/<script>', '/lib/http/server',
    ] // prettier-ignore
    for (const path of paths) {
      for (const headers of [AUTH, {}]) {
        const { status, body } = parse(
          await askRaw(port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
        )
        assert.ok(status === 404 || status === 401, path)
        const answer = await ask(port, encodeURI(path).replaceAll('%25', '%'), { headers }).catch(() => undefined)
        if (answer && answer.status !== 401) assertProblem(answer, 404, 'route_not_found')
        assert.doesNotMatch(body.toString(), /root:|"dependencies"/)
      }
    }
    for (const path of ['/api/sources/%', '/api/runs/%ff', '/api/runs/%E0%A4%A']) {
      assertProblem(parse(await askRaw(port, `GET ${path} HTTP/1.1\r\n${HEAD}\r\n`)), 400, 'bad_request')
    }
  })

  test('with a method its route does not take gets 405, and is told which it takes', async (t) => {
    const { port, http } = await serve(t)
    for (const [path, family] of Map.groupBy(http.routes, (route) => route.path)) {
      const url = path.replace(':id', 'cities')
      const taken = family.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND', 'QUERY']) {
        if (taken.includes(method)) continue
        const answer = await ask(port, url, { method, headers: AUTH })
        if (family[0]?.problemOf) assert.equal(answer.status, 405)
        else assertProblem(answer, 405, 'method_not_allowed')
        assert.equal(answer.headers.allow, [...taken, 'OPTIONS'].join(', '))
      }
      const options = await ask(port, url, { method: 'OPTIONS' })
      assert.deepEqual([options.status, options.headers.allow], [204, [...taken, 'OPTIONS'].join(', ')])
    }
  })

  test('with a parameter that is not known gets 400 on every route that has data', async (t) => {
    const { port, http } = await serve(t)
    for (const { method, path, scope, others, problemOf } of http.routes) {
      if (scope === null) continue
      const answer = await ask(port, `${path.replace(':id', 'cities')}?surprise=1`, { method, headers: AUTH })
      // PostgREST knows no functions here, whatever they are given; others have their own status for it.
      const refused = problemOf?.(new Failure('unknown_parameter', ''), '').status
      if (problemOf) assert.equal(answer.status, path.includes('rpc') ? 404 : refused, path)
      else assertProblem(answer, 400, others === 'filters' ? 'bad_filter' : 'unknown_parameter')
    }
  })
})

describe('whatever is asked', () => {
  const names = [
    ...Object.keys(FETCH_DATA_PARAMETERS),
    'nope',
    'api_key',
    '__proto__',
    '',
    '%',
    'limit%00',
    'fields[]',
    'a b',
  ]
  const values = fc.oneof(
    fc.constantFrom('', '0', '1', '-1', '25', '26', '1e9', '9007199254740991', '9007199254740992', 'true', 'false', 'TRUE', 'json', 'csv', 'ndjson', 'cities',
      'cities.cities', 'id,name', '"id"', 'id,', 'full', 'none', 'changes', '%', '%ff', '%00', '../../etc/passwd', "'; DROP TABLE cities; --", '+1', ' 1'), // prettier-ignore
    fc.integer().map(String),
    fc.string({ maxLength: 20 }),
    fc.string({ unit: 'binary', maxLength: 20 }).map((text) => encodeURIComponent(text.toWellFormed())),
  )
  const queries = fc.array(fc.tuple(fc.constantFrom(...names), values), { maxLength: 5 })
  const accepts = fc.oneof(fc.constantFrom('gzip', 'identity;q=0', '*', 'zstd;q=0.5, br'), fc.string({ maxLength: 30 }))

  test('the answer is data or a problem of the client, never a fault of ours', async (t) => {
    const { port, errors, engine } = await serve(t)
    const clean = (text: string) =>
      text.replaceAll(/[^\x21-\x7e]/g, (character) => (character === ' ' ? '+' : '~')).replaceAll('#', '~')
    await fc.assert(
      fc.asyncProperty(queries, accepts, async (query, accept) => {
        const path = `/fetch-data?${query.map(([name, value]) => `${clean(name)}=${clean(value)}`).join('&')}`
        const headers = { ...AUTH, 'Accept-Encoding': accept.replaceAll(/[^\x20-\x7e]/g, '~') }
        const answer = await ask(port, path, { headers })
        engine.finish('cities', { ...engine.begin('cities'), status: 'completed', result: 'unchanged' })
        if (answer.status !== 200) {
          assert.ok(answer.status >= 400 && answer.status < 500, `${path}: ${answer.status}`)
          assertProblem(answer, answer.status, (JSON.parse(answer.body.toString()) as { code: string }).code)
        }
      }),
      { numRuns: 400 },
    )
    assert.deepEqual(errors, [])
  })
})

describe('a bug', () => {
  test('is answered as internal, tells nothing of itself, and is logged', async (t) => {
    const { port, engine, errors } = await serve(t)
    engine.runs = () => {
      throw new TypeError('secret path /var/lib/holdfast')
    }
    const answer = await ask(port, '/api/runs', { headers: AUTH })
    assertProblem(answer, 500, 'internal')
    assert.ok(!answer.body.includes('secret'))
    assert.equal(errors.length, 1)
  })

  test('in the middle of a streamed answer cuts it, so that nobody takes it for whole', async (t) => {
    const { port, snapshots, errors } = await serve(t)
    const mounted = snapshots.active('cities')!
    let reads = 0
    mounted.reader = () => ({
      rows: (from, to) => {
        if (++reads > 2) throw new Error('the disk is gone')
        return Array.from({ length: to - from + 1 }, () => [1, 'x', null])
      },
    })
    Object.assign(mounted.table('cities')!, { rows: 9000 })
    await assert.rejects(ask(port, '/fetch-data?format=csv', { headers: AUTH }))
    assert.equal(errors.length, 1)
    assert.equal(snapshots.pins, 0)
  })
})
