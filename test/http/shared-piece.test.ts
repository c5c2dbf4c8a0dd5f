import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { SharedPiece } from '../../lib/http/shared-piece.ts'
import { ask, askRaw, readAll } from './raw.ts'

const piece = new SharedPiece(Buffer.from('data: “ü”\n\n'))
const TEXT = 'data: “ü”\n\n'

async function portOf(t: TestContext, listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

describe('a piece that many answers share', () => {
  test('takes its place among what else is written', async (t) => {
    const port = await portOf(t, (_request, response) => {
      response.write('first,')
      piece.writeTo(response)
      response.write('between,')
      piece.writeTo(response)
      response.end('last')
    })
    const { body, headers } = await ask(port, '/')
    assert.equal(headers['transfer-encoding'], 'chunked')
    assert.equal(body.toString(), `first,${TEXT}between,${TEXT}last`)
  })

  test('reaches a client that knows no chunks as it is', async (t) => {
    const port = await portOf(t, (_request, response) => {
      response.write('first,')
      piece.writeTo(response)
      response.end()
    })
    const text = Buffer.from(await askRaw(port, 'GET / HTTP/1.0\r\n\r\n'), 'latin1').toString()
    assert.equal(text.split('\r\n\r\n')[1], `first,${TEXT}`)
  })

  test('waits for its answer to have its turn on the connection', async (t) => {
    const waiting = Promise.withResolvers<() => void>()
    const port = await portOf(t, (request, response) => {
      if (request.url === '/slow') return waiting.resolve(() => response.end('slow'))
      response.write('first,')
      piece.writeTo(response)
      response.once('socket', () =>
        setImmediate(() => {
          piece.writeTo(response)
          response.end('last')
        }),
      )
      void waiting.promise.then((end) => end())
    })
    const socket = connect(port, '127.0.0.1')
    socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    const [, slow, behind] = (await readAll(socket)).split(/HTTP\/1\.1 200 OK\r\n/)
    assert.match(slow!, /\r\n\r\nslow$/)
    const size = Buffer.byteLength(TEXT).toString(16)
    const wire = Buffer.from(TEXT).toString('latin1')
    const chunk = `${size}\r\n${wire}\r\n`
    assert.equal(
      behind!.split('\r\n\r\n').slice(1).join('\r\n\r\n'),
      `6\r\nfirst,\r\n${chunk}${chunk}4\r\nlast\r\n0\r\n\r\n`,
    )
  })

  test('is no failure when the client has half left', async (t) => {
    const ended = Promise.withResolvers<void>()
    const failures: unknown[] = []
    const port = await portOf(t, (request, response) => {
      request.socket.on('error', (error) => failures.push(error))
      response.write('first')
      // After the server's own look at it, which ends its half too.
      request.socket.once('end', () => {
        piece.writeTo(response)
        request.socket.once('close', () => ended.resolve())
      })
    })
    const socket = connect(port, '127.0.0.1')
    socket.resume().end('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await ended.promise
    assert.deepEqual(failures, [])
  })
})
