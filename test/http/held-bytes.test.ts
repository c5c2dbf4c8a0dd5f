import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { HeldBytes } from '../../lib/http/held-bytes.ts'
import { until } from './fakes.ts'

/** More than the buffers of a connection take. */
const BODY_BYTES = 16_000_000

/** Answers with so many bytes that nobody else gets, and clients that read nothing of them. */
async function served(t: TestContext, held: HeldBytes, bodyOf: () => Buffer | string = () => Buffer.alloc(BODY_BYTES)) {
  const responses: ServerResponse[] = []
  const server = createServer((request, response) => {
    const body = bodyOf()
    response.end(body)
    held.hold(response, request.url!, body)
    responses.push(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const sockets: Socket[] = []
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  /** Asks without reading; resolves when the answer was begun. */
  const ask = async (owner: string): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    sockets.push(socket.pause())
    const before = responses.length
    socket.write(`GET ${owner} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await until(() => responses.length > before)
    return socket
  }
  const isCut = () => responses.map(({ destroyed }) => destroyed)
  return { ask, isCut }
}

describe('answers that nobody takes', () => {
  test('are cut off beyond a bound: of whoever has most, what is held longest', async (t) => {
    const held = new HeldBytes(4 * BODY_BYTES)
    const { ask, isCut } = await served(t, held)
    for (const owner of ['/a', '/b', '/b', '/a', '/b']) await ask(owner)
    assert.deepEqual(isCut(), [false, true, false, false, false])
    await ask('/b')
    assert.deepEqual(isCut(), [false, true, true, false, false, false])
    assert.equal(held.total, 4 * BODY_BYTES)
  })

  test('count until they are taken or left, and are nothing then', async (t) => {
    const held = new HeldBytes(4 * BODY_BYTES)
    const { ask } = await served(t, held)
    const [taken, left] = [await ask('/a'), await ask('/a')]
    assert.equal(held.total, 2 * BODY_BYTES)
    taken.resume()
    await until(() => held.total === BODY_BYTES)
    left.destroy()
    await until(() => held.total === 0)
  })

  test('count once where many are sent the same bytes', async (t) => {
    const held = new HeldBytes(2 * BODY_BYTES)
    const body = Buffer.alloc(BODY_BYTES)
    const { ask, isCut } = await served(t, held, () => body)
    for (let index = 0; index < 5; index++) await ask('/a')
    assert.equal(held.total, BODY_BYTES)
    assert.deepEqual(isCut().filter(Boolean), [])
  })

  test('count as texts too', async (t) => {
    const held = new HeldBytes(4 * BODY_BYTES)
    const { ask } = await served(t, held, () => 'x'.repeat(BODY_BYTES))
    await ask('/a')
    assert.ok(held.total >= BODY_BYTES)
  })

  test('that are small are not looked at', async (t) => {
    const held = new HeldBytes(1)
    const { ask } = await served(t, held, () => Buffer.alloc(1000))
    await ask('/a')
    assert.equal(held.total, 0)
  })
})
