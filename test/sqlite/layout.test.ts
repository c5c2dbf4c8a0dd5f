import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Value } from '../../lib/column.ts'
import type { FileSourceOptions } from '../../lib/settings.ts'
import { openOwn, quote, type Database } from '../../lib/sqlite/database.ts'
import { rollback } from '../../lib/sqlite/publish.ts'
import { deviates, POSITION, readBases, type RowBase } from '../../lib/sqlite/snapshot-schema.ts'
import { sourceOf, tableNamed, TestSite, TTL_MS, wares, withSnapshot, type Upstream } from './site.ts'
import { planOptions } from '../support/plan-options.ts'

type Tables = NonNullable<FileSourceOptions['tables']>

const ROWS = [
  { sku: 'a', name: 'Zürich Straße', town: 'Bern', size: 3, data: { x: 1 } },
  { sku: 'b', name: 'zurich', town: 'Köln', size: 1, data: null },
  { sku: 'c', name: null, town: 'zurich', size: 2, data: [] },
]
const TOWNS: Tables = { wares: { indexes: ['town', ['town', 'size']], search: ['name', 'town'] } }

function look<T>(site: TestSite, at: (db: Database) => T): T {
  return withSnapshot(site.folder().file(site.pointer().file), (db) => at(db))
}

/** Names and columns of the indexes that are configured, and names of the search tables, as the file has them. */
function built(site: TestSite): { indexes: unknown[]; search: unknown[] } {
  return look(site, (db) => ({
    indexes: db
      .prepare<[], string>(
        `SELECT s.name || ' ' || group_concat(i.name) FROM sqlite_schema s, pragma_index_info(s.name) i
          WHERE s.name GLOB '_hf_index_*' GROUP BY s.name ORDER BY s.name`,
      )
      .pluck()
      .all(),
    search: db
      .prepare<[], string>(
        `SELECT name FROM sqlite_schema WHERE name GLOB '_hf_search_*' AND sql LIKE 'CREATE VIRTUAL%'`,
      )
      .pluck()
      .all(),
  }))
}

function found(site: TestSite, words: string): unknown[] {
  return withSnapshot(site.folder().file(site.pointer().file), (db, tables) => {
    const sqlTable = tableNamed(tables, 'wares')
    const { sqlName, searchTable, key } = sqlTable
    return db
      .prepare<[string]>(
        `SELECT ${sqlTable.sql(key[0] as string)} FROM ${quote(sqlName)} t
          WHERE t.${POSITION} IN (SELECT rowid FROM ${searchTable} WHERE ${searchTable} MATCH ?) ORDER BY ${POSITION}`,
      )
      .pluck()
      .all(words)
  })
}

async function rollBack(site: TestSite): Promise<void> {
  const lease = await site.control.lease('wares', 'operator', TTL_MS)
  assert.ok(lease)
  await rollback(site.publisher, lease)
  await site.control.release(lease)
}

describe('the layout of a snapshot', () => {
  test('has the configured indexes, and sorts by them with equal rows in upstream order', async () => {
    using site = new TestSite({ tables: TOWNS })
    await site.sync(wares(ROWS))
    assert.deepEqual(built(site), {
      indexes: ['_hf_index_1_0 town', '_hf_index_1_1 town,size'],
      search: ['_hf_search_1'],
    })
    const [info] = site.pointer().tables
    assert.deepEqual(info?.indexes, [['town'], ['town', 'size']])
    assert.deepEqual(info?.search, ['name', 'town'])
    assert.deepEqual(info?.times, { created: null, modified: null })
    const plan = look(site, (db) =>
      db
        .prepare<[], { detail: string }>(`EXPLAIN QUERY PLAN SELECT * FROM wares ORDER BY town, ${POSITION}`)
        .all()
        .map(({ detail }) => detail),
    )
    assert.deepEqual(plan, ['SCAN wares USING INDEX _hf_index_1_0'])
  })

  test('finds words whatever their case and diacritics, in all of the columns, in one, and as a phrase', async () => {
    using site = new TestSite({ tables: TOWNS })
    await site.sync(wares(ROWS))
    assert.deepEqual(found(site, 'ZÜRICH'), ['a', 'b', 'c'])
    assert.deepEqual(found(site, '{c0} : zurich'), ['a', 'b'])
    assert.deepEqual(found(site, '{c1} : zurich'), ['c'])
    assert.deepEqual(found(site, '"zurich straße"'), ['a'])
    assert.deepEqual(found(site, 'koln'), ['b'])
    assert.deepEqual(found(site, 'nowhere'), [])
  })

  test('holds columns of any name', async () => {
    const names = ['rank', 'RANK', 'rowid', 'c1', 'c0', '_hf_search_1', '"', 'a b', "it's", 'wares', 'content']
    using site = new TestSite({ tables: { wares: { indexes: [names.slice(0, 8)], search: names.slice(0, 8) } } })
    const row = (sku: string, word: string): Record<string, Value> =>
      Object.fromEntries([['sku', sku], ...names.map((name, index) => [name, `${word}${index}`])])
    const run = await site.sync(wares([row('x', 'old'), row('y', 'new')]))
    assert.equal(run.error, null)
    assert.deepEqual(found(site, 'new0'), ['y'])
    assert.deepEqual(found(site, '{c6} : old6'), ['x'])
    assert.deepEqual(found(site, '{c5} : old6'), [])
    assert.deepEqual(site.pointer().tables[0]?.search, names.slice(0, 8))
    assert.equal(
      look(site, (db) => db.pragma('integrity_check', { simple: true })),
      'ok',
    )
  })

  test('leaves out what the table does not have or cannot be looked up by, and warns of it', async () => {
    const tables = {
      wares: {
        indexes: ['sku', 'town', ['town'], 'data', 'gone', ['town', 'gone']],
        search: ['size', 'name', 'lost'],
        times: { created: 'data', modified: 'town' },
      },
      other: { indexes: ['a'] },
    } satisfies Tables
    using site = new TestSite({ tables })
    const run = await site.sync(wares(ROWS))
    assert.equal(run.result, 'published')
    const { tables: infos, warnings } = site.pointer()
    assert.deepEqual([infos[0]?.indexes, infos[0]?.search], [[['town']], ['name']])
    assert.deepEqual(infos[0]?.times, { created: null, modified: 'town' })
    assert.deepEqual(built(site).indexes, ['_hf_index_1_0 town'])
    for (const word of ['"data"', '"gone"', '"size"', '"lost"', '"other"'])
      assert.ok(
        warnings?.some((warning) => warning.includes(word)),
        `${word} in ${warnings?.join('\n')}`,
      )
    assert.equal(warnings?.length, 7)
  })

  test('names of tables that objects have by themselves are names like others', async () => {
    using site = new TestSite({ tables: { wares: {} } })
    const upstream = wares([{ sku: 'a' }], { name: 'constructor' })
    assert.equal((await site.sync(upstream)).result, 'published')
    assert.deepEqual(site.pointer().tables[0]?.indexes, [])
    assert.equal(site.pointer().warnings?.length, 1)
  })

  test('is whole when a run is taken up that was killed with its indexes built', async () => {
    using site = new TestSite({ tables: TOWNS })
    await site.sync(wares(ROWS.slice(0, 1)))
    const upstream = wares(ROWS)
    const first = await site.claim()
    const plan = await sourceOf('wares', upstream).plan(planOptions())
    {
      using stage = site.store.stage({ lease: first.lease, run: first.run.id, plan })
      for await (const page of sourceOf('wares', upstream).pull({ plan, signal: new AbortController().signal }))
        stage.write(page)
      stage.finishPull()
      assert.equal(stage.compare().isChanged, true)
      const ending = new AbortController()
      let steps = 0
      const broken = stage.finish({
        signal: ending.signal,
        onProgress: () => {},
        busy: (work) => {
          work()
          if (++steps === 3) ending.abort(new Error('killed'))
        },
      })
      await assert.rejects(broken, /killed/)
    }
    await site.control.release(first.lease)
    const second = await site.control.claim('wares', 'another', 1000)
    assert.equal(second?.run.id, first.run.id)
    // Resumed from the file: nothing is left to pull.
    const nothing = wares([], { columns: ['sku'] })
    const run = await site.work(second, { ...nothing, identity: upstream.identity })
    assert.equal(run.result, 'published')
    assert.deepEqual(built(site), {
      indexes: ['_hf_index_1_0 town', '_hf_index_1_1 town,size'],
      search: ['_hf_search_1'],
    })
    assert.deepEqual(found(site, 'zurich'), ['a', 'b', 'c'])
  })
})

describe('a change of the configuration', () => {
  /** The same data directory under another configuration. */
  const reconfigured = (site: TestSite, options: { tables?: Tables; shape?: string }) =>
    new TestSite({ dataDir: site.dataDir, clock: site.clock, ...options })

  test('of the layout alone publishes the same rows with an empty batch, once', async () => {
    using site = new TestSite()
    await site.sync(wares(ROWS.slice(0, 2)))
    await site.sync(wares(ROWS))
    const before = site.pointer()
    using other = reconfigured(site, { tables: TOWNS })
    assert.equal(other.store.seenIdentity('wares'), undefined)
    assert.equal((await other.sync(wares(ROWS))).result, 'published')
    const after = other.pointer()

    assert.deepEqual([after.batch, after.digest, after.logFrom], [before.batch + 1, before.digest, before.logFrom])
    assert.ok(after.watermark > before.watermark)
    assert.deepEqual(built(other).search, ['_hf_search_1'])
    const log = look(other, (db) => ({
      batches: db.prepare('SELECT batch, watermark, entries, bytes FROM _hf_batches ORDER BY batch').raw().all(),
      entries: db.prepare('SELECT count(*) FROM _hf_log WHERE batch > ?').pluck().get(before.batch),
    }))
    assert.equal(log.entries, 0)
    assert.deepEqual(log.batches.at(-1), [after.batch, null, 0, 0])
    assert.deepEqual((log.batches.at(-2) as unknown[]).slice(0, 2), [before.batch, before.watermark])

    assert.equal(other.store.seenIdentity('wares'), wares(ROWS).identity)
    assert.equal((await other.sync({ ...wares(ROWS), identity: 'touched' })).result, 'unchanged')
    assert.equal(other.pointer().snapshot, after.snapshot)
  })

  test('of how it is read, with the same rows in the same layout, is remembered and publishes nothing', async () => {
    using site = new TestSite({ tables: TOWNS })
    await site.sync(wares(ROWS))
    const before = site.pointer()
    using other = reconfigured(site, { tables: TOWNS, shape: 'another' })
    assert.equal(other.store.seenIdentity('wares'), undefined)
    assert.equal((await other.sync(wares(ROWS))).result, 'unchanged')
    assert.deepEqual(other.pointer(), before)
    assert.equal(other.store.seenIdentity('wares'), wares(ROWS).identity)
    assert.equal(site.store.seenIdentity('wares'), undefined, 'the old configuration is another one now')
  })

  test('that brings or settles a warning publishes it', async () => {
    using site = new TestSite({ tables: { wares: { indexes: ['gone'] } } })
    await site.sync(wares(ROWS))
    assert.equal(site.pointer().warnings?.length, 1)
    using other = reconfigured(site, { tables: {} })
    assert.equal((await other.sync(wares(ROWS))).result, 'published')
    assert.equal(other.pointer().warnings, undefined)
  })

  test('is in effect when a refused run is published after all', async () => {
    using site = new TestSite()
    await site.sync(wares(ROWS))
    const limits = { maxLostShare: 0.1, freezeColumns: false }
    const refused = await site.sync(wares(ROWS.slice(0, 1)), { limits })
    assert.equal(refused.status, 'rejected')
    using other = reconfigured(site, { tables: TOWNS })
    await other.control.request('wares', 'start', refused.id)
    assert.equal((await other.sync(wares([]))).result, 'published')
    assert.deepEqual(found(other, 'zurich'), ['a'])
    assert.equal(other.store.seenIdentity('wares'), undefined, 'it was not read with this configuration')
  })
})

test('a snapshot of another format is no snapshot to compare with or to go back to, and the next run replaces it', async () => {
  using site = new TestSite()
  await site.sync(wares(ROWS))
  const old = site.pointer()
  const db = openOwn(site.folder().file(old.file))
  db.pragma('user_version = 1')
  db.close()

  assert.equal(site.store.seenIdentity('wares'), undefined)
  const run = await site.sync(wares(ROWS))

  assert.deepEqual([run.error, run.result], [null, 'published'])
  assert.equal(site.pointer().batch, old.batch + 1)
  assert.equal(site.pointer().logFrom, site.pointer().watermark, 'readers fetch it again')
  await assert.rejects(rollBack(site), { code: 'no_previous_snapshot' })
})

describe('the creation time of a row', () => {
  const upstream = (rows: Record<string, Value>, columns: string[] = ['sku', 'v']): Upstream =>
    wares(
      Object.entries(rows).map(([sku, v]) => ({ sku, v, w: 1 })),
      { columns },
    )

  function times(site: TestSite): Record<string, { created: number; changed: number }> {
    return look(site, (db) => {
      const rows = db
        .prepare<[], { sku: string; created: number; changed: number }>(
          'SELECT sku, _hf_created_at AS created, _hf_changed_at AS changed FROM wares',
        )
        .all()
      return Object.fromEntries(rows.map(({ sku, ...row }) => [sku, row]))
    })
  }

  test('is that of the first snapshot with its key, for as long as no snapshot is without it', async () => {
    using site = new TestSite()
    const at: number[] = []
    const publish = async (next: Upstream) => {
      assert.equal((await site.sync(next)).result, 'published')
      at.push(site.pointer().publishedAt)
      return times(site)
    }
    const t = (created: number, changed: number) => ({ created: at[created] as number, changed: at[changed] as number })

    assert.deepEqual(await publish(upstream({ a: 1, b: 1 })), { a: t(0, 0), b: t(0, 0) })
    assert.deepEqual(await publish(upstream({ a: 1, b: 2, c: 1 })), { a: t(0, 0), b: t(0, 1), c: t(1, 1) })
    assert.deepEqual(await publish(upstream({ c: 2, a: 1 })), { a: t(0, 0), c: t(1, 2) })
    assert.deepEqual(await publish(upstream({ a: 1, b: 2, c: 2 })), { a: t(0, 0), b: t(3, 3), c: t(1, 2) })
    assert.deepEqual(await publish(upstream({ d: 1, c: 2, b: 2, a: 2 })), {
      a: t(0, 4),
      b: t(3, 3),
      c: t(1, 2),
      d: t(4, 4),
    })
  })

  test('outlives a new column, which makes every row a changed one', async () => {
    using site = new TestSite()
    const at: number[] = []
    for (const next of [
      upstream({ a: 1 }),
      upstream({ a: 1, b: 1 }),
      upstream({ a: 1, b: 1, c: 1 }, ['w', 'sku', 'v']),
      upstream({ c: 1, b: 2, a: 1 }, ['w', 'sku', 'v']),
    ]) {
      assert.equal((await site.sync(next)).result, 'published')
      at.push(site.pointer().publishedAt)
    }
    assert.deepEqual(times(site), {
      a: { created: at[0], changed: at[2] },
      b: { created: at[1], changed: at[3] },
      c: { created: at[2], changed: at[2] },
    })
  })

  test('is looked up by an index in the rows that have one of their own', async () => {
    using site = new TestSite()
    await site.sync(upstream({ a: 1 }))
    const plan = look(site, (db) => {
      const deviating = deviates(readBases(db).get('wares') as RowBase)
      return db.prepare<[], { detail: string }>(`EXPLAIN QUERY PLAN SELECT * FROM wares WHERE ${deviating}`).all()
    })
    assert.deepEqual(
      plan.map(({ detail }) => detail),
      ['SCAN wares USING INDEX _hf_changed_1'],
    )
  })

  test('begins anew with another key', async () => {
    using site = new TestSite()
    await site.sync(wares([{ sku: '1', v: 1 }]))
    await site.sync(wares([{ sku: 1, v: 1 }]))
    assert.equal(times(site)['1']?.created, site.pointer().publishedAt)
  })

  test('is what it was after a layout was published', async () => {
    using site = new TestSite()
    await site.sync(upstream({ a: 1 }))
    await site.sync(upstream({ a: 1, b: 1 }))
    const good = times(site)
    using other = new TestSite({ dataDir: site.dataDir, clock: site.clock, tables: TOWNS })
    assert.equal((await other.sync(upstream({ a: 1, b: 1 }))).result, 'published')
    assert.deepEqual(times(other), good)
  })

  test('is what it was after a rollback, and goes on from there', async () => {
    using site = new TestSite()
    await site.sync(upstream({ a: 1 }))
    await site.sync(upstream({ a: 1, b: 1 }))
    const good = times(site)
    await site.sync(upstream({ b: 2, c: 1 }))
    await rollBack(site)
    assert.deepEqual(times(site), good)
    await site.control.reset('wares')
    assert.equal((await site.sync(upstream({ a: 2, b: 1, c: 1 }))).result, 'published')
    const at = site.pointer().publishedAt
    const changed = { ...good['a'], changed: at }
    assert.deepEqual(times(site), { a: changed, b: good['b'], c: { created: at, changed: at } })
  })
})
