import assert from 'node:assert/strict'
import { hash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readlinkSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../lib/base/clock.ts'
import { cities, KEY, serve, until, type Harness } from './fakes.ts'
import { ask } from './raw.ts'

/** More than the sockets between server and client take in when nobody reads. */
const SIZE = 24_000_001
const REQUEST = `GET /fetch-data HTTP/1.1\r\nHost: x\r\nX-API-Key: ${KEY}\r\n\r\n`
const NO_CACHE = { bodyCacheBytes: 0 }
const IN_CACHE = { bodyCacheBytes: 64e6 }
/** So many readers of files have two large buffers each; the others have two small ones. */
const LARGE = { readers: 16, megabytes: 4.2 }
const SMALL = { megabytes: 0.27 }
/** What a heap does meanwhile. */
const SLACK_MB = 8

interface Served extends Harness {
  readonly file: string
  readonly body: Buffer
}

/** Serves a large body; that it is not JSON is nobody's business here. */
async function serveLarge(
  t: TestContext,
  settings: { bodyCacheBytes: number },
  { isWarm = false, ...options }: Parameters<typeof serve>[1] & { isWarm?: boolean } = {},
): Promise<Served> {
  const harness = await serve(t, { ...options, settings, publish: false })
  harness.snapshots.publish('cities', [cities(3)], { rendered: ['identity'] })
  const file = harness.snapshots.active('cities')!.bodyFile('cities', 'identity')!
  const body = randomBytes(SIZE)
  writeFileSync(file, body)
  if (isWarm) await harness.get('/fetch-data').then((response) => response.arrayBuffer())
  return { ...harness, file, body }
}

/** A client that has asked, has got the beginning, and does not read on. */
async function pausedReader(port: number, request = REQUEST): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(request)
  await once(socket, 'readable')
  return socket
}

/** Reads the answer that has begun, and the body of it, to its announced length or the end of the connection. */
async function readOn(socket: Socket, pause: () => Promise<unknown> = async () => undefined): Promise<Buffer> {
  const pieces: Buffer[] = []
  let left: number | undefined
  try {
    for await (const piece of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      pieces.push(piece)
      left ??= Number(/content-length: (\d+)/i.exec(piece.toString('latin1'))![1]) + piece.indexOf('\r\n\r\n') + 4
      left -= piece.length
      if (left <= 0) break
      await pause()
    }
  } catch {
    // Cut off: the caller sees how far it came.
  }
  const all = Buffer.concat(pieces)
  return all.subarray(all.indexOf('\r\n\r\n') + 4)
}

/** Files of the snapshots that this process has open. */
function openFiles({ snapshots }: Harness): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(snapshots.folder)
    } catch {
      return false // closed since
    }
  }).length
}

/** Neither file nor snapshot is held any more. */
async function untilFree(served: Harness): Promise<void> {
  await until(() => openFiles(served) === 0 && served.snapshots.pins === 0)
}

for (const [where, settings, isWarm] of [
  ['from its file', NO_CACHE, false],
  ['while it is loaded', IN_CACHE, false],
  ['from memory', IN_CACHE, true],
] as const) {
  describe(`a large body ${where}`, () => {
    test('reaches a slow reader whole, and the connection lives on', async (t) => {
      const served = await serveLarge(t, settings, { isWarm })
      const socket = await pausedReader(served.port)
      await sleep(50)
      let pieces = 0
      const body = await readOn(socket, async () => (pieces++ % 50 ? undefined : await sleep(1)))
      assert.equal(hash('sha256', body), hash('sha256', served.body))
      await untilFree(served)
      socket.write(REQUEST)
      assert.equal(hash('sha256', await readOn(socket)), hash('sha256', served.body))
      assert.deepEqual(served.errors, [])
    })

    test('reaches 16 readers at once', async (t) => {
      const served = await serveLarge(t, settings, { isWarm })
      const sockets = await Promise.all(Array.from({ length: 16 }, () => pausedReader(served.port)))
      for (const socket of sockets) {
        assert.equal(hash('sha256', await readOn(socket)), hash('sha256', served.body))
      }
      await untilFree(served)
    })

    test('is let go when its client leaves, at once or after a while', async (t) => {
      const served = await serveLarge(t, settings, { isWarm })
      const sockets = await Promise.all(Array.from({ length: 8 }, () => pausedReader(served.port)))
      for (const [index, socket] of sockets.entries()) {
        if (index % 2) await sleep(5)
        socket.destroy()
      }
      await untilFree(served)
      assert.deepEqual(served.errors, [], 'a client that leaves is no error')
    })

    test('is let go when its client leaves before its turn in a pipeline', async (t) => {
      const served = await serveLarge(t, settings, { isWarm })
      const socket = await pausedReader(served.port, REQUEST + REQUEST)
      await sleep(50)
      socket.destroy()
      await untilFree(served)
    })

    test('follows another one in a pipeline', async (t) => {
      const served = await serveLarge(t, settings, { isWarm })
      const socket = connect(served.port, '127.0.0.1')
      socket.write(REQUEST + REQUEST.replace('X-API-Key', 'Connection: close\r\nX-API-Key'))
      let bytes = 0
      for await (const piece of socket as AsyncIterable<Buffer>) bytes += piece.length
      assert.ok(bytes > 2 * SIZE && bytes < 2 * SIZE + 5000, `${bytes} bytes`)
      await untilFree(served)
    })

    test('is finished while the process drains, and its connection closed then', async (t) => {
      const served = await serveLarge(t, settings, { isWarm })
      const socket = await pausedReader(served.port)
      const drained = served.http.drain()
      await sleep(120)
      assert.equal(hash('sha256', await readOn(socket)), hash('sha256', served.body))
      await Promise.all([drained, once(socket.resume(), 'close')])
      await untilFree(served)
    })

    test('is cut off, not ended, when its reader outlasts the drain', async (t) => {
      const clock = { ...systemClock, sleep: () => new Promise<void>(setImmediate) }
      const served = await serveLarge(t, settings, { isWarm, clock })
      const socket = await pausedReader(served.port)
      await served.http.drain()
      assert.ok((await readOn(socket)).length < SIZE)
      await untilFree(served)
    })

    test('is whole even when its file is removed meanwhile', async (t) => {
      const served = await serveLarge(t, settings, { isWarm })
      const socket = await pausedReader(served.port)
      rmSync(served.file)
      assert.equal(hash('sha256', await readOn(socket)), hash('sha256', served.body))
      await untilFree(served)
    })

    if (isWarm) {
      test('reaches a client whole that has ended its side', async (t) => {
        const served = await serveLarge(t, settings, { isWarm })
        for (const version of ['1.0', '1.1']) {
          const socket = connect({ port: served.port, host: '127.0.0.1', allowHalfOpen: true })
          socket.end(REQUEST.replace('HTTP/1.1', `HTTP/${version}`))
          await sleep(50)
          assert.equal(hash('sha256', await readOn(socket)), hash('sha256', served.body), version)
          socket.destroy()
        }
        await untilFree(served)
        assert.deepEqual(served.errors, [])
      })
    }

    if (!isWarm) {
      test('is answered from the rows when its file is gone', async (t) => {
        const served = await serveLarge(t, settings)
        rmSync(served.file)
        const { status, body } = await ask(served.port, '/fetch-data', { headers: { 'X-API-Key': KEY } })
        assert.equal(status, 200)
        assert.equal((JSON.parse(body.toString()) as { count: number }).count, 3)
        await untilFree(served)
      })
    }

    test('is not read for HEAD', async (t) => {
      const served = await serveLarge(t, settings, { isWarm })
      const answer = await ask(served.port, '/fetch-data', { method: 'HEAD', headers: { 'X-API-Key': KEY } })
      assert.equal(answer.status, 200)
      assert.equal(answer.headers['content-length'], String(SIZE))
      assert.equal(answer.body.length, 0)
      await untilFree(served)
    })
  })
}

describe('a body from its file', () => {
  test('costs a reader who does not read no more than two buffers, and the seventeenth only small ones', async (t) => {
    const served = await serveLarge(t, NO_CACHE)
    const before = process.memoryUsage().arrayBuffers
    const sockets = await Promise.all(Array.from({ length: 64 }, () => pausedReader(served.port)))
    await sleep(200)
    const growth = (process.memoryUsage().arrayBuffers - before) / 1e6
    const most = LARGE.readers * LARGE.megabytes + (64 - LARGE.readers) * SMALL.megabytes + SLACK_MB
    assert.ok(growth < most, `${growth} of ${most} MB`)
    assert.equal(openFiles(served), 64)
    const late = sockets.pop()!
    assert.equal(hash('sha256', await readOn(late)), hash('sha256', served.body), 'by small pieces')
    for (const socket of [late, ...sockets]) socket.destroy()
    await untilFree(served)
  })

  test('is right for every reader while others leave in its midst', async (t) => {
    const { port, body } = await serveLarge(t, NO_CACHE)
    const digest = hash('sha256', body)
    for (let round = 0; round < 3; round++) {
      const [leaving, staying] = await Promise.all(
        [0, 1].map(() => Promise.all([0, 1, 2, 3].map(() => pausedReader(port)))),
      )
      const answers = staying!.map((socket) => readOn(socket))
      for (const socket of leaving!) {
        socket.destroy()
        await sleep(2)
      }
      for (const answer of await Promise.all(answers)) assert.equal(hash('sha256', answer), digest)
      for (const socket of staying!) socket.destroy()
    }
  })

  test('is cut off, and that is logged, when its file becomes shorter', async (t) => {
    const served = await serveLarge(t, NO_CACHE)
    const socket = await pausedReader(served.port)
    truncateSync(served.file, 1_000_000)
    const body = await readOn(socket)
    assert.ok(body.length < SIZE, `${body.length} bytes`)
    assert.ok(body.equals(served.body.subarray(0, body.length)))
    await untilFree(served)
    assert.match(JSON.stringify(served.errors.map((facts) => String((facts as { error: unknown }).error))), /shorter/)
  })

  test('never gets longer than announced, whatever happens to its file', async (t) => {
    const served = await serveLarge(t, NO_CACHE)
    const socket = await pausedReader(served.port)
    writeFileSync(served.file, 'more', { flag: 'a' })
    socket.write('GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    const pieces: Buffer[] = []
    for await (const piece of socket as AsyncIterable<Buffer>) pieces.push(piece)
    const all = Buffer.concat(pieces)
    const begin = all.indexOf('\r\n\r\n') + 4
    assert.equal(hash('sha256', all.subarray(begin, begin + SIZE)), hash('sha256', served.body))
    assert.match(all.subarray(begin + SIZE).toString(), /^HTTP\/1\.1 200 /)
    await untilFree(served)
  })
})
