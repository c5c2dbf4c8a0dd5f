import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Histogram, Registry } from 'prom-client'
import { figuresOf, textOf } from '../../lib/http/figures.ts'
import { RequestDurations } from '../../lib/http/request-durations.ts'
import { RouteNames } from '../../lib/http/route-names.ts'
import type { BegunRequest, EndedRequest, Figure, Telemetry } from '../../lib/telemetry.ts'
import { AUTH, serve, until } from './fakes.ts'

describe('requests', () => {
  test('each is told of once, with its route and what its answer said, whichever way it was answered', async (t) => {
    const { telemetry, told } = listener()
    const { get } = await serve(t, { telemetry })

    for (const path of ['/health', '/fetch-data?limit=3', '/fetch-data', '/api/sources/cities', '/api/runs/none', '/no/such'])
      await get(path).then((response) => response.arrayBuffer()) // prettier-ignore
    await until(() => told.length === 6)

    assert.deepEqual(
      told.map(({ ended }) => [ended.route, ended.status, ended.cache]),
      [
        ['/health', 200, undefined],
        ['/fetch-data', 200, 'hit'],
        ['/fetch-data', 200, 'hit'],
        ['/api/sources/:id', 200, undefined],
        ['/api/runs/:id', 404, undefined],
        [undefined, 404, undefined],
      ],
    )
    assert.deepEqual([told[1]?.ended.snapshot, told[2]?.ended.snapshot, told[3]?.ended.source], ['s1', 's1', 'cities'])
    assert.ok(told.every(({ ended }) => ended.isComplete && ended.requestId !== undefined))
  })

  test('neither a key nor what stands in a query is told', async (t) => {
    const { telemetry, told } = listener()
    const { get } = await serve(t, { telemetry })
    await (await get('/fetch-data?api_key=hunter22&limit=hunter22')).arrayBuffer()
    await (await get('/api/runs?before=hunter22')).arrayBuffer()
    await until(() => told.length === 2)
    const text = JSON.stringify(told)
    assert.ok(!text.includes('hunter22') && !text.includes(AUTH['X-API-Key']), text)
  })

  test('an unchanged answer says so, and the trace of the caller is passed on as it came', async (t) => {
    const { telemetry, told } = listener()
    const { get } = await serve(t, { telemetry })
    const tag = (await get('/fetch-data')).headers.get('etag') ?? ''
    const response = await get('/fetch-data', { 'If-None-Match': tag, traceparent: 'given', tracestate: 'a=1' })
    assert.equal(response.status, 304)
    await until(() => told.length === 2)
    assert.deepEqual([told[1]?.ended.status, told[1]?.ended.cache], [304, '304'])
    assert.deepEqual([told[1]?.begun.traceparent, told[1]?.begun.tracestate], ['given', 'a=1'])
  })

  test('a client that goes away ends its request', async (t) => {
    const { telemetry, told } = listener()
    const { url } = await serve(t, { telemetry })
    const leaving = new AbortController()
    await fetch(`${url}/fetch-data?stream=true`, { headers: AUTH, signal: leaving.signal })
    leaving.abort()
    await until(() => told.length === 1)
    assert.deepEqual([told[0]?.ended.route, told[0]?.ended.isComplete], ['/fetch-data', false])
  })
})

describe('the metrics of requests', () => {
  test('are there by route, method and status, for whoever asks in whatever form', async (t) => {
    const { telemetry, figures } = listener()
    const { get } = await serve(t, { telemetry })
    for (let count = 0; count < 3; count++) await (await get('/fetch-data')).arrayBuffer()
    await (await get('/made/up')).arrayBuffer()
    let text = ''
    const name = 'holdfast_http_request_duration_seconds'
    await until(async () => {
      text = await (await get('/metrics')).text()
      return text.includes(`${name}_count{route="/metrics"`)
    })

    assert.match(text, new RegExp(`^${name}_count\\{route="/fetch-data",method="GET",status="200"\\} 3$`, 'm'))
    assert.match(text, new RegExp(`^${name}_count\\{route="none",method="GET",status="404"\\} 1$`, 'm'))
    assert.match(
      text,
      new RegExp(`^${name}_bucket\\{route="/fetch-data",method="GET",status="200",le="\\+Inf"\\} 3$`, 'm'),
    )
    const found = await figures()
    const shown = new Set(text.match(/^# TYPE \S+/gm)?.map((line) => line.slice('# TYPE '.length)))
    assert.deepEqual(new Set(found.map((figure) => figure.name)), shown)
  })

  test('have labels of a bounded number, however wild the requests', () => {
    const durations = new RequestDurations()
    for (const method of ['GET', 'PROPFIND', 'LOCK']) durations.observe(undefined, method, undefined, 0.1)
    assert.deepEqual(
      durations.figure().points.map(({ labels, count }) => [labels.method, labels.status, labels.route, count]),
      [
        ['GET', 'none', 'none', 1],
        ['other', 'none', 'none', 2],
      ],
    )
  })

  test('a histogram is written as prom-client writes it, and read as it was counted', async () => {
    const registry = new Registry()
    const theirs = new Histogram({ name: 'h', help: 'H', labelNames: ['a'], buckets: [1, 2.5], registers: [registry] })
    for (const value of [0.5, 1, 2, 9]) theirs.observe({ a: 'x "y" \\ \n' }, value)
    theirs.observe({ a: 'z' }, 2)

    const [ours] = (await figuresOf(registry)) as (Figure & { kind: 'histogram' })[]
    assert.ok(ours)
    assert.deepEqual(ours.points[0]?.counts, [2, 1, 1])
    assert.deepEqual([ours.points[0]?.bounds, ours.points[0]?.sum, ours.points[0]?.count], [[1, 2.5], 12.5, 4])
    const linesOf = (text: string) =>
      text
        .trim()
        .split('\n')
        .map((line) => line.replace(/\{(.*)\}/, (_, labels: string) => `{${labels.split(',').toSorted().join(',')}}`))
        .toSorted()
    assert.deepEqual(linesOf(textOf(ours)), linesOf(await registry.metrics()))
  })
})

test('the route of a path is the one the router would take', () => {
  const names = new RouteNames(['/', '/api/runs', '/api/runs/latest', '/api/runs/:id', '/api/:kind/:id'])
  assert.deepEqual(names.find('/'), { route: '/', params: {} })
  assert.equal(names.find('/api/runs/latest')?.route, '/api/runs/latest')
  assert.deepEqual(names.find('/api/runs/7'), { route: '/api/runs/:id', params: { id: '7' } })
  assert.deepEqual(names.find('/api/x/7'), { route: '/api/:kind/:id', params: { kind: 'x', id: '7' } })
  for (const path of ['', '*', '/api/runs/', '/api', '/API/runs']) assert.equal(names.find(path), undefined, path)
})

function listener() {
  const told: { begun: BegunRequest; ended: EndedRequest }[] = []
  let figures: () => Promise<readonly Figure[]> = async () => []
  const telemetry: Telemetry = {
    request: (begun) => ({
      isRecorded: true,
      within: (work) => work(),
      end: (ended) => void told.push({ begun, ended }),
    }),
    run() {},
    step() {},
    follow: (given) => void (figures = given),
    shutdown: async () => {},
  }
  return { telemetry, told, figures: () => figures() }
}
