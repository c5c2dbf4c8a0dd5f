import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { test } from 'node:test'
import { API_KEY, Site } from '../support/holdfast.ts'
import { seeded, testSeed } from '../support/random.ts'
import type { AnsweredPage } from '../support/airtable-requests.ts'
import { requestGenerator, type GeneratedRequest } from '../support/requests.ts'

/** `npm run test:fuzz` sends 100,000. */
const REQUESTS = Number(process.env.HOLDFAST_REQUESTS ?? 3000)
const CONNECTIONS = 12
/** ANSWER_MAX_BYTES below, and what headers of errors and small routes may take. */
const MAX_ANSWER_BYTES = 300_000
/** Lists of /v0 that are gone on in, at a time. */
const MAX_PAGES = 50
const MAX_GROWTH_BYTES = 64e6
/** In rows that no generated request may reach. */
const CANARY = 'canary-5f1d0c'

const WARES = Array.from({ length: 400 }, (_, index) => ({
  sku: `w${index}`,
  name: ['Ware', 'wäre', 'WÄRE', 'Straße', "O'Neill", '"quoted"', ''][index % 7],
  price: index % 5 === 0 ? null : index / 4,
  count: index % 3 === 0 ? null : index,
  ok: index % 4 === 0 ? null : index % 2 === 0,
  tags: index % 6 === 0 ? null : { a: [index, 'x', null], 'x y': { b: index % 2 === 0 } },
  // Neither this column nor every eighth row exists for who asks half of the requests.
  secret: CANARY,
  kind: index % 8 === 0 ? CANARY : 'open',
}))

test(`${REQUESTS} generated requests: no 5xx, no row of another's, no answer over its bound, no growth`, async (t) => {
  const seed = testSeed()
  t.diagnostic(`HOLDFAST_SEED=${seed}`)
  await using site = new Site({
    source: `key: ['sku'], tables: { wares: { indexes: ['name', 'count'], search: ['name'] } }`,
    env: { ANSWER_MAX_BYTES: '256KiB', ANSWER_CACHE_BYTES: '2MiB' },
  })
  site.write(WARES)
  assert.equal((await site.once('wares')).code, 0)
  const server = await site.server({ SYNC_IN_SERVER: 'false', QUERY_DEADLINE: '60s', MAX_ROWS: '200' })
  const made = await fetch(`${server.url}/api/keys`, {
    method: 'POST',
    headers: { 'X-API-Key': API_KEY, 'Content-Type': 'application/json' },
    body: JSON.stringify({
      name: 'partner',
      filters: { 'wares.wares': 'kind=eq.open' },
      hidden: { 'wares.wares': ['secret', 'kind'] },
    }),
  })
  const { key: partner } = (await made.json()) as { key: string }
  assert.equal(made.status, 201)
  const { port } = new URL(server.url)
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  const pages: AnsweredPage[] = []
  const next = requestGenerator(seeded(seed), {
    tables: ['wares', 'wares.wares', 'WARES'],
    columns: {
      sku: ['w1', 'w17', 'w300', 'nothing'],
      name: ['Ware', 'wäre', 'Straße', "O'Neill", ''],
      price: ['12.5', '0', '-3', '100'],
      count: ['3', '77', '400'],
      ok: ['true', 'false'],
      tags: ['{"a":[1,"x",null]}', '[]'],
      missing: [],
      secret: [],
      kind: ['open'],
    },
    ids: ['w0', 'w399', 'nothing'],
    pages,
  })
  const statuses = new Map<number, number>()
  let sent = 0
  /** After each tenth of the requests. */
  const memories: number[] = []

  const client = async () => {
    while (sent < REQUESTS) {
      const number = sent++
      const generated = next()
      const isPartner = number % 2 === 1
      const { status, body } = await send(agent, port, generated, isPartner ? partner : API_KEY)
      const what = `request ${number} of seed ${seed}: ${JSON.stringify(generated)} → ${status} ${body.subarray(0, 500).toString()}`
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      assert.ok(status < 500, what)
      assert.ok(body.length <= MAX_ANSWER_BYTES, `${body.length} bytes: ${what}`)
      assert.ok(!isPartner || !body.includes(CANARY), what)
      assert.doesNotMatch(
        body.subarray(0, 4000).toString('latin1'),
        /SqliteError|SQLITE_[A-Z]|node_modules|\n {4}at /,
        what,
      )
      const offset = status === 200 ? offsetIn(generated, body) : undefined
      if (offset !== undefined)
        pages[pages.length < MAX_PAGES ? pages.length : number % MAX_PAGES] = { request: generated, offset }
      if (number % Math.ceil(REQUESTS / 10) === 0) memories.push(await memory(server))
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, client))
  memories.push(await memory(server))
  const growth = (memories.at(-1) ?? 0) - (memories[4] ?? 0)
  agent.destroy()
  t.diagnostic(
    `${[...statuses]
      .toSorted(([a], [b]) => a - b)
      .map(([status, count]) => `${status}: ${count}`)
      .join(', ')}; memory in MB: ${memories.map((bytes) => (bytes / 1e6).toFixed(0)).join(' ')}`,
  )
  assert.ok(growth < MAX_GROWTH_BYTES, `grew by ${growth} bytes`)
  assert.ok((statuses.get(200) ?? 0) > REQUESTS / 10, 'too few requests were valid for this to mean much')
  assert.ok((statuses.get(400) ?? 0) > REQUESTS / 10, 'too few requests were invalid for this to mean much')
  assert.deepEqual(await rows(server), WARES.length)
})

function offsetIn({ target, body: asked = '' }: GeneratedRequest, body: Buffer): string | undefined {
  if (!target.startsWith('/v0/') || (target + asked).includes('offset')) return undefined
  return /"offset":"([^"]+)"\}$/.exec(body.toString())?.[1]
}

async function rows(server: { get(path: string): Promise<Response> }): Promise<number> {
  const answer = (await (await server.get('/api/tables/wares?limit=1')).json()) as { pagination: { total: number } }
  return answer.pagination.total
}

async function memory(server: { get(path: string): Promise<Response> }): Promise<number> {
  const text = await (await server.get('/metrics')).text()
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1])
}

function send(
  agent: Agent,
  port: string,
  { target, headers, body }: GeneratedRequest,
  key: string,
): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path: target,
        agent,
        method: body === undefined ? 'GET' : 'POST',
        headers: { ...headers, 'X-API-Key': key },
      },
      (response) => {
        const pieces: Buffer[] = []
        response.on('data', (piece: Buffer) => pieces.push(piece))
        response.on('error', reject)
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces) }))
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}
