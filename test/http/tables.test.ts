import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { environmentKeys, NOBODY } from '../../lib/http/keys.ts'
import type { KeyCheck, Principal } from '../../lib/access.ts'
import { parseFilter } from '../../lib/query-grammar.ts'
import { serveReal, type RealOptions } from './real.ts'

interface Listing {
  readonly records: Record<string, unknown>[]
  readonly pagination: {
    readonly total: number | null
    readonly totalPages: number | null
    readonly cursor: string | null
    readonly hasMore: boolean
    readonly pageSize: number
  }
}

const ROWS = Array.from({ length: 250 }, (_, index) => ({
  sku: `w-${String(index).padStart(4, '0')}`,
  name: `Ware ${index}`,
  price: index % 7 === 0 ? null : index * 10,
  kind: index % 2 ? 'odd' : 'even',
}))

async function served(t: Parameters<typeof serveReal>[0], options?: RealOptions) {
  const server = await serveReal(t, options)
  await server.publish(ROWS)
  return server
}

const skus = ({ records }: Listing) => records.map((record) => record.sku)

describe('GET /api/tables', () => {
  test('lists tables with columns, key, rows and the names of what every record has', async (t) => {
    const server = await served(t)
    const answer = await server.json<{ tables: string[]; details: Record<string, unknown>[] }>('/api/tables')
    assert.deepEqual(answer.tables, ['wares'])
    const [detail] = answer.details
    assert.equal(detail?.rows, ROWS.length)
    assert.deepEqual(detail?.key, ['sku'])
    assert.deepEqual(detail?.record, { id: '_id', created: '_created_at', modified: '_modified_at' })
  })
})

describe('GET /api/tables/:table', () => {
  test('gives pages in key order, with the original’s pagination, and links', async (t) => {
    const server = await served(t)
    const response = await server.get('/api/tables/wares?page=2&pageSize=20')
    const page = (await response.json()) as Listing & { backend: string }
    assert.equal(page.backend, 'sqlite')
    assert.deepEqual(
      skus(page),
      ROWS.slice(20, 40).map(({ sku }) => sku),
    )
    assert.equal(page.pagination.total, 250)
    assert.equal(page.pagination.totalPages, 13)
    const link = response.headers.get('link') ?? ''
    assert.match(link, /page=3[^>]*>; rel="next"/)
    assert.match(link, /page=1[^>]*>; rel="prev"/)
    assert.match(link, /page=13[^>]*>; rel="last"/)
  })

  test('says of every record which it is and since when, and the id leads to it', async (t) => {
    const server = await served(t)
    const { records } = await server.json<Listing>('/api/tables/wares?limit=3')
    for (const record of records) {
      assert.match(String(record._created_at), /^\d{4}-.*Z$/)
      assert.match(String(record._modified_at), /^\d{4}-.*Z$/)
      const one = await server.json<{ record: object }>(`/api/tables/wares/${String(record._id)}`)
      assert.deepEqual(one.record, record)
    }
  })

  test('has names of its own for those where columns took them', async (t) => {
    const server = await serveReal(t)
    await server.publish([{ sku: 'a', _id: 'theirs' }])
    const { records } = await server.json<Listing>('/api/tables/wares')
    assert.equal(records[0]?._id, 'theirs')
    assert.equal(records[0]?.__id, 'a')
  })

  test('filters, sorts, narrows', async (t) => {
    const server = await served(t)
    const answer = await server.json<Listing>(
      '/api/tables/wares?kind=eq.odd&price=gt.2000&sort=-price,sku&fields=sku,price&total=exact&limit=2',
    )
    const expected = ROWS.filter((row) => row.kind === 'odd' && Number(row.price) > 2000).toSorted(
      (a, b) => Number(b.price) - Number(a.price),
    )
    assert.deepEqual(
      skus(answer),
      expected.slice(0, 2).map(({ sku }) => sku),
    )
    assert.deepEqual(Object.keys(answer.records[0] ?? {}), ['sku', 'price', '_id', '_created_at', '_modified_at'])
    assert.equal(answer.pagination.total, expected.length)
  })

  test('counts a filtered total only where it is asked for', async (t) => {
    const server = await served(t)
    assert.equal((await server.json<Listing>('/api/tables/wares')).pagination.total, 250)
    assert.equal((await server.json<Listing>('/api/tables/wares?kind=eq.odd')).pagination.total, null)
    assert.equal((await server.json<Listing>('/api/tables/wares?kind=eq.odd&total=exact')).pagination.total, 125)
    assert.equal((await server.json<Listing>('/api/tables/wares?total=none')).pagination.total, null)
  })

  test('applies two filters of one column, and trees of them', async (t) => {
    const server = await served(t)
    const both = await server.json<Listing>('/api/tables/wares?price=gte.100&price=lt.130')
    assert.deepEqual(
      both.records.map(({ price }) => price),
      [100, 110, 120],
    )
    const either = await server.json<Listing>('/api/tables/wares?or=(sku.eq.w-0001,and(price.is.null,sku.lt.w-0010))')
    assert.deepEqual(skus(either), ['w-0000', 'w-0001', 'w-0007'])
  })

  test('is NDJSON and CSV too, by parameter or by Accept', async (t) => {
    const server = await served(t)
    const ndjson = await server.get('/api/tables/wares?limit=2', { Accept: 'application/x-ndjson' })
    assert.equal(ndjson.headers.get('content-type'), 'application/x-ndjson')
    const lines = (await ndjson.text()).trim().split('\n')
    assert.equal((JSON.parse(lines[1] ?? '') as { sku: string }).sku, 'w-0001')
    const csv = await (await server.get('/api/tables/wares?limit=1&format=csv')).text()
    assert.match(csv, /^sku,name,price,kind,_id,_created_at,_modified_at\r\nw-0000,Ware 0,,even,w-0000,/)
  })

  test('a crawl by cursor in key order sees each surviving row once, whatever is published meanwhile', async (t) => {
    const server = await served(t)
    const seen: unknown[] = []
    let next = '/api/tables/wares?limit=30'
    for (let round = 0; next !== ''; round++) {
      const page = await server.json<Listing>(next)
      seen.push(...skus(page))
      // Rows come and go, before and behind where the crawl is.
      const kept = ROWS.filter((_, index) => index % 10 !== round % 10 || index % 20 === 0)
      await server.publish([...kept, { sku: `w-0${round}5x`, name: 'new', price: 1, kind: 'new' }])
      next = page.pagination.cursor === null ? '' : `/api/tables/wares?limit=30&cursor=${page.pagination.cursor}`
    }
    assert.equal(new Set(seen).size, seen.length)
    const survivors = ROWS.filter((_, index) => index % 20 === 0)
    for (const { sku } of survivors) assert.ok(seen.includes(sku), `${sku} was missed`)
  })

  test('a crawl in another order stays in its snapshot for one publish, and is then told to begin again', async (t) => {
    const server = await served(t)
    const first = await server.json<Listing>('/api/tables/wares?sort=kind,-price&limit=100')
    const after = `/api/tables/wares?sort=kind,-price&limit=100&cursor=${first.pagination.cursor}`
    await server.publish(ROWS.slice(0, 200))
    const second = await server.json<Listing>(after)
    const expected = ROWS.toSorted(
      (a, b) => a.kind.localeCompare(b.kind) || (b.price ?? Infinity) - (a.price ?? Infinity),
    )
    assert.deepEqual(
      [...skus(first), ...skus(second)],
      expected.slice(0, 200).map(({ sku }) => sku),
    )
    await server.publish(ROWS.slice(0, 150))
    const gone = await server.get(after)
    assert.equal(gone.status, 410)
    assert.equal(((await gone.json()) as { code: string }).code, 'cursor_expired')
  })

  test('a cursor is good for its own sort and filters only', async (t) => {
    const server = await served(t)
    const { pagination } = await server.json<Listing>('/api/tables/wares?limit=10')
    for (const query of [`sort=name&cursor=${pagination.cursor}`, 'cursor=abc', `page=2&cursor=${pagination.cursor}`]) {
      assert.equal((await server.get(`/api/tables/wares?${query}`)).status, 400, query)
    }
  })

  test('modifiedAfter tells when a change was first seen, never when an unchanged row was synced', async (t) => {
    const server = await served(t)
    const before = new Date(server.site.clock.now() + 1).toISOString()
    await server.publish(ROWS.map((row, index) => (index === 42 ? { ...row, name: 'changed' } : row)))
    const changed = await server.json<Listing>(`/api/tables/wares?modifiedAfter=${before}`)
    assert.deepEqual(skus(changed), ['w-0042'])
    assert.equal((await server.json<Listing>('/api/tables/wares?modifiedAfter=2001-01-01&limit=1')).records.length, 1)
  })

  const REFUSED = [
    ['page=0', 'bad_parameter'],
    ['page=abc', 'bad_parameter'],
    ['pageSize=0', 'bad_parameter'],
    ['pageSize=-1', 'bad_parameter'],
    ['pageSize=1000000', 'bad_parameter'],
    ['page=9007199254740991&pageSize=1000', 'bad_parameter'],
    ['limit=1&pageSize=2', 'bad_parameter'],
    ['page=1&offset=2', 'bad_parameter'],
    ['modifiedAfter=yesterday', 'bad_parameter'],
    ['nothing=eq.1', 'column_not_found'],
    ['fields=sku,nothing', 'column_not_found'],
    ['sort=nothing', 'column_not_found'],
    ['price=eq.cheap', 'bad_value'],
    ['price=cheap', 'bad_filter'],
    ['price=~.1', 'bad_filter'],
    ['q=words', 'not_supported'],
    ['api_key=secret', 'unknown_parameter'],
    ['total=all', 'bad_parameter'],
  ] as const
  for (const [query, code] of REFUSED) {
    test(`${query} is refused as ${code}`, async (t) => {
      const server = await served(t)
      const response = await server.get(`/api/tables/wares?${query}`)
      const problem = (await response.json()) as { code: string; status: number; detail: string }
      assert.equal(problem.code, code, problem.detail)
      assert.equal(problem.status, response.status)
      assert.equal(response.status, 400)
    })
  }

  test('a table that is not there is 404 and names those that are; one without rows is an empty list', async (t) => {
    const server = await serveReal(t)
    await server.publish([], { columns: ['sku'] })
    const missing = await server.get('/api/tables/nothing')
    assert.equal(missing.status, 404)
    assert.deepEqual(((await missing.json()) as { known: string[] }).known, ['wares'])
    const empty = await server.json<Listing>('/api/tables/wares')
    assert.deepEqual(empty.records, [])
    assert.equal(empty.pagination.total, 0)
  })

  test('is found by source and table, and as the original spelled it', async (t) => {
    const server = await served(t)
    for (const name of ['wares.wares', 'WARES', 'w%20a%20r%20e%20s']) {
      assert.equal((await server.get(`/api/tables/${name}?limit=1`)).status, 200, name)
    }
  })

  test('before the first snapshot is 503 with what is going on', async (t) => {
    const server = await serveReal(t)
    const response = await server.get('/api/tables/wares')
    assert.equal(response.status, 503)
    assert.equal(((await response.json()) as { code: string }).code, 'no_snapshot')
  })
})

describe('GET /api/tables/:table/:id', () => {
  test('is 404 for an id that is not there, in words', async (t) => {
    const server = await served(t)
    for (const id of ['nothing', '%00', '..%2F..%2Fetc', "x'%20OR%201=1--"]) {
      const response = await server.get(`/api/tables/wares/${id}`)
      assert.equal(response.status, 404, id)
      assert.equal(((await response.json()) as { code: string }).code, 'record_not_found')
    }
  })

  test('takes composite keys in their one encoding', async (t) => {
    const server = await serveReal(t)
    await server.publish([{ a: 'x,y', b: 1, c: 'found' }], { key: ['a', 'b'] })
    const { records } = await server.json<Listing>('/api/tables/wares')
    assert.equal(records[0]?._id, 'x%2Cy,1')
    const one = await server.json<{ record: { c: string } }>(`/api/tables/wares/${encodeURIComponent(records[0]?._id)}`)
    assert.equal(one.record.c, 'found')
  })

  test('has an entity tag, and is 304 to whoever has it; HEAD has the same headers', async (t) => {
    const server = await served(t)
    const first = await server.get('/api/tables/wares/w-0001')
    const etag = first.headers.get('etag') ?? ''
    assert.equal((await server.get('/api/tables/wares/w-0001', { 'If-None-Match': etag })).status, 304)
    await server.publish(ROWS.slice(1))
    assert.equal((await server.get('/api/tables/wares/w-0001', { 'If-None-Match': etag })).status, 200)
  })
})

describe('answers', () => {
  test('are asked of SQLite once, then come from memory, until the next publish', async (t) => {
    const server = await served(t)
    let asked = 0
    const active = server.mounts.active('wares')!
    const { query } = active
    active.query = (...args) => (asked++, query.apply(active, args))
    const path = '/api/tables/wares?kind=eq.odd&limit=5'
    const first = await server.get(path)
    const etag = first.headers.get('etag') ?? ''
    const body = await first.text()
    assert.equal(asked, 1)
    assert.equal(await (await server.get(path)).text(), body)
    const notModified = await server.get(path, { 'If-None-Match': `"other", W/${etag}` })
    assert.equal(notModified.status, 304)
    assert.equal(notModified.headers.get('etag'), etag)
    assert.equal(asked, 1)
    await server.publish(ROWS.slice(0, 10))
    assert.notEqual(await (await server.get(path)).text(), body)
  })

  test('a 304 costs no query even where nothing is cached', async (t) => {
    const server = await served(t, { settings: { answerCacheBytes: 0 } })
    const path = '/api/tables/wares?limit=5'
    const etag = (await server.get(path)).headers.get('etag') ?? ''
    const active = server.mounts.active('wares')!
    active.query = () => Promise.reject(new Error('asked'))
    assert.equal((await server.get(path, { 'If-None-Match': etag })).status, 304)
  })

  test('have a strong entity tag for each coding, and are the same in all of them', async (t) => {
    const server = await served(t)
    const path = '/api/tables/wares?limit=100'
    const tags = new Set<string>()
    const bodies = new Set<string>()
    for (const coding of ['identity', 'gzip', 'br', 'zstd']) {
      const response = await server.get(path, { 'Accept-Encoding': coding })
      assert.equal(response.headers.get('content-encoding') ?? 'identity', coding)
      tags.add(response.headers.get('etag') ?? '')
      bodies.add(await response.text())
    }
    assert.equal(tags.size, 4)
    assert.equal(bodies.size, 1)
  })

  test('beyond the bound on bytes are refused in words', async (t) => {
    const server = await served(t, { settings: { answerMaxBytes: 2000 } })
    const response = await server.get('/api/tables/wares?limit=100')
    assert.equal(response.status, 400)
    assert.equal(((await response.json()) as { code: string }).code, 'answer_too_large')
  })
})

describe('a restricted key', () => {
  const partner: Principal = {
    ...NOBODY,
    id: 'partner',
    scopes: new Set(['read'] as const),
    limits: null,
    view: 'partner',
    rules: new Map([['wares.wares', { hidden: ['price'], filter: parseFilter('kind', 'eq.odd') }]]),
  }
  const keys: KeyCheck = {
    ...environmentKeys([]),
    check: (key) => (key === 'p' ? partner : undefined),
    isLive: () => true,
    find: () => partner,
  }
  const headers = { 'X-API-Key': 'p' }

  test('sees neither the rows nor the columns that are kept from it, on any way', async (t) => {
    const server = await served(t, { keys })
    const list = await server.json<Listing>('/api/tables/wares?total=exact&limit=1000', headers)
    assert.equal(list.records.length, 125)
    assert.equal(list.pagination.total, 125)
    assert.ok(list.records.every((record) => record.kind === 'odd' && !('price' in record)))
    assert.equal((await server.get('/api/tables/wares/w-0001', headers)).status, 200)
    assert.equal((await server.get('/api/tables/wares/w-0002', headers)).status, 404)
    for (const query of ['fields=price', 'sort=price', 'price=gt.1', 'or=(price.gt.1,sku.eq.a)']) {
      const problem = await server.json<{ code: string; detail: string; known: string[] }>(
        `/api/tables/wares?${query}`,
        headers,
      )
      assert.equal(problem.code, 'column_not_found', query)
      assert.ok(!problem.known?.includes('price'))
    }
    const response = await server.get('/api/tables/wares', headers)
    assert.equal(response.headers.get('snapshot-digest'), null)
    const tables = await server.json<{ details: { rows: null; columns: { name: string }[] }[] }>('/api/tables', headers)
    assert.equal(tables.details[0]?.rows, null)
    assert.ok(!tables.details[0]?.columns.some(({ name }) => name === 'price'))
  })
})
