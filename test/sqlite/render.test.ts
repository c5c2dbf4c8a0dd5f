import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { CODINGS, ENVELOPE_END, envelopeStart, type Coding } from '../../lib/snapshot.ts'
import { disk } from '../../lib/base/files.ts'
import type { Value } from '../../lib/column.ts'
import { openSnapshot } from '../../lib/sqlite/database.ts'
import { render } from '../../lib/sqlite/render.ts'
import { readSqlTables } from '../../lib/sqlite/snapshot-schema.ts'
import { digestOf, sampleRows } from '../support/rows.ts'
import { TestSite, wares, type Upstream } from './site.ts'

const DECODE: Record<Coding, (bytes: Buffer) => Buffer> = {
  identity: (bytes) => bytes,
  zstd: zstdDecompressSync,
  br: brotliDecompressSync,
  gzip: gunzipSync,
}

function bodies(site: TestSite, table = 0): Partial<Record<Coding, Buffer>> {
  const { snapshot } = site.pointer()
  const folder = site.folder()
  return Object.fromEntries(
    CODINGS.map((coding) => [coding, folder.file(folder.bodyName(snapshot, table, coding))] as const)
      .filter(([, path]) => existsSync(path))
      .map(([coding, path]) => [coding, DECODE[coding](readFileSync(path))]),
  )
}

const samples = (count: number): Upstream =>
  wares(
    sampleRows(count).map((row): Record<string, Value> => Object.fromEntries(Object.entries(row))),
    { columns: ['sku', 'name', 'price', 'stock', 'tags'], types: { sku: 'text' } },
  )

describe('a full answer', () => {
  for (const count of [1, 999, 1000, 1001, 5000]) {
    test(`of ${count} rows decodes to the same bytes in every coding, and its rows have the table’s digest`, async () => {
      using site = new TestSite()
      await site.sync(samples(count))
      const [info] = site.pointer().tables
      const found = bodies(site)
      assert.deepEqual(Object.keys(found), [...CODINGS])
      const text = found.identity?.toString() ?? ''
      for (const coding of CODINGS) assert.ok(found[coding]?.equals(found.identity as Buffer), coding)
      const { data, ...head } = JSON.parse(text) as { data: unknown[] }
      const pointer = site.pointer()
      assert.deepEqual(head, {
        status: 'success',
        source: 'wares',
        snapshot: pointer.snapshot,
        count,
        last_updated: new Date(pointer.publishedAt).toISOString(),
      })
      assert.deepEqual(data, sampleRows(count))
      assert.equal(digestOf(data), info?.digest)
      assert.equal(info?.largestRow, Math.max(0, ...data.map((row) => Buffer.byteLength(JSON.stringify(row)))))
      assert.deepEqual([info?.rows, info?.bodyBytes], [count, found.identity?.length])
    })
  }

  test('of each table lies beside the snapshot, in the order of the tables', async () => {
    using site = new TestSite()
    const table = (name: string, rows: number[][]) => ({ name, key: ['k'], columns: ['k'], rows })
    await site.sync({ identity: '1', tables: [table('b', [[1]]), table('a', [[2], [3]])] })
    assert.deepEqual(
      site.pointer().tables.map(({ name }) => name),
      ['b', 'a'],
    )
    assert.match(bodies(site, 0).br?.toString() ?? '', /"data":\[\{"k":1\}\]\}$/)
    assert.match(bodies(site, 1).gzip?.toString() ?? '', /"data":\[\{"k":2\},\{"k":3\}\]\}$/)
  })

  test('of a table without rows, or without columns of its own, is an empty list', async () => {
    using site = new TestSite()
    await site.sync({
      identity: '1',
      tables: [
        { name: 'bare', columns: [], rows: [] },
        { name: 'keyed', key: ['a', 'b'], columns: [], rows: [] },
        { name: 'empty', columns: ['v'], rows: [] },
      ],
    })
    const { tables } = site.pointer()
    assert.deepEqual(
      tables.map(({ key }) => key),
      [['id'], ['a', 'b'], ['id']],
    )
    for (const [index, { rows, digest }] of tables.entries()) {
      const body = JSON.parse(bodies(site, index).zstd?.toString() ?? '') as { count: number; data: unknown[] }
      assert.deepEqual([body.count, body.data, rows, digest], [0, [], 0, digestOf([])])
    }
  })

  test('beyond its bound is not kept, but counted and digested all the same', async () => {
    using kept = new TestSite()
    await kept.sync(samples(300))
    const [info] = kept.pointer().tables
    const bytes = info?.bodyBytes ?? 0
    for (const [bodyFileBytes, isKept] of [
      [bytes, true],
      [bytes - 1, false],
      [0, false],
    ] as const) {
      using site = new TestSite({ bodyFileBytes })
      await site.sync(samples(300))
      assert.deepEqual(site.pointer().tables, [{ ...info, bodyBytes: isKept ? bytes : 0 }])
      assert.equal(Object.keys(bodies(site)).length, isKept ? CODINGS.length : 0)
      assert.deepEqual(
        site.list().filter((name) => name.endsWith('.part')),
        [],
      )
    }
  })

  test('ends where its run is stopped, and what it began is not taken for an answer', async () => {
    using site = new TestSite()
    await site.sync(samples(3000))
    const pointer = site.pointer()
    const db = openSnapshot(site.folder().file(pointer.file))
    for (let beat = 1; beat <= 6; beat++) {
      const ending = new AbortController()
      let beats = 0
      const options = {
        source: 'wares',
        snapshot: `again${beat}`,
        publishedAt: 0,
        maxBytes: 1e7,
        signal: ending.signal,
        onProgress: () => void (++beats === beat && ending.abort('stopped')),
      }
      await assert.rejects(render(db, readSqlTables(db), { folder: site.folder(), files: disk }, options))
      for (const name of site.list().filter((file) => file.startsWith(`again${beat}.`) && !file.endsWith('.part'))) {
        const coding = CODINGS.find((one) => name === site.folder().bodyName(`again${beat}`, 0, one)) as Coding
        const body = JSON.parse(DECODE[coding](readFileSync(site.folder().file(name))).toString()) as {
          data: unknown[]
        }
        assert.equal(digestOf(body.data), pointer.tables[0]?.digest)
      }
    }
    db.close()
  })

  test('begins with what it is of, whatever the names hold', () => {
    const text = `${envelopeStart({ source: 'a"b', snapshot: 's', count: 0, publishedAt: 0 })}${ENVELOPE_END}`
    assert.deepEqual(JSON.parse(text), {
      status: 'success',
      source: 'a"b',
      snapshot: 's',
      count: 0,
      last_updated: '1970-01-01T00:00:00.000Z',
      data: [],
    })
  })
})
