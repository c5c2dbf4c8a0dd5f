import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AUTH, cities, serve, until } from './fakes.ts'
import { ask, assertProblem } from './raw.ts'

describe('POST /refresh', () => {
  test('a thousand at once are one run, with one id, and all 202', async (t) => {
    const { post, engine } = await serve(t)
    const answers = await Promise.all(
      Array.from({ length: 1000 }, async (_, index) => {
        const response = await post(index % 2 ? '/refresh' : '/api/refresh')
        return {
          status: response.status,
          location: response.headers.get('location'),
          body: (await response.json()) as { run: string; status: string },
        }
      }),
    )
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([202]))
    assert.deepEqual(new Set(answers.map(({ location }) => location)), new Set(['/api/runs/r1']))
    assert.deepEqual(new Set(answers.map(({ body }) => body.run)), new Set(['r1']))
    assert.equal(answers.filter(({ body }) => body.status === 'triggered').length, 1)
    assert.equal(answers.filter(({ body }) => body.status === 'in_progress').length, 999)
    assert.equal(engine.runs({ limit: 10 }).length, 1)
  })

  test('takes its source from the query or from a JSON body, or none', async (t) => {
    const { post, engine } = await serve(t, { sources: ['cities', 'shop'] })
    const json = { 'Content-Type': 'application/json; charset=utf-8' }
    for (const [path, init] of [
      ['/refresh', {}],
      ['/refresh?source=shop', {}],
      ['/refresh', { body: '{"source":"shop"}', headers: json }],
      ['/refresh?source=shop', { body: '{"source":"shop"}', headers: json }],
      ['/refresh', { body: '{}', headers: json }],
    ] as const) {
      const response = await post(path, init)
      assert.equal(response.status, 202, path)
      assert.ok(response.headers.get('retry-after'))
    }
    assert.deepEqual(
      engine.requests.map(({ source }) => source),
      ['cities', 'shop', 'shop', 'shop', 'cities'],
    )
  })

  test('refuses what it cannot read', async (t) => {
    const { port, engine } = await serve(t, { sources: ['cities', 'shop'] })
    const json = { ...AUTH, 'Content-Type': 'application/json' }
    const cases: [string, string | undefined, Record<string, string>, number, string][] = [
      ['/refresh?source=nope', undefined, AUTH, 404, 'source_not_found'],
      ['/refresh?sauce=shop', undefined, AUTH, 400, 'unknown_parameter'],
      ['/refresh', '{', json, 400, 'bad_request'],
      ['/refresh', '[]', json, 400, 'bad_request'],
      ['/refresh', '"shop"', json, 400, 'bad_request'],
      ['/refresh', '{"source":7}', json, 400, 'bad_parameter'],
      ['/refresh', '{"sauce":"x"}', json, 400, 'unknown_parameter'],
      ['/refresh', '{"__proto__":"x"}', json, 400, 'unknown_parameter'],
      ['/refresh?source=cities', '{"source":"shop"}', json, 400, 'bad_parameter'],
      [
        '/refresh',
        'source=shop',
        { ...AUTH, 'Content-Type': 'application/x-www-form-urlencoded' },
        415,
        'unsupported_media_type',
      ],
      ['/refresh', 'source=shop', AUTH, 415, 'unsupported_media_type'],
      [
        '/refresh',
        '{}',
        { ...AUTH, 'Content-Type': 'application/json; charset=klingon' },
        415,
        'unsupported_media_type',
      ],
      ['/refresh', '{}', { ...json, 'Content-Encoding': 'zip' }, 415, 'unsupported_media_type'],
      ['/refresh', 'not gzip', { ...json, 'Content-Encoding': 'gzip' }, 400, 'bad_request'],
      ['/refresh', JSON.stringify({ source: 'x'.repeat(70_000) }), json, 413, 'payload_too_large'],
    ]
    for (const [path, body, headers, status, code] of cases) {
      const answer = await ask(port, path, { method: 'POST', headers, ...(body !== undefined && { body }) })
      assertProblem(answer, status, code)
    }
    assert.deepEqual(engine.requests, [])
  })

  test('of a paused source is refused', async (t) => {
    const { port, engine } = await serve(t)
    engine.set('cities', { state: { state: 'PAUSED', reason: 'stopped' } })
    assertProblem(await ask(port, '/refresh', { method: 'POST', headers: AUTH }), 409, 'source_paused')
  })
})

describe('/api/runs', () => {
  test('are listed newest first, page by page', async (t) => {
    const { get, engine } = await serve(t, { sources: ['cities', 'shop'] })
    for (let number = 1; number <= 5; number++) {
      engine.begin(number === 3 ? 'shop' : 'cities')
      engine.finish(number === 3 ? 'shop' : 'cities')
    }
    const list = async (query: string) =>
      (await (await get(`/api/runs?${query}`)).json()) as { runs: { id: string }[]; next: string | null }
    const idsOf = ({ runs }: { runs: { id: string }[] }) => runs.map(({ id }) => id)
    const first = await list('limit=2')
    assert.deepEqual([idsOf(first), first.next], [['r5', 'r4'], 'r4'])
    const second = await list(`limit=2&before=${first.next}`)
    assert.deepEqual([idsOf(second), second.next], [['r3', 'r2'], 'r2'])
    assert.deepEqual(idsOf(await list('source=shop')), ['r3'])
    assert.equal((await get('/api/runs?limit=2')).headers.get('link'), '</api/runs?limit=2&before=r4>; rel="next"')
  })

  test('one is shown with underscores and ISO times', async (t) => {
    const { get, engine, port } = await serve(t)
    const { requestedAt } = engine.begin('cities')
    engine.progress('cities', 5, 20)
    engine.fail('cities')
    const run = (await (await get('/api/runs/r1')).json()) as Record<string, unknown>
    assert.equal(run.requested_at, new Date(requestedAt).toISOString())
    assert.equal(run.status, 'failed')
    assert.deepEqual(run.error, { code: 'upstream_unavailable', message: 'The upstream is down.' })
    for (const path of ['/api/runs/nope', '/api/runs/..%2f..%2fetc', '/api/runs/%00']) {
      assertProblem(await ask(port, path, { headers: AUTH }), 404, 'run_not_found')
    }
    for (const query of ['limit=0', 'limit=201', 'limit=-1', 'before=', 'before=zzz', 'before=R4']) {
      assertProblem(await ask(port, `/api/runs?${query}`, { headers: AUTH }), 400, 'bad_parameter')
    }
    assertProblem(await ask(port, '/api/runs?source=nope', { headers: AUTH }), 404, 'source_not_found')
  })
})

describe('/api/sources', () => {
  test('are listed in their order, and shown one by one', async (t) => {
    const { get, port } = await serve(t, { sources: ['cities', 'shop'] })
    const { sources } = (await (await get('/api/sources')).json()) as { sources: { source: string }[] }
    assert.deepEqual(
      sources.map(({ source }) => source),
      ['cities', 'shop'],
    )
    const one = (await (await get('/api/sources/cities')).json()) as { rows: object; state: string }
    assert.deepEqual([one.state, one.rows], ['IDLE', { cities: 25 }])
    assertProblem(await ask(port, '/api/sources/nope', { headers: AUTH }), 404, 'source_not_found')
    assertProblem(await ask(port, '/api/sources/%E0%A4%A', { headers: AUTH }), 400, 'bad_request')
  })

  test('can be started, stopped and reset; what the engine refuses is a problem', async (t) => {
    const { post, port, engine } = await serve(t)
    const started = await post('/api/sources/cities/start')
    assert.deepEqual([started.status, started.headers.get('location')], [202, '/api/runs/r1'])
    assertProblem(await ask(port, '/api/sources/cities/reset', { method: 'POST', headers: AUTH }), 409, 'run_active')
    const stopped = (await (await post('/api/sources/cities/stop')).json()) as Record<string, unknown>
    assert.deepEqual([stopped.state, stopped.reason], ['PAUSED', 'stopped'])
    assert.equal((await post('/api/sources/cities/start')).status, 202)
    await post('/api/sources/cities/stop')
    const reset = (await (await post('/api/sources/cities/reset')).json()) as Record<string, unknown>
    assert.equal(reset.state, 'IDLE')
    assert.deepEqual(
      engine.requests.map(({ trigger }) => trigger),
      ['start', 'start'],
    )

    assertProblem(
      await ask(port, '/api/sources/cities/rollback', { method: 'POST', headers: AUTH }),
      409,
      'no_previous_snapshot',
    )
    assertProblem(
      await ask(port, '/api/sources/cities/publish', { method: 'POST', headers: AUTH }),
      409,
      'nothing_to_publish',
    )
    const headers = { 'Content-Type': 'application/json' }
    const published = await post('/api/sources/cities/publish', { body: '{"run":"rejected-run"}', headers })
    assert.equal(published.status, 202)
    for (const name of ['start', 'stop', 'reset', 'rollback', 'publish']) {
      assertProblem(
        await ask(port, `/api/sources/nope/${name}`, { method: 'POST', headers: AUTH }),
        404,
        'source_not_found',
      )
    }
    const body = '{"run":"x"}'
    const odd = await ask(port, '/api/sources/cities/start', { method: 'POST', headers: { ...AUTH, ...headers }, body })
    assertProblem(odd, 400, 'unknown_parameter')
  })
})

describe('/status', () => {
  test('keeps the keys of the original and says everything about each source', async (t) => {
    const { get, snapshots, engine } = await serve(t, { sources: ['cities', 'shop'], publish: false })
    const publishedAt = Date.now() - 45 * 60_000
    const pointer = snapshots.publish('cities', [cities(25)], { publishedAt })
    engine.set('cities', { nextRunAt: publishedAt + 3_600_000 })
    engine.begin('cities')
    engine.progress('cities', 5, 20)
    const status = (await (await get('/status')).json()) as Record<string, unknown> & {
      sources: Record<string, unknown>[]
      warnings: string[]
    }
    assert.equal(status.api_status, 'online')
    assert.equal(status.cache_exists, true)
    assert.equal(status.cache_age_minutes, 45)
    assert.equal(status.update_in_progress, true)
    const [first, second] = status.sources as [Record<string, unknown>, Record<string, unknown>]
    const { state, snapshot, watermark, digest, rows, eta_ms, next_run_at, last_error } = first
    assert.deepEqual(
      { state, snapshot, watermark, digest, rows, eta_ms, next_run_at, last_error },
      {
        state: 'PROCESSING', snapshot: pointer.snapshot, watermark: pointer.watermark, digest: pointer.digest, rows: { cities: 25 },
        eta_ms: 1000, next_run_at: new Date(publishedAt + 3_600_000).toISOString(), last_error: null,
      },
    ) // prettier-ignore
    assert.ok((first.age_seconds as number) >= 45 * 60)
    assert.equal((first.progress as { done: number }).done, 0.25)
    assert.deepEqual([second.snapshot, second.age_seconds, second.rows], [null, null, {}])
    assert.deepEqual(status.warnings, ['shop: There is no snapshot yet.'])
  })

  test('warns of a failed run, a pause and a low success rate', async (t) => {
    const { get, engine } = await serve(t)
    engine.begin('cities')
    engine.update('cities', {
      progress: {
        phase: 'pulling',
        tables: [{ table: 'cities', total: 20, completed: 5, failed: 5 }],
        done: 0.5,
        rate: 1,
        etaMs: 1,
        at: 1,
      },
    })
    engine.fail('cities', 'rejected')
    engine.set('cities', { state: { state: 'PAUSED', reason: 'stopped' } })
    const { warnings, sources } = (await (await get('/status')).json()) as {
      warnings: string[]
      sources: { last_error: object }[]
    }
    assert.equal(warnings.length, 3)
    assert.match(warnings.join('\n'), /refused: The upstream is down.*paused \(stopped\).*Only 50 %/s)
    assert.deepEqual(sources[0]!.last_error, { code: 'upstream_unavailable', message: 'The upstream is down.' })
  })
})

describe('/health and /ready', () => {
  test('health is 200 without a key and without data, whatever the query', async (t) => {
    const { port } = await serve(t, { publish: false })
    for (const path of ['/health', '/health?cache=1', '/health?%']) {
      const { status, headers, body } = await ask(port, path)
      const health = JSON.parse(body.toString()) as Record<string, unknown>
      assert.deepEqual(
        [status, health.status, health.cache_exists, health.update_in_progress],
        [200, 'healthy', false, false],
      )
      assert.ok(headers['content-security-policy'] && headers['x-request-id'])
    }
  })

  test('ready names what is missing', async (t) => {
    const { port, snapshots } = await serve(t, { sources: ['cities', 'shop'] })
    const problem = assertProblem(await ask(port, '/ready'), 503, 'no_snapshot')
    assert.deepEqual(problem.missing, ['shop'])
    snapshots.publish('shop', [cities(1)])
    assert.equal((await ask(port, '/ready')).status, 200)
  })

  test('ready counts age only where a limit is set', async (t) => {
    const { port, snapshots, engine } = await serve(t, { publish: false, settings: { readyMaxAgeMs: 60_000 } })
    snapshots.publish('cities', [cities(1)], { publishedAt: Date.now() - 120_000 })
    assert.deepEqual(assertProblem(await ask(port, '/ready'), 503, 'snapshot_stale').stale, ['cities'])
    engine.begin('cities')
    engine.finish('cities')
    await until(async () => (await ask(port, '/ready')).status === 200)
  })
})

describe('/metrics', () => {
  test('has the documented names, and counts the runs that end', async (t) => {
    const { get, port, engine } = await serve(t)
    assertProblem(await ask(port, '/metrics'), 401, 'unauthorized')
    await until(() => engine.watchers === 1)
    engine.begin('cities')
    engine.progress('cities', 20, 20)
    engine.fail('cities', 'rejected')
    const scrape = async () => await (await get('/metrics')).text()
    await until(async () => (await scrape()).includes('holdfast_publish_refused_total{'))
    const text = await scrape()
    assert.match(text, /^holdfast_snapshot_age_seconds\{source="cities"\} /m)
    assert.match(text, /^holdfast_sync_items_total\{source="cities",outcome="completed"\} 20$/m)
    assert.match(text, /^holdfast_sync_duration_seconds_count\{source="cities",outcome="rejected"\} 1$/m)
    assert.match(text, /^holdfast_publish_refused_total\{source="cities",reason="snapshot_rejected"\} 1$/m)
    assert.match(text, /^holdfast_stream_clients 0$/m)
    assert.match(text, /^holdfast_http_requests_total \d+$/m)
  })
})
