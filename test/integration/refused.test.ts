import assert from 'node:assert/strict'
import { gzipSync } from 'node:zlib'
import { after, before, describe, test } from 'node:test'
import { Site, until, type Server } from '../support/holdfast.ts'
import { digestOf, sampleRows } from '../support/rows.ts'

const ROWS = sampleRows(500)
const withoutPrice = ROWS.map(({ price: _price, ...row }) => row)

/** What the upstream's file is replaced by, and what `/status` has to say about it. */
const BAD: readonly { name: string; content: string | Buffer; code: string; says: RegExp; exit: number }[] = [
  { name: 'an empty file', content: '', code: 'upstream_malformed', says: /empty/i, exit: 1 },
  {
    name: 'a truncated file',
    content: JSON.stringify(ROWS).slice(0, -900),
    code: 'upstream_malformed',
    says: /end|truncated|cut/i,
    exit: 1,
  },
  {
    name: 'an HTML page',
    content: '<!doctype html><title>Sign in</title>',
    code: 'upstream_malformed',
    says: /HTML/,
    exit: 1,
  },
  {
    name: 'gzip where JSON was',
    content: gzipSync(JSON.stringify(ROWS)),
    code: 'upstream_malformed',
    says: /\S/,
    exit: 1,
  },
  { name: 'no rows at all', content: '[]', code: 'snapshot_rejected', says: /had 500 rows and now has none/, exit: 2 },
  {
    name: 'fewer than half the rows',
    content: JSON.stringify(ROWS.slice(0, 249)),
    code: 'snapshot_rejected',
    says: /249 of 500 rows/,
    exit: 2,
  },
  {
    name: 'a missing column',
    content: JSON.stringify(withoutPrice),
    code: 'snapshot_rejected',
    says: /"price" is missing/,
    exit: 2,
  },
  {
    name: 'a missing key column',
    content: JSON.stringify(ROWS.map(({ sku: _sku, ...row }) => row)),
    code: 'snapshot_rejected',
    says: /"sku"/,
    exit: 2,
  },
  {
    name: 'a key repeated with different content',
    content: JSON.stringify([...ROWS, { ...ROWS[7], stock: -1 }]),
    code: 'snapshot_rejected',
    says: /"000007" repeats with different content/,
    exit: 2,
  },
]

test('what is configured for tables and is not there is told of when it was published', async () => {
  await using site = new Site({ source: `key: ['sku'], tables: { wares: { indexes: ['prcie'] }, waers: {} }` })
  site.write(ROWS)
  const { code, output } = await site.once()
  assert.equal(code, 0, output)
  assert.match(output, /left out, because there is no column [^]*prcie/)
  assert.match(output, /waers/)
})

describe('a bad file is refused, with the reason, and the old data goes on being served', () => {
  const site = new Site()
  let server: Server

  before(async () => {
    site.write(ROWS)
    assert.equal((await site.once('wares')).code, 0)
    server = await site.server({ SYNC_IN_SERVER: 'false' })
  })
  after(() => site[Symbol.asyncDispose]())

  for (const bad of BAD) {
    test(bad.name, async () => {
      const published = site.pointer()
      site.write(bad.content)
      const { code, output } = await site.once('wares')

      assert.equal(code, bad.exit, output)
      assert.match(output, bad.says)
      assert.match(output, bad.code === 'snapshot_rejected' ? /sync refused/ : /sync failed/)
      const status = (await (await server.get('/status')).json()) as {
        sources: { state: string; last_error: { code: string; message: string } }[]
      }
      assert.equal(status.sources[0]?.state, 'ERROR')
      assert.equal(status.sources[0]?.last_error.code, bad.code)
      assert.match(status.sources[0]?.last_error.message ?? '', bad.says)
      assert.deepEqual(site.pointer(), published)
      const answer = (await (await server.get('/fetch-data')).json()) as { data: unknown[] }
      assert.equal(digestOf(answer.data), digestOf(ROWS))
    })
  }

  test('an operator can publish what the guard refused', async () => {
    site.write(ROWS.slice(0, 100))
    assert.equal((await site.once('wares')).code, 2)
    const response = await server.post('/api/sources/wares/publish')
    assert.equal(response.status, 202)
    const { run } = (await response.json()) as { run: string }

    const worker = site.worker()
    await until(
      async () => ((await (await server.get(`/api/runs/${run}`)).json()) as { status: string }).status === 'completed',
      {
        what: () => `run ${run} to be published: ${worker.output()}`,
      },
    )
    const answer = await until(
      async () => {
        const body = (await (await server.get('/fetch-data')).json()) as { count: number; data: unknown[] }
        return body.count === 100 && body
      },
      { what: 'the reader to see it' },
    )
    assert.equal(digestOf(answer.data), digestOf(ROWS.slice(0, 100)))
  })
})
