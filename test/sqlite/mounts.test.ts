import assert from 'node:assert/strict'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import type { Failure } from '../../lib/errors.ts'
import { Mounts } from '../../lib/sqlite/mounts.ts'
import { openOwn } from '../../lib/sqlite/database.ts'
import { until } from '../support/holdfast.ts'
import { TestSite, wares } from './site.ts'

const rowsOf = (mounts: Mounts) => {
  const mounted = mounts.active('wares')
  const table = mounted?.table('wares')
  return table && mounted?.reader('wares', table.columns).rows(1, 10_000)
}

/** Mounts, and what they said was wrong. */
function mountsOf(site: TestSite): { mounts: Mounts; troubles: Failure[] } {
  const troubles: Failure[] = []
  return { mounts: new Mounts(site.publisher.folders, (_, failure) => troubles.push(failure)), troubles }
}

describe('a mounted snapshot', () => {
  test('is undefined before the first publish, and there when it is noticed', async () => {
    using site = new TestSite()
    using mounts = new Mounts(site.publisher.folders)
    const heard: string[] = []
    using _listening = mounts.onPublish((source, pointer) => heard.push(`${source} ${pointer.snapshot}`))
    assert.equal(mounts.active('wares'), undefined)
    assert.equal(mounts.active('nothing'), undefined)
    await site.sync(wares([{ sku: 1 }]))
    assert.equal(mounts.active('wares'), undefined)
    mounts.look()
    mounts.look()
    assert.deepEqual(mounts.active('wares')?.pointer, site.pointer())
    assert.deepEqual(heard, [`wares ${site.pointer().snapshot}`])
    assert.deepEqual(rowsOf(mounts), [[1]])
  })

  test('is there at once where a snapshot was published before', async () => {
    using site = new TestSite()
    await site.sync(wares([{ sku: 1 }]))
    using mounts = new Mounts(site.publisher.folders)
    assert.deepEqual(rowsOf(mounts), [[1]])
  })

  test('follows publishes by itself, and nobody who stopped listening hears of them', async () => {
    using site = new TestSite()
    using mounts = new Mounts(site.publisher.folders)
    mounts.follow()
    let heard = 0
    mounts.onPublish(() => heard++)[Symbol.dispose]()
    for (let sku = 1; sku <= 3; sku++) {
      await site.sync(wares([{ sku }]))
      await until(() => mounts.active('wares')?.pointer.snapshot === site.pointer().snapshot, {
        what: 'the new snapshot',
      })
      assert.deepEqual(rowsOf(mounts), [[sku]])
    }
    assert.equal(heard, 0)
  })

  test('stays readable while it is pinned, also when its file is gone, and is closed after that', async () => {
    using site = new TestSite()
    await site.sync(wares([{ sku: 1 }]))
    using mounts = new Mounts(site.publisher.folders)
    const old = mounts.active('wares')!
    const reader = old.reader('wares', old.pointer.tables[0]!.columns)
    const pins = [old.pin(), old.pin()]
    await site.sync(wares([{ sku: 2 }]))
    mounts.look()
    rmSync(site.folder().file(old.pointer.file))
    assert.deepEqual([reader.rows(1, 5), rowsOf(mounts)], [[[1]], [[2]]])
    for (const pin of [pins[0], pins[0], pins[0]]) pin?.[Symbol.dispose]()
    assert.deepEqual(reader.rows(1, 5), [[1]], 'a pin counts once, however often it is given up')
    await site.sync(wares([{ sku: 3 }]))
    mounts.look()
    assert.deepEqual(reader.rows(1, 5), [[1]], 'of two publishes ago, and pinned')
    pins[1]?.[Symbol.dispose]()
    assert.throws(() => reader.rows(1, 5), /not open/)
  })

  test('reads ranges of positions, columns as asked for, and cells as stored', async () => {
    using site = new TestSite()
    const rows = Array.from({ length: 30 }, (_, index) => ({
      sku: index + 1,
      big: 2n ** 60n + BigInt(index),
      yes: index % 2 === 0,
      j: [index],
    }))
    await site.sync(wares(rows))
    using mounts = new Mounts(site.publisher.folders)
    const mounted = mounts.active('wares')!
    const column = (name: string) => mounted.table('wares')!.columns.find((one) => one.name === name)!
    assert.deepEqual(mounted.reader('wares', [column('big'), column('sku')]).rows(29, 99), [
      ['1152921504606847004', 29],
      ['1152921504606847005', 30],
    ])
    assert.deepEqual(mounted.reader('wares', [column('j'), column('yes')]).rows(2, 2), [['[1]', 0]])
    assert.deepEqual(mounted.reader('wares', []).rows(1, 2).length, 2)
    assert.deepEqual(mounted.reader('wares', [column('sku')]).rows(5, 4), [])
    assert.equal(mounted.table('others'), undefined)
    assert.throws(() => mounted.reader('others', []), { code: 'table_not_found' })
  })

  test('knows its full answers, and where one is not kept', async () => {
    using site = new TestSite({ bodyFileBytes: 300 })
    await site.sync({
      identity: '1',
      tables: [
        { name: 'small', columns: ['a'], rows: [[1]] },
        { name: 'large', columns: ['a'], rows: [['x'.repeat(500)]] },
      ],
    })
    using mounts = new Mounts(site.publisher.folders)
    const mounted = mounts.active('wares')!
    assert.match(readFileSync(mounted.bodyFile('small', 'identity')!, 'utf8'), /"count":1/)
    assert.equal(mounted.bodyFile('large', 'identity'), undefined)
    assert.equal(mounted.bodyFile('other', 'zstd'), undefined)
  })

  test('is closed with all others when the process ends', async () => {
    using site = new TestSite()
    await site.sync(wares([{ sku: 1 }]))
    const mounts = new Mounts(site.publisher.folders)
    const reader = mounts.active('wares')!.reader('wares', site.pointer().tables[0]!.columns)
    mounts.follow()
    mounts[Symbol.dispose]()
    assert.equal(mounts.active('wares'), undefined)
    assert.throws(() => reader.rows(1, 1), /not open/)
  })
})

describe('a pointer that cannot be used', () => {
  const BAD: [string, (site: TestSite) => string, string][] = [
    ['is empty', () => '', 'disk_failed'],
    ['is torn', (site) => readFileSync(site.folder().pointerFile, 'utf8').slice(0, 40), 'disk_failed'],
    ['is no object', () => 'null', 'disk_failed'],
    ['is of a newer format', (site) => JSON.stringify({ ...site.pointer(), format: 2 }), 'format_unknown'],
  ]
  for (const [what, text, code] of BAD) {
    test(`because it ${what} is told of once, and what is mounted is served on until it is mended`, async () => {
      using site = new TestSite({ sources: ['orders', 'wares', 'zebras'] })
      await site.sync(wares([{ sku: 1 }]))
      const { mounts, troubles } = mountsOf(site)
      using _mounts = mounts
      const good = readFileSync(site.folder().pointerFile, 'utf8')
      writeFileSync(site.folder().pointerFile, text(site))
      await site.sync({ ...wares([{ sku: 2 }]), identity: 'z' }, { source: 'zebras' })
      for (let turn = 0; turn < 3; turn++) mounts.look()
      assert.deepEqual(
        troubles.map((failure) => failure.code),
        [code],
      )
      assert.deepEqual(rowsOf(mounts), [[1]])
      assert.ok(mounts.active('zebras'), 'other sources are not held up')

      using started = new Mounts(site.publisher.folders)
      assert.equal(started.active('wares'), undefined, 'a process that starts has nothing to serve of it, but starts')
      assert.ok(started.active('zebras'))
      writeFileSync(site.folder().pointerFile, good)
      started.look()
      assert.deepEqual(rowsOf(started), [[1]])
    })
  }

  test('because its file is gone leaves the snapshot before it in place', async () => {
    using site = new TestSite()
    await site.sync(wares([{ sku: 1 }]))
    const { mounts, troubles } = mountsOf(site)
    using _mounts = mounts
    await site.sync(wares([{ sku: 2 }]))
    const { file } = site.pointer()
    renameSync(site.folder().file(file), site.folder().file('elsewhere'))
    mounts.look()
    assert.deepEqual(rowsOf(mounts), [[1]])
    renameSync(site.folder().file('elsewhere'), site.folder().file(file))
    mounts.look()
    assert.deepEqual(rowsOf(mounts), [[2]])
    assert.deepEqual(troubles, [])
  })

  test('because its file is no snapshot, or a newer one, leaves the snapshot before it in place', async () => {
    for (const [spoil, code] of [
      [(path: string) => writeFileSync(path, 'no database'.repeat(1000)), 'disk_failed'],
      [(path: string) => void openOwn(path).pragma('user_version = 99'), 'format_unknown'],
    ] as const) {
      using site = new TestSite()
      await site.sync(wares([{ sku: 1 }]))
      const { mounts, troubles } = mountsOf(site)
      using _mounts = mounts
      await site.sync(wares([{ sku: 2 }]))
      spoil(site.folder().file(site.pointer().file))
      mounts.look()
      mounts.look()
      assert.deepEqual(
        troubles.map((failure) => failure.code),
        [code],
      )
      assert.deepEqual(rowsOf(mounts), [[1]])
    }
  })
})
