import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { Column } from '../../lib/column.ts'
import { KEY } from './fakes.ts'
import { serveReal } from './real.ts'

const LARGE = 700_000
const ROWS = [
  ...Array.from({ length: 1500 }, (_, index) => ({ sku: `small-${index}`, text: 'x' })),
  ...Array.from({ length: 14 }, (_, index) => ({ sku: `large-${index}`, text: 'x'.repeat(LARGE) })),
]

/** Large rows behind small ones, and how many characters each read of them took. */
async function served(t: TestContext) {
  const server = await serveReal(t, { site: { bodyFileBytes: 0 } })
  await server.publish(ROWS)
  const reads: number[] = []
  const mounted = server.mounts.active('wares')!
  const reader = mounted.reader.bind(mounted)
  mounted.reader = (table: string, columns: readonly Column[]) => {
    const real = reader(table, columns)
    return {
      rows(from, to) {
        const rows = real.rows(from, to)
        reads.push(rows.reduce((sum, row) => sum + String(row[1]).length, 0))
        return rows
      },
    }
  }
  return { ...server, reads }
}

describe('rows that are large', () => {
  test('are read a few at a time, whatever those before them were like', async (t) => {
    const { json, reads, errors } = await served(t)
    const { data } = await json<{ data: typeof ROWS }>('/fetch-data?start_row=1200&end_row=1514')
    assert.deepEqual(data, ROWS.slice(1199))
    assert.ok(Math.max(...reads) <= 4 * 1024 * 1024 + LARGE, `one turn took ${Math.max(...reads)} characters`)
    assert.deepEqual(errors, [])
  })

  test('are sent as they are read, once they are more than fits into one piece', async (t) => {
    const { get, reads } = await served(t)
    for (const [query, isWhole] of [['offset=0&limit=900', true], ['offset=1500&limit=14', false]] as const) {
      const whole = await get(`/fetch-data?${query}`)
      assert.equal(whole.headers.has('content-length'), isWhole, query)
      await whole.text()
      reads.length = 0
      const head = await fetch(whole.url, { method: 'HEAD', headers: { 'X-API-Key': KEY } })
      assert.equal(head.headers.has('content-length'), isWhole, query)
    } // prettier-ignore
    assert.ok(reads.length <= 2, 'HEAD reads no further than to know that it is much')
  })

  for (const format of ['csv', 'ndjson']) {
    test(`lose nothing on the way, as ${format}`, async (t) => {
      const { get } = await served(t)
      const text = await (
        await get(`/fetch-data?format=${format}&offset=1498&limit=16`, { 'Accept-Encoding': 'gzip' })
      ).text()
      const lines = text.trim().split('\n')
      assert.equal(lines.length, format === 'csv' ? 17 : 16)
      assert.ok(lines.at(-1)!.length > LARGE)
    })
  }
})
