import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { Run } from '../../lib/sync-run.ts'
import type { BegunRequest, Telemetry } from '../../lib/telemetry.ts'
import { openTelemetry } from '../../lib/telemetry/open-telemetry.ts'
import { remoteParent } from '../../lib/telemetry/trace-context.ts'
import { Trouble } from '../../lib/telemetry/trouble.ts'
import { until } from '../support/holdfast.ts'
import { Collector } from './collector.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'
const ONE_HOUR = 3_600_000

describe('traces', () => {
  test('a request becomes a span as the conventions for HTTP want it', async (t) => {
    const { telemetry, collector } = await started(t)

    telemetry
      .request(begun({ method: 'GET', path: '/api/runs/17', host: 'data.example.org:8443' }))
      .end({ route: '/api/runs/:id', status: 200, isComplete: true, cache: 'hit', snapshot: 's1', requestId: 'r-1' })
    await telemetry.shutdown(ONE_HOUR)

    const [span] = collector.spans
    assert.equal(span?.name, 'GET /api/runs/:id')
    assert.equal(span.kind, 2)
    assert.equal(span.parentSpanId, undefined)
    assert.deepEqual(span.attributes, {
      'http.request.method': 'GET', 'http.route': '/api/runs/:id', 'http.response.status_code': 200,
      'url.scheme': 'http', 'url.path': '/api/runs/17', 'network.protocol.version': '1.1',
      'server.address': 'data.example.org', 'server.port': 8443,
      'holdfast.cache': 'hit', 'holdfast.snapshot': 's1', 'holdfast.request_id': 'r-1',
    }) // prettier-ignore
    assert.equal(span.resource['service.name'], 'holdfast')
    assert.equal(span.resource['service.version'], '1.2.3')
    assert.equal(span.resource['holdfast.role'], 'server')
  })

  test('an answer of 500 is an error, one of 404 is not, and a client that went is told of', async (t) => {
    const { telemetry, collector } = await started(t)

    telemetry.request(begun({ path: '/a' })).end({ route: undefined, status: 503, isComplete: true })
    telemetry.request(begun({ path: '/b' })).end({ route: undefined, status: 404, isComplete: true })
    telemetry.request(begun({ path: '/c' })).end({ route: undefined, status: undefined, isComplete: false })
    telemetry
      .request(begun({ path: '/d', method: 'PROPFIND' }))
      .end({ route: undefined, status: 405, isComplete: true })
    await telemetry.shutdown(ONE_HOUR)

    const [failed, missing, gone, odd] = collector.spans
    assert.deepEqual([failed?.status.code, failed?.attributes['error.type']], [2, '503'])
    assert.deepEqual([missing?.status.code, missing?.attributes['error.type']], [0, undefined])
    assert.deepEqual([gone?.attributes['holdfast.incomplete'], gone?.status.code], [true, 0])
    assert.equal(gone?.attributes['http.response.status_code'], undefined)
    assert.deepEqual([odd?.name, odd?.attributes['http.request.method']], ['HTTP', '_OTHER'])
  })

  test('the trace of the caller goes on, with its state and its decision', async (t) => {
    const { telemetry, collector } = await started(t)
    const answer = { route: '/status', status: 200, isComplete: true }

    telemetry.request(begun({ traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: 'vendor=x' })).end(answer)
    const leftOut = telemetry.request(begun({ traceparent: `00-${TRACE}-${PARENT}-00` }))
    assert.equal(leftOut.isRecorded, false)
    leftOut.end(answer)
    await telemetry.shutdown(ONE_HOUR)

    assert.equal(collector.spans.length, 1)
    const [span] = collector.spans
    assert.deepEqual([span?.traceId, span?.parentSpanId, span?.traceState], [TRACE, PARENT, 'vendor=x'])
  })

  test('a traceparent that is not one begins a new trace', () => {
    assert.equal(remoteParent(`00-${TRACE}-${PARENT}-01`, undefined)?.traceId, TRACE)
    assert.equal(remoteParent(`01-${TRACE}-${PARENT}-01-more`, undefined)?.traceId, TRACE)
    for (const text of [
      undefined,
      '',
      `ff-${TRACE}-${PARENT}-01`,
      `00-${TRACE}-${PARENT}-01-more`,
      `00-${'0'.repeat(32)}-${PARENT}-01`,
      `00-${TRACE}-${'0'.repeat(16)}-01`,
      `00-${TRACE.toUpperCase()}-${PARENT}-01`,
      `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`,
      `00-${TRACE}-${PARENT}`,
    ])
      assert.equal(remoteParent(text, undefined), undefined, text)
  })

  test('a step of a request is its child, however late it ends', async (t) => {
    const { telemetry, collector } = await started(t)
    const request = telemetry.request(begun())
    const { promise: told, resolve } = Promise.withResolvers<void>()

    request.within(() =>
      setImmediate(() => {
        telemetry.step({ name: 'query', from: 1000, to: 2000, attributes: { rows: 3 }, failure: 'query_timeout' })
        resolve()
      }),
    )
    await told
    request.end({ route: '/x', status: 200, isComplete: true })
    telemetry.step({ name: 'alone', from: 1000, to: 2000, attributes: {} })
    await telemetry.shutdown(ONE_HOUR)

    const step = collector.span('query')
    assert.equal(step?.parentSpanId, collector.span('GET /x')?.spanId)
    assert.equal(step?.attributes['error.type'], 'query_timeout')
    assert.equal(collector.span('alone')?.parentSpanId, undefined)
  })

  test('a run becomes a span with its phases end to end below it', async (t) => {
    const { telemetry, collector } = await started(t)

    telemetry.run(run(), 99_999)
    await telemetry.shutdown(ONE_HOUR)

    const whole = collector.span('sync wares')
    assert.deepEqual(timesOf(whole), [10_000, 20_000])
    assert.equal(whole?.attributes['holdfast.run.result'], 'published')
    assert.equal(whole?.attributes['holdfast.run.rows'], 42)
    const phases = collector.spans.filter((span) => span.parentSpanId === whole?.spanId)
    assert.deepEqual(
      phases.map((span) => [span.name, timesOf(span)]),
      [
        ['pulling', [12_500, 19_000]],
        ['comparing', [19_000, 19_500]],
        ['publishing', [19_500, 20_000]],
      ],
    )
  })

  test('a run that was taken up again tells of its last part, and a failed one tells only the code', async (t) => {
    const { telemetry, collector } = await started(t)
    const error = { code: 'upstream_unavailable' as const, message: 'The password is hunter22.', facts: {} }

    telemetry.run(run({ resumes: 2, status: 'failed', error }), 0)
    telemetry.run(run({ status: 'paused', finishedAt: null, timings: null }), 30_000)
    await telemetry.shutdown(ONE_HOUR)

    const [failed, paused] = collector.spans.filter(({ name }) => name === 'sync wares')
    assert.deepEqual(timesOf(failed), [12_500, 20_000])
    assert.equal(failed?.attributes['error.type'], 'upstream_unavailable')
    assert.ok(!collector.texts.join('').includes('hunter22'))
    assert.deepEqual(timesOf(paused), [10_000, 30_000])
  })

  test('the sampler is the one that the environment names', async (t) => {
    const spansWith = async (env: Record<string, string>): Promise<number> => {
      const { telemetry, collector } = await started(t, env)
      for (const flags of ['00', '01']) {
        telemetry
          .request(begun({ traceparent: `00-${TRACE}-${PARENT}-${flags}` }))
          .end({ route: '/x', status: 200, isComplete: true })
      }
      telemetry.request(begun()).end({ route: '/x', status: 200, isComplete: true })
      await telemetry.shutdown(ONE_HOUR)
      return collector.spans.length
    }
    assert.equal(await spansWith({}), 2)
    assert.equal(await spansWith({ OTEL_TRACES_SAMPLER: 'always_on' }), 3)
    assert.equal(await spansWith({ OTEL_TRACES_SAMPLER: 'always_off' }), 0)
    assert.equal(await spansWith({ OTEL_TRACES_SAMPLER: 'parentbased_always_off' }), 1)
    assert.equal(await spansWith({ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }), 1)
    assert.equal(await spansWith({ OTEL_TRACES_SAMPLER: 'traceidratio' }), 3)
    assert.equal(await spansWith({ OTEL_TRACES_EXPORTER: 'none' }), 0)
    assert.equal(await spansWith({ OTEL_TRACES_SAMPLER: 'jaeger_remote' }), 2)
  })
})

describe('metrics', () => {
  test('figures arrive as gauges, sums and histograms, and the duration of requests by its conventional name', async (t) => {
    const { telemetry, collector } = await started(t)
    telemetry.follow(async () => [
      { name: 'a_bytes', help: 'A', kind: 'gauge', points: [{ labels: { source: 'wares' }, value: 7 }] },
      { name: 'b_total', help: 'B', kind: 'counter', points: [{ labels: {}, value: 3 }] },
      {
        name: 'holdfast_http_request_duration_seconds',
        help: 'C',
        kind: 'histogram',
        points: [
          {
            labels: { route: '/x', method: 'GET', status: 200 },
            bounds: [1, 2],
            counts: [4, 0, 1],
            sum: 9.5,
            count: 5,
          },
          { labels: { route: 'none', method: 'GET', status: 404 }, bounds: [1], counts: [1, 0], sum: 0.5, count: 1 },
        ],
      },
    ])
    await telemetry.shutdown(ONE_HOUR)

    assert.deepEqual(
      collector.metrics.map(({ name, unit }) => [name, unit]),
      [
        ['a_bytes', 'By'],
        ['b_total', '1'],
        ['http.server.request.duration', 's'],
      ],
    )
    assert.deepEqual(collector.points('a_bytes')[0]?.attributes, { source: 'wares' })
    assert.equal(collector.points('a_bytes')[0]?.point.asDouble, 7)
    assert.equal(collector.metrics[1]?.sum?.isMonotonic, true)
    const [found, missing] = collector.points('http.server.request.duration')
    assert.deepEqual(found?.attributes, {
      'http.route': '/x',
      'http.request.method': 'GET',
      'http.response.status_code': 200,
    })
    const { explicitBounds, bucketCounts, sum } = found.point
    assert.deepEqual([explicitBounds, bucketCounts?.map(Number), sum], [[1, 2], [4, 0, 1], 9.5])
    assert.deepEqual(missing?.attributes, { 'http.request.method': 'GET', 'http.response.status_code': 404 })
  })

  test('figures that cannot be had are a trouble and nothing more', async (t) => {
    const { telemetry, troubles } = await started(t)
    telemetry.follow(() => Promise.reject(new Error('no figures today')))
    await telemetry.shutdown(ONE_HOUR)
    assert.match(troubles.join(), /metrics collection errors/)
  })
})

describe('a collector that is not well', () => {
  for (const [what, answer] of [
    ['answers 500', (response) => response.writeHead(500).end('no')],
    ['answers with garbage', (response) => response.writeHead(200).end('\u0000{{{')],
    ['cuts the connection', (response) => response.destroy()],
    ['never answers', () => {}],
  ] as [string, ConstructorParameters<typeof Collector>[0]][]) {
    test(`one that ${what} holds nobody up`, async (t) => {
      const { telemetry, collector } = await started(t, { OTEL_BSP_SCHEDULE_DELAY: '1' }, answer)
      telemetry.follow(async () => [{ name: 'a', help: 'A', kind: 'gauge', points: [{ labels: {}, value: 1 }] }])
      for (let index = 0; index < 5000; index++) {
        telemetry.request(begun()).end({ route: '/x', status: 200, isComplete: true })
      }
      await until(() => collector.texts.length > 0, { what: 'the first export' })
      await telemetry.shutdown(1)
    })
  }

  test('it is told of once in a while, with the number of times since, and without what it said', () => {
    const told: [string, number][] = []
    let now = 0
    const trouble = new Trouble(
      (message, before) => told.push([message, before]),
      () => now,
    )
    trouble.error(JSON.stringify({ message: 'Bad Gateway', code: '502', data: '<html>secret', stack: 'at x' }))
    for (let index = 0; index < 1000; index++) trouble.warn('again')
    now += 5 * 60_000
    trouble.error('and again')
    assert.deepEqual(told, [
      ['Bad Gateway (502)', 0],
      ['and again', 1000],
    ])
  })
})

async function started(
  t: TestContext,
  env: Record<string, string> = {},
  answer?: ConstructorParameters<typeof Collector>[0],
): Promise<{ telemetry: Telemetry; collector: Collector; troubles: string[] }> {
  const collector = new Collector(answer)
  t.after(() => collector[Symbol.asyncDispose]())
  // The exporters look there themselves, when they are made.
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = await collector.listen()
  process.env.OTEL_EXPORTER_OTLP_TIMEOUT = answer === undefined ? '60000' : '100'
  const troubles: string[] = []
  const onTrouble = (message: string) => void troubles.push(message)
  return { telemetry: openTelemetry({ env, version: '1.2.3', role: 'server', onTrouble }), collector, troubles }
}

function begun(request: Partial<BegunRequest> = {}): BegunRequest {
  return {
    method: 'GET', path: '/x', host: undefined, httpVersion: '1.1', traceparent: undefined, tracestate: undefined, ...request,
  } // prettier-ignore
}

function run(change: Partial<Run> = {}): Run {
  const tables = [{ table: 'wares', total: 42, completed: 42, failed: 0 }]
  return {
    id: 'r1', source: 'wares', trigger: 'refresh', status: 'completed', result: 'published', snapshot: 's1',
    requestedAt: 9000, startedAt: 10_000, finishedAt: 20_000, resumes: 0, republish: null, error: null,
    progress: { phase: 'publishing', tables, done: 1, rate: 0, etaMs: null, at: 20_000 },
    timings: { pulling: 6500, comparing: 500, publishing: 500 },
    ...change,
  } // prettier-ignore
}

function timesOf(span: { startTimeUnixNano: string; endTimeUnixNano: string } | undefined): number[] {
  return span ? [span.startTimeUnixNano, span.endTimeUnixNano].map((nanos) => Number(BigInt(nanos) / 1_000_000n)) : []
}
