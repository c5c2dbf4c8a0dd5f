import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Site, until } from '../support/holdfast.ts'
import { sampleRows } from '../support/rows.ts'

test('syncing an unchanged file publishes nothing and keeps every ETag; only checked_at moves', async () => {
  await using site = new Site()
  const rows = sampleRows(300)
  site.write(rows)
  assert.equal((await site.once('wares')).code, 0)
  const server = await site.server({ SYNC_IN_SERVER: 'false' })
  const tagsOf = async () => {
    const tags: (string | null)[] = []
    for (const path of ['/fetch-data', '/fetch-data?limit=10', '/fetch-data?fields=sku', '/fetch-data?format=csv']) {
      for (const coding of ['identity', 'zstd', 'br', 'gzip']) {
        const response = await server.get(path, { 'Accept-Encoding': coding })
        await response.arrayBuffer()
        assert.equal(response.status, 200)
        tags.push(response.headers.get('etag'))
      }
    }
    return tags
  }
  const checkedAt = async () => {
    const status = (await (await server.get('/status')).json()) as { sources: { checked_at: string }[] }
    return status.sources[0]?.checked_at
  }
  const tags = await tagsOf()
  const pointer = site.pointer()
  const checked = await checkedAt()

  // The same bytes in a new file, and the same rows in another order: both are pulled, neither is published.
  for (const content of [rows, rows.toReversed()]) {
    site.write(content)
    const { code, output } = await site.once('wares')
    assert.equal(code, 0)
    assert.match(output, /unchanged/)
  }

  assert.deepEqual(site.pointer(), pointer)
  assert.deepEqual(await tagsOf(), tags)
  assert.ok(tags.every((tag) => /^"[^"]+"$/.test(tag ?? '')))
  await until(async () => (await checkedAt()) !== checked, { what: 'checked_at to move' })
})
