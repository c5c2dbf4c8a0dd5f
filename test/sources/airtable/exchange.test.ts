import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, globalAgent, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { connect, type Call, type Exchange } from '../../../lib/sources/airtable/exchange.ts'

const GET: Call = { method: 'GET', path: 'app1/tbl1' }

async function server(
  t: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ open: (call?: Call) => Exchange; server: Server; port: number; connections: () => number }> {
  let connections = 0
  const listening = createServer(answer).on('connection', () => (connections += 1))
  await once(listening.listen(0, '127.0.0.1'), 'listening')
  t.after(() => {
    listening.close()
    listening.closeAllConnections()
  })
  const { port } = listening.address() as AddressInfo
  const open = connect({ token: 'patSecret', endpointUrl: `http://127.0.0.1:${port}` })
  return { open: (call = GET) => open(call), server: listening, port, connections: () => connections }
}

async function ask(exchange: Exchange) {
  await using open = exchange
  await open.ready
  open.send()
  return await open.answer
}

function inUse(port: number): number {
  return Object.entries(globalAgent.sockets).flatMap(([name, sockets]) => (name.includes(`:${port}:`) ? sockets : []))
    .length
}

describe('a request to Airtable', () => {
  test('goes where it should, with the token and what it asks', async (t) => {
    const seen: string[] = []
    const { open } = await server(t, (request, response) => {
      void request
        .setEncoding('utf8')
        .toArray()
        .then((body) => {
          seen.push(`${request.method} ${request.url} ${request.headers.authorization} ${body.join('')}`)
          response.end('{"ok":true}')
        })
    })
    const answer = await ask(open({ ...GET, query: { pageSize: 100, filterByFormula: `OR(A='1 & 2')` } }))
    assert.deepEqual([answer.status, answer.body], [200, { ok: true }])
    await ask(open({ method: 'POST', path: 'bases/app1/webhooks', body: { a: 'ü' } }))
    assert.deepEqual(seen, [
      `GET /v0/app1/tbl1?pageSize=100&filterByFormula=OR(A%3D%271+%26+2%27) Bearer patSecret `,
      'POST /v0/bases/app1/webhooks? Bearer patSecret {"a":"ü"}',
    ])
  })

  test('is not sent before its moment, and then at once over a connection that is open', async (t) => {
    let requests = 0
    const { open, connections } = await server(t, (_, response) => {
      requests++
      response.end('{}')
    })
    await using exchange = open()
    await exchange.ready
    assert.equal(connections(), 1)
    await sleep(100)
    assert.equal(requests, 0)
    exchange.send()
    await exchange.answer
    assert.equal(requests, 1)
  })

  test('uses the connection of the one before', async (t) => {
    const { open, connections } = await server(t, (_, response) => response.end('{}'))
    for (let call = 0; call < 5; call++) await ask(open())
    assert.equal(connections(), 1)
  })

  for (const [status, body] of [
    [401, '{"error":{"type":"AUTHENTICATION_REQUIRED"}}'],
    [403, '{"error":{"type":"INVALID_PERMISSIONS"}}'],
    [404, '{"error":"NOT_FOUND"}'],
    [429, '{"errors":[{"error":"RATE_LIMIT_REACHED"}]}'],
    [503, '{"error":{"type":"RETRIABLE_ERROR","message":"later"}}'],
  ] as const) {
    test(`gives a ${status} as Airtable wrote it, with its headers`, async (t) => {
      const { open } = await server(t, (_, response) => response.writeHead(status, { 'retry-after': '7' }).end(body))
      const answer = await ask(open())
      assert.deepEqual(answer.body, JSON.parse(body))
      assert.deepEqual([answer.status, answer.headers['retry-after']], [status, '7'])
    })
  }

  test('gives what is no JSON as no body, and nothing as an empty one', async (t) => {
    const bodies = ['<html>', '[1]', '"x"', '']
    const { open } = await server(t, (_, response) => response.end(bodies.shift()))
    assert.deepEqual(
      [(await ask(open())).body, (await ask(open())).body, (await ask(open())).body],
      [undefined, undefined, undefined],
    )
    assert.deepEqual((await ask(open())).body, {})
  })

  test('reads gzip', async (t) => {
    const body = gzipSync(JSON.stringify({ records: 'x'.repeat(200_000) }))
    const { open } = await server(t, (_, response) => response.setHeader('content-encoding', 'gzip').end(body))
    assert.equal((await ask(open())).body?.['records'], 'x'.repeat(200_000))
  })

  test('does not follow a redirect', async (t) => {
    const paths: (string | undefined)[] = []
    const { open } = await server(t, ({ url }, response) => {
      paths.push(url)
      response.writeHead(302, { location: '/v0/elsewhere' }).end('{}')
    })
    assert.equal((await ask(open())).status, 302)
    assert.equal(paths.length, 1)
  })

  test('fails when the body is cut off, however its length was told', async (t) => {
    for (const head of [{ 'content-length': '100' }, {}]) {
      const { open, port } = await server(t, (_, response) => {
        response.writeHead(200, head)
        response.write('{"records":[', () => response.destroy())
      })
      await assert.rejects(ask(open()), { name: 'NoAnswer' })
      assert.equal(inUse(port), 0)
    }
  })

  test('fails when the connection is reset, or cannot be made', async (t) => {
    const { open, server: listening } = await server(t, (_, response) => response.socket?.resetAndDestroy())
    await assert.rejects(ask(open()), { name: 'NoAnswer', message: /ECONNRESET|closed/ })
    listening.close()
    await assert.rejects(ask(open()), { name: 'NoAnswer', message: 'ECONNREFUSED' })
  })

  test('can be ended while its body stalls, and leaves no connection behind', async (t) => {
    const stalled = Promise.withResolvers<void>()
    const { open, port } = await server(t, (_, response) => {
      response.writeHead(200)
      response.write('{"records":[', () => stalled.resolve())
    })
    const exchange = open()
    await exchange.ready
    exchange.send()
    await stalled.promise
    assert.equal(inUse(port), 1)
    exchange.end('it took too long')
    await assert.rejects(exchange.answer, { name: 'NoAnswer', message: 'it took too long' })
    await exchange[Symbol.asyncDispose]()
    assert.equal(inUse(port), 0)
  })

  test('can be given up before it is sent', async (t) => {
    let requests = 0
    const { open, port } = await server(t, (_, response) => {
      requests++
      response.end('{}')
    })
    const exchange = open()
    await exchange.ready
    await exchange[Symbol.asyncDispose]()
    await assert.rejects(exchange.answer, { name: 'NoAnswer' })
    assert.equal(inUse(port), 0)
    await ask(open())
    assert.equal(requests, 1)
  })
})
