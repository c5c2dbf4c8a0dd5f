import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'

const REFRESH = new URL('../../scripts/refresh.ts', import.meta.url).pathname

type Answer = (request: IncomingMessage, response: ServerResponse) => void

async function refresh(answer: Answer, args: string[] = [], env: Record<string, string> = {}) {
  const seen: string[] = []
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${String(request.headers['x-api-key'])}`)
    answer(request, response)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const hostport = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const settings = {
    PATH: process.env['PATH'] ?? '',
    HOLDFAST_HOSTPORT: hostport,
    API_KEY: 'the-key',
    REFRESH_TIMEOUT: '20',
    ...env,
  }
  const running = spawn(process.execPath, [REFRESH, ...args], { env: settings, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  running.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  running.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const [code] = (await once(running, 'close')) as [number | null]
  server.closeAllConnections()
  server.close()
  return { code, stdout, stderr, seen }
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

const triggered = { status: 'triggered', run: 'r1', source: 'cities' }

describe('scripts/refresh.ts', () => {
  test('asks once and prints the run', async () => {
    const { code, stdout, seen } = await refresh((_request, response) => json(response, 202, triggered))
    assert.equal(code, 0)
    assert.equal(stdout, 'r1 triggered\n')
    assert.deepEqual(seen, ['POST /refresh the-key'])
  })

  test('asks for each source that is named', async () => {
    const { code, seen } = await refresh((_request, response) => json(response, 202, triggered), ['a', 'b'])
    assert.equal(code, 0)
    assert.deepEqual(seen, ['POST /refresh?source=a the-key', 'POST /refresh?source=b the-key'])
  })

  test('tries again while the server is being deployed', async () => {
    let calls = 0
    const { code, stdout } = await refresh((request, response) => {
      if (++calls === 1) request.socket.destroy()
      else json(response, calls === 2 ? 503 : 202, calls === 2 ? { code: 'control_busy' } : triggered)
    })
    assert.equal(code, 0)
    assert.equal(stdout, 'r1 triggered\n')
  })

  test('with --wait, ends as the run ends', async () => {
    for (const [end, expected] of [
      [{ status: 'completed', result: 'published' }, 0],
      [{ status: 'rejected', error: { code: 'snapshot_rejected', message: 'Half of the rows are gone.' } }, 1],
    ] as const) {
      let looks = 0
      const { code, stdout, stderr } = await refresh(
        (request, response) => {
          if (request.method === 'POST') return json(response, 202, triggered)
          json(response, 200, ++looks === 1 ? { status: 'running' } : end)
        },
        ['--wait'],
      )
      assert.equal(code, expected, stderr)
      assert.match(stdout, new RegExp(`^r1 triggered\nr1 ${end.status}`))
      if (expected === 1) assert.match(stderr, /run r1 was rejected: Half of the rows are gone\./)
    }
  })

  test('a refusal is not tried again, and is told with its code', async () => {
    const { code, stderr, seen } = await refresh((_request, response) =>
      json(response, 401, { code: 'unauthorized', detail: 'No.' }),
    )
    assert.equal(code, 1)
    assert.equal(seen.length, 1)
    assert.match(stderr, /401 unauthorized: No\./)
    assert.doesNotMatch(stderr, /the-key/)
  })

  test('gives up when the time is up, and says what was last', async () => {
    const started = performance.now()
    const { code, stderr } = await refresh((_request, response) => json(response, 503, { code: 'draining' }), [], {
      REFRESH_TIMEOUT: '2',
    })
    assert.equal(code, 1)
    assert.match(stderr, /no good answer in time; the last was: 503 draining/)
    assert.ok(performance.now() - started < 10_000)
  })

  for (const [what, args, env] of [
    ['without an address', [], { HOLDFAST_HOSTPORT: '' }],
    ['without a key', [], { API_KEY: '' }],
    ['with an unknown option', ['--force'], {}],
    ['with a bound that is no number', [], { REFRESH_TIMEOUT: 'long' }],
  ] as const) {
    test(`${what}, it says so and calls nobody`, async () => {
      const { code, stderr, seen } = await refresh(
        (_request, response) => json(response, 202, triggered),
        [...args],
        env,
      )
      assert.equal(code, 2)
      assert.match(stderr, /^refresh: /)
      assert.deepEqual(seen, [])
    })
  }
})
