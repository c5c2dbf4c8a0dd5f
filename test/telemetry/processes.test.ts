import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { Site, until, API_KEY } from '../support/holdfast.ts'
import { Collector, type SeenSpan } from './collector.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'
const SECRET = 'collector-password-1'
const ROWS = [{ sku: 'a', price: 1 }, { sku: 'b', price: 2 }] // prettier-ignore

describe('processes with a collector', () => {
  test('a server tells of requests, runs and figures, and of no secret', async (t) => {
    const { site, collector } = await begun(t)
    const server = await site.server({ OTEL_SERVICE_NAME: 'wares-mirror', OTEL_RESOURCE_ATTRIBUTES: 'team=blue' })
    await until(() => site.pointer(), { what: 'a snapshot', gaveUp: server.ended })

    const traceparent = `00-${TRACE}-${PARENT}-01`
    await (await server.get('/fetch-data?limit=1', { traceparent, Authorization: `Bearer ${API_KEY}` })).text()
    await (await server.get('/fetch-data?limit=value-in-query')).text()
    const request = await until(() => collector.spans.find((span) => span.traceId === TRACE), { what: 'the span' })
    await (await server.get('/api/tables/wares?price=gt.1&sku=neq.value-in-query')).text()
    const query = await until(() => collector.span('query wares.wares'), { what: 'the span of the query' })
    const asker = await until(() => collector.span('GET /api/tables/:table'), { what: 'the span of who asked' })
    const run = await until(() => collector.span('sync wares'), { what: 'the span of the run' })
    const age = await until(() => collector.points('holdfast_snapshot_age_seconds')[0], { what: 'a figure' })
    server.kill('SIGTERM')
    assert.equal(await server.ended, 0)

    assert.deepEqual([request.name, request.parentSpanId], ['GET /fetch-data', PARENT])
    assert.equal(request.attributes['url.path'], '/fetch-data')
    assert.equal(request.attributes['http.response.status_code'], 200)
    assert.equal(request.attributes['holdfast.snapshot'], site.pointer()?.snapshot)
    assert.equal(query.parentSpanId, asker.spanId)
    assert.deepEqual([request.resource['service.name'], request.resource['team']], ['wares-mirror', 'blue'])
    assert.equal(run.attributes['holdfast.run.result'], 'published')
    assert.ok(childrenOf(collector, run).some(({ name }) => name === 'pulling'))
    assert.equal(age.attributes['source'], 'wares')

    assert.ok(collector.headers.every((headers) => headers['x-collector-key'] === SECRET))
    const told = collector.texts.join('\n')
    for (const secret of [API_KEY, SECRET, 'value-in-query']) {
      assert.ok(!told.includes(secret) && !server.output().includes(secret), secret)
    }
    assert.doesNotMatch(server.output(), /could not be sent/)
  })

  test('what a worker did is sent before it ends, and a server that ends sends what it has', async (t) => {
    const { site, collector } = await begun(t, { OTEL_BSP_SCHEDULE_DELAY: '600000' })
    assert.equal((await site.once()).code, 0)
    assert.equal(collector.span('sync wares')?.resource['holdfast.role'], 'worker')

    const server = await site.server({ SYNC_IN_SERVER: 'false' })
    await (await server.get('/status')).text()
    server.kill('SIGTERM')
    assert.equal(await server.ended, 0)
    assert.equal(collector.span('GET /status')?.attributes['http.response.status_code'], 200)
  })

  test('several serving processes each tell of their own requests', async (t) => {
    const { site, collector } = await begun(t)
    const server = await site.server({ WEB_CONCURRENCY: '2' })
    await (await server.get('/status')).text()
    await until(() => collector.span('GET /status'), { what: 'the span', gaveUp: server.ended })
    server.kill('SIGTERM')
    assert.equal(await server.ended, 0)
  })
})

describe('processes with a collector that is not there', () => {
  for (const what of ['refuses', 'is silent'] as const) {
    test(`one that ${what} changes nothing but a line in the log`, async (t) => {
      const endpoint = await silentPort(t)
      const { site } = await begun(t, {
        OTEL_EXPORTER_OTLP_ENDPOINT: what === 'is silent' ? endpoint : 'http://127.0.0.1:9',
        OTEL_EXPORTER_OTLP_TIMEOUT: '300',
      })
      const server = await site.server()
      await until(() => site.pointer(), { what: 'a snapshot', gaveUp: server.ended })
      const isTold = () => server.output().includes('could not be sent as they should')
      await until(
        async () => {
          const response = await server.get('/fetch-data')
          assert.equal(response.status, 200)
          await response.arrayBuffer()
          return isTold()
        },
        { what: 'a line in the log', gaveUp: server.ended },
      )
      server.kill('SIGTERM')
      assert.equal(await server.ended, 0)
      assert.equal(server.output().match(/could not be sent as they should/g)?.length, 1)
    })
  }
})

test('a process that has ended its work does not wait for a collector that never answers', async (t) => {
  const { site } = await begun(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: await silentPort(t),
    OTEL_EXPORTER_OTLP_TIMEOUT: '86400000',
    OTEL_BSP_SCHEDULE_DELAY: '86400000',
  })
  assert.equal((await site.once()).code, 0)
})

/** A site whose processes tell a collector at once what they would otherwise tell it later. */
async function begun(t: TestContext, env: Record<string, string> = {}) {
  const collector = new Collector()
  const endpoint = await collector.listen()
  const site = new Site({
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_EXPORTER_OTLP_HEADERS: `x-collector-key=${SECRET}`,
      OTEL_BSP_SCHEDULE_DELAY: '20',
      OTEL_METRIC_EXPORT_INTERVAL: '100',
      ...env,
    },
  })
  t.after(async () => {
    await site[Symbol.asyncDispose]()
    await collector[Symbol.asyncDispose]()
  })
  site.write(ROWS)
  return { site, collector }
}

function childrenOf(collector: Collector, parent: SeenSpan): SeenSpan[] {
  return collector.spans.filter((span) => span.parentSpanId === parent.spanId)
}

/** Takes connections, and leaves it at that. */
async function silentPort(t: TestContext): Promise<string> {
  const server = createServer((socket) => socket.on('error', () => {}))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  t.after(() => server.close())
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}
