import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Failure } from '../../lib/errors.ts'
import { createHttp, type HttpParts } from '../../lib/http/server.ts'
import type { AirtableMode, Settings } from '../../lib/settings.ts'
import { KnownWebhooks } from '../../lib/sqlite/known-webhooks.ts'
import { rollback } from '../../lib/sqlite/publish.ts'
import { sourceMemory } from '../../lib/sqlite/source-memory.ts'
import { SyncEngine } from '../../lib/sync/engine.ts'
import { NO_LIMITS, TestSite, TTL_MS, wares } from '../sqlite/site.ts'
import { AUTH, FakeEngine, FakeSnapshots, httpParts, quiet } from './fakes.ts'
import { ask, assertProblem, type Answer } from './raw.ts'

const BASE = 'appAbCdEfGhIjKlMn'
const HOOK = 'achAbCdEfGhIjKlMn'
const SECRET = randomBytes(64)
const KEPT = { id: HOOK, macSecretBase64: SECRET.toString('base64'), expiresAt: 0, notificationUrl: 'https://x' }
const PATH = '/webhooks/airtable/crm'
const MODES = { crm: 'webhook', polled: 'polling', manual: 'manual' } as const satisfies Record<string, AirtableMode>
const SOURCES = [...Object.keys(MODES), 'file']

/** As Airtable sends it. */
const ping = (ids: { base?: unknown; webhook?: unknown } = {}) =>
  JSON.stringify({
    base: { id: BASE, ...(ids.base !== undefined && { id: ids.base }) },
    webhook: { id: HOOK, ...(ids.webhook !== undefined && { id: ids.webhook }) },
    timestamp: '2026-11-28T17:30:00.123Z',
  })

const sign = (body: string | Buffer, secret = SECRET) =>
  `hmac-sha256=${createHmac('sha256', secret).update(body).digest('hex')}`

type SourceEntry = Settings['sources'] extends ReadonlyMap<string, infer Of> ? [id: string, of: Of] : never

interface Sent {
  /** That of Airtable by default; null sends none. */
  readonly mac?: string | null
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Of four sources `crm` follows its webhook, two do not, and `file` cannot have one; all keep the same one. */
async function served(t: TestContext, parts: Partial<HttpParts> = {}) {
  const site = new TestSite({ sources: SOURCES })
  const engine = new SyncEngine({
    control: site.control,
    clock: site.clock,
    holder: 'test',
    leaseTtlMs: TTL_MS,
    sources: new Set(SOURCES),
    nextRunAt: () => undefined,
    rollback: (lease) => rollback(site.publisher, lease),
    republish: () => Promise.reject(new Error('nobody asks for that here')),
    onWork: () => {},
    onRolledBack: () => {},
  })
  const webhooks = new KnownWebhooks(declared(), site.publisher.folders)
  const [errors, warnings]: [unknown[], unknown[]] = [[], []]
  const snapshots = new FakeSnapshots()
  const http = createHttp({
    ...httpParts({ engine: new FakeEngine(SOURCES), errors }),
    log: {
      ...quiet,
      warn: (facts: object) => void warnings.push(facts),
      error: (facts: object) => void errors.push(facts),
    },
    engine,
    clock: site.clock,
    webhookOf: (source) => webhooks.find(source),
    ...parts,
    snapshots,
    sources: SOURCES,
  })
  await new Promise<void>((resolve) => http.server.listen(0, '127.0.0.1', resolve))
  const { port } = http.server.address() as AddressInfo
  t.after(async () => {
    http.server.closeAllConnections()
    await new Promise((resolve) => http.server.close(resolve))
    snapshots.remove()
    site[Symbol.dispose]()
  })
  /** Writes down what a source keeps. */
  const keep = (value: { webhook?: Partial<typeof KEPT> }, source = 'crm') =>
    sourceMemory(site.folder(source)).write(value)
  for (const source of SOURCES) keep({ webhook: KEPT }, source)
  return {
    site, engine, port, keep, errors, warnings,
    /** Ids of the runs of all sources, newest first. */
    runs: () => site.control.runs({ limit: 200 }),
    send(body: string | Buffer, { mac = sign(body), path = PATH, headers = {} }: Sent = {}): Promise<Answer> {
      const signed = mac === null ? {} : { 'X-Airtable-Content-MAC': mac }
      return ask(port, path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...signed, ...headers },
        body,
      })
    },
  } // prettier-ignore
}

function declared(): Settings['sources'] {
  const common = { schedule: 'off', guard: NO_LIMITS }
  const options = { baseId: BASE, token: 'pat-of-a-test' }
  return new Map([
    ...Object.entries(MODES).map(([id, mode]): SourceEntry => [
      id,
      { descriptor: { kind: 'airtable', options: { ...options, mode } }, ...common },
    ]),
    ['file', { descriptor: { kind: 'file', options: { path: 'x.csv' } }, ...common }],
  ])
}

function assertTaken(answer: Answer): void {
  assert.equal(answer.status, 204, answer.body.toString())
  assert.equal(answer.body.length, 0)
}

/** The same answer whatever was wrong: nothing in it tells what there is. */
function assertRefused(answer: Answer, what = ''): void {
  const { request_id: _, ...problem } = assertProblem(answer, 401, 'bad_signature')
  assert.deepEqual(
    problem,
    {
      type: 'urn:holdfast:problem:bad_signature',
      title: 'The request is not signed as it must be',
      status: 401,
      detail: 'This is not signed by a webhook that Holdfast has made here.',
      code: 'bad_signature',
    },
    what,
  )
  assert.equal(answer.headers['www-authenticate'], 'HMAC-SHA256 realm="holdfast"')
}

describe('a ping of Airtable', () => {
  test('needs no key and leads to a run, at once', async (t) => {
    const { send, runs } = await served(t)
    assertTaken(await send(ping()))
    assert.deepEqual(
      runs().map(({ source, trigger, status }) => [source, trigger, status]),
      [['crm', 'webhook', 'queued']],
    )
  })

  test('may say more than is known of today, in any type of content', async (t) => {
    const { send, runs } = await served(t)
    const more = JSON.stringify({ ...(JSON.parse(ping()) as object), more: { ü: [1] } })
    assertTaken(await send(more, { headers: { 'Content-Type': 'text/plain; charset=koi8-r' } }))
    assertTaken(await send(` ${ping()}\n`, { mac: sign(` ${ping()}\n`).toUpperCase().replace('HMAC-SHA', 'hmac-sha') }))
    assert.equal(runs().length, 1)
  })

  test('a thousand of them are one run, and replaying one changes nothing', async (t) => {
    const { port, send, runs } = await served(t)
    const agent = new Agent({ keepAlive: true, maxSockets: 50 })
    t.after(() => agent.destroy())
    const body = ping()
    const headers = { 'X-Airtable-Content-MAC': sign(body) }
    const statuses = await Promise.all(
      Array.from(
        { length: 1000 },
        () =>
          new Promise((resolve, reject) => {
            const sent = request({ host: '127.0.0.1', port, path: PATH, method: 'POST', headers, agent }, (answer) => {
              answer.resume().on('end', () => resolve(answer.statusCode))
            })
            sent.on('error', reject).end(body)
          }),
      ),
    )
    assert.deepEqual(new Set(statuses), new Set([204]))
    assertTaken(await send(body))
    assert.equal(runs().length, 1)
  })

  test('during a run they lead to exactly one more', async (t) => {
    const { site, send, runs } = await served(t)
    const claim = await site.claim('crm', { trigger: 'webhook' })
    await Promise.all(Array.from({ length: 20 }, async () => assertTaken(await send(ping()))))
    assert.deepEqual(
      runs().map(({ status }) => status),
      ['queued', 'running'],
    )
    assert.equal((await site.work(claim, wares([{ sku: 1 }]))).status, 'completed')
    const more = await site.control.claim('crm', 'holder', TTL_MS)
    await site.work(more!, wares([{ sku: 2 }]))
    assert.deepEqual(
      runs().map(({ status }) => status),
      ['completed', 'completed'],
    )
  })

  test('for a paused source is taken and starts nothing: whoever starts it again has it look', async (t) => {
    const { site, engine, send, runs, errors } = await served(t)
    await site.sync(wares([{ sku: 1 }]), { source: 'crm' })
    await site.sync(wares([{ sku: 2 }]), { source: 'crm' })
    await engine.rollback('crm')
    assertTaken(await send(ping()))
    assert.equal(engine.source('crm').state.state, 'PAUSED')
    assert.equal(runs().length, 2)
    assert.deepEqual(errors, [])
  })

  test('of a webhook that is no longer followed is taken and starts nothing', async (t) => {
    const { send, runs } = await served(t)
    for (const source of ['polled', 'manual']) assertTaken(await send(ping(), { path: `/webhooks/airtable/${source}` }))
    assert.deepEqual(runs(), [])
  })

  test('is answered 503 where it cannot be recorded, so that it is sent again', async (t) => {
    const { engine, send, runs, errors } = await served(t)
    const real = engine.request.bind(engine)
    for (const code of ['control_busy', 'disk_failed'] as const) {
      engine.request = () => Promise.reject(new Failure(code, 'Not now.'))
      const answer = await send(ping())
      assertProblem(answer, 503, 'ping_not_recorded')
      assert.ok(Number(answer.headers['retry-after']) > 0)
    }
    assert.deepEqual(
      errors.map((facts) => (facts as { code: string }).code),
      ['control_busy', 'disk_failed'],
    )
    engine.request = real
    assertTaken(await send(ping()))
    assert.equal(runs().length, 1)
  })

  test('is checked with the secret that the source wrote down last, without a restart', async (t) => {
    const { keep, send, runs } = await served(t)
    assertTaken(await send(ping()))
    const secret = randomBytes(32)
    keep({ webhook: { ...KEPT, id: 'achNew', macSecretBase64: secret.toString('base64') } })
    assertRefused(await send(ping()))
    assertTaken(await send(ping({ webhook: 'achNew' }), { mac: sign(ping({ webhook: 'achNew' }), secret) }))
    keep({})
    assertRefused(await send(ping({ webhook: 'achNew' }), { mac: sign(ping({ webhook: 'achNew' }), secret) }))
    assert.equal(runs().length, 1)
  })
})

describe('what Airtable has not signed', () => {
  test('gets the same 401 whatever is wrong with it, and starts nothing', async (t) => {
    const site = await served(t)
    const { send, runs, keep } = site
    const body = ping()
    const digest = sign(body).slice('hmac-sha256='.length)
    const refused: [what: string, answer: Promise<Answer>][] = [
      ['no signature', send(body, { mac: null })],
      ['an empty one', send(body, { mac: '' })],
      ['another algorithm', send(body, { mac: `hmac-sha1=${digest}` })],
      ['no algorithm', send(body, { mac: digest })],
      ['half a signature', send(body, { mac: `hmac-sha256=${digest.slice(0, 32)}` })],
      ['more than one', send(body, { mac: `hmac-sha256=${digest}${digest}` })],
      ['two, of which one is right', send(body, { mac: `${sign(body)}, ${sign(body)}` })],
      ['not hexadecimal', send(body, { mac: `hmac-sha256=${'é'.repeat(32)}` })],
      ['another secret', send(body, { mac: sign(body, randomBytes(64)) })],
      ['the secret as text', send(body, { mac: sign(body, Buffer.from(KEPT.macSecretBase64)) })],
      ['an API key in its place', send(body, { mac: null, headers: AUTH })],
      ['a source that cannot have one', send(body, { path: '/webhooks/airtable/file' })],
      ['a source that is not there', send(body, { path: '/webhooks/airtable/nowhere' })],
      ['a name of JavaScript', send(body, { path: '/webhooks/airtable/__proto__' })],
      ['a path', send(body, { path: '/webhooks/airtable/..%2Fcrm' })],
      ['an unsigned greeting', send('{}', { mac: null })],
      ['another', send('{"ping":true}', { mac: null })],
      ['nothing at all', send('', { mac: null })],
    ]
    for (const [what, answer] of refused) assertRefused(await answer, what)
    assert.deepEqual(runs(), [])
    assert.deepEqual(site.errors, [])
    keep({ webhook: { id: HOOK, macSecretBase64: '' } })
    assertRefused(await send(body, { mac: sign(body, Buffer.alloc(0)) }), 'an empty secret is none')
  })

  test('is told by its bytes: no bit of a body or of its signature may be another', async (t) => {
    const { send, runs, site } = await served(t)
    const body = Buffer.from(ping())
    for (let place = 0; place < body.length; place += 7) {
      const tampered = Buffer.from(body)
      tampered[place]! ^= 1
      assertRefused(await send(tampered, { mac: sign(body) }), `byte ${place}`)
      site.clock.move(60_000)
    }
    for (const tampered of [
      Buffer.concat([body, Buffer.from('\n')]),
      body.subarray(0, -1),
      Buffer.from(` ${body.toString()}`),
    ]) {
      assertRefused(await send(tampered, { mac: sign(body) }))
    }
    assert.deepEqual(runs(), [])
  })

  test('signed, but not about this webhook, starts nothing', async (t) => {
    const { send, runs, site } = await served(t)
    const invalid = Buffer.from(ping().replace('17:30', '17:\xff30'), 'latin1')
    for (const body of [
      ping({ base: 'appNmLkJiHgFeDcBa' }),
      ping({ webhook: 'achNmLkJiHgFeDcBa' }),
      ping({ webhook: [HOOK] }),
      '{}',
      'null',
      '[]',
      '',
      '{"base":null,"webhook":null}',
      '{"base":',
      invalid,
      Buffer.from(ping(), 'utf16le'),
      gzipSync(ping()),
    ]) {
      assertRefused(await send(body), body.toString())
      site.clock.move(60_000)
    }
    assert.deepEqual(runs(), [])
  })

  test('a source whose memory is damaged has no webhook', async (t) => {
    const { send, site } = await served(t)
    for (const text of ['', '{', 'null', '[]', '{"webhook":7}', '{"webhook":{"id":7,"macSecretBase64":"eA=="}}']) {
      writeFileSync(site.folder('crm').file('source.json'), text)
      assertRefused(await send(ping()), text)
      site.clock.move(60_000)
    }
  })

  test('is bounded: a body of more than 64 KiB, a coded one', async (t) => {
    const { send, runs } = await served(t)
    const large = `${ping()}${' '.repeat(65_537)}`
    for (const path of [PATH, '/webhooks/airtable/nowhere']) {
      assertProblem(await send(large, { path }), 413, 'payload_too_large')
      const coded = gzipSync(ping())
      assertProblem(await send(coded, { path, headers: { 'Content-Encoding': 'gzip' } }), 415, 'unsupported_media_type')
    }
    const full = ping().padEnd(65_536)
    assertTaken(await send(full))
    assert.equal(runs().length, 1)
  })

  test('is told once a minute in the log, not with each, and never with what was sent', async (t) => {
    const { send, warnings, site } = await served(t)
    for (let n = 0; n < 5; n++) await send(ping(), { mac: sign('x') })
    await send(ping(), { path: '/webhooks/airtable/nowhere' })
    assert.deepEqual(warnings, [{ source: 'crm' }])
    site.clock.move(60_000)
    await send(ping(), { mac: sign('x') })
    assert.equal(warnings.length, 2)
  })

  test('in a flood is answered 429, whatever it is for; Airtable is heard all the same', async (t) => {
    const { send, runs, site } = await served(t)
    const statuses: number[] = []
    for (let n = 0; n < 60; n++) {
      const path = n % 2 ? PATH : '/webhooks/airtable/nowhere'
      const { status, headers } = await send(ping(), { path, mac: sign('x') })
      statuses.push(status)
      if (status === 429) assert.ok(Number(headers['retry-after']) > 0)
    }
    assert.deepEqual(statuses, [...Array<number>(30).fill(401), ...Array<number>(30).fill(429)])
    assert.deepEqual(runs(), [])
    assertTaken(await send(ping()))
    assert.equal(runs().length, 1)
    site.clock.move(60_000)
    assertRefused(await send(ping(), { mac: sign('x') }))
  })
})

describe('the route', () => {
  test('takes POST alone, of any source', async (t) => {
    const { port } = await served(t)
    for (const path of [PATH, '/webhooks/airtable/nowhere']) {
      const answer = await ask(port, path, { headers: AUTH })
      assertProblem(answer, 405, 'method_not_allowed')
      assert.equal(answer.headers.allow, 'POST, OPTIONS')
    }
  })

  test('of a server that knows no webhooks refuses all', async (t) => {
    const { send } = await served(t, { webhookOf: () => undefined })
    assertRefused(await send(ping()))
  })
})
