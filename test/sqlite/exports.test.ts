import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import type { ColumnType } from '../../lib/column.ts'
import { Failure } from '../../lib/errors.ts'
import type { ExportFile, ExportFormat, ExportRequest, MountedSnapshot } from '../../lib/snapshot.ts'
import { Mounts } from '../../lib/sqlite/mounts.ts'
import { rollback } from '../../lib/sqlite/publish.ts'
import { until } from '../support/holdfast.ts'
import { TestSite, TTL_MS, wares } from './site.ts'

const WHOLE = { maxBytes: 1e9, waitMs: 60_000 }
const TYPES: Record<string, ColumnType> = {
  sku: 'integer',
  name: 'text',
  price: 'decimal',
  on: 'boolean',
  more: 'json',
}
const ROWS = Array.from({ length: 2500 }, (_, index) => ({
  sku: index,
  name: ['plain', 'a,b', '"quoted"', '', null, 'Zürich\n☃'][index % 6] ?? null,
  price: `${index}.50`,
  on: index % 2 === 0,
  more: index % 3 === 0 ? { a: [index] } : null,
}))

async function published(options: { bodyFileBytes?: number } = {}): Promise<TestSite> {
  const site = new TestSite(options)
  await site.sync(wares(ROWS, { types: TYPES }))
  return site
}

const exported = (mounted: MountedSnapshot, format: ExportFormat, options: Partial<ExportRequest> = {}) =>
  mounted.exportFile({ table: format === 'sqlite' ? null : 'wares', format, ...WHOLE, ...options })

/** The bytes, once they are found to be what was said of them. */
function bytesOf({ path, bytes, sha256 }: ExportFile): Buffer {
  const content = readFileSync(path)
  assert.equal(content.length, bytes)
  assert.equal(createHash('sha256').update(content).digest('base64'), sha256)
  return content
}

const fails = (code: string) => (error: unknown) => error instanceof Failure && error.code === code

describe('an export', () => {
  test('holds every row in its format, and says how many and what their digest is', async () => {
    using site = await published()
    using mounts = new Mounts(site.publisher.folders)
    const mounted = mounts.active('wares')!
    const expected = site.published('wares')

    const json = await exported(mounted, 'json')
    assert.equal(json.path, mounted.bodyFile('wares', 'identity'), 'the full answer is not made twice')
    assert.deepEqual((JSON.parse(bytesOf(json).toString()) as { data: unknown }).data, expected)

    const ndjson = await exported(mounted, 'ndjson')
    const lines = bytesOf(ndjson).toString().split('\n')
    assert.equal(lines.pop(), '')
    assert.deepEqual(
      lines.map((line) => JSON.parse(line) as unknown),
      expected,
    )

    const csv = await exported(mounted, 'csv')
    const text = bytesOf(csv).toString()
    assert.ok(text.startsWith('sku,name,price,on,more\r\n0,plain,0.50,true,"{""a"":[0]}"\r\n1,"a,b",1.50,false,\r\n'))
    assert.ok(text.includes('\r\n3,"",3.50,'), 'the empty text is not NULL')
    assert.ok(text.includes('\r\n4,,4.50,'))

    const sqlite = await exported(mounted, 'sqlite')
    assert.equal(sqlite.path, site.folder().file(mounted.pointer.file))
    bytesOf(sqlite)
    assert.deepEqual([json.rows, ndjson.rows, csv.rows, sqlite.rows], [2500, 2500, 2500, 2500])
  })

  test('as json is the full answer, byte for byte, also where that is not kept', async () => {
    using site = await published()
    using mounts = new Mounts(site.publisher.folders)
    const mounted = mounts.active('wares')!
    const body = mounted.bodyFile('wares', 'identity')!
    const bytes = readFileSync(body)
    rmSync(body)
    const made = await exported(mounted, 'json')
    assert.notEqual(made.path, body)
    assert.deepEqual(bytesOf(made), bytes)
  })

  test('of a table without rows is empty, but for what its format begins and ends with', async () => {
    using site = new TestSite()
    await site.sync(wares([], { columns: ['sku', 'na"me'] }))
    using mounts = new Mounts(site.publisher.folders)
    const mounted = mounts.active('wares')!
    assert.equal(bytesOf(await exported(mounted, 'ndjson')).length, 0)
    assert.equal(bytesOf(await exported(mounted, 'csv')).toString(), 'sku,"na""me"\r\n')
  })

  test('is made once for all who ask, and found by those who come later', async () => {
    using site = await published()
    using mounts = new Mounts(site.publisher.folders)
    const mounted = mounts.active('wares')!
    const all = await Promise.all(Array.from({ length: 20 }, () => exported(mounted, 'csv')))
    for (const one of all) assert.deepEqual(one, all[0])
    const before = site.list()
    using later = new Mounts(site.publisher.folders)
    assert.deepEqual(await exported(later.active('wares')!, 'csv'), all[0])
    assert.deepEqual(site.list(), before)
  })

  test('is whole where two processes make it at once', async () => {
    using site = await published()
    using first = new Mounts(site.publisher.folders)
    using second = new Mounts(site.publisher.folders)
    const formats = ['csv', 'ndjson', 'sqlite', 'json'] as const
    const made = await Promise.all(
      formats.flatMap((format) => [first, second].map((mounts) => exported(mounts.active('wares')!, format))),
    )
    made.forEach(bytesOf)
    for (const index of formats.keys()) assert.deepEqual(made[2 * index], made[2 * index + 1])
    assert.deepEqual(
      site.list().filter((name) => name.endsWith('.part')),
      [],
    )
  })

  test('that is not there in time says so with its progress, and is made all the same', async () => {
    using site = await published()
    using mounts = new Mounts(site.publisher.folders)
    const mounted = mounts.active('wares')!
    await assert.rejects(exported(mounted, 'csv', { waitMs: 0 }), (error: Failure) => {
      assert.equal(error.code, 'export_building')
      assert.equal(error.facts.rows, 2500)
      return true
    })
    const isThere = () => exported(mounted, 'csv', { waitMs: 0 }).catch(() => undefined)
    bytesOf(await until(isThere, { what: 'an export that was asked for before' }))
  })

  test('beyond its bound is refused, again and again, and leaves nothing', async () => {
    using site = await published()
    using mounts = new Mounts(site.publisher.folders)
    const mounted = mounts.active('wares')!
    for (const format of ['csv', 'csv', 'sqlite', 'json'] as const) {
      await assert.rejects(exported(mounted, format, { maxBytes: 1000 }), fails('answer_too_large'))
    }
    assert.deepEqual(
      site.list().filter((name) => /export|record|part/.test(name)),
      [],
    )
  })

  test('whose file was cut by a crash of the machine is made anew', async () => {
    using site = await published()
    using mounts = new Mounts(site.publisher.folders)
    const mounted = mounts.active('wares')!
    const made = await exported(mounted, 'csv')
    truncateSync(made.path, 100)
    assert.deepEqual(await exported(mounted, 'csv'), made)
    truncateSync(`${made.path}.record`, 10)
    assert.deepEqual(await exported(mounted, 'csv'), made)
    bytesOf(made)
  })

  test('of a table that is not there, and of a snapshot whose files are gone, is told apart', async () => {
    using site = await published()
    using mounts = new Mounts(site.publisher.folders)
    const mounted = mounts.active('wares')!
    await assert.rejects(exported(mounted, 'csv', { table: 'nothing' }), fails('table_not_found'))
    rmSync(site.folder().file(mounted.pointer.file))
    await assert.rejects(exported(mounted, 'csv'), fails('snapshot_not_found'))
  })

  test('ends with its process: who waits is told, who asks later too', async () => {
    using site = await published()
    const mounts = new Mounts(site.publisher.folders)
    const mounted = mounts.active('wares')!
    const waiting = exported(mounted, 'csv')
    const isWaiting = assert.rejects(waiting, fails('draining'))
    await new Promise((resolve) => setImmediate(resolve))
    mounts[Symbol.dispose]()
    await isWaiting
    await assert.rejects(exported(mounted, 'csv'), fails('draining'))
  })
})

describe('a rollback', () => {
  test('keeps the file that is back under its export, and renders answers anew as exports', async () => {
    using site = await published()
    using mounts = new Mounts(site.publisher.folders)
    const before = await exported(mounts.active('wares')!, 'sqlite')
    await site.sync(wares(ROWS.slice(1), { types: TYPES }))
    const lease = await site.control.lease('wares', 'operator', TTL_MS)
    await rollback(site.publisher, lease!)
    await site.control.release(lease!)
    mounts.look()
    const mounted = mounts.active('wares')!
    assert.deepEqual(await exported(mounted, 'sqlite', { waitMs: 0 }), before)
    assert.equal(mounted.bodyFile('wares', 'identity'), undefined)
    const json = JSON.parse(bytesOf(await exported(mounted, 'json')).toString()) as { snapshot: string; data: unknown }
    assert.deepEqual([json.snapshot, json.data], [site.pointer().snapshot, site.published('wares')])
  })
})

describe('collection', () => {
  test('keeps the exports of the last two snapshots, and removes older ones and what was broken off', async () => {
    using site = await published()
    const files: string[][] = []
    for (let round = 0; round < 3; round++) {
      if (round > 0) await site.sync(wares(ROWS.slice(round), { types: TYPES }))
      using mounts = new Mounts(site.publisher.folders)
      const mounted = mounts.active('wares')!
      for (const format of ['json', 'ndjson', 'csv', 'sqlite'] as const) await exported(mounted, format)
      const { snapshot } = mounted.pointer
      files.push(site.list().filter((name) => name.startsWith(snapshot) && /export|record/.test(name)))
    }
    assert.deepEqual(
      files.map((names) => names.length),
      [6, 6, 6],
    )
    const brokenOff = `${site.pointer().snapshot}.0.export.csv.0123abcd.part`
    writeFileSync(site.folder().file(brokenOff), 'half of it')
    site.clock.move(60_000_000)
    const claim = await site.claim()
    site.store.collect(claim.lease)
    await site.control.release(claim.lease)
    const left = site.list()
    assert.ok(!left.includes(brokenOff))
    assert.deepEqual(
      files.map((names) => names.filter((name) => left.includes(name)).length),
      [0, 6, 6],
    )
  })
})
