import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, connect, type AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import pino from 'pino'
import { loadSettings } from '../../lib/config/load-settings.ts'
import { openServingProcesses } from '../../lib/entry/cluster.ts'
import { API_KEY, Site, until, type Server } from '../support/holdfast.ts'
import { sampleRows } from '../support/rows.ts'
import {
  connectToAll,
  Connection,
  isFree,
  isRunning,
  processOf,
  servingPids,
  type Answered,
} from '../support/serving-processes.ts'

const TWO = { WEB_CONCURRENCY: '2' }
const portOf = (server: Server) => Number(new URL(server.url).port)

/** With the first snapshot published, and both processes serving. */
async function twoProcesses(site: Site): Promise<Server> {
  site.write(sampleRows(50))
  const server = await site.server(TWO)
  await until(() => site.pointer(), { what: () => `the first publish: ${server.output()}`, gaveUp: server.ended })
  await bothServe(server)
  return server
}

async function bothServe(server: Server): Promise<void> {
  const seen = new Set<string>()
  await until(
    async () => {
      using connection = new Connection(server)
      const answered = await connection.get('/ready').catch(() => undefined)
      if (answered) seen.add(answered.process)
      return seen.size >= 2
    },
    { what: () => `answers of two processes: ${server.output()}`, gaveUp: server.ended },
  )
}

const countOf = (text: string, pattern: RegExp) => [...text.matchAll(new RegExp(pattern, 'g'))].length

describe('several serving processes on one port', () => {
  test('each see a publish that was asked for through one of them, and none goes back', async () => {
    await using site = new Site()
    const server = await twoProcesses(site)
    const connections = await connectToAll(server, 2)
    const inOrder = new Map<string, (string | undefined)[]>()
    const look = async () => {
      for (const { connection, process } of connections) {
        const answered = await connection.get('/fetch-data')
        assert.equal(answered.process, process)
        const seen = inOrder.get(process) ?? []
        if (seen.at(-1) !== answered.snapshot) seen.push(answered.snapshot)
        inOrder.set(process, seen)
      }
      return [...inOrder.values()].map((seen) => seen.at(-1))
    }
    const snapshots: (string | undefined)[] = [site.pointer()?.snapshot]
    await until(async () => (await look()).every((snapshot) => snapshot === snapshots[0]), { what: 'the first' })

    for (const round of [1, 2, 3]) {
      site.write(sampleRows(50 + round))
      const before = site.pointer()?.snapshot
      assert.equal((await server.post('/refresh')).status, 202)
      await until(
        async () => {
          const seen = await look()
          return site.pointer()?.snapshot !== before && seen.every((snapshot) => snapshot === site.pointer()?.snapshot)
        },
        { what: () => `publish ${round} in both: ${server.output()}`, gaveUp: server.ended },
      )
      snapshots.push(site.pointer()?.snapshot)
    }

    assert.equal(inOrder.size, 2)
    for (const seen of inOrder.values()) assert.deepEqual(seen, snapshots)
    for (const { connection } of connections) connection[Symbol.dispose]()
  })

  test('make one key, and say once that they serve', async () => {
    await using site = new Site({ env: { API_KEY: '' } })
    const server = await twoProcesses(site)
    assert.equal(countOf(server.output(), /Your API key/), 1, server.output())
    assert.equal(countOf(server.output(), /Holdfast serves/), 1, server.output())
    const key = /hf_[\w-]+/.exec(server.output())?.[0] ?? ''
    for (let turn = 0; turn < 4; turn++) {
      const response = await fetch(`${server.url}/status`, { headers: { 'X-API-Key': key, Connection: 'close' } })
      assert.equal(response.status, 200)
    }
  })

  test('kill -9 of one breaks its own connections alone, and it is replaced', async () => {
    await using site = new Site()
    const server = await twoProcesses(site)
    const connections = await connectToAll(server, 2)
    const [victim, survivor] = servingPids(server) as [number, number]
    let isLoaded = true
    const answers: Answered[] = []
    const kept = connections.map(async ({ connection, process }) => {
      while (isLoaded) {
        try {
          answers.push(await connection.get('/fetch-data'))
        } catch (error) {
          return { process, error }
        }
      }
      return { process, error: undefined }
    })
    let reaped = false
    const refused: unknown[] = []
    const fresh = (async () => {
      while (isLoaded) {
        using connection = new Connection(server)
        const hadBeenReaped = reaped
        // Until then it may have been given to the one that is killed.
        await connection.get('/health').catch((error: unknown) => (hadBeenReaped ? refused.push(error) : undefined))
      }
    })()
    await until(() => answers.length > 50, { what: 'answers' })

    process.kill(victim, 'SIGKILL')
    await until(() => /a serving process ended/.test(server.output()), { what: () => server.output() })
    reaped = true
    const countAtEnd = answers.length
    const [, second] = await until(
      () => {
        const pids = servingPids(server)
        return !pids.includes(victim) && pids.includes(survivor) && pids.length === 2 ? pids : undefined
      },
      { what: () => `another in its place: ${server.output()}` },
    )
    assert.notEqual(second, victim)
    await bothServe(server)
    await until(() => answers.length > countAtEnd + 50, { what: 'answers after it' })
    isLoaded = false

    const ends = await Promise.all(kept)
    await fresh
    const broken = new Set(ends.filter(({ error }) => error !== undefined).map(({ process }) => process))
    const whole = new Set(ends.filter(({ error }) => error === undefined).map(({ process }) => process))
    assert.equal(broken.size, 1, 'connections to one process break')
    assert.equal(whole.size, 1, 'connections to the other do not')
    assert.notDeepEqual(broken, whole)
    assert.deepEqual(refused, [])
    for (const { connection } of connections) connection[Symbol.dispose]()
  })

  test('one that dies while a connection is handed to it leaves no client waiting', async (t) => {
    await using site = new Site()
    const server = await twoProcesses(site)
    const [victim] = servingPids(server) as [number]
    process.kill(victim, 'SIGSTOP')
    const clients = Array.from({ length: 6 }, () => {
      const socket = connect(portOf(server), '127.0.0.1')
      let text = ''
      t.after(() => socket.destroy())
      socket.on('data', (piece: Buffer) => (text += piece.toString())).on('error', () => {})
      socket.write('GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
      return new Promise<string>((resolve) => socket.once('close', () => resolve(text)))
    })
    let closed = 0
    for (const client of clients) void client.then(() => closed++)
    // The one that is left goes on answering; a single connection waits for the one that is stopped.
    await until(() => closed === 5, { what: () => `five answers; there were ${closed}` })
    process.kill(victim, 'SIGKILL')
    const answers = await Promise.all(clients)
    assert.equal(answers.filter((text) => text.startsWith('HTTP/1.1 200 ')).length, 5)
  })

  test('one that ends again and again is given more time each time', async () => {
    await using site = new Site()
    const server = await twoProcesses(site)
    const [survivor] = servingPids(server) as [number]
    for (let kill = 1; kill <= 7; kill++) {
      const pid = await until(() => servingPids(server).find((candidate) => candidate !== survivor), {
        what: 'another',
      })
      process.kill(pid, 'SIGKILL')
      await until(() => countOf(server.output(), /a serving process ended/) === kill, { what: () => server.output() })
    }
    const waits = [...server.output().matchAll(/"waitMs":(\d+)/g)].map(([, waitMs]) => Number(waitMs))
    assert.deepEqual(waits, [0, 0, 0, 0, 0, 250, 500])
    using connection = new Connection(server)
    await connection.get('/health')
  })
})

test('each tells in its metrics which it is', async () => {
  await using site = new Site()
  const server = await twoProcesses(site)
  const found = new Set<string | undefined>()
  await until(
    async () => {
      const response = await server.get('/metrics', { Connection: 'close' })
      const text = await response.text()
      const places = new Set(
        text
          .split('\n')
          .filter((line) => line !== '' && !line.startsWith('#'))
          .map((line) => /[{,]process="(\d)"/.exec(line)?.[1]),
      )
      assert.equal(places.size, 1, text)
      for (const place of places) found.add(place)
      return found.size === 2
    },
    { what: () => `both to be scraped: ${[...found].join()}` },
  )
  assert.deepEqual(found, new Set(['1', '2']))
})

describe('the end of several serving processes', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${signal} drains all of them, streams included, and leaves the port free`, async () => {
      await using site = new Site()
      const server = await twoProcesses(site)
      const pids = servingPids(server)
      const streams: Response[] = []
      while (new Set(streams.map(({ headers }) => processOf(headers.get('x-request-id')))).size < 2)
        streams.push(await server.get('/api/sources/wares/events'))
      // Ctrl-C in a terminal reaches all of them.
      if (signal === 'SIGINT') for (const pid of pids) process.kill(pid, signal)
      server.kill(signal)
      for (const stream of streams) assert.match(await stream.text(), /^: bye$/m)
      assert.equal(await server.ended, 0, server.output())
      assert.deepEqual(pids.filter(isRunning), [])
      assert.equal(await isFree(portOf(server)), true)
      assert.doesNotMatch(server.output(), /\n {4}at /)
    })
  }

  test('one that does not end is killed', async () => {
    await using site = new Site()
    const settings = await loadSettings({ env: { ...site.environment, ...TWO }, cwd: site.folder.path })
    using serving = openServingProcesses({ settings, keys: [API_KEY], log: pino({ level: 'silent' }), drainMs: 500 })
    await serving.listen()
    const pids = servingPids(process)
    assert.equal(pids.length, 2)
    process.kill(pids[0] as number, 'SIGSTOP')
    await serving.drain()
    assert.deepEqual(pids.filter(isRunning), [])
  })

  test('a second request to end ends all of them at once', async () => {
    await using site = new Site()
    const server = await twoProcesses(site)
    const pids = servingPids(server)
    process.kill(pids[0] as number, 'SIGSTOP')
    server.kill('SIGTERM')
    await until(() => /draining/.test(server.output()), { what: () => server.output() })
    // The same request may come twice within half a second.
    await new Promise((resolve) => setTimeout(resolve, 600))
    server.kill('SIGTERM')
    assert.equal(await server.ended, 1)
    await until(() => !pids.some(isRunning), { what: 'all to end' })
  })

  test('kill -9 of the first process ends the others, and leaves the port free', async () => {
    await using site = new Site()
    const server = await twoProcesses(site)
    const pids = servingPids(server)
    const stream = await server.get('/api/sources/wares/events')
    server.kill('SIGKILL')
    assert.match(await stream.text(), /^: bye$/m)
    await until(() => !pids.some(isRunning), { what: 'all to end' })
    assert.equal(await isFree(portOf(server)), true)
  })
})

test('a port that is taken is told once, in words, and ends all with 1', async () => {
  await using site = new Site()
  await using other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const server = site.start(new URL('../../server.ts', import.meta.url).pathname, [], { ...TWO, PORT: String(port) })
  assert.equal(await server.ended, 1)
  assert.equal(
    server.output(),
    `Cannot listen on 127.0.0.1: port ${port} is taken: set PORT to another, or stop what uses it.\n`,
  )
})
