import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Value } from '../../lib/column.ts'
import { keyText, parseKeyText } from '../../lib/row-key.ts'
import type { Settings } from '../../lib/settings.ts'
import { TestSite, WIDE_LOG, rowsOf, sourceOf, tableNamed, wares, withSnapshot, type Upstream } from './site.ts'
import { planOptions } from '../support/plan-options.ts'

type Row = Readonly<Record<string, Value>>
interface Entry {
  readonly batch: number
  readonly key: string
  readonly op: 'put' | 'delete' | 'resync'
  readonly row: string | null
}

const TYPES = { k: 'text', l: 'integer', a: 'json', b: 'decimal', c: 'boolean', d: 'text' } as const
const KEY = ['k', 'l']

/** Rows whose keys come from a small set, so that two draws meet in many of them. */
const drawnRows = fc
  .uniqueArray(
    fc.record({
      k: fc.constantFrom('', 'x', ',', '%2C', 'ü', 'a\0', '1'),
      l: fc.constantFrom<Value>(0, 1, -1, 2n ** 60n),
      a: fc.constantFrom<Value>(null, 1, '1', [], { n: null }),
      b: fc.constantFrom<Value>(null, '1.0', '1.00'),
      c: fc.constantFrom(null, true, false),
      d: fc.constantFrom(null, '', 'NULL'),
    }),
    { selector: ({ k, l }) => `${k} ${l as bigint}`, minLength: 1, maxLength: 20 },
  )
  .chain((rows) => fc.shuffledSubarray(rows, { minLength: rows.length }))

const upstreamOf = (rows: readonly Row[], columns: readonly string[] = Object.keys(TYPES)): Upstream =>
  wares(rows, { key: KEY, types: TYPES, columns, name: 'wares' })

const keyOf = (row: Record<string, unknown> | Row) =>
  `${encodeURIComponent(String(row.k))},${encodeURIComponent(String(row.l))}`
const byKey = (rows: readonly Record<string, unknown>[]) => new Map(rows.map((row) => [keyOf(row), row]))
const sorted = <T>(map: ReadonlyMap<string, T>) => [...map].toSorted(([a], [b]) => (a < b ? -1 : 1))

function logOf(site: TestSite): Entry[] {
  return withSnapshot(site.folder().file(site.pointer().file), (db) =>
    db.prepare<[], Entry>('SELECT batch, key, op, row FROM _hf_log ORDER BY batch, key').all(),
  )
}

type Version = [version: number, changedAt: number, createdAt: number]

function versionsOf(site: TestSite, key: readonly string[] = KEY): Record<string, Version> {
  return withSnapshot(site.folder().file(site.pointer().file), (db, tables) => {
    const rows = rowsOf(db, tableNamed(tables, 'wares'))
    const versions = db
      .prepare<[], Version>('SELECT _hf_version, _hf_changed_at, _hf_created_at FROM wares ORDER BY _hf_row')
      .raw()
      .all()
    return Object.fromEntries(
      rows.map((row, index) => [
        key.map((name) => encodeURIComponent(String(row[name]))).join(','),
        versions[index] as Version,
      ]),
    )
  })
}

function replay(
  rows: ReadonlyMap<string, Record<string, unknown>>,
  entries: readonly Entry[],
): Map<string, Record<string, unknown>> {
  const replayed = new Map(rows)
  for (const { key, op, row } of entries) {
    if (op === 'delete') assert.ok(replayed.delete(key), 'what is deleted was there')
    else replayed.set(key, JSON.parse(row as string) as Record<string, unknown>)
  }
  return replayed
}

describe('the comparison of two snapshots', () => {
  test('logs exactly the difference, and versions change with the rows that do', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(drawnRows, { minLength: 2, maxLength: 4 }),
        fc.shuffledSubarray(Object.keys(TYPES), { minLength: 6 }),
        async (draws, columns) => {
          using site = new TestSite()
          let before: Map<string, Record<string, unknown>> | undefined
          let versions: Record<string, Version> = {}
          for (const [index, rows] of draws.entries()) {
            const run = await site.sync(upstreamOf(rows, index % 2 === 0 ? undefined : columns))
            const now = byKey(site.published('wares'))
            assert.equal(now.size, rows.length)
            const changed = [...now]
              .filter(([key, row]) => before === undefined || !isSame(before.get(key), row))
              .map(([key]) => key)
            const gone = [...(before?.keys() ?? [])].filter((key) => !now.has(key))
            const { batch, publishedAt } = site.pointer()
            if (before !== undefined && changed.length + gone.length === 0) {
              assert.equal(run.result, 'unchanged')
              continue
            }
            assert.equal(run.result, 'published')
            const entries = logOf(site).filter((entry) => entry.batch === batch)
            if (before === undefined) assert.deepEqual(entries, [{ batch, key: '', op: 'resync', row: null }])
            else {
              assert.deepEqual(
                entries
                  .filter(({ op }) => op === 'put')
                  .map(({ key }) => key)
                  .toSorted(),
                changed.toSorted(),
              )
              assert.deepEqual(
                entries
                  .filter(({ op }) => op === 'delete')
                  .map(({ key }) => key)
                  .toSorted(),
                gone.toSorted(),
              )
              assert.deepEqual(sorted(replay(before, entries)), sorted(now))
            }
            versions = Object.fromEntries(
              [...now.keys()].map((key) => {
                const old = versions[key]
                const version = changed.includes(key) ? [batch, publishedAt, old?.[2] ?? publishedAt] : old
                return [key, version as Version]
              }),
            )
            assert.deepEqual(versionsOf(site), versions)
            before = now
          }
        },
      ),
      { numRuns: 40 },
    )
  })

  test('finds nothing in rows or columns that only changed places', async () => {
    using site = new TestSite()
    const rows = Array.from({ length: 50 }, (_, index) => ({ sku: index, Name: `x${index}`, name: `y${index}` }))
    await site.sync(wares(rows))
    const { snapshot } = site.pointer()
    assert.equal((await site.sync(wares(rows.toReversed()))).result, 'unchanged')
    assert.equal((await site.sync(wares(rows, { columns: ['name', 'Name', 'sku'] }))).result, 'unchanged')
    assert.equal(site.pointer().snapshot, snapshot)
  })

  test('does not take one column for another whose name differs in case alone', async () => {
    using site = new TestSite()
    await site.sync(wares([{ sku: 1, a: 'x', A: 'y' }], { columns: ['sku', 'a', 'A'] }))
    assert.equal(
      (await site.sync(wares([{ sku: 1, a: 'y', A: 'x' }], { columns: ['sku', 'A', 'a'] }))).result,
      'published',
    )
    assert.deepEqual(site.published('wares'), [{ sku: 1, A: 'x', a: 'y' }])
  })

  test('keeps the versions of rows that changed in earlier publishes', async () => {
    using site = new TestSite()
    const rows = [0, 1, 2, 3].map((sku) => ({ sku, v: 0 }))
    await site.sync(wares(rows))
    const at = [site.pointer().publishedAt]
    for (const [index, row] of rows.slice(0, 3).entries()) {
      row.v = 1
      await site.sync(wares(index === 1 ? rows.toReversed() : rows))
      at.push(site.pointer().publishedAt)
    }
    assert.deepEqual(versionsOf(site, ['sku']), {
      0: [2, at[1], at[0]],
      1: [3, at[2], at[0]],
      2: [4, at[3], at[0]],
      3: [1, at[0], at[0]],
    })
  })

  for (const [what, rows, options] of [
    ['a new column', [{ sku: 1, v: 1, w: null }], {}],
    ['a column that is gone', [{ sku: 1 }], {}],
    ['a column of another type', [{ sku: 1, v: 'x' }], {}],
    ['another key', [{ sku: 1, v: 1 }], { key: ['v'] }],
  ] as const) {
    test(`says resync, and gives all rows a new version, after ${what}`, async () => {
      using site = new TestSite()
      await site.sync(wares([{ sku: 1, v: 1 }]))
      await site.sync(wares(rows, options))
      assert.deepEqual(
        logOf(site).filter(({ batch }) => batch === 2),
        [{ batch: 2, key: '', op: 'resync', row: null }],
      )
      assert.deepEqual(
        Object.values(versionsOf(site, ['sku'])).map(([version]) => version),
        [2],
      )
    })
  }

  test('says resync for a table that comes and for one that goes, and leaves the others’ log alone', async () => {
    using site = new TestSite()
    const table = (name: string, v: number) => ({ name, key: ['k'], columns: ['k', 'v'], rows: [[1, v]] })
    const log = () =>
      withSnapshot(site.folder().file(site.pointer().file), (db) =>
        db
          .prepare<[number], { table_name: string; op: string }>('SELECT table_name, op FROM _hf_log WHERE batch = ?')
          .all(site.pointer().batch)
          .map(({ table_name, op }) => `${table_name} ${op}`),
      )
    await site.sync({ identity: '1', tables: [table('old', 1), table('main', 1)] })
    // The guard refuses a table that is gone; an operator knows better.
    const { id } = await site.sync({ identity: '2', tables: [table('main', 2), table('temp', 1)] })
    await site.control.request('wares', 'start', id)
    await site.sync({ identity: 'not looked at', tables: [] })
    assert.deepEqual(log(), ['main put', 'old resync', 'temp resync'])
    await site.sync({ identity: '3', tables: [table('temp', 1), table('main', 3)] })
    assert.deepEqual(log(), ['main put'])
  })

  test('says resync for a table with more changes than a batch may have, and still counts them', async () => {
    using site = new TestSite({ changeLog: { ...WIDE_LOG, maxBatch: 4 } })
    const rows = Array.from({ length: 10 }, (_, sku) => ({ sku, v: 0 }))
    await site.sync(wares(rows))
    await site.sync(wares(rows.map(({ sku }) => ({ sku, v: sku < 4 ? 1 : 0 }))))
    assert.equal(logOf(site).filter(({ batch }) => batch === 2).length, 4)
    await site.sync(wares(rows.map(({ sku }) => ({ sku, v: sku < 5 ? 2 : 0 }))))
    assert.deepEqual(
      logOf(site)
        .filter(({ batch }) => batch === 3)
        .map(({ op }) => op),
      ['resync'],
    )
    assert.deepEqual(
      Object.values(versionsOf(site, ['sku'])).map(([version]) => version),
      [3, 3, 3, 3, 3, 1, 1, 1, 1, 1],
    )
  })

  test('begins at the first snapshot, and a table that was empty then is one like any other', async () => {
    using site = new TestSite()
    await site.sync(wares([], { columns: ['sku', 'v'], types: { sku: 'integer', v: 'text' } }))
    await site.sync(wares([{ sku: 1, v: 'x' }], { types: { sku: 'integer', v: 'text' } }))
    assert.deepEqual(logOf(site).at(-1), { batch: 2, key: '1', op: 'put', row: '{"sku":1,"v":"x"}' })
  })

  test('fits as many columns as a table may have', async () => {
    using site = new TestSite()
    const columns = ['sku', ...Array.from({ length: 1899 }, (_, index) => `c${index}`)]
    const row = (sku: number, v: string) => Object.fromEntries(columns.map((name) => [name, name === 'sku' ? sku : v]))
    await site.sync(wares([row(1, 'a'), row(2, 'b')]))
    const again = await site.sync(wares([row(2, 'b'), row(1, 'a'), row(1, 'a')]))
    assert.deepEqual([again.error, again.result], [null, 'unchanged'])
    assert.equal((await site.sync(wares([row(2, 'b'), { ...row(1, 'a'), c1898: null }]))).result, 'published')
    assert.deepEqual(
      logOf(site)
        .filter(({ batch }) => batch === 2)
        .map(({ key }) => key),
      ['1'],
    )
  })

  test('is taken back when a run is taken up behind it', async () => {
    using site = new TestSite()
    await site.sync(wares([{ sku: 1, v: 1 }]))
    const upstream = wares([
      { sku: 1, v: 2 },
      { sku: 2, v: 2 },
    ])
    const first = await site.claim()
    const plan = await sourceOf('wares', upstream).plan(planOptions())
    {
      using stage = site.store.stage({ lease: first.lease, run: first.run.id, plan })
      stage.write({
        table: 'wares',
        columns: ['sku', 'v'],
        rows: [
          [1, 2],
          [2, 2],
        ],
        next: '1',
      })
      stage.finishPull()
      assert.deepEqual(stage.compare().isChanged, true)
    }
    await site.control.release(first.lease)
    const second = await site.control.claim('wares', 'another', 1000)
    assert.equal(second?.run.id, first.run.id)
    const run = await site.work(second, upstream)
    assert.equal(run.result, 'published')
    assert.deepEqual(
      logOf(site)
        .filter(({ batch }) => batch === 2)
        .map(({ key, op }) => `${op} ${key}`),
      ['put 1', 'put 2'],
    )
  })
})

describe('the change log', () => {
  const bounds = fc.record({
    maxAgeMs: fc.constantFrom(1500, 3500, 1e12),
    maxEntries: fc.constantFrom(0, 3, 8, 1e6),
    maxBytes: fc.constantFrom(0, 100, 300, 1e9),
    maxBatch: fc.constant(1e5),
  }) satisfies fc.Arbitrary<Settings['changeLog']>

  test('is complete from `logFrom` on, and no longer than its bounds', async () => {
    await fc.assert(
      fc.asyncProperty(bounds, fc.array(drawnRows, { minLength: 3, maxLength: 7 }), async (changeLog, draws) => {
        using site = new TestSite({ changeLog })
        const history: { watermark: string; at: number; rows: Map<string, Record<string, unknown>> }[] = []
        for (const rows of draws) {
          const run = await site.sync(upstreamOf(rows))
          if (run.result !== 'published') continue
          const pointer = site.pointer()
          const now = byKey(site.published('wares'))
          history.push({ watermark: pointer.watermark, at: pointer.publishedAt, rows: now })
          const batches = withSnapshot(site.folder().file(pointer.file), (db) =>
            db
              .prepare<[], { batch: number; watermark: string | null; at: number; entries: number; bytes: number }>(
                'SELECT * FROM _hf_batches ORDER BY batch',
              )
              .all(),
          )
          const log = logOf(site)
          assert.deepEqual(
            batches.filter(({ watermark }) => watermark === null).map(({ batch }) => batch),
            [pointer.batch],
          )
          for (const { batch, entries, bytes } of batches) {
            const own = log.filter((entry) => entry.batch === batch)
            assert.deepEqual(
              [own.length, own.reduce((sum, { key, row }) => sum + key.length + (row?.length ?? 0), 0)],
              [entries, bytes],
            )
          }

          const carried = batches.filter(({ batch, entries }) => batch !== pointer.batch && entries > 0)
          assert.ok(carried.reduce((sum, { entries }) => sum + entries, 0) <= changeLog.maxEntries)
          assert.ok(carried.reduce((sum, { bytes }) => sum + bytes, 0) <= changeLog.maxBytes)
          assert.ok(carried.every(({ at }) => at >= pointer.publishedAt - changeLog.maxAgeMs))

          const from = history.findIndex(({ watermark }) => watermark === pointer.logFrom)
          assert.ok(from >= 0, 'the log begins at a watermark that was')
          if (changeLog.maxAgeMs === 1e12 && changeLog.maxEntries === 1e6 && changeLog.maxBytes === 1e9)
            assert.equal(from, 0)
          for (const past of history.slice(from)) {
            const since = batches
              .filter(({ watermark }) => (watermark ?? pointer.watermark) > past.watermark)
              .map(({ batch }) => batch)
            const entries = log.filter(({ batch }) => since.includes(batch))
            assert.deepEqual(sorted(replay(past.rows, entries)), sorted(now))
          }
        }
      }),
      { numRuns: 40 },
    )
  })
})

describe('the text form of a key', () => {
  test('is the bare value where there is one column, and comes apart again where there are more', () => {
    assert.equal(keyText(['a,b']), 'a,b')
    assert.deepEqual(parseKeyText('a,b', 1), ['a,b'])
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1, maxLength: 4 }), (cells) => {
        assert.deepEqual(parseKeyText(keyText(cells), cells.length), cells)
      }),
    )
  })

  test('is no key when the parts are too many, too few or badly encoded', () => {
    for (const text of ['a', 'a,b,c', '%,b', 'a,%ff']) assert.equal(parseKeyText(text, 2), undefined)
  })
})

function isSame(a: unknown, b: unknown): boolean {
  const text = (row: unknown) =>
    row === undefined ? '' : JSON.stringify(Object.entries(row as object).toSorted(([x], [y]) => (x < y ? -1 : 1)))
  return text(a) === text(b)
}
