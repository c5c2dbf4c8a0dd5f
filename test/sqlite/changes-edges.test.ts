import assert from 'node:assert/strict'
import { existsSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { describe, test, type TestContext } from 'node:test'
import { disk } from '../../lib/base/files.ts'
import type { Page, Plan, TablePlan } from '../../lib/source.ts'
import { FileReferences } from '../../lib/sqlite/file-references.ts'
import { rollback } from '../../lib/sqlite/publish.ts'
import { planOptions } from '../support/plan-options.ts'
import { active, COLUMNS, Script, WARES, type Step } from './script.ts'
import { TestSite, TTL_MS, withSnapshot } from './site.ts'

const PEOPLE: TablePlan = { name: 'people', key: ['id'], columns: ['id'], types: { id: 'text' } }
const refused = { code: 'upstream_refused', message: 'The token may not read it.' } as const
/** Nothing is told of it beforehand. */
const LOOSE: TablePlan = { name: 'wares', key: ['sku'] }
const A: Step = { table: 'wares', rows: [['a', 'one', 1]] }

async function siteWith(t: TestContext, script: Script): Promise<TestSite> {
  const site = new TestSite()
  t.after(() => site[Symbol.dispose]())
  assert.equal((await site.sync(script)).error, null)
  return site
}

const bySku = (a: Record<string, unknown>, b: Record<string, unknown>) => (String(a.sku) < String(b.sku) ? -1 : 1)

describe('a page that is the first of its table', () => {
  for (const plan of [WARES, LOOSE]) {
    const what = plan === LOOSE ? 'not told beforehand' : 'told'
    test(`may put rows, where columns are ${what}`, async (t) => {
      const site = await siteWith(t, new Script().next([plan], [{ ...A, put: true }]))
      assert.deepEqual(site.published('wares'), [{ sku: 'a', name: 'one', price: 1 }])
    })

    test(`may put nothing, and may delete what is not there, where columns are ${what}`, async (t) => {
      const pages: Step[] = [
        { table: 'wares', put: true },
        { table: 'wares', restarts: true, deleted: [['x']] },
      ]
      for (const page of pages) {
        const site = await siteWith(t, new Script().next([plan], [page, A]))
        assert.deepEqual(site.published('wares'), [{ sku: 'a', name: 'one', price: 1 }])
      }
    })
  }

  test('may bring fewer columns than are told, in another order: the table has those that are told', async (t) => {
    const site = await siteWith(
      t,
      new Script().next([WARES], [{ table: 'wares', columns: ['price', 'sku'], rows: [[1, 'a']] }]),
    )
    assert.deepEqual(
      site.pointer().tables[0]?.columns.map(({ name }) => name),
      COLUMNS,
    )
    assert.deepEqual(site.published('wares'), [{ sku: 'a', name: null, price: 1 }])
  })
})

describe('columns whose types are not declared', () => {
  const plan: TablePlan = { ...LOOSE, columns: COLUMNS }

  test('are in a pull of changes what they were, and widen by what is put', async (t) => {
    const script = new Script().next([plan], [{ table: 'wares', rows: [['a', 'one', 1], ['b', 'two', 2]] }]) // prettier-ignore
    const site = await siteWith(t, script)
    const widened: Step = { table: 'wares', put: true, rows: [['b', 2, 2.5]] }
    script.next([active(plan)], [widened])
    assert.equal((await site.sync(script)).error, null)
    const changed = site.pointer()
    assert.deepEqual(site.published('wares'), [
      { sku: 'a', name: 'one', price: 1 },
      { sku: 'b', name: 2, price: 2.5 },
    ])
    script.next([plan], [A, { table: 'wares', rows: widened.rows ?? [] }])
    assert.equal((await site.sync(script)).result, 'unchanged')
    assert.equal(site.pointer().digest, changed.digest)
  })

  test('begin anew with their table', async (t) => {
    const wide: Step = { table: 'wares', rows: [['a', { x: 1 }, 2n ** 70n]] }
    const site = await siteWith(t, new Script().next([LOOSE], [wide, { ...A, restarts: true }]))
    assert.deepEqual(
      site.pointer().tables[0]?.columns.map(({ type }) => type),
      ['text', 'text', 'integer'],
    )
  })
})

describe('two rows with one key', () => {
  const clash: Step = { table: 'wares', rows: [['a', 'other', 2]] }

  test('are refused where they differ, also behind pages that put rows', async (t) => {
    const site = new TestSite()
    t.after(() => site[Symbol.dispose]())
    const put: Step = { table: 'wares', put: true, rows: [['b', 'two', 2]] }
    const run = await site.sync(new Script().next([WARES], [A, put, A, clash]))
    assert.equal(run.error?.facts.reason, 'duplicate_key')
    assert.equal((await site.sync(new Script().next([WARES], [A, put, A]))).result, 'published')
    assert.equal(site.published('wares').length, 2)
  })

  test('become the later one where the plan says so, also behind pages that put rows', async (t) => {
    const put: Step = { table: 'wares', put: true, rows: [['b', 'two', 2]] }
    const site = await siteWith(t, new Script().next([{ ...WARES, repeats: 'latest' }], [A, put, clash]))
    assert.deepEqual(site.published('wares').toSorted(bySku)[0], { sku: 'a', name: 'other', price: 2 })
  })
})

describe('keys of rows that are gone', () => {
  test('that no row can have are passed over', async (t) => {
    const plan: TablePlan = {
      name: 'wares',
      key: ['i', 'd', 'b'],
      columns: ['i', 'd', 'b'],
      types: { i: 'integer', d: 'decimal', b: 'boolean' },
    }
    const columns = ['i', 'd', 'b']
    const all = [
      [1, '1.50', false],
      [2n ** 62n, '-0.10', true],
      ['7', 3, 'true'],
    ]
    const strange = [
      ['no number at all, and long', '1.50', false],
      [2n ** 70n, '1.50', false],
      ['9'.repeat(30), '1.50', false],
      [1, 'x', false],
      [1, '1.50', 'perhaps'],
      [1, '1.5', false],
      [1.5, '1.50', false],
      [1, '1.50'],
      [],
      [null, '1.50', false],
    ]
    const script = new Script().next([plan], [{ table: 'wares', columns, rows: all }])
    const site = await siteWith(t, script)
    script.next([active(plan)], [{ table: 'wares', columns, deleted: strange }])
    const run = await site.sync(script)
    assert.deepEqual([run.error, run.result], [null, 'unchanged'])
    const gone = [[String(2n ** 62n), '-0.10', 1], [7n, '3', true]] // prettier-ignore
    script.next([active(plan)], [{ table: 'wares', columns, deleted: gone }])
    assert.equal((await site.sync(script)).result, 'published')
    assert.deepEqual(site.published('wares'), [{ i: 1, d: '1.50', b: false }])
  })
})

describe('a table without a key', () => {
  const plan: TablePlan = { name: 'wares', columns: ['v'], types: { v: 'text' } }
  const page = (...values: string[]): Step => ({ table: 'wares', columns: ['v'], rows: values.map((v) => [v]) })

  test('gets rows added to the active ones as if all had come at once', async (t) => {
    const script = new Script().next([plan], [page('x', 'x', 'y')])
    const site = await siteWith(t, script)
    script.next([active(plan)], [page('x', 'y', 'z')])
    assert.equal((await site.sync(script)).error, null)
    const { digest, watermark } = site.pointer()
    script.next([plan], [page('x', 'x', 'y', 'x', 'y', 'z')])
    assert.equal((await site.sync(script)).result, 'unchanged')
    assert.deepEqual([site.pointer().digest, site.pointer().watermark], [digest, watermark])
  })

  test('has no rows that can be put or deleted: that is a bug of the source', async (t) => {
    const script = new Script().next([plan], [page('x')])
    const site = await siteWith(t, script)
    for (const says of [{ put: true }, { deleted: [['x']] }] as Partial<Page>[]) {
      script.next([active(plan)], [{ ...page('x'), ...says }])
      assert.equal((await site.sync(script)).error?.code, 'internal')
    }
  })
})

describe('a table that is kept', () => {
  const lower: TablePlan = { ...PEOPLE, name: 'PEOPLE' }
  const kept: Step = { table: 'people', keeps: refused }

  test('and was never there leaves its name to others', async (t) => {
    for (const cut of [false, true]) {
      const script = new Script().next([PEOPLE, lower, WARES], [kept, { table: 'PEOPLE', rows: [['p']] }, A])
      const site = new TestSite()
      t.after(() => site[Symbol.dispose]())
      if (cut) {
        // Killed behind its pull, and taken up again.
        const first = await site.claim()
        const plan = await script.plan(planOptions())
        using stage = site.store.stage({ lease: first.lease, run: first.run.id, plan })
        for await (const page of script.pull({ plan, signal: AbortSignal.timeout(5000) })) stage.write(page)
        stage.finishPull()
        stage.compare()
        await site.control.release(first.lease)
      }
      const run = await site.sync(script)
      assert.equal(run.error, null)
      assert.deepEqual(site.published('PEOPLE'), [{ id: 'p' }])
      script.next([active(lower), active(WARES)], [{ table: 'PEOPLE', put: true, rows: [['q']] }])
      assert.equal((await site.sync(script)).error, null)
      assert.deepEqual(site.published('PEOPLE'), [{ id: 'p' }, { id: 'q' }])
    }
  })

  test('and was never there is not among those that are published', async (t) => {
    const site = await siteWith(t, new Script().next([PEOPLE, WARES], [kept, A]))
    assert.deepEqual(
      site.store.published('wares')?.plan.tables.map(({ name }) => name),
      ['wares'],
    )
  })

  test('is not counted by what the upstream says it has', async (t) => {
    const script = new Script().next([WARES, PEOPLE], [A, { table: 'people', rows: [['p']] }])
    const site = await siteWith(t, script)
    script.next([WARES, { ...PEOPLE, expectedRows: 5 }], [kept, { table: 'wares', rows: [['b', 'b', 1]] }])
    assert.equal((await site.sync(script)).error, null)
    assert.deepEqual(site.published('people'), [{ id: 'p' }])
  })

  test('is in everything what it was: its key, its times, its files', async (t) => {
    const columns = ['id', 'made', 'photos']
    const before: TablePlan = {
      ...PEOPLE, columns, types: { id: 'text', made: 'text', photos: 'json' }, times: { created: 'made' }, fileColumns: ['photos'],
    } // prettier-ignore
    const noKey: TablePlan = { name: 'notes', columns: ['v'], types: { v: 'text' } }
    const photos = [{ id: 'att1', filename: 'a.png' }]
    const script = new Script().next(
      [WARES, before, noKey],
      [
        A,
        { table: 'people', columns, rows: [['p', '2026-01-01', photos]] },
        { table: 'notes', columns: ['v'], rows: [['x'], ['x']] },
      ],
    )
    const site = await siteWith(t, script)
    const infos = () => site.pointer().tables.slice(1).map(({ kept: _kept, ...info }) => info) // prettier-ignore
    const was = infos()
    const now: TablePlan = { ...PEOPLE, columns: ['id', 'born', 'images'], times: { created: 'born' }, fileColumns: ['images'] } // prettier-ignore
    script.next(
      [WARES, now, { ...noKey, key: ['v'] }],
      [kept, { ...kept, table: 'notes' }, { table: 'wares', rows: [['b', 'b', 1]] }],
    )
    assert.equal((await site.sync(script)).error, null)
    assert.deepEqual(infos(), was)
    assert.equal(site.pointer().warnings, undefined)
    const references = withSnapshot(site.folder().file(site.pointer().file), (db) => new FileReferences(db).of('att1'))
    assert.deepEqual(references.map(({ table, column }) => [table, column]), [['people', 'photos']]) // prettier-ignore
  })

  test('and is all there is leaves a snapshot without tables, also when its run was killed behind the comparison', async (t) => {
    const script = new Script().next([PEOPLE], [kept])
    const site = new TestSite()
    t.after(() => site[Symbol.dispose]())
    const { lease, run } = await site.claim()
    const plan = await script.plan(planOptions())
    {
      using stage = site.store.stage({ lease, run: run.id, plan })
      for await (const page of script.pull({ plan, signal: AbortSignal.timeout(5000) })) stage.write(page)
      stage.finishPull()
      stage.compare()
    }
    await site.control.release(lease)
    const again = await site.control.claim('wares', 'next', TTL_MS)
    assert.equal((await site.work(again!, script)).error, null)
    assert.deepEqual(site.pointer().tables, [])
  })

  test('is that of the snapshot that is active when the run is taken up again', async (t) => {
    const plans: Plan = { identity: 'all', tables: [WARES, PEOPLE] }
    const script = new Script()
      .next(plans.tables, [A, { table: 'people', rows: [['good']] }])
      .next(plans.tables, [A, { table: 'people', rows: [['bad']] }])
    const site = await siteWith(t, script)
    await site.sync(script)
    script.next(plans.tables, [kept, { table: 'wares', rows: [['b', 'b', 1]] }])
    const claim = await site.claim()
    const plan = await script.plan(planOptions())
    {
      using stage = site.store.stage({ lease: claim.lease, run: claim.run.id, plan })
      for await (const page of script.pull({ plan, signal: AbortSignal.timeout(5000) })) {
        stage.write(page)
        break
      }
    }
    await site.control.release(claim.lease)
    const lease = await site.control.lease('wares', 'operator', TTL_MS)
    site.publisher.table.setState('wares', { state: 'COMPLETED' })
    await rollback(site.publisher, lease!)
    await site.control.release(lease!)
    await site.control.request('wares', 'start')
    const again = await site.control.claim('wares', 'next', TTL_MS)
    assert.equal((await site.work(again!, script)).result, 'published')
    assert.deepEqual(site.published('people'), [{ id: 'good' }])
  })
})

describe('what is published', () => {
  test('is built on after a change of configuration that changed nothing of it', async (t) => {
    const script = new Script().next([WARES], [A]).next([WARES], [A])
    const site = await siteWith(t, script)
    const other = new TestSite({ dataDir: site.dataDir, clock: site.clock, shape: 'other' })
    t.after(() => other[Symbol.dispose]())
    assert.equal(other.store.published('wares'), undefined)
    assert.equal((await other.sync(script)).result, 'unchanged')
    assert.equal(other.store.published('wares')?.cursor, 'run 1 page 1')
    assert.equal(site.store.published('wares'), undefined)
  })

  test('and gone, as its file is, is told of to readers', async (t) => {
    const script = new Script().next([WARES, PEOPLE], [A]).next([WARES], [A])
    const site = await siteWith(t, script)
    rmSync(site.folder().file(site.pointer().file))
    assert.equal((await site.sync(script)).error, null)
    const log = withSnapshot(site.folder().file(site.pointer().file), (db) =>
      db.prepare('SELECT table_name, op FROM _hf_log ORDER BY table_name').raw().all(),
    )
    assert.deepEqual(log, [['people', 'resync'], ['wares', 'resync']]) // prettier-ignore
  })

  for (const [what, damage] of [
    ['garbage', (path: string) => writeFileSync(path, 'no database '.repeat(9000))],
    ['empty', (path: string) => truncateSync(path, 0)],
    ['cut off', (path: string) => truncateSync(path, 8192)],
    ['cut off early', (path: string) => truncateSync(path, 1000)],
  ] as const) {
    test(`is pulled anew where its file is ${what}`, async (t) => {
      const script = new Script().next([WARES], [A]).next([WARES], [A])
      const site = await siteWith(t, script)
      damage(site.folder().file(site.pointer().file))
      assert.equal(site.store.published('wares'), undefined)
      const run = await site.sync(script)
      assert.deepEqual([run.error, run.result], [null, 'published'])
      assert.equal(site.published('wares').length, 1)
    })
  }
})

describe('full answers that are rendered behind the publish', () => {
  const plan: TablePlan = { ...WARES, columns: ['sku', 'name', 'price'] }
  const many = Array.from({ length: 3000 }, (_, n) => [`sku ${n}`, `name ${n}`, n])

  async function changed(t: TestContext) {
    const script = new Script().next([plan, PEOPLE], [{ table: 'wares', rows: many }])
    const site = await siteWith(t, script)
    script.next([active(plan), active(PEOPLE)], [{ ...A, put: true }])
    assert.equal((await site.sync(script)).result, 'published')
    const folder = site.folder()
    const body = (index = 0) => folder.file(folder.bodyName(site.pointer().snapshot, index, 'identity'))
    const render = (onProgress = () => {}) =>
      site.store.renderActive('wares', { signal: AbortSignal.timeout(20_000), onProgress })
    return { site, script, body, render }
  }

  test('are not collected while they are made, however slowly', async (t) => {
    const { site, body, render } = await changed(t)
    const lease = await site.control.lease('wares', 'collector', TTL_MS)
    await render(() => {
      site.clock.move(60_000)
      site.store.collect(lease!)
    })
    assert.equal(statSync(body()).size, site.pointer().tables[0]?.bodyBytes)
  })

  test('of what is not active any more may lose their files: that is no trouble', async (t) => {
    const { site, body, render } = await changed(t)
    const folder = site.folder()
    const was = site.pointer()
    await render(() => {
      folder.writePointer(disk, { ...was, snapshot: 'another' })
      for (const name of site.list()) if (name.endsWith('.part')) rmSync(folder.file(name))
    })
    assert.ok(!existsSync(body()))
    folder.writePointer(disk, was)
    await assert.rejects(
      render(() => {
        for (const name of site.list()) if (name.endsWith('.part')) rmSync(folder.file(name))
      }),
    )
  })

  test('are not made again where they are', async (t) => {
    const { body, render } = await changed(t)
    await render()
    const files = () => [statSync(body(0)).ino, statSync(body(1)).ino]
    const [first, second] = files()
    rmSync(body(1))
    await render()
    assert.equal(files()[0], first)
    assert.notEqual(second, undefined)
    assert.ok(existsSync(body(1)))
  })
})
