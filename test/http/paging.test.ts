import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { parseLinks } from './links.ts'
import { serveReal, type RealServer } from './real.ts'

interface Listing {
  readonly records: readonly Record<string, unknown>[]
  readonly pagination: Readonly<Record<string, unknown>> & { readonly cursor: string | null }
}

const ROWS = Array.from({ length: 23 }, (_, index) => ({
  sku: `w-${String(index).padStart(2, '0')}`,
  kind: index % 2 ? 'odd & even' : 'a+b=c',
  price: index % 5 === 0 ? null : index,
}))

async function served(t: TestContext) {
  const server = await serveReal(t)
  await server.publish(ROWS)
  return server
}

/** Follows a relation from page to page, and gives what each had. */
async function follow(server: RealServer, path: string, relation: string): Promise<string[][]> {
  const pages: string[][] = []
  for (let next: string | undefined = path; next !== undefined;) {
    assert.ok(pages.length < 100, `${relation} of ${path} ends`)
    const response: Response = await server.get(next)
    assert.equal(response.status, 200, next)
    const { records } = (await response.json()) as Listing
    pages.push(records.map(({ sku }) => String(sku)))
    next = parseLinks(response.headers.get('link')).get(relation)
  }
  return pages
}

const all = ROWS.map(({ sku }) => sku)
const odd = ROWS.filter(({ kind }) => kind === 'odd & even').map(({ sku }) => sku)

describe('links between pages', () => {
  const WAYS: readonly (readonly [query: string, expected: readonly string[]])[] = [
    ['', all],
    ['?limit=7', all],
    ['?limit=23', all],
    ['?limit=22', all],
    ['?pageSize=7', all],
    ['?page=1&limit=6', all],
    ['?page=1&pageSize=1&total=none', all],
    ['?limit=4&offset=3', all.slice(3)],
    ['?pageSize=4&offset=3', all.slice(3)],
    ['?limit=3&sort=-sku', all.toReversed()],
    ['?page=1&pageSize=5&sort=-sku', all.toReversed()],
    ['?limit=2&kind=eq.odd+%26%20even', odd],
    ['?page=1&pageSize=4&kind=eq.odd%20%26%20even&total=exact', odd],
    ['?limit=2&or=(kind.eq.%22a%2Bb=c%22,sku.eq.w-01)&fields=sku', all.filter((sku) => !odd.includes(sku) || sku === 'w-01')],
    ['?limit=0', []],
    ['?page=1&limit=0', []],
  ] // prettier-ignore
  test('lead through all of it, and end', async (t) => {
    const server = await served(t)
    for (const [query, expected] of WAYS) {
      const pages = await follow(server, `/api/tables/wares${query}`, 'next')
      assert.deepEqual(pages.flat(), expected, query)
    }
  })

  test('lead back, to the first and to the last', async (t) => {
    const server = await served(t)
    const path = '/api/tables/wares?page=5&pageSize=5'
    assert.deepEqual((await follow(server, path, 'prev')).toReversed().flat(), all)
    const links = parseLinks((await server.get(path)).headers.get('link'))
    assert.deepEqual([...links.keys()], ['prev', 'first', 'last'])
    for (const [relation, expected] of [['first', all.slice(0, 5)], ['last', all.slice(20)]] as const) {
      const { records } = await server.json<Listing>(links.get(relation)!)
      assert.deepEqual(records.map(({ sku }) => sku), expected)
    } // prettier-ignore
  })

  test('beyond the last page lead back to that', async (t) => {
    const server = await served(t)
    const response = await server.get('/api/tables/wares?page=900&pageSize=5')
    const { records, pagination } = (await response.json()) as Listing
    assert.deepEqual([records, pagination.page, pagination.hasMore, pagination.cursor], [[], 900, false, null])
    assert.match(parseLinks(response.headers.get('link')).get('prev')!, /\bpage=5\b/)
  })

  test('of an empty table lead nowhere else', async (t) => {
    const server = await serveReal(t)
    await server.publish([], { columns: ['sku'] })
    for (const query of ['', '?page=1', '?limit=5', '?sort=-sku', '?total=exact&sku=eq.x']) {
      const { records, pagination } = await server.json<Listing>(`/api/tables/wares${query}`)
      assert.deepEqual([records, pagination.total, pagination.hasMore, pagination.cursor], [[], 0, false, null], query)
    }
    const links = parseLinks((await server.get('/api/tables/wares?page=1')).headers.get('link'))
    assert.deepEqual([...links.keys()], ['first', 'last'])
  })

  test('lead on in CSV and NDJSON, where there is no other cursor', async (t) => {
    const server = await served(t)
    for (const format of ['csv', 'ndjson']) {
      let text = ''
      for (let next: string | undefined = `/api/tables/wares?limit=5&format=${format}`; next !== undefined;) {
        const response: Response = await server.get(next)
        assert.equal(response.headers.get('total-count'), '23')
        text += await response.text()
        next = parseLinks(response.headers.get('link')).get('next')
      }
      for (const sku of all) assert.equal(text.split(sku).length, 3, `${sku} is in it once, as sku and as _id`)
    }
  })

  test('lead on where rows are sorted by texts that no URL could take', async (t) => {
    const server = await serveReal(t)
    const long = ROWS.map(({ sku }, index) => ({ sku, text: `${index % 3 ? 'b'.repeat(9000) : 'a'}${index}` }))
    await server.publish(long)
    const sorted = long.toSorted((a, b) => (a.text < b.text ? -1 : 1)).map(({ sku }) => sku)
    for (const limit of [1, 4, 7]) {
      assert.deepEqual((await follow(server, `/api/tables/wares?sort=text&limit=${limit}`, 'next')).flat(), sorted)
      const seen: unknown[] = []
      for (let cursor: string | null = ''; cursor !== null;) {
        const at = cursor === '' ? '' : `&cursor=${cursor}`
        const page: Listing = await server.json(`/api/tables/wares?sort=text&limit=${limit}${at}`)
        seen.push(...page.records.map(({ sku }) => sku))
        assert.equal(page.pagination.cursor !== null, page.pagination.hasMore)
        cursor = page.pagination.cursor
      }
      assert.deepEqual(seen, sorted)
    }
    const { pagination } = await server.json<Listing>('/api/tables/wares?sort=-text&limit=2')
    await server.publish(ROWS.slice(1))
    await server.publish(ROWS.slice(2))
    const gone = await server.get(`/api/tables/wares?sort=-text&limit=2&cursor=${pagination.cursor}`)
    assert.equal(gone.status, 410)
  })

  test('end with a failure, not in silence, where even a key is longer than a URL', async (t) => {
    const server = await serveReal(t)
    await server.publish(['a', 'b', 'c'].map((letter) => ({ sku: letter + 'x'.repeat(letter === 'a' ? 0 : 5000) })))
    const { pagination } = await server.json<Listing>('/api/tables/wares?limit=1')
    const end = await server.get(`/api/tables/wares?limit=1&cursor=${pagination.cursor}`)
    assert.equal(end.status, 400)
    assert.equal(((await end.json()) as { code: string }).code, 'answer_too_large')
    assert.equal((await server.json<Listing>('/api/tables/wares?page=3&pageSize=1')).records.length, 1)
  })

  test('behind the last record there is nothing, also where that has gone', async (t) => {
    const server = await served(t)
    const { pagination } = await server.json<Listing>('/api/tables/wares?limit=22')
    await server.publish(ROWS.slice(0, 22))
    assert.deepEqual([pagination.limit, pagination.offset], [22, 0])
    const rest = await server.json<Listing>(`/api/tables/wares?limit=22&cursor=${pagination.cursor}`)
    // How many there are before it, nobody has counted.
    assert.deepEqual([rest.pagination.limit, rest.pagination.offset], [22, undefined])
    assert.deepEqual([rest.records, rest.pagination.hasMore, rest.pagination.cursor], [[], false, null])
  })
})

describe('the id of a record', () => {
  const KEYS = [
    'export', '%', '%2F', 'a/b', '/', '...', '?x=1&y', '#', ' ', '+', 'a b', '😀', 'é', 'e\u0301', '"', "'", '<b>',
    '\\', 'a,b', '', '\n', 'null', '1', '01', ':table', '*', 'x'.repeat(500),
  ] // prettier-ignore

  test('leads to it, whatever the key is', async (t) => {
    const server = await serveReal(t)
    await server.publish(KEYS.map((sku, n) => ({ sku, n })))
    const { records } = await server.json<Listing>('/api/tables/wares')
    assert.deepEqual(new Set(records.map(({ sku }) => sku)), new Set(KEYS))
    for (const record of records) {
      const id = String(record._id)
      const segment = id === 'export' ? '%65xport' : encodeURIComponent(id)
      const answer = await server.json(`/api/tables/wares/${segment}`)
      assert.deepEqual(answer.record, record, id)
    }
  })

  test('leads to it, whatever the several parts of a key are', async (t) => {
    const server = await serveReal(t)
    const parts = ['a', 'a,b', '%2C', '', 'é/😀']
    await server.publish(
      parts.flatMap((left) => [-1, 0, 9007199254740993n].map((right) => ({ left, right, both: `${left}|${right}` }))),
      { key: ['left', 'right'], types: { left: 'text', right: 'integer' } },
    )
    const { records } = await server.json<Listing>('/api/tables/wares')
    assert.equal(records.length, 15)
    for (const record of records) {
      const answer = await server.json(`/api/tables/wares/${encodeURIComponent(String(record._id))}`)
      assert.deepEqual(answer.record, record)
    }
  })

  test('is there for rows that have no key, and leads to them', async (t) => {
    const server = await serveReal(t)
    const columns = ['sku', 'kind', 'price']
    const rows = ROWS.map(({ sku, kind, price }) => [sku, kind, price])
    await server.site.sync({ identity: 'no key', tables: [{ name: 'wares', columns, rows }] })
    server.mounts.look()
    const { records } = await server.json<Listing>('/api/tables/wares')
    assert.equal(new Set(records.map(({ _id }) => _id)).size, ROWS.length)
    for (const record of records.slice(0, 5)) {
      const answer = await server.json(`/api/tables/wares/${encodeURIComponent(String(record._id))}`)
      assert.deepEqual(answer.record, record)
    }
    assert.deepEqual((await follow(server, '/api/tables/wares?limit=4', 'next')).flat().toSorted(), all)
  })
})
