import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { Value } from '../../lib/column.ts'
import type { TableOrigin } from '../../lib/origin.ts'
import type { TablePlan } from '../../lib/source.ts'
import { FileReferences } from '../../lib/sqlite/file-references.ts'
import { readOrigins } from '../../lib/sqlite/snapshot-schema.ts'
import { active, COLUMNS, Script, WARES, type Step } from './script.ts'
import { TestSite, withSnapshot } from './site.ts'

const PEOPLE: TablePlan = { name: 'people', key: ['id'], columns: ['id'], types: { id: 'text' } }

const rows = (...all: [string, string, number][]): Value[][] => all
const FIRST = rows(['a', 'one', 1], ['b', 'two', 2], ['c', 'three', 3], ['d', 'four', 4])

async function siteWith(t: TestContext, script: Script): Promise<TestSite> {
  const site = new TestSite()
  t.after(() => site[Symbol.dispose]())
  const run = await site.sync(script)
  assert.equal(run.result, 'published', JSON.stringify(run.error))
  return site
}

const first = () =>
  new Script().next(
    [WARES, PEOPLE],
    [
      { table: 'wares', rows: FIRST },
      { table: 'people', rows: [['p1'], ['p2']] },
    ],
  )

describe('a pull of changes', () => {
  test('begins with the active rows; puts, deletes and additions become one batch, and nothing else does', async (t) => {
    const script = first()
    const site = await siteWith(t, script)
    const before = site.pointer()
    script.next(
      [active(WARES), active(PEOPLE)],
      [{ table: 'wares', put: true, rows: rows(['b', 'zwei', 2.5], ['e', 'five', 5]), deleted: [['a'], ['nobody']] }],
    )
    assert.equal((await site.sync(script)).result, 'published')

    const bySku = (a: Record<string, unknown>, b: Record<string, unknown>) => String(a.sku).localeCompare(String(b.sku))
    assert.deepEqual(site.published('wares').toSorted(bySku), [
      { sku: 'b', name: 'zwei', price: 2.5 },
      { sku: 'c', name: 'three', price: 3 },
      { sku: 'd', name: 'four', price: 4 },
      { sku: 'e', name: 'five', price: 5 },
    ])
    assert.deepEqual(site.published('people'), [{ id: 'p1' }, { id: 'p2' }])
    const log = withSnapshot(site.folder().file(site.pointer().file), (db) =>
      db
        .prepare('SELECT table_name, key, op FROM _hf_log WHERE batch = ? ORDER BY key')
        .raw()
        .all(site.pointer().batch),
    )
    assert.deepEqual(log, [
      ['wares', 'a', 'delete'],
      ['wares', 'b', 'put'],
      ['wares', 'e', 'put'],
    ])
    const info = (name: string, of = site.pointer()) => of.tables.find((table) => table.name === name)
    assert.equal(info('people')?.digest, info('people', before)?.digest)
    assert.equal(info('wares')?.rows, 4)
    assert.equal(site.pointer().rendersLater, true)
  })

  test('gives the digest that a full pull of the same rows gives', async (t) => {
    const script = first()
    const site = await siteWith(t, script)
    script.next(
      [active(WARES), active(PEOPLE)],
      [{ table: 'wares', put: true, rows: rows(['b', 'zwei', 2.5]), deleted: [['a']] }],
    )
    await site.sync(script)
    const { digest, watermark } = site.pointer()
    script.next(
      [WARES, PEOPLE],
      [
        { table: 'wares', rows: rows(['c', 'three', 3], ['d', 'four', 4], ['b', 'zwei', 2.5]) },
        { table: 'people', rows: [['p2'], ['p1']] },
      ],
    )
    assert.equal((await site.sync(script)).result, 'unchanged')
    assert.deepEqual([site.pointer().digest, site.pointer().watermark], [digest, watermark])
  })

  test('keeps positions without gaps when rows are deleted', async (t) => {
    const script = first()
    const site = await siteWith(t, script)
    script.next([active(WARES), active(PEOPLE)], [{ table: 'wares', deleted: [['a'], ['d'], ['c']] }])
    await site.sync(script)
    const positions = withSnapshot(site.folder().file(site.pointer().file), (db) =>
      db.prepare('SELECT _hf_row, sku FROM wares ORDER BY _hf_row').raw().all(),
    )
    assert.deepEqual(positions, [[1, 'b']])
  })

  test('that says nothing publishes nothing, and remembers how far it came', async (t) => {
    const script = first()
    const site = await siteWith(t, script)
    const before = site.pointer()
    script.next([active(WARES), active(PEOPLE)], [{ table: 'wares' }, { table: 'people' }])
    const run = await site.sync(script)
    assert.equal(run.result, 'unchanged')
    assert.deepEqual(site.pointer(), before)
    await site.sync(script.next([active(WARES), active(PEOPLE)], []))
    assert.deepEqual(
      script.asked.map(({ published }) => published?.cursor),
      [undefined, 'run 0 page 2', 'run 1 page 2'],
    )
    assert.equal(script.asked.at(-1)?.published?.seen, 'run 1')
  })

  test('that would lose more than the guard allows is asked for as a whole', async (t) => {
    const script = first()
    const site = await siteWith(t, script)
    script.next([active(WARES), active(PEOPLE)], [{ table: 'wares', deleted: [['a'], ['b'], ['c']] }]).next(
      [WARES, PEOPLE],
      [
        { table: 'wares', rows: FIRST },
        { table: 'people', rows: [['p1'], ['p2']] },
      ],
    )
    const run = await site.sync(script, { limits: { maxLostShare: 0.5, freezeColumns: false } })
    assert.equal(run.result, 'unchanged')
    assert.deepEqual(
      script.asked.map(({ wantsAll }) => wantsAll),
      [false, false, true],
    )
    assert.equal(site.published('wares').length, 4)
  })

  test('is not built on what a rollback brought back, nor on what was read with another configuration', async (t) => {
    const script = first()
    const site = await siteWith(t, script)
    assert.equal(site.store.published('wares')?.cursor, 'run 0 page 2')
    const other = new TestSite({ dataDir: site.dataDir, clock: site.clock, shape: 'other' })
    t.after(() => other[Symbol.dispose]())
    assert.equal(other.store.published('wares'), undefined)
  })

  test('of a table with another shape than the active one is a bug that is told', async (t) => {
    const script = first()
    const site = await siteWith(t, script)
    const wider = { ...active(WARES), columns: [...COLUMNS, 'color'] }
    script.next(
      [wider, active(PEOPLE)],
      [{ table: 'wares', put: true, columns: [...COLUMNS, 'color'], rows: [['a', 'x', 1, 'red']] }],
    )
    const run = await site.sync(script)
    assert.equal(run.error?.code, 'internal')
    assert.equal(site.published('wares').length, 4)
  })
})

describe('a pull of everything', () => {
  test('takes changes that came meanwhile behind its pages, and in the order they came', async (t) => {
    const script = new Script().next(
      [WARES],
      [
        { table: 'wares', rows: FIRST },
        { table: 'wares', put: true, rows: rows(['a', 'uno', 1], ['z', 'last', 9]) },
        { table: 'wares', deleted: [['z'], ['b']] },
        { table: 'wares', put: true, rows: rows(['b', 'back', 2]) },
      ],
    )
    const site = await siteWith(t, script)
    assert.deepEqual(
      site
        .published('wares')
        .map(({ sku, name }) => [sku, name])
        .toSorted(([a], [b]) => String(a).localeCompare(String(b))),
      [
        ['a', 'uno'],
        ['b', 'back'],
        ['c', 'three'],
        ['d', 'four'],
      ],
    )
  })

  test('begins a table anew where the upstream has to', async (t) => {
    const script = new Script().next(
      [WARES],
      [
        { table: 'wares', rows: rows(['gone', 'gone', 0], ['a', 'old', 0]) },
        { table: 'wares', restarts: true, rows: rows(['a', 'one', 1]) },
        { table: 'wares', rows: rows(['b', 'two', 2]) },
      ],
    )
    const site = await siteWith(t, script)
    assert.deepEqual(
      site.published('wares').map(({ sku }) => sku),
      ['a', 'b'],
    )
  })

  test('takes the later of two rows with one key where the plan says so', async (t) => {
    const script = new Script().next(
      [{ ...WARES, repeats: 'latest' }],
      [
        { table: 'wares', rows: rows(['a', 'old', 0], ['b', 'two', 2]) },
        { table: 'wares', rows: rows(['a', 'new', 1]) },
      ],
    )
    const site = await siteWith(t, script)
    assert.deepEqual(site.published('wares'), [
      { sku: 'b', name: 'two', price: 2 },
      { sku: 'a', name: 'new', price: 1 },
    ])
    assert.equal(site.pointer().tables[0]?.rows, 2)
  })

  test('needs no page for a table whose columns are told', async (t) => {
    const site = await siteWith(t, new Script().next([WARES, PEOPLE], [{ table: 'people', rows: [['p']] }]))
    assert.deepEqual(site.published('wares'), [])
    assert.deepEqual(
      site.pointer().tables[0]?.columns.map(({ name }) => name),
      COLUMNS,
    )
  })

  test('drops a table that the upstream’s own schema no longer has, and refuses that where columns are frozen', async (t) => {
    const script = first()
    const site = await siteWith(t, script)
    script.next([WARES], [{ table: 'wares', rows: FIRST }])
    const frozen = await site.sync(script, { limits: { maxLostShare: 1, freezeColumns: true } })
    assert.deepEqual([frozen.status, frozen.error?.facts.reason], ['rejected', 'table_missing'])
    const run = await site.sync(script)
    assert.equal(run.result, 'published')
    assert.deepEqual(
      site.pointer().tables.map(({ name }) => name),
      ['wares'],
    )
  })
})

describe('a table that the upstream does not give', () => {
  const refused = { code: 'upstream_refused', message: 'The token may not read people.' } as const

  test('stays as it was, with its columns; the others are published, and it is told since when', async (t) => {
    const script = first()
    const site = await siteWith(t, script)
    const since = site.clock.now() + 1000
    const wider: TablePlan = { ...PEOPLE, columns: ['id', 'age'], types: { id: 'text', age: 'integer' } }
    const broken = (name: string): Step[] => [
      { table: 'people', columns: ['id', 'age'], rows: [['half', 1]] },
      { table: 'people', columns: ['id', 'age'], keeps: refused },
      { table: 'wares', rows: rows(['a', name, 1]) },
    ]
    script.next([WARES, wider], broken('new'))
    assert.equal((await site.sync(script)).result, 'published')
    assert.deepEqual(site.published('people'), [{ id: 'p1' }, { id: 'p2' }])
    assert.deepEqual(site.published('wares'), [{ sku: 'a', name: 'new', price: 1 }])
    assert.deepEqual(site.pointer().tables[1]?.kept, { ...refused, since })

    script.next([WARES, wider], broken('newer'))
    await site.sync(script)
    assert.deepEqual(script.asked.at(-1)?.published?.kept, ['people'])
    assert.equal(site.pointer().tables[1]?.kept?.since, since)

    script.next([WARES, wider], broken('newer'), { identity: 'once more' })
    assert.equal((await site.sync(script)).result, 'unchanged')

    script.next([active(WARES), wider], [{ table: 'people', columns: ['id', 'age'], rows: [['p1', 30]] }])
    await site.sync(script)
    assert.deepEqual(site.published('people'), [{ id: 'p1', age: 30 }])
    assert.equal(site.pointer().tables[1]?.kept, undefined)
  })

  test('and was never there is left out', async (t) => {
    const script = new Script().next(
      [WARES, PEOPLE],
      [
        { table: 'people', keeps: refused },
        { table: 'wares', rows: FIRST },
      ],
    )
    const site = await siteWith(t, script)
    assert.deepEqual(
      site.pointer().tables.map(({ name }) => name),
      ['wares'],
    )
  })
})

describe('what an upstream calls things', () => {
  const origin: TableOrigin = {
    baseId: 'appOne', id: 'tblWares', name: 'Wares', primaryFieldId: 'fldSku', errorsColumn: null, views: [],
    fields: [{ id: 'fldSku', name: 'SKU', type: 'singleLineText', column: 'sku' }],
  } // prettier-ignore

  test('is in the snapshot, and a change of it alone is published without a change of rows', async (t) => {
    const script = new Script().next([{ ...WARES, origin }], [{ table: 'wares', rows: FIRST }])
    const site = await siteWith(t, script)
    const originOf = () =>
      withSnapshot(site.folder().file(site.pointer().file), (db) => readOrigins(db).get('wares')?.name)
    assert.equal(originOf(), 'Wares')
    script.next([{ ...active(WARES), origin: { ...origin, name: 'Goods' } }], [])
    assert.equal((await site.sync(script)).result, 'published')
    assert.equal(originOf(), 'Goods')
    assert.equal(site.published('wares').length, 4)
  })
})

describe('files that rows speak of', () => {
  test('are found by id, with the row and the cell that speak of them', async (t) => {
    const table: TablePlan = {
      name: 'wares', key: ['sku'], columns: COLUMNS, types: { sku: 'text', name: 'json', price: 'real' }, fileColumns: ['name'],
    } // prettier-ignore
    const photo = { id: 'att1', filename: 'a "b".png', size: 12, type: 'image/png' }
    const script = new Script().next(
      [table],
      [
        {
          table: 'wares',
          rows: [
            ['a', [photo, { id: 'att2' }, { filename: 'no id' }, 'text'], 1],
            ["it's", [photo], 2],
            ['c', { id: 'att3' }, 3],
            ['d', null, 4],
          ] as Value[][],
        },
      ],
    )
    const site = await siteWith(t, script)
    withSnapshot(site.folder().file(site.pointer().file), (db) => {
      const references = new FileReferences(db)
      const seen = { table: 'wares', column: 'name', id: 'att1', name: 'a "b".png', type: 'image/png', bytes: 12 }
      assert.deepEqual(references.of('att1'), [
        { ...seen, key: 'a' },
        { ...seen, key: "it's" },
      ])
      assert.deepEqual(references.of('att3'), [])
      assert.deepEqual(references.of('att1', { ...seen, key: 'a' }), [{ ...seen, key: "it's" }])
      assert.deepEqual(references.of('att1', { ...seen, key: "it's" }), [])
      assert.deepEqual(site.pointer().tables[0]?.fileColumns, ['name'])
    })
  })
})
