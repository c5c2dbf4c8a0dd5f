import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { disk, type Files } from '../../lib/base/files.ts'
import type { ChangePage } from '../../lib/change-feed.ts'
import { keyText } from '../../lib/row-key.ts'
import { SqliteChangeLog } from '../../lib/sqlite/change-log.ts'
import { Mounts } from '../../lib/sqlite/mounts.ts'
import { rollback } from '../../lib/sqlite/publish.ts'
import { BEGINNING, encodeWatermark, type Watermark } from '../../lib/watermark.ts'
import { testSeed } from '../support/random.ts'
import { jsonOf, TestSite, TTL_MS, wares, WIDE_LOG, withSnapshot, type SiteOptions, type Upstream } from './site.ts'

/** What survives a power cut is tested elsewhere. */
const volatile: Files = { ...disk, sync: () => {} }
const EVERYTHING = 1e9

/** A site with a process that serves it. */
class LoggedSite extends TestSite {
  readonly mounts: Mounts
  readonly log: SqliteChangeLog
  readonly sources: readonly string[]

  constructor(options: SiteOptions = {}) {
    super({ files: volatile, ...options })
    this.sources = options.sources ?? ['wares']
    this.mounts = new Mounts(this.publisher.folders)
    this.log = new SqliteChangeLog(this.database, this.mounts)
  }

  read(after: Watermark, maxBytes = EVERYTHING, sources = this.sources): ChangePage {
    return this.log.read(after, { sources, maxBytes })
  }

  async rollBack(source = 'wares'): Promise<void> {
    const lease = await this.control.lease(source, 'operator', TTL_MS)
    assert.ok(lease)
    await rollback(this.publisher, lease)
    await this.control.release(lease)
  }

  override [Symbol.dispose](): void {
    this.mounts[Symbol.dispose]()
    super[Symbol.dispose]()
  }
}

const at = encodeWatermark
/** `1 put a.wares:3` for every change of a page. */
function told({ batches }: ChangePage): string[] {
  return batches.flatMap(({ watermark, source, changes }) =>
    changes.map(({ op, table, key }) => `${watermark.slice(1)} ${op} ${source}.${table}:${key}`),
  )
}

const row = (sku: number, v = 'a') => ({ sku, v })

describe('the change log', () => {
  test('before anything is published is empty', () => {
    using site = new LoggedSite()
    assert.equal(site.log.head(), BEGINNING)
    assert.deepEqual(site.read(BEGINNING), { batches: [], through: BEGINNING, isAtHead: true, missed: [] })
  })

  test('begins with a resync of every table, then tells what each publish changed', async () => {
    using site = new LoggedSite()
    await site.sync(wares([row(1), row(2)]))
    await site.sync(wares([row(1), row(2, 'b'), row(3)]))
    await site.sync(wares([row(2, 'b'), row(3)]))
    const page = site.read(at(1))
    assert.deepEqual(told(page), ['2 put wares.wares:2', '2 put wares.wares:3', '3 delete wares.wares:1'])
    assert.deepEqual([page.through, page.isAtHead, site.log.head()], [at(3), true, at(3)])
    assert.equal(page.batches[0]?.changes[0]?.row, '{"sku":2,"v":"b"}')
    assert.equal(page.batches[1]?.at, site.pointer().publishedAt)
  })

  test('of the first publish is there for who knew of nothing', async () => {
    using site = new LoggedSite()
    await site.sync(wares([row(1)]))
    assert.deepEqual(told(site.read(BEGINNING)), ['1 resync wares.wares:'])
  })

  test('of several sources is one, in the order of watermarks', async () => {
    using site = new LoggedSite({ sources: ['a', 'b'] })
    for (const v of ['1', '2', '3']) {
      await site.sync(wares([row(1, v)]), { source: 'a' })
      await site.sync(wares([row(7, v)]), { source: 'b' })
    }
    assert.deepEqual(told(site.read(at(2))), [
      '3 put a.wares:1',
      '4 put b.wares:7',
      '5 put a.wares:1',
      '6 put b.wares:7',
    ])
    assert.deepEqual(told(site.read(at(4), EVERYTHING, ['a'])), ['5 put a.wares:1'])
    assert.equal(site.read(at(4), EVERYTHING, ['a']).through, at(6))
  })

  test('comes in pages that never cut a batch, however large it is', async () => {
    using site = new LoggedSite()
    const rows = (v: string) => Array.from({ length: 50 }, (_, index) => row(index, v))
    await site.sync(wares(rows('a')))
    for (const v of ['b', 'c', 'd']) await site.sync(wares(rows(v)))
    const page = site.read(at(1), 1)
    assert.deepEqual([page.batches.length, page.batches[0]?.changes.length], [1, 50])
    assert.deepEqual([page.through, page.isAtHead], [at(2), false])
    const bytes = page.batches[0]!.changes.reduce((sum, { key, row: text }) => sum + key.length + text!.length, 0)
    assert.deepEqual(
      site.read(at(1), 2 * bytes).batches.map(({ watermark }) => watermark),
      [at(2), at(3)],
    )
    assert.equal(site.read(at(1), 2 * bytes - 1).batches.length, 1)
  })

  test('says what to fetch again where it has been pruned', async () => {
    using site = new LoggedSite({ changeLog: { ...WIDE_LOG, maxEntries: 3 } })
    for (let n = 0; n < 8; n++) await site.sync(wares([row(1, String(n))]))
    const page = site.read(at(2))
    assert.deepEqual(page.missed, [{ source: 'wares', tables: ['wares'] }])
    assert.deepEqual(page.batches, [])
    assert.equal(page.through, site.pointer().logFrom)
    const rest = site.read(page.through)
    assert.deepEqual(rest.missed, [])
    assert.equal(rest.through, at(8))
    assert.ok(rest.batches.length > 0)
  })

  test('names every source whose batches lie before where the reader goes on', async () => {
    using site = new LoggedSite({ sources: ['a', 'b', 'c'], changeLog: { ...WIDE_LOG, maxEntries: 1 } })
    await site.sync(wares([row(1)]), { source: 'c' })
    await site.sync(wares([row(1)]), { source: 'b' })
    await site.sync(wares([row(1)]), { source: 'a' })
    await site.sync(wares([row(1, 'b')]), { source: 'b' })
    for (let n = 0; n < 5; n++) await site.sync(wares([row(1, String(n))]), { source: 'a' })
    const page = site.read(at(3))
    assert.deepEqual(
      page.missed.map(({ source }) => source),
      ['a', 'b'],
    )
  })

  test('tells a rollback as a resync of each table that was or is there', async () => {
    using site = new LoggedSite()
    await site.sync(wares([row(1)]))
    const more: Upstream = {
      identity: 'more',
      tables: [wares([row(1), row(2)]).tables[0]!, { ...wares([row(9)]).tables[0]!, name: 'extra' }],
    }
    await site.sync(more)
    await site.rollBack()
    assert.deepEqual(told(site.read(at(1))), ['3 resync wares.wares:', '3 resync wares.extra:'])
    assert.deepEqual(told(site.read(at(2))), ['3 resync wares.wares:', '3 resync wares.extra:'])
    await site.sync(wares([row(1), row(5)]), { trigger: 'start' })
    assert.deepEqual(told(site.read(at(3))), ['4 put wares.wares:5'])
    assert.equal(site.read(at(2)).missed.length, 1)
  })

  test('says nothing before control has committed it', async () => {
    using site = new LoggedSite()
    await site.sync(wares([row(1)]))
    await site.sync(wares([row(2)]))
    const table = site.publisher.table
    await site.database.write(() => table.setSequence(1))
    site.mounts.look()
    assert.equal(site.mounts.active('wares')?.pointer.watermark, at(2))
    assert.deepEqual(site.read(at(1)), { batches: [], through: at(1), isAtHead: true, missed: [] })
    await site.database.write(() => table.setSequence(2))
    assert.deepEqual(told(site.read(at(1))), ['2 put wares.wares:2', '2 delete wares.wares:1'].toSorted())
  })

  test('of a publish that this process has not noticed yet is complete all the same', async () => {
    using site = new LoggedSite({ sources: ['a', 'b'] })
    for (const source of site.sources) await site.sync(wares([row(1)]), { source })
    site.mounts.look()
    await site.sync(wares([row(1, 'b')]), { source: 'a' })
    await site.sync(wares([row(1, 'b')]), { source: 'b' })
    assert.deepEqual(told(site.read(at(2))), ['3 put a.wares:1', '4 put b.wares:1'])
  })

  test('tells who missed it that a table has gone, however many publishes ago', async () => {
    using site = new LoggedSite({ changeLog: { ...WIDE_LOG, maxEntries: 1 } })
    const publish = (v: string, extra: Record<string, string> | null) =>
      site.sync(upstreamOf({ rows: { 1: v }, extra, column: 'v' }), { trigger: 'start' })
    await publish('a', null)
    await publish('a', { 1: 'x' })
    await site.rollBack()
    for (const v of ['b', 'c', 'd']) await publish(v, null)
    assert.deepEqual(site.read(at(2)).missed, [{ source: 'wares', tables: ['wares', 'extra'] }])
    await publish('e', { 1: 'x' })
    assert.deepEqual(site.pointer().goneTables, [])
  })

  test('waits where it would leave out what cannot be opened', async () => {
    using site = new LoggedSite({ sources: ['a', 'b'] })
    for (const source of site.sources) await site.sync(wares([row(1)]), { source })
    site.mounts.look()
    await site.sync(wares([row(2)]), { source: 'a' })
    const { pointerFile } = site.folder('a')
    const pointer = JSON.stringify(site.pointer('a'))
    writeFileSync(pointerFile, 'damaged')
    await site.sync(wares([row(2)]), { source: 'b' })
    assert.deepEqual(site.read(at(2)), { batches: [], through: at(2), isAtHead: true, missed: [] })
    assert.equal(site.log.now(site.sources), at(1))
    assert.deepEqual(told(site.read(at(2), EVERYTHING, ['b'])).length, 2)
    rmSync(pointerFile)
    writeFileSync(pointerFile, pointer)
    assert.equal(site.read(at(2)).batches.length, 2)
  })

  test('a batch that would be too much in one piece is a resync of the tables it touches', async () => {
    using site = new LoggedSite()
    const big = (v: string): Upstream => ({
      identity: v,
      tables: [
        { ...wares([row(1, v.repeat(9 * 1024 * 1024))]).tables[0]!, name: 'big' },
        { ...wares([row(1)]).tables[0]!, name: 'small' },
      ],
    })
    await site.sync(big('a'))
    await site.sync(big('b'))
    assert.deepEqual(told(site.read(at(1))), ['2 resync wares.big:'])
  })

  test('names rows as the address of a record does, whatever the types of the key', async () => {
    using site = new LoggedSite()
    const key = ['flag', 'n', 'text']
    const of = (v: string) =>
      wares(
        [
          { flag: true, n: 1234567890123456789n, text: 'a,b/ü', v },
          { flag: false, n: -1n, text: '', v },
        ],
        { key, types: { flag: 'boolean', n: 'integer', text: 'text', v: 'text' } },
      )
    await site.sync(of('a'))
    await site.sync(of('b'))
    const cells = withSnapshot(site.folder().file(site.pointer().file), (db, tables) => {
      const [table] = tables
      const columns = table!.key.map((name) => table!.read(table!.columns.find((column) => column.name === name)!))
      return db
        .prepare<[], unknown[]>(`SELECT ${columns.join(', ')} FROM "${table!.sqlName}"`)
        .raw()
        .all()
    })
    const keys = site.read(at(1)).batches[0]!.changes.map((change) => change.key)
    assert.deepEqual(keys.toSorted(), cells.map(keyText).toSorted())
    assert.ok(keys.includes('1,1234567890123456789,a%2Cb%2F%C3%BC'), keys.join(' '))
  })
})

/** A client: its copy of the rows, and how far it has read. */
class Reader {
  readonly #site: LoggedSite
  readonly #rows = new Map<string, Map<string, string>>()
  position: Watermark
  resyncs = 0

  constructor(site: LoggedSite) {
    this.#site = site
    this.position = site.log.now(site.sources)
    for (const source of site.sources) this.#fetchAll(source)
  }

  /** Reads pages until there is nothing more, or so many. */
  read(maxPages: number, maxBytes: number): void {
    for (let pages = 0; pages < maxPages; pages++) {
      const page = this.#site.read(this.position, maxBytes)
      assert.ok(page.through >= this.position, 'the position went back')
      for (const { source, tables } of page.missed) for (const table of tables) this.#fetch(source, table)
      for (const { source, changes } of page.batches) {
        for (const { table, key, op, row: text } of changes) {
          const rows = this.#rows.get(`${source}.${table}`)
          if (op === 'resync') this.#fetch(source, table)
          else if (op === 'put') rows!.set(key, text!)
          else rows!.delete(key)
        }
      }
      this.position = page.through
      if (page.isAtHead && page.missed.length === 0) return
    }
  }

  rows(): Record<string, string[]> {
    return Object.fromEntries([...this.#rows].map(([name, rows]) => [name, [...rows.values()].toSorted()]))
  }

  #fetchAll(source: string): void {
    for (const { name } of this.#site.mounts.active(source)?.pointer.tables ?? []) this.#fetch(source, name)
    this.resyncs = 0
  }

  #fetch(source: string, table: string): void {
    this.resyncs++
    this.#rows.delete(`${source}.${table}`)
    const info = this.#site.mounts.active(source)?.table(table)
    if (info) this.#rows.set(`${source}.${table}`, rowsOf(this.#site, source, table))
  }
}

/** What this process serves of a table, by key. */
function rowsOf(site: LoggedSite, source: string, name: string): Map<string, string> {
  const open = site.mounts.opened(source)!
  return withSnapshot(site.folder(source).file(open.pointer.file), (db, tables) => {
    const table = tables.find((candidate) => candidate.name === name)!
    return new Map(jsonOf(db, table).map((text) => [String((JSON.parse(text) as { sku: number }).sku), text]))
  })
}

function served(site: LoggedSite): Record<string, string[]> {
  site.mounts.look()
  const all = site.sources.flatMap((source) =>
    (site.mounts.active(source)?.pointer.tables ?? []).map(({ name }) => [
      `${source}.${name}`,
      [...rowsOf(site, source, name).values()].toSorted(),
    ]),
  )
  return Object.fromEntries(all) as Record<string, string[]>
}

const rowsArbitrary = fc.dictionary(fc.constantFrom('1', '2', '3', '4', '5'), fc.constantFrom('x', 'y', 'z'), {
  noNullPrototype: true,
})
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      source: fc.constantFrom('a', 'b'),
      rows: rowsArbitrary,
      extra: fc.option(rowsArbitrary, { freq: 4 }),
      column: fc.oneof({ weight: 6, arbitrary: fc.constant('v') }, { weight: 1, arbitrary: fc.constant('w') }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rollback' as const), source: fc.constantFrom('a', 'b') }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      reader: fc.nat(3),
      pages: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'join' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'look' as const }) },
)

function upstreamOf({
  rows,
  extra,
  column,
}: {
  rows: Record<string, string>
  extra: Record<string, string> | null
  column: string
}): Upstream {
  const tableOf = (name: string, of: Record<string, string>) => ({
    name,
    key: ['sku'],
    types: { sku: 'integer', [column]: 'text' } as const,
    columns: ['sku', column],
    rows: Object.entries(of).map(([sku, v]) => [Number(sku), v]),
  })
  const tables = [tableOf('wares', rows), ...(extra ? [tableOf('extra', extra)] : [])]
  return { identity: JSON.stringify(tables), tables }
}

test('whoever applies the log from anywhere ends with the rows that are served', async () => {
  const seed = testSeed()
  let applied = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 4, maxLength: 16 }),
      fc.record({ maxEntries: fc.integer({ min: 1, max: 30 }), maxBatch: fc.integer({ min: 2, max: 6 }) }),
      fc.constantFrom(1, 60, EVERYTHING),
      async (steps, bounds, maxBytes) => {
        using site = new LoggedSite({ sources: ['a', 'b'], changeLog: { ...WIDE_LOG, ...bounds } })
        const readers = [new Reader(site)]
        for (const one of steps) {
          if (one.kind === 'publish') await site.sync(upstreamOf(one), { source: one.source, trigger: 'start' })
          else if (one.kind === 'look') site.mounts.look()
          else if (one.kind === 'join') readers.push(new Reader(site))
          else if (one.kind === 'read') readers[one.reader % readers.length]!.read(one.pages, maxBytes)
          else if (site.folder(one.source).readPointer()?.previous) await site.rollBack(one.source)
        }
        for (const reader of readers) {
          reader.read(Infinity, maxBytes)
          assert.equal(reader.position, site.log.head())
          assert.deepEqual(reader.rows(), served(site))
          if (reader.resyncs === 0 && reader.position !== BEGINNING) applied++
        }
      },
    ),
    { seed, numRuns: 20 },
  )
  assert.ok(applied > 0, `seed ${seed}: nobody ever followed by changes alone`)
})
