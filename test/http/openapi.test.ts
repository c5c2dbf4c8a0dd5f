import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { describe, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Validator } from '@seriousme/openapi-schema-validator'
import { ROUTE_DOCS } from '../../lib/http/openapi/routes/index.ts'
import type { OpenApiDocument, RequestExample } from '../../lib/http/openapi/document-types.ts'
import { openApiDocument, templateOf } from '../../lib/http/openapi/document.ts'
import { HEADERS } from '../../lib/http/openapi/headers.ts'
import { MAX_COLUMNS, MAX_TABLES, type DescribedTable } from '../../lib/http/openapi/table-paths.ts'
import { Claims, operationsOf, type Described } from './described.ts'
import { AUTH, FakeEngine } from './fakes.ts'
import { serveReal, type RealServer, type Rows } from './real.ts'
import { storedKeys } from './stored-keys.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const TABLE = 'Wäres "2"/{x}, 100%'
const ROWS: Rows = [
  { sku: 'a,b', no: 1, big: 2n ** 60n, price: '10.50', ratio: 0.5, ok: true, meta: { a: [1] }, 'a.b "c"': 'x', limit: 'y', größe: 'z' },
  { sku: 'a/b', no: 2, big: 5, price: null, ratio: null, ok: null, meta: null, 'a.b "c"': null, limit: null, größe: null },
] // prettier-ignore
const SHAPE = {
  name: TABLE,
  key: ['sku', 'no'],
  types: { price: 'decimal', ratio: 'real', ok: 'boolean', meta: 'json' },
} as const

interface Documented extends RealServer {
  readonly keys: ReturnType<typeof storedKeys>
  document(headers?: Record<string, string>): Promise<OpenApiDocument>
}

/** A server with a table of all types, a run, and a key that has ended. */
async function documented(t: TestContext): Promise<Documented> {
  const keys = storedKeys(t)
  const engine = new FakeEngine(['wares'])
  engine.begin('wares')
  engine.progress('wares', 1, 2)
  engine.finish('wares')
  // What the fake refuses, so that the good answer is seen too.
  engine.rollback = () => Promise.resolve({ snapshot: 's1' })
  const server = await serveReal(t, { ...keys.parts, engine })
  await server.publish(ROWS, SHAPE)
  await server.publish([...ROWS, { ...ROWS[1], no: 3 }], SHAPE)
  await keys.keyStore.revoke((await keys.make()).id)
  return { ...server, keys, document: async (headers) => await server.json<OpenApiDocument>('/openapi.json', headers) }
}

/** Sends a request as it is documented. */
async function send({ url }: RealServer, { method, path, headers, body }: RequestExample, as: object = AUTH) {
  const leaving = new AbortController()
  const response = await fetch(url + path, {
    method,
    headers: { ...as, ...headers, ...(body !== undefined && { 'Content-Type': 'application/json' }) } as Record<
      string,
      string
    >,
    ...(body !== undefined && { body: JSON.stringify(body) }),
    redirect: 'manual',
    signal: leaving.signal,
  })
  const type = response.headers.get('content-type')?.split(';')[0]
  if (type !== 'text/event-stream') return { response, type, text: await response.text() }
  leaving.abort()
  return { response, type, text: '' }
}

/** Holds what came against what is documented: status, type, headers that are always there, and the body. */
async function checkExample(
  server: RealServer,
  claims: Claims,
  described: Described,
  example: RequestExample,
  as?: object,
) {
  const { response, type, text } = await send(server, example, as)
  const name = `${example.method} ${example.path} (${example.summary})`
  assert.equal(response.status, example.status, `${name}: ${text.slice(0, 300)}`)
  assert.equal(type, example.type, name)
  const said = claims.response(described, response.status)
  for (const header of Object.keys(said.response.headers ?? {})) {
    const isThere =
      response.headers.has(header) || example.path.includes('refresh=true') || example.type === 'text/event-stream'
    if (HEADERS[header as keyof typeof HEADERS].isAlways && !(header === 'WWW-Authenticate')) {
      assert.ok(isThere, `${name} has no ${header}`)
    }
  }
  if (type === undefined) return
  const media = said.response.content?.[type]
  assert.ok(media, `${name} may not be ${type}`)
  if (!/[/+]json$/.test(type) || media.schema === undefined) return
  const body = JSON.parse(text) as { code?: string }
  claims.check(body, [...said.place, 'content', type, 'schema'], name)
  if (example.failure === undefined) return
  const shown = media.examples?.[example.failure]?.value as { code: string }
  assert.equal(body.code, shown.code, name)
}

describe('the documentation of routes', () => {
  test('has one entry for each, and no other', async (t) => {
    const { http } = await serveReal(t)
    const routes = http.routes.map(({ method, path }) => `${method} ${path}`)
    assert.deepEqual(Object.keys(ROUTE_DOCS).toSorted(), routes.toSorted())
  })

  test('describes each parameter, of path and query, and no other', async (t) => {
    const { http } = await serveReal(t)
    for (const { method, path, parameters } of http.routes) {
      const names = [...[...path.matchAll(/:(\w+)/g)].map(([, name]) => name!), ...Object.keys(parameters)]
      const described = Object.keys(ROUTE_DOCS[`${method} ${path}`]!.parameters ?? {})
      assert.deepEqual(described.toSorted(), names.toSorted(), `${method} ${path}`)
    }
  })
})

describe('GET /openapi.json', () => {
  test('is valid OpenAPI 3.1, before the first publish too', async (t) => {
    const empty = await serveReal(t)
    for (const document of [
      await empty.json<OpenApiDocument>('/openapi.json'),
      await (await documented(t)).document(),
    ]) {
      const validator = new Validator()
      const { valid, errors } = await validator.validate(
        structuredClone(document) as unknown as Record<string, unknown>,
      )
      assert.ok(valid, JSON.stringify(errors))
      assert.equal(validator.version, '3.1')
      const ids = operationsOf(document).map(({ operation }) => operation.operationId)
      assert.equal(new Set(ids).size, ids.length, 'two operations of one name')
    }
  })

  test('has the parameters of every route, of the kinds that it takes', async (t) => {
    const server = await documented(t)
    const claims = new Claims(await server.document())
    for (const { method, path, parameters } of server.http.routes) {
      const operation = claims.document.paths[templateOf(path)]?.[method === 'GET' ? 'get' : 'post']
      assert.ok(operation, path)
      const query = (operation.parameters ?? []).map((one) => claims.parameter(one)).filter((one) => one.in === 'query')
      const names = query.map(({ name }) => name).filter((name) => name !== 'filters')
      assert.deepEqual(names, Object.keys(parameters), path)
      for (const { name, schema } of query) {
        const rule = parameters[name]
        if (rule?.kind === 'integer') assert.deepEqual([schema.minimum, schema.maximum], [rule.from, rule.to], name)
        if (rule?.kind === 'choice') assert.deepEqual(schema.enum, rule.of, name)
      }
    }
  })

  test('every example is answered as it is documented, those that fail included', async (t) => {
    const server = await documented(t)
    const claims = new Claims(await server.document())
    let sent = 0
    const without = new Set(Object.keys(ROUTE_DOCS))
    for (const described of operationsOf(claims.document)) {
      for (const example of described.operation['x-examples'] ?? []) {
        await checkExample(server, claims, described, example)
        sent++
        without.delete(`${example.method} ${described.path.replaceAll(/\{(\w+)\}/g, ':$1')}`)
      }
    }
    assert.ok(sent > 70, `only ${sent} examples`)
    assert.deepEqual([...without], [], 'routes without an example')
    assert.deepEqual(server.errors, [])
  })

  test('every answer that it shows is one that it describes', async (t) => {
    const server = await documented(t)
    const claims = new Claims(await server.document())
    for (const { path, method, operation } of operationsOf(claims.document)) {
      for (const [status, response] of Object.entries(operation.responses)) {
        if ('$ref' in response) continue
        for (const [type, { examples, schema }] of Object.entries(response.content ?? {})) {
          if (!schema || type === 'text/event-stream') continue
          for (const { value, summary } of Object.values(examples ?? {})) {
            claims.check(
              value,
              ['paths', path, method, 'responses', status, 'content', type, 'schema'],
              `${path}: ${summary}`,
            )
          }
        }
      }
      const body = operation.requestBody?.content['application/json']
      for (const { value, summary } of Object.values(body?.examples ?? {})) {
        claims.check(
          value,
          ['paths', path, method, 'requestBody', 'content', 'application/json', 'schema'],
          `${path}: ${summary}`,
        )
      }
    }
  })

  test('the schemas of a table are those of its records and rows, and its filters find', async (t) => {
    const server = await documented(t)
    const claims = new Claims(await server.document())
    const path = encodeURIComponent(TABLE)
    const list = claims.document.paths[`/api/tables/${path}`]!.get!
    const { component } = list['x-table']!
    const records = await server.json<{ records: Record<string, unknown>[] }>(`/api/tables/${path}`)
    claims.check(records, ['components', 'schemas', `${component}.RecordList`], 'records')
    assert.equal(records.records.length, 3)
    for (const row of await server.json<unknown[]>(`/rest/v1/${path}`)) {
      claims.check(row, ['components', 'schemas', `${component}.Row`], 'row')
    }
    const { properties } = claims.document.components.schemas[`${component}.Row`] as {
      properties: Record<string, { type?: unknown }>
    }
    assert.deepEqual(Object.keys(properties), Object.keys(ROWS[0]!))
    assert.deepEqual(properties.no?.type, ['integer', 'string'])
    assert.deepEqual(properties.ok?.type, ['boolean', 'null'])
    assert.equal(properties.sku?.type, 'string')

    for (const operation of [list, claims.document.paths[`/rest/v1/${path}`]!.get!]) {
      const base = operation === list ? '/api/tables/' : '/rest/v1/'
      const filters = operation
        .parameters!.map((one) => claims.parameter(one))
        .filter((one) => one.description?.startsWith('Filter'))
      assert.equal(filters.length, Object.keys(ROWS[0]!).length)
      for (const { name } of filters) {
        const answer = await server.get(`${base}${path}?${encodeURIComponent(name)}=not.is.null`)
        assert.equal(answer.status, 200, `${name}: ${await answer.text()}`)
      }
    }
  })

  test('a key finds in it only what it sees, and examples that it can send', async (t) => {
    const server = await documented(t)
    const key = await server.keys.make({
      limits: ['wares'],
      rules: { [`wares.${TABLE}`]: { hidden: ['price', 'größe'], filter: 'no=gt.1' } },
    })
    const document = await server.document(key.headers)
    const text =
      JSON.stringify(document.components.schemas) +
      JSON.stringify(document.paths[`/api/tables/${encodeURIComponent(TABLE)}`])
    assert.doesNotMatch(text, /"price"|größe/)
    assert.match(JSON.stringify((await server.document()).components.schemas), /"price"/)
    const claims = new Claims(document)
    for (const described of operationsOf(document)) {
      for (const example of described.operation['x-examples'] ?? []) {
        if (example.failure === undefined) await checkExample(server, claims, described, example, key.headers)
      }
    }
    const blind = await server.keys.make({ limits: ['elsewhere'] })
    assert.deepEqual(
      Object.keys((await server.document(blind.headers)).paths).filter((path) => path.includes('%')),
      [],
    )
  })

  test('has an entity tag for each coding, until another snapshot is published', async (t) => {
    const server = await documented(t)
    const first = await server.get('/openapi.json', { 'Accept-Encoding': 'identity' })
    const tag = first.headers.get('etag')!
    const same = await server.get('/openapi.json', { 'Accept-Encoding': 'identity', 'If-None-Match': tag })
    assert.equal(same.status, 304)
    assert.equal(same.headers.get('etag'), tag)
    const coded = await server.get('/openapi.json', { 'Accept-Encoding': 'br' })
    assert.equal(coded.headers.get('content-encoding'), 'br')
    assert.notEqual(coded.headers.get('etag'), tag)
    assert.deepEqual(await coded.json(), await first.json())
    await server.publish([{ sku: 'new', no: 1 }], SHAPE)
    assert.equal((await server.get('/openapi.json', { 'If-None-Match': tag })).status, 200)
    assert.equal((await server.get('/openapi.json', { 'Accept-Encoding': 'identity;q=0' })).status, 406)
  })
})

describe('lib/http/openapi', () => {
  test('gives paths of their own to so many tables and columns, and not to more', async (t) => {
    const { http } = await serveReal(t)
    const build = (tables: number, columns: number) => {
      const described = Array.from({ length: tables }, (_, index): DescribedTable => {
        const all = Array.from(
          { length: columns },
          (_column, number) => ({ name: `c${number}`, type: 'text' }) as const,
        )
        const table = { name: `t${index}`, rows: 1, key: ['c0'], columns: all, digest: '', bodyBytes: 0, indexes: [] }
        const info = { ...table, search: [], times: { created: null, modified: null } }
        return { name: `t${index}`, source: 'wares', table: info, columns: all }
      })
      const parts = { routes: http.routes, version: '0', values: {}, principal: null }
      return Object.keys(openApiDocument({ ...parts, tables: described }).paths).filter((path) => /\/t\d+$/.test(path))
    }
    assert.equal(build(MAX_TABLES + 1, 2).length, 2 * MAX_TABLES)
    assert.equal(build(3, MAX_COLUMNS / 2).length, 2 * 2)
    assert.equal(build(1, MAX_COLUMNS + 1).length, 0)
  })

  test('names of tables and columns that look alike, or like ours, stay apart', async (t) => {
    const server = await serveReal(t)
    const names = ['Run', 'run', 'r un', '会', 'äpfel', 'apfel', '__proto__', 'Tables', 'x/{id}', '..']
    const columns = ['id', 'constructor', '_id', 'and', 'Range', 'filters', 'table', ' x ', 'a->b']
    const tables = names.map((name) => ({ name, key: ['id'], columns, rows: [columns.map((_, index) => index)] }))
    await server.site.sync({ identity: 'alike', tables })
    server.mounts.look()
    const document = await server.json<OpenApiDocument>('/openapi.json')
    const { valid, errors } = await new Validator().validate(
      structuredClone(document) as unknown as Record<string, unknown>,
    )
    assert.ok(valid, JSON.stringify(errors))
    const claims = new Claims(document)
    for (const described of operationsOf(document)) {
      const parameters = (described.operation.parameters ?? []).map((one) => claims.parameter(one))
      const keys = parameters.map((one) => `${one.in} ${one.name}`)
      assert.equal(new Set(keys).size, keys.length, described.path)
      if (!described.operation['x-table']) continue
      for (const example of described.operation['x-examples'] ?? []) {
        if (!example.path.includes('/..')) await checkExample(server, claims, described, example)
      }
    }
    const components = Object.keys(document.components.schemas).filter((name) => name.endsWith('.Row'))
    assert.equal(components.length, names.length)
  })

  test('is loaded by the first request for it, and not by a start', () => {
    const files = globSync('lib/**/*.ts', { cwd: ROOT }).filter((path) => !path.startsWith('lib/http/openapi/'))
    const early = files.filter((path) => /from '[^']*\/openapi\/[^']*'/.test(readFileSync(ROOT + path, 'utf8')))
    assert.ok(files.includes('lib/http/routes/openapi.ts'))
    assert.deepEqual(early, [])
  })
})

describe('GET /docs', () => {
  test('needs no key, runs nothing, loads nothing, and tells of every route but of no table', async (t) => {
    const server = await documented(t)
    const response = await fetch(`${server.url}/docs`)
    assert.equal(response.status, 200)
    const page = await response.text()
    assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8')
    assert.doesNotMatch(page, /<script|<link|<img|src=|@import|url\(/)
    assert.doesNotMatch(page, /Wäres|größe/)
    for (const { path, method } of server.http.routes) {
      assert.ok(page.includes(`<code>${templateOf(path)}</code>`), path)
      assert.ok(page.includes(`id="${ROUTE_DOCS[`${method} ${path}`]!.id.toLowerCase()}"`), path)
    }
    for (const [, target] of page.matchAll(/href="#([^"]+)"/g)) assert.ok(page.includes(`id="${target}"`), target)
    const again = await fetch(`${server.url}/docs`, { headers: { 'If-None-Match': response.headers.get('etag')! } })
    assert.equal(again.status, 304)
  })

  test('is linked from the first page', async (t) => {
    const server = await serveReal(t)
    const page = await (await fetch(server.url)).text()
    assert.match(page, /href="\/docs"/)
    assert.match(page, /href="\/openapi\.json"/)
  })
})
