import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { EventSource } from 'eventsource'
import { API_KEY, Site, until, type Server } from '../support/holdfast.ts'
import { changedRows, digestOf, sampleRows } from '../support/rows.ts'

interface Frame {
  readonly type: string
  readonly payload?: { readonly data: readonly unknown[] }
}

const STREAM = '/fetch-data?stream=true&refresh=true'

/** The server only asks for runs here; each test lets a worker do them when its clients are there. */
describe('refreshing through the server', () => {
  const site = new Site()
  let rows = sampleRows(4000)
  let server: Server

  before(async () => {
    site.write(rows)
    assert.equal((await site.once('wares')).code, 0)
    server = await site.server({ SYNC_IN_SERVER: 'false' })
  })
  after(() => site[Symbol.asyncDispose]())

  /** Replaces the upstream's file; gives the digests of the rows before and after. */
  const change = (seed: number) => {
    const old = digestOf(rows)
    rows = changedRows(rows, 0.1, seed)
    site.write(rows)
    return { old, wanted: digestOf(rows) }
  }

  const work = async () => {
    const { code, output } = await site.once('wares')
    assert.equal(code, 0, output)
  }

  test('1,000 parallel POST /refresh are one run with one id, all 202', async () => {
    const { wanted } = change(1)
    const answers = await Promise.all(
      Array.from({ length: 1000 }, async () => {
        const response = await server.post('/refresh')
        const { run, status } = (await response.json()) as { run: string; status: string }
        return { code: response.status, location: response.headers.get('location'), run, status }
      }),
    )

    assert.deepEqual(new Set(answers.map((answer) => answer.code)), new Set([202]))
    assert.equal(new Set(answers.map((answer) => answer.run)).size, 1)
    assert.equal(answers.filter((answer) => answer.status === 'triggered').length, 1)
    assert.equal(answers[0]?.location, `/api/runs/${answers[0]?.run}`)

    const known = await runIds(server)
    await work()
    assert.deepEqual(await runIds(server), known)
    assert.equal(site.pointer()?.tables[0]?.digest, wanted)
  })

  test('an event stream read with EventSource: cached at once, progress, updated, done, and no reconnect', async () => {
    const { old, wanted } = change(2)
    let requests = 0
    const source = new EventSource(server.url + STREAM, {
      fetch: (input, init) => {
        requests++
        return fetch(input, { ...init, headers: { ...init?.headers, 'X-API-Key': API_KEY } })
      },
    })
    const frames: Frame[] = []
    source.addEventListener('message', (event) => frames.push(JSON.parse(String(event.data)) as Frame))
    await until(() => frames.length > 0, { what: 'the first frame' })
    await work()
    await until(() => source.readyState === EventSource.CLOSED, {
      what: () => `the end, after ${typesOf(frames).join()}`,
    })

    assertStory(frames, { old, wanted })
    // The stream itself, and the reconnect that is told to stop.
    assert.equal(requests, 2)
  })

  test('an event stream read with curl', async () => {
    const { old, wanted } = change(3)
    const curl = spawn('curl', ['-sN', '--max-time', '60', '-H', `X-API-Key: ${API_KEY}`, server.url + STREAM])
    let text = ''
    curl.stdout.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    const ended = once(curl, 'exit')
    await until(() => text.includes('"type":"cached"'), { what: 'the first frame', gaveUp: ended })
    await work()
    await ended

    assertStory(framesOf(Buffer.from(text, 'latin1').toString()), { old, wanted })
  })

  test('100 streaming clients share one run', async () => {
    const { old, wanted } = change(4)
    const known = await runIds(server)
    let started = 0
    const clients = Array.from({ length: 100 }, async () => {
      const response = await server.get(STREAM)
      started++
      return framesOf(await response.text())
    })
    await until(() => started === clients.length, { what: 'all clients to be answered' })
    await work()

    for (const frames of await Promise.all(clients)) assertStory(frames, { old, wanted })
    assert.equal((await runIds(server)).filter((id) => !known.includes(id)).length, 1)
  })
})

function assertStory(frames: readonly Frame[], { old, wanted }: { old: string; wanted: string }): void {
  const types = typesOf(frames)
  assert.equal(types[0], 'cached')
  assert.deepEqual(types.slice(-2), ['updated', 'done'])
  assert.ok(
    types.slice(1, -2).every((type) => type === 'progress'),
    types.join(),
  )
  assert.equal(digestOf(frames[0]?.payload?.data ?? []), old)
  assert.equal(digestOf(frames.at(-2)?.payload?.data ?? []), wanted)
}

function typesOf(frames: readonly Frame[]): string[] {
  return frames.map((frame) => frame.type)
}

function framesOf(text: string): Frame[] {
  const lines = text.split('\n').filter((line) => line.startsWith('data: '))
  return lines.map((line) => JSON.parse(line.slice('data: '.length)) as Frame)
}

async function runIds(server: Server): Promise<string[]> {
  const { runs } = (await (await server.get('/api/runs?limit=50')).json()) as { runs: { id: string }[] }
  return runs.map((run) => run.id)
}
