import assert from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { describe, test } from 'node:test'
import { environmentKeys } from '../../lib/http/keys.ts'
import { SlowQueries } from '../../lib/http/slow-queries.ts'
import { TestClock } from '../sqlite/site.ts'
import { KEY } from './fakes.ts'
import { limitedKeys } from './limited.ts'
import { serveReal } from './real.ts'

interface Stats {
  readonly stats: { readonly totalRecords: number; readonly totalTables: number; readonly dbSize: string }
  readonly sources: readonly {
    readonly source: string
    readonly rows: number
    readonly bytes: Record<'snapshot' | 'previous' | 'bodies' | 'exports', number> | null
    readonly tables: readonly { readonly name: string; readonly rows: number }[]
  }[]
  readonly process?: {
    readonly connections: number
    readonly memory: { readonly rss: number; readonly heap_used: number }
    readonly caches: Record<string, { hits: number; misses: number; hit_rate: number | null; held_bytes: number }>
    readonly slow_queries: readonly unknown[]
  }
}

const table = (name: string, rows: number) => ({
  name,
  key: ['id'],
  columns: ['id'],
  rows: Array.from({ length: rows }, (_, id) => [id]),
})

describe('GET /api/stats', () => {
  test('counts rows, tables and the bytes on disk', async (t) => {
    const server = await serveReal(t, { site: { sources: ['crm', 'shop'] } })
    const nothing = await server.json<Stats>('/api/stats')
    assert.deepEqual(nothing.stats, { totalRecords: 0, totalTables: 0, dbSize: '0.00 MB' })
    assert.deepEqual(
      nothing.sources.map(({ bytes }) => bytes),
      [null, null],
    )

    await server.site.sync({ identity: '1', tables: [table('people', 3), table('orders', 5)] }, { source: 'crm' })
    await server.site.sync({ identity: '2', tables: [table('people', 4), table('orders', 5)] }, { source: 'crm' })
    server.mounts.look()
    const { status } = await fetch(`${server.url}/api/tables/crm.people/export?format=csv`, {
      headers: { 'X-API-Key': KEY },
    })
    assert.equal(status, 200)
    const { stats, sources } = await server.json<Stats & { backend: string }>('/api/stats')
    const [crm, shop] = sources

    const folder = server.site.folder('crm')
    const sizeOf = (pick: (name: string) => boolean) =>
      readdirSync(folder.path)
        .filter(pick)
        .reduce((sum, name) => sum + statSync(folder.file(name)).size, 0)
    const { file, previous } = server.site.pointer('crm')
    assert.deepEqual(crm?.bytes, {
      snapshot: sizeOf((name) => name === file),
      previous: sizeOf((name) => name === previous?.file),
      bodies: sizeOf((name) => /\.json(\.zst|\.br|\.gz)?$/.test(name) && name !== 'active.json'),
      exports: sizeOf((name) => /\.export\.csv(\.record)?$/.test(name)),
    })
    assert.ok(Object.values(crm.bytes).every((bytes) => bytes > 0))
    assert.deepEqual(stats, {
      totalRecords: 9,
      totalTables: 2,
      dbSize: `${(crm.bytes.snapshot / 1024 / 1024).toFixed(2)} MB`,
    })
    assert.deepEqual(crm.tables.map(({ name, rows }) => [name, rows]), [['people', 4], ['orders', 5]]) // prettier-ignore
    assert.deepEqual([shop?.rows, shop?.bytes], [0, null])
  })

  test('tells those who run it how the process is doing, and nobody else', async (t) => {
    const keys = limitedKeys(environmentKeys([KEY]), { limited: ['wares.one'] }, ['read', 'admin'])
    const server = await serveReal(t, { keys })
    await server.site.sync({ identity: '1', tables: [table('one', 3), table('two', 5)] })
    server.mounts.look()
    await (await server.get('/fetch-data?table=one')).arrayBuffer()
    await (await server.get('/fetch-data?table=one')).arrayBuffer()
    const { process: own } = await server.json<Stats>('/api/stats')
    assert.ok(own && own.connections >= 1 && own.memory.rss > own.memory.heap_used)
    assert.deepEqual([own.caches.bodies?.hits, own.caches.bodies?.misses, own.caches.bodies?.hit_rate], [1, 1, 0.5])
    assert.equal(own.caches.answers?.hit_rate, null)
    assert.deepEqual(own.slow_queries, [])

    const limited = await server.json<Stats>('/api/stats', { 'X-API-Key': 'limited' })
    assert.equal(limited.process, undefined)
    assert.deepEqual(limited.stats, { totalRecords: 3, totalTables: 1, dbSize: '0.00 MB' })
    assert.deepEqual(
      limited.sources[0]?.tables.map(({ name }) => name),
      ['one'],
    )
    assert.equal(limited.sources[0]?.bytes, null, 'the size of the file would tell of what is not seen')
  })
})

describe('slow queries', () => {
  test('are the slowest twenty, slowest first, with long texts cut', () => {
    const slow = new SlowQueries(new TestClock())
    for (let ms = 0; ms < 1000; ms++) slow.note({ ms: (ms * 7919) % 1000, table: 't', query: 'x'.repeat(ms) })
    assert.deepEqual(
      slow.list().map(({ ms }) => ms),
      Array.from({ length: 20 }, (_, index) => 999 - index),
    )
    assert.ok(slow.list().every(({ query }) => query.length <= 500))
  })

  test('are forgotten after an hour, and make room', () => {
    const clock = new TestClock()
    const slow = new SlowQueries(clock)
    for (let n = 0; n < 20; n++) slow.note({ ms: 1000, table: 'old', query: '' })
    clock.move(30 * 60_000)
    slow.note({ ms: 2000, table: 'newer', query: '' })
    clock.move(30 * 60_000 + 1)
    assert.deepEqual(
      slow.list().map(({ table: name }) => name),
      ['newer'],
    )
    slow.note({ ms: 1, table: 'now', query: '' })
    assert.deepEqual(
      slow.list().map(({ table: name }) => name),
      ['newer', 'now'],
    )
  })
})
