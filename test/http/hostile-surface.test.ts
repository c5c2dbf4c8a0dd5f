import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import type { RE2JS as Expressions } from 're2js'
import { doubtsAbout, type KeySpec } from '../../lib/keys.ts'
import { Failure } from '../../lib/errors.ts'
import { regexSize } from '../../lib/regex-size.ts'
import { rowIdOf } from '../../lib/row-id.ts'
import { AnswerCache } from '../../lib/http/answer-cache.ts'
import { openSnapshot } from '../../lib/sqlite/database.ts'
import { QueryEngine } from '../../lib/sqlite/query-engine.ts'
import { ReaderPool, type QueryReaders } from '../../lib/sqlite/reader-pool.ts'
import type { Value } from '../../lib/column.ts'
import { TestClock } from '../sqlite/site.ts'
import { AUTH, until } from './fakes.ts'
import { ask, assertProblem, type Answer } from './raw.ts'
import { serveReal, type RealOptions } from './real.ts'
import { openStream } from './sse.ts'
import { storedKeys } from './stored-keys.ts'

/** What stands only in columns, rows and tables that the key does not see. */
interface Hidden {
  readonly word: string
  readonly rows: number
}

const COLUMNS = ['sku', 'name', 'price', 'active', 'data', 'country', 'secret'] as const
const TYPES = { active: 'boolean', data: 'json', price: 'integer' } as const
const RULES: Partial<KeySpec> = {
  limits: ['wares.wares'],
  rules: { 'wares.wares': { filter: 'country=eq.DE', hidden: ['secret', 'country'] } },
}

function rowsOf({ word, rows }: Hidden): Value[][] {
  const seen = Array.from({ length: 30 }, (_, index): Value[] => [
    `w-${String(index).padStart(3, '0')}`, `Ware ${index % 4}`, index % 5, index % 2 === 0, { a: index, b: ['x'] }, 'DE', `${word} ${index}`,
  ]) // prettier-ignore
  const hidden = Array.from({ length: rows }, (_, index): Value[] => [
    `w-${String(index).padStart(3, '0')}-${word}`, `Ware ${word}`, index, true, { [word]: index }, 'AT', word,
  ]) // prettier-ignore
  // Among one another, so that what is hidden stands before and behind what is not.
  return [...seen, ...hidden].toSorted(([a], [b]) => ((a as string) < (b as string) ? -1 : 1))
}

async function served(t: TestContext, hidden: Hidden, spec: Partial<KeySpec> = RULES, more: RealOptions = {}) {
  const clock = new TestClock(1_800_000_000_000)
  const keys = storedKeys(t, { clock })
  const tables = { wares: { search: ['name', 'secret'], indexes: ['country', 'secret', ['country', 'price']] } }
  const server = await serveReal(t, { queries: { readers: READERS }, ...more, ...keys.parts, site: { clock, tables } })
  const other = { key: ['id'], columns: ['id'], rows: [[hidden.word]] }
  const run = await server.site.sync({
    identity: 'one',
    tables: [
      ...(hidden.rows > 100 ? [{ ...other, name: `more${hidden.word}` }] : []),
      { name: 'wares', key: ['sku'], types: TYPES, columns: COLUMNS, rows: rowsOf(hidden) },
      { ...other, name: `table${hidden.word}` },
    ],
  })
  assert.equal(run.status, 'completed', run.error?.message)
  server.mounts.look()
  const made = await keys.make(spec)
  const get = (path: string, headers: Record<string, string> = {}) =>
    ask(server.port, path, { headers: { ...made.headers, ...headers } })
  return {
    ...server,
    keys,
    clock,
    partner: get,
    headers: made.headers,
    id: made.id,
    snapshot: server.site.pointer().snapshot,
  }
}

const PATHS = [
  '/api/tables', '/api/tables/wares', '/api/tables/wares?total=exact', '/api/tables/wares?total=estimated',
  '/api/tables/wares?sort=price&limit=4', '/api/tables/wares?sort=-price,name&limit=7&format=csv', '/api/tables/wares?sort=secret',
  '/api/tables/wares?sort=country', '/api/tables/wares?fields=secret', '/api/tables/wares?fields=*', '/api/tables/wares?secret=eq.SECRET',
  '/api/tables/wares?country=eq.AT', '/api/tables/wares?country=neq.DE', '/api/tables/wares?or=(secret.is.null,sku.eq.w-000)',
  '/api/tables/wares?q=SECRET', '/api/tables/wares?q=Ware', '/api/tables/wares?q=-SECRET', '/api/tables/wares?name=fts.SECRET',
  '/api/tables/wares?secret=fts.SECRET', '/api/tables/wares?modifiedAfter=2020-01-01', '/api/tables/wares?page=2&pageSize=10',
  '/api/tables/wares?data->>SECRET=not.is.null', '/api/tables/wares?secret->a=eq.1', '/api/tables/wares?offset=29', '/api/tables/wares?offset=31',
  '/api/tables/wares/w-001', '/api/tables/wares/w-001-SECRET', '/api/tables/wares/w-999', '/api/tables/wares/export', '/api/tables/tableSECRET',
  '/api/tables/wares.tableSECRET', '/api/tables/tableSECRET/SECRET', '/rest/v1/wares', '/rest/v1/wares?limit=4', '/rest/v1/wares?select=*', '/rest/v1/wares?select=secret',
  '/rest/v1/wares?select=x:secret::text', '/rest/v1/wares?select=secret->a', '/rest/v1/wares?order=secret.desc', '/rest/v1/wares?sku=like.*SECRET*',
  '/rest/v1/wares?sku=match.SECRET', '/rest/v1/wares?not.and=(secret.eq.SECRET)', '/rest/v1/wares?limit=3&offset=40', '/rest/v1/tableSECRET',
  '/rest/v1/nothing', '/api/types', '/api/mappings', '/api/mappings/wares', '/api/stats', '/status', '/api/sources', '/api/sources/wares',
  '/api/sources/wares/events', '/api/runs', '/metrics', '/openapi.json', '/api/changes', '/api/changes?since=beginning', '/api/changes?table=wares',
  '/api/changes?table=tableSECRET', '/fetch-data', '/fetch-data?table=tableSECRET', '/fetch-data?fields=secret', '/api/keys',
  '/api/exports/SNAPSHOT/wares.csv', '/api/exports/SNAPSHOT/tableSECRET.csv', '/api/exports/SNAPSHOT/wares.sqlite',
  '/v0/meta/bases', '/v0/meta/bases/wares/tables', '/v0/wares/wares', '/v0/wares/wares?pageSize=7', '/v0/wares/wares?maxRecords=3&sort%5B0%5D%5Bfield%5D=price',
  '/v0/wares/wares?sort%5B0%5D%5Bfield%5D=secret', '/v0/wares/wares?fields%5B%5D=secret', '/v0/wares/wares?fields%5B%5D=name',
  '/v0/wares/wares?filterByFormula=%7Bsecret%7D%3D%22SECRET%22', '/v0/wares/wares?filterByFormula=FIND%28%22SECRET%22%2C%7Bname%7D%29',
  '/v0/wares/wares?filterByFormula=%7Bcountry%7D%21%3D%22DE%22', '/v0/wares/tableSECRET', '/v0/wares/nothing', '/v0/wares/wares/recSECRET', '/api/attachments',
  '/api/attachments?table=wares', '/api/attachments?table=tableSECRET', '/api/attachments?table=wares&field=secret', '/api/attachments/SECRET',
] // prettier-ignore
const FORMS: Record<string, string>[] = [
  {}, { Prefer: 'count=exact' }, { Prefer: 'count=planned' }, { Prefer: 'count=estimated' }, { Accept: 'text/csv' },
  { Accept: 'application/vnd.pgrst.object+json' }, { Range: '0-4' },
] // prettier-ignore

/** An answer without what differs between any two: the names of snapshots, requests and runs, and how old it is. */
function shape({ status, headers, body }: Answer, snapshot: string): unknown {
  const { date: _date, 'x-request-id': id, age: _age, ...kept } = headers
  const opened = String(body)
    .replaceAll(/"cursor":"([\w-]+)"/g, (_, cursor: string) => `"cursor":"${open(cursor)}"`)
    .replaceAll(/\bitr([\w-]+)\/rec([\w-]+)/g, (_, list: string, place: string) => open(list) + open(place))
  const link = String(kept.link).replaceAll(/cursor=([\w-]+)/g, (_, cursor: string) => `cursor=${open(cursor)}`)
  const text = JSON.stringify([status, { ...kept, link }, opened])
  const normal = text
    .replaceAll(snapshot, 'SNAPSHOT')
    .replaceAll(String(id), 'ID')
    .replaceAll(/\/api\/runs\/[\w-]+/g, 'RUN')
  return JSON.parse(normal)
}

function open(cursor: string): string {
  return String(Buffer.from(cursor, 'base64url'))
}

/** Does what reader processes do, here. */
const READERS: QueryReaders = {
  async run({ path, table, query }) {
    const db = openSnapshot(path)
    try {
      return await Promise.resolve(new QueryEngine(db, [table]).answer(query, { maxBytes: 1e7, isBounded: false })!)
    } finally {
      db.close()
    }
  },
}

describe('a key with a filter, hidden columns and limits', () => {
  test('gets the same answers, whatever is in what it does not see', async (t) => {
    const one = await served(t, { word: 'abcdef', rows: 5 })
    const other = await served(t, { word: 'zyxwvu', rows: 2500 })
    for (const path of PATHS) {
      for (const form of FORMS.slice(
        0,
        path.startsWith('/rest') ? undefined : path.startsWith('/api/tables/') ? 5 : 1,
      )) {
        const asked = path.replaceAll('SECRET', 'abcdef')
        const a = await one.partner(asked.replace('SNAPSHOT', one.snapshot), form)
        const b = await other.partner(asked.replace('SNAPSHOT', other.snapshot), form)
        const name = `${path} ${JSON.stringify(form)}`
        assert.deepEqual(shape(a, one.snapshot), shape(b, other.snapshot), name)
        assert.ok(a.status < 500, name)
        assert.equal(a.headers['snapshot-digest'], undefined, name)
        if (!path.includes('SECRET')) assert.doesNotMatch(String(a.body) + JSON.stringify(a.headers), /abcdef/, name)
      }
    }
    assert.deepEqual(one.errors, [])
  })

  test('is told of a hidden column what is told of one that is not there', async (t) => {
    const { partner, snapshot } = await served(t, { word: 'abcdef', rows: 5 })
    for (const path of PATHS.filter((candidate) => /secret|country/.test(candidate))) {
      const there = path.replaceAll(/secret|country/g, 'secret')
      const hidden = JSON.stringify(shape(await partner(there), snapshot))
      const missing = JSON.stringify(shape(await partner(there.replaceAll('secret', 'nowhere')), snapshot))
      assert.equal(
        hidden.replaceAll(/secret/g, '…').replaceAll(/"content-length":"\d+"/g, ''),
        missing.replaceAll(/nowhere/g, '…').replaceAll(/"content-length":"\d+"/g, ''),
        path,
      )
    }
  })

  test('gets every row it sees, once, from cursors that name no other', async (t) => {
    const { partner } = await served(t, { word: 'abcdef', rows: 40 })
    const found: string[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const text = cursor === '' ? '' : `&cursor=${cursor}`
      const { body } = await partner(`/api/tables/wares?sort=price&limit=7${text}`)
      const page = JSON.parse(String(body)) as {
        records: { sku: string; price: number }[]
        pagination: { cursor: string | null }
      }
      found.push(...page.records.map(({ sku }) => sku))
      cursor = page.pagination.cursor
      if (cursor === null) break
      const [, , , after] = JSON.parse(String(Buffer.from(cursor, 'base64url'))) as unknown[]
      assert.deepEqual(after, [page.records.at(-1)?.price, page.records.at(-1)?.sku], 'nothing but what the row shows')
    }
    assert.equal(found.length, 30)
    assert.equal(new Set(found).size, 30)
  })

  test('is refused without a word on the filter once that does not fit the table any more', async (t) => {
    for (const filter of ['gone=eq.DE', 'price=eq.notANumber', 'country=cs.{DE}']) {
      const rules = { 'wares.wares': { filter, hidden: ['secret'] } }
      const warned: object[] = []
      const log = { debug() {}, info() {}, error() {}, warn: (facts: object) => void warned.push(facts) }
      const { partner, errors, id } = await served(t, { word: 'abcdef', rows: 1 }, { rules }, { log })
      for (const path of ['/api/tables/wares', '/api/tables/wares/w-001']) {
        const problem = assertProblem(await partner(path), 403, 'forbidden')
        assert.doesNotMatch(JSON.stringify(problem), /gone|DE|notANumber|secret|country|price/)
      }
      const { status, body } = await partner('/rest/v1/wares')
      assert.equal(status, 403)
      assert.doesNotMatch(String(body), /gone|DE|notANumber|secret|country|price/)
      assert.deepEqual(errors, [])
      assert.equal(warned.length, 1, 'operators are told, once')
      assert.match(JSON.stringify(warned), new RegExp(id))
    }
  })

  test('is not told by which of its columns a query that is too slow was narrowed', async (t) => {
    // Nobody there to answer: all that is asked of them takes too long.
    const readers = new ReaderPool({ queryReaders: 0, queryDeadlineMs: 1, answerMaxBytes: 1e6 })
    t.after(() => readers[Symbol.dispose]())
    const rules = { 'wares.wares': { filter: 'country=in.(DE,AT)', hidden: ['country'] } }
    const { partner, get } = await served(t, { word: 'abcdef', rows: 4000 }, { rules }, { queries: { readers } })
    const slow = '/api/tables/wares?name=match.x&active=is.true&sort=name'
    const told = assertProblem(await partner(slow), 504, 'query_deadline')
    assert.doesNotMatch(JSON.stringify(told), /country|index/)
    const whole = (await (await get(`${slow}&country=in.(DE,AT)`)).json()) as { detail: string }
    assert.match(whole.detail, /country/)
  })

  test('of whose table the key is hidden, does not learn of what it is made', async (t) => {
    const rules = { 'wares.wares': { filter: null, hidden: ['sku'] } }
    const { partner } = await served(t, { word: 'abcdef', rows: 1 }, { rules })
    const { body } = await partner('/api/tables')
    assert.doesNotMatch(String(body), /sku/)
    for (const path of ['/api/tables/wares', '/api/tables/wares/w-001', '/api/tables/wares/a,b', '/rest/v1/wares']) {
      const { status, body: text } = await partner(path)
      assert.equal(status, 403, path)
      assert.doesNotMatch(String(text), /sku/)
    }
  })
})

describe('a key that hides a column of a table without a key of its own', () => {
  const columns = ['name', 'email']
  const rows = [
    ['Ann', 'ann@example.com'],
    ['Ben', 'ben@example.com'],
  ]
  const idOf = rowIdOf(columns)
  const rules = { 'wares.wares': { filter: null, hidden: ['email'] } }

  async function keyless(t: TestContext) {
    const keys = storedKeys(t)
    const server = await serveReal(t, keys.parts)
    const table = { name: 'wares', columns, rows }
    for (const identity of ['1', '2']) {
      await server.site.sync({ identity, tables: [{ ...table, rows: [...rows, ['Cid', `${identity}@example.com`]] }] })
      server.mounts.look()
    }
    const { headers } = await keys.make({ rules })
    const partner = (path: string) => ask(server.port, path, { headers })
    return { ...server, keys, partner }
  }

  test('is not told ids, of which what is hidden could be guessed', async (t) => {
    const { partner, json } = await keyless(t)
    const { records } = await json<{ records: { id: string }[] }>('/api/tables/wares')
    assert.ok(
      records.some(({ id }) => id === idOf(rows[0]!)),
      'whoever guesses the cell can tell that it is right',
    )
    const paths = [
      '/rest/v1/wares', '/rest/v1/wares?order=name.desc', '/rest/v1/wares?select=*', '/rest/v1/wares?select=id', '/rest/v1/wares?order=id',
      `/rest/v1/wares?id=eq.${idOf(rows[0]!)}`, '/fetch-data', '/fetch-data?format=csv', '/fetch-data?fields=id', '/api/tables', '/api/tables/wares',
      '/api/tables/wares?sort=name', '/api/tables/wares?sort=-name&format=csv', `/api/tables/wares/${idOf(rows[0]!)}`, '/api/tables/wares/nobody',
      '/api/changes?since=beginning', '/api/changes?table=wares&since=beginning', '/api/types', '/api/mappings', '/openapi.json',
    ] // prettier-ignore
    for (const path of paths) {
      const { status, body } = await partner(path)
      assert.ok(status < 500, path)
      for (const row of rows) assert.ok(!String(body).includes(idOf(row)), `${path} tells ids: ${String(body)}`)
    }
  })

  test('gets its rows without ids, and is told why where rows go by them', async (t) => {
    const { partner } = await keyless(t)
    const shown = [{ name: 'Ann' }, { name: 'Ben' }, { name: 'Cid' }]
    assert.deepEqual(JSON.parse(String((await partner('/rest/v1/wares')).body)), shown)
    const { data } = JSON.parse(String((await partner('/fetch-data')).body)) as { data: unknown }
    assert.deepEqual(data, shown)
    for (const path of ['/api/tables/wares', '/api/tables/wares?sort=name', `/api/tables/wares/${idOf(rows[0]!)}`]) {
      assert.match(assertProblem(await partner(path), 403, 'forbidden').detail, /ids are made of all columns/, path)
    }
    assertProblem(await partner('/api/changes'), 403, 'forbidden')
  })

  test('is made with a warning', async (t) => {
    const { keys, mounts, port } = await keyless(t)
    const tablesOf = () => mounts.active('wares')!.pointer.tables
    const { info } = await keys.keyStore.create({ name: 'partner', rules })
    assert.match(doubtsAbout(info, ['wares'], tablesOf).join(), /its ids are made of all columns/)
    const filtered = { 'wares.wares': { filter: 'name=eq.Ann', hidden: [] } }
    const { headers } = await keys.make({ rules: filtered })
    const answer = await ask(port, '/api/tables/wares', { headers })
    assert.equal(answer.status, 200, 'a filter alone hides nothing that ids are made of')
    const other = await keys.keyStore.create({ name: 'other', rules: filtered })
    assert.deepEqual(doubtsAbout(other.info, ['wares'], tablesOf), [])
  })
})

test('a key for one table gets the same answers, whatever is beside it', async (t) => {
  const besides = async (word: string, count: number) => {
    const clock = new TestClock(1_800_000_000_000)
    const keys = storedKeys(t, { clock })
    const server = await serveReal(t, { queries: { readers: READERS }, ...keys.parts, site: { clock } })
    const rows = rowsOf({ word: 'theSame', rows: 20 })
    const other = { key: ['id'], columns: ['id', word], rows: Array.from({ length: count }, (_, id) => [id, word]) }
    const run = await server.site.sync({
      identity: 'one',
      tables: [
        ...(count > 100 ? [{ ...other, name: `a${word}` }] : []),
        { name: 'wares', key: ['sku'], types: TYPES, columns: COLUMNS, rows },
        { ...other, name: `table${word}` },
      ],
    })
    assert.equal(run.status, 'completed', run.error?.message)
    server.mounts.look()
    const { headers } = await keys.make({ limits: ['wares.wares'] })
    const { snapshot } = server.site.pointer()
    return async (path: string, form: Record<string, string>) => {
      const answer = await ask(server.port, path.replace('SNAPSHOT', snapshot), { headers: { ...headers, ...form } })
      // Made of all bytes, the snapshot's name in examples among them.
      if (path === '/openapi.json') delete answer.headers.etag
      return JSON.stringify(shape(answer, snapshot)).replaceAll(server.site.database.epoch, 'EPOCH')
    }
  }
  const [one, other] = [await besides('abcdef', 3), await besides('zyxwvu', 900)]
  for (const path of PATHS.filter((candidate) => !candidate.endsWith('/events'))) {
    for (const form of [{}, { Prefer: 'count=exact' }, { 'If-None-Match': '*' }]) {
      const asked = path.replaceAll('SECRET', 'abcdef')
      assert.equal(await one(asked, form), await other(asked, form), `${path} ${JSON.stringify(form)}`)
    }
  }
})

test('a key for one table is not told a digest of the others', async (t) => {
  const { partner, snapshot, get } = await served(t, { word: 'abcdef', rows: 1 }, { limits: ['wares.wares'] })
  const paths = ['/fetch-data', '/fetch-data?limit=2', '/fetch-data?format=csv', `/api/exports/${snapshot}/wares.csv`, '/api/tables/wares', '/api/tables/wares/w-001', '/rest/v1/wares'] // prettier-ignore
  for (const path of paths) {
    const { status, headers } = await partner(path)
    assert.equal(status, 200, path)
    assert.equal(headers['snapshot-digest'], undefined, path)
    const again = await partner(path, { 'If-None-Match': headers.etag! })
    assert.equal(again.status, 304, path)
    assert.equal(again.headers['snapshot-digest'], undefined, path)
    assert.ok((await get(path)).headers.get('snapshot-digest'), path)
  }
  const { sources } = JSON.parse(String((await partner('/api/sources')).body)) as {
    sources: { digest: string | null }[]
  }
  assert.equal(sources[0]?.digest, null)
})

describe('answers that are kept in memory', () => {
  test('are for those who see the same, whatever else they send', async (t) => {
    const { partner, port } = await served(t, { word: 'abcdef', rows: 5 })
    const forms = [{}, { Accept: 'application/json' }, { Prefer: 'count=exact' }, { Range: '0-1' }]
    for (const path of ['/rest/v1/wares?limit=50', '/api/tables/wares?limit=50', '/api/tables/wares/w-001']) {
      for (const form of forms) {
        const whole = await ask(port, path, { headers: { ...AUTH, ...form } })
        const hot = await ask(port, path, { headers: { ...AUTH, ...form } })
        assert.deepEqual(hot.body, whole.body)
        for (const again of [1, 2]) {
          const own = await partner(path, form)
          assert.doesNotMatch(String(own.body), /abcdef|secret/, `${path} ${again}`)
          assert.notEqual(own.headers.etag, whole.headers.etag)
          const guess = await partner(path, { ...form, 'If-None-Match': whole.headers.etag! })
          assert.notEqual(guess.status, 304)
        }
      }
    }
  })

  test('are not for keys that have ended, nor more often than a rate allows', async (t) => {
    const { keys, partner, id, clock, port } = await served(t, { word: 'abcdef', rows: 5 })
    const ends = await keys.make({ ...RULES, expiresAt: clock.now() + 1000 })
    const rated = await keys.make({ ...RULES, rate: { limit: 3, windowMs: 60_000 } })
    const path = '/rest/v1/wares?limit=5'
    for (const headers of [{}, ends.headers]) assert.equal((await partner(path, headers)).status, 200)
    const statuses = []
    for (let index = 0; index < 5; index++) statuses.push((await ask(port, path, { headers: rated.headers })).status)
    assert.deepEqual(statuses, [200, 200, 200, 429, 429])
    clock.move(1001)
    assert.equal((await ask(port, path, { headers: ends.headers })).status, 401)
    await keys.keyStore.revoke(id)
    assert.equal((await partner(path)).status, 401)
    assert.equal((await partner(path, { 'If-None-Match': '*' })).status, 401)
  })

  test('count with all that is kept of them', () => {
    const cache = new AnswerCache(1e6)
    const link = 'x'.repeat(50_000)
    cache.set('key', {
      source: 'wares', pointer: {} as never, status: 200, headers: ['Link', link], tagStem: '', isPlain: false,
      bodies: new Map([['identity', Buffer.from('[]')]]),
    }) // prettier-ignore
    assert.ok(cache.heldBytes > link.length)
  })

  test('reach pages of other origins with what those need', async (t) => {
    const origin = 'https://page.example'
    const { port } = await served(t, { word: 'a', rows: 1 }, RULES, { settings: { corsOrigins: [origin] } })
    for (const path of [
      '/rest/v1/wares?limit=5',
      '/api/tables/wares?limit=5',
      '/api/tables/wares/w-001',
      '/fetch-data?table=wares',
    ]) {
      for (const from of [undefined, origin, 'https://evil.example', 'null', undefined, origin]) {
        const { headers } = await ask(port, path, { headers: { ...AUTH, ...(from !== undefined && { Origin: from }) } })
        assert.equal(headers['access-control-allow-origin'], from === origin ? origin : undefined, `${path} ${from}`)
        assert.match(headers.vary ?? '', /Origin/, path)
        assert.equal(headers['access-control-allow-credentials'], undefined)
      }
    }
  })
})

test('answers that one key asks for and does not take are cut off, and another gets its own', async (t) => {
  const keys = storedKeys(t)
  const queries = { readers: READERS, answerMaxBytes: 2e7 }
  const server = await serveReal(t, { ...keys.parts, queries, settings: { answerMaxBytes: 1e7 } })
  await server.publish(Array.from({ length: 9 }, (_, n) => ({ sku: `w${n}`, text: 'x'.repeat(1e6) })))
  const { headers } = await keys.make()
  const sockets = Array.from({ length: 16 }, (_, index) => {
    const socket = connect(server.port, '127.0.0.1').on('error', () => {})
    const key = headers['X-API-Key']
    socket.write(`GET /rest/v1/wares?sku=neq.${index} HTTP/1.1\r\nHost: x\r\nX-API-Key: ${key}\r\n\r\n`)
    return socket.pause()
  })
  t.after(() => sockets.forEach((socket) => socket.destroy()))
  // A socket that is paused does not hear that it was cut: the server is asked how many are left.
  await until(async () => {
    const { process: own } = await server.json<{ process: { connections: number } }>('/api/stats')
    return own.connections < sockets.length
  })
  const { length } = await (await server.get('/rest/v1/wares')).text()
  assert.ok(length > 9e6)
})

test('a key that sees a part leaves room for the streams of others', async (t) => {
  const { port, headers } = await served(
    t,
    { word: 'a', rows: 1 },
    { limits: ['wares'] },
    { settings: { maxStreams: 6 } },
  )
  const opened = [1, 2, 3].map(() => openStream(port, '/api/changes?stream=true', headers))
  const streams = await Promise.all(opened)
  assertProblem(await ask(port, '/api/changes?wait=60', { headers }), 429, 'too_many_streams')
  assertProblem(await ask(port, '/api/sources/wares/events', { headers }), 429, 'too_many_streams')
  const other = await openStream(port, '/api/changes?stream=true', AUTH)
  assert.equal(other.status, 200)
  other.close()
  streams[0]?.close()
  await until(async () => {
    const stream = await openStream(port, '/api/changes?stream=true', headers)
    stream.close()
    return stream.status === 200
  })
  for (const stream of streams) stream.close()
})

describe('a request that means harm', () => {
  test('gets an answer that is not an error of ours', async (t) => {
    const { get, errors, http } = await served(t, { word: 'a', rows: 1 })
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', '%00', '%F0%9F%98%80', "'", '%22', '%22%22', '--', ';', '%5C', '%0D%0AX-Evil:1'] // prettier-ignore
    const templates = [
      '/rest/v1/NAME', '/rest/v1/wares?NAME=eq.1', '/rest/v1/wares?active=eq.NAME', '/rest/v1/wares?active=is.NAME', '/rest/v1/wares?price=in.(NAME)',
      '/rest/v1/wares?select=NAME', '/rest/v1/wares?select=NAME:sku', '/rest/v1/wares?select=sku::NAME', '/rest/v1/wares?select=data->NAME', '/rest/v1/wares?order=NAME',
      '/rest/v1/wares?order=data->>NAME', '/rest/v1/wares?data->NAME=eq.1', '/rest/v1/wares?data=cs.{NAME}', '/rest/v1/wares?name=fts.NAME', '/rest/v1/wares?name=wfts.NAME',
      '/rest/v1/wares?name=like.NAME*', '/rest/v1/wares?name=match.NAME', '/rest/v1/wares?sku=eq.NAME', '/rest/v1/wares?and=(NAME.eq.1)', '/rest/v1/rpc/NAME',
      '/api/tables/NAME', '/api/tables/wares/NAME', '/api/tables/wares?q=NAME', '/api/tables/wares?sort=NAME', '/api/tables/wares?fields=NAME:sku&format=csv',
      '/api/tables/wares?cursor=NAME', '/api/tables/wares?NAME', '/api/tables/wares?limit=NAME', '/api/tables/NAME/export', '/api/exports/NAME/NAME.csv', '/api/mappings/NAME',
      '/api/types?format=NAME', '/api/changes?table=NAME', '/api/changes?since=NAME', '/api/changes?source=NAME', '/fetch-data?table=NAME', '/fetch-data?fields=NAME',
      '/api/sources/NAME', '/api/runs/NAME', '/NAME',
    ] // prettier-ignore
    for (const template of templates) {
      for (const name of names) {
        const path = template.replaceAll('NAME', name)
        const response = await get(path)
        await response.arrayBuffer()
        assert.ok(response.status < 500, path)
        assert.equal(response.headers.get('x-evil'), null, path)
      }
    }
    assert.deepEqual(errors, [])
    assert.ok(http.server.listening)
  })

  test('cannot make a cursor that breaks anything', async (t) => {
    const { get, errors } = await served(t, { word: 'a', rows: 1 })
    const cells = [null, 0, -1, 1.5, 1e308, 2 ** 53, '', 'x', '\0', '\ud800', true, [], {}, { n: '1' }, { n: '99999999999999999999' }, { n: '9223372036854775808' }, { __proto__: 1 }] // prettier-ignore
    for (const sort of ['', 'price', 'active', 'data', 'data->a', 'data->>a', 'name', '-price,name']) {
      const path = `/api/tables/wares?limit=2${sort && `&sort=${sort}`}`
      const page = (await (await get(path)).json()) as { pagination: { cursor: string } }
      const [format, of, snapshot, after] = JSON.parse(String(Buffer.from(page.pagination.cursor, 'base64url'))) as [number, string, string, unknown[]] // prettier-ignore
      for (const cell of cells) {
        for (const forged of [
          after.map(() => cell),
          [...after, cell],
          [cell],
          after.with(after.length - 1, cell),
          after.with(0, cell),
        ]) {
          for (const place of forged.length === 1 ? [snapshot, 'nowhere', '../../etc', '__proto__'] : [snapshot]) {
            const cursor = Buffer.from(JSON.stringify([format, of, place, forged])).toString('base64url')
            const response = await get(`${path}&cursor=${cursor}`)
            await response.arrayBuffer()
            assert.ok(response.status < 500, `${sort} ${JSON.stringify(forged)}`)
          }
        }
      }
    }
    assert.deepEqual(errors, [])
  })

  test('has no key and no ticket of its URL repeated to it', async (t) => {
    const { get } = await served(t, { word: 'a', rows: 1 })
    const routes = [
      '/api/tables/wares',
      '/api/tables',
      '/rest/v1/wares',
      '/api/types',
      '/api/tables/wares/w-001',
      '/api/stats',
      '/fetch-data',
    ]
    for (const route of routes) {
      for (const name of ['ticket', 'apikey', 'api_key', 'access_token', 'key', 'token']) {
        const response = await get(`${route}?${name}=hft_whatNobodyShallRead`)
        assert.ok(response.status === 400 || response.status === 401, `${route} ${name}`)
        assert.doesNotMatch(await response.text(), /hft_what/, `${route} ${name}`)
      }
    }
  })

  test('gets links that fit into headers, whatever the URL and the rows are', async (t) => {
    const { port } = await served(t, { word: 'a', rows: 1 })
    for (const query of [`q=${"'".repeat(7000)}`, `q=${"'".repeat(2000)}`, `name=eq.${'('.repeat(6000)}&page=2`]) {
      const { status, headers } = await ask(port, `/api/tables/wares?total=exact&pageSize=1&${query}`, {
        headers: AUTH,
      })
      assert.equal(status, 200)
      assert.ok(String(headers.link ?? '').length < 9000)
    }
    const { get, publish, json } = await serveReal(t, { queries: { readers: READERS } })
    await publish(Array.from({ length: 5 }, (_, index) => ({ sku: `${index}`, text: `${index}`.repeat(20_000) })))
    const listing = await get('/api/tables/wares?sort=text&limit=2&fields=sku')
    const { pagination } = (await listing.json()) as { pagination: { cursor: string | null; hasMore: boolean } }
    assert.ok(pagination.hasMore && pagination.cursor !== null && pagination.cursor.length < 4096)
    const next = /<([^>]+)>; rel="next"/.exec(listing.headers.get('link') ?? '')?.[1] ?? ''
    const { records } = await json<{ records: { sku: string }[] }>(next)
    assert.deepEqual(
      records.map(({ sku }) => sku),
      ['2', '3'],
    )
  })

  // Each takes seconds of a process that answers nobody else meanwhile: what trying a pattern costs depends on the pattern.
  test('cannot have a dear pattern tried where others are answered', async (t) => {
    const left: string[] = []
    const readers: QueryReaders = {
      run: (job) => {
        left.push(JSON.stringify(job.query.where))
        throw new Failure('readers_busy', 'Nobody is there.')
      },
    }
    const { get, publish } = await serveReal(t, { queries: { readers } })
    const text = 'Lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod '.repeat(27)
    await publish(Array.from({ length: 110 }, (_, index) => ({ sku: `${index}`, text })))
    const { RE2JS } = createRequire(import.meta.url)('re2js') as { RE2JS: typeof Expressions }
    const compile = t.mock.method(RE2JS, 'compile')
    const patterns = [
      'match.' + 'b{999}'.repeat(10),
      'imatch.' + '(?:x{30}){30}'.repeat(9),
      'match.(?:.?){900}[0-9]$',
      'imatch.(?:[a-z ]?){400}[0-9]{3}',
      `like.*${'_'.repeat(900)}%01*`,
    ]
    for (const [index, pattern] of patterns.entries()) {
      const response = await get(
        `/rest/v1/wares?select=sku&text=${encodeURIComponent(pattern).replace('%2501', '%01')}`,
      )
      await response.arrayBuffer()
      assert.equal(left.length, index + 1, pattern)
    }
    // Seeing whether it is one takes as long as it is large.
    for (const { arguments: [regex] } of compile.mock.calls) assert.ok(regexSize(regex) <= 1000, regex) // prettier-ignore
    const beyond = await get(`/rest/v1/wares?text=${patterns[0]}&text=${patterns[1]}`)
    assert.equal(beyond.status, 400)
    assert.match(((await beyond.json()) as { message: string }).message, /\d+ steps/)
  })
})
