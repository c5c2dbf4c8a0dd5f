import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { test } from 'node:test'
import { disk, type Files } from '../../lib/base/files.ts'
import { keyText } from '../../lib/row-key.ts'
import { ENVELOPE_END, envelopeStart, type Pointer } from '../../lib/snapshot.ts'
import type { Plan } from '../../lib/source.ts'
import { quote } from '../../lib/sqlite/database.ts'
import { rollback } from '../../lib/sqlite/publish.ts'
import { SnapshotLog } from '../../lib/sqlite/snapshot-log.ts'
import { CHANGED_AT, CREATED_AT, POSITION, VERSION } from '../../lib/sqlite/snapshot-schema.ts'
import type { Run } from '../../lib/sync-run.ts'
import { seeded, testSeed } from '../support/random.ts'
import { digestOf } from '../support/rows.ts'
import { ChangingUpstream, jsonRow, KINDS, type Held, type Tables } from './changing-upstream.ts'
import { NO_LIMITS, rowsOf, tapped, TestSite, TTL_MS, withSnapshot } from './site.ts'

const WORLDS = 7
const RUNS = 14

type Version = [version: number, changedAt: number, createdAt: number]
type Rows = ReadonlyMap<string, ReadonlyMap<string, string>>
interface State {
  readonly tables: Tables
  /** By table and key. */
  readonly versions: ReadonlyMap<string, ReadonlyMap<string, Version>>
  /** Where the pull ended that made it. */
  readonly cursor: string | undefined
}

/** A data directory, and what plain JavaScript says it holds. */
class World implements Disposable {
  readonly site: TestSite
  readonly upstream: ChangingUpstream
  readonly #random: () => number
  /** Steps of the disk until one fails. */
  #failsIn = Infinity
  #now: State | undefined
  #before: State | undefined
  /** By watermark: the rows of each table by their keys, as they were found to be right. */
  readonly #history = new Map<string, Rows>()
  #pointer: Pointer | undefined
  /** What was refused and can be published after all. */
  #refused: { run: string; tables: Tables; cursor: string | undefined } | undefined
  #cursor: string | undefined
  /** Nothing came back since the last look at the upstream. */
  #isCertain = false

  constructor(seed: number) {
    this.#random = seeded(seed)
    const { rename, replace, sync, remove } = tapped(() => {
      if (--this.#failsIn === 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
    })
    const files: Files = { ...disk, rename, replace, sync, remove }
    this.site = new TestSite({ files, bodyFileBytes: this.#chance(0.2) ? 400 : 1e6 })
    this.upstream = new ChangingUpstream(this.#random)
  }

  [Symbol.dispose](): void {
    this.site[Symbol.dispose]()
  }

  #chance(share: number): boolean {
    return this.#random() < share
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count)
  }

  async step(): Promise<void> {
    this.site.clock.move(1000)
    if (this.#now !== undefined) {
      if (this.#before !== undefined && this.#chance(0.07)) return this.#rollBack()
      if (this.#refused !== undefined && this.#chance(0.3)) return this.#republish()
      if (this.#chance(0.04)) this.#loseFile()
    }
    if (this.#chance(0.75)) this.upstream.change()
    await this.#run()
  }

  /** One run: planned, killed now and then, taken up again, and ended. */
  async #run(): Promise<void> {
    const { site, upstream } = this
    const isRefused = this.#chance(0.12)
    upstream.begin(this.#now?.tables ?? new Map())
    let claim = await site.claim('wares', { trigger: 'start' })
    for (let kills = this.#below(4) - 1; kills > 0; kills--) {
      await this.#killed(claim)
      const again = await site.control.claim('wares', `after kill ${kills}`, TTL_MS)
      assert.equal(again?.run.id, claim.run.id)
      claim = again
    }
    if (this.#chance(0.1)) this.#failsIn = 1 + this.#below(30)
    const run = await site.work(claim, upstream, { limits: { ...NO_LIMITS, maxLostShare: isRefused ? -9 : 1 } })
    this.#failsIn = Infinity
    const { target, cursor } = upstream
    if (run.status === 'failed') {
      assert.equal(run.error?.code, 'disk_failed', JSON.stringify(run.error))
      assert.equal(site.folder().readPointer()?.watermark, this.#pointer?.watermark)
      upstream.isSamePlan = true
      return
    }
    if (run.status === 'rejected') {
      assert.ok(isRefused || looksBad(this.#pointer, target), JSON.stringify(run.error))
      this.#refused = { run: run.id, tables: target, cursor }
      upstream.isSamePlan = false
      return
    }
    this.#ended(run, target, cursor)
  }

  /** Works on a run until somewhere, and leaves everything as it is. */
  async #killed({ lease, run }: Awaited<ReturnType<TestSite['claim']>>): Promise<void> {
    const { store, control } = this.site
    const plan = await this.#plan()
    if (plan.identity !== store.seenIdentity('wares')) {
      using stage = store.stage({ lease, run: run.id, plan })
      let pages = this.#below(7)
      if (!stage.isPulled) {
        const from = stage.cursor === undefined ? {} : { resumeFrom: stage.cursor }
        for await (const page of this.upstream.pull({ plan, signal: AbortSignal.timeout(9000), ...from })) {
          if (pages-- === 0) break
          stage.write(page)
        }
      }
      if (pages > 0 && !stage.isSame) {
        stage.finishPull()
        if (this.#chance(0.6)) stage.compare()
      }
    }
    await control.release(lease)
  }

  #plan(): Promise<Plan> {
    const published = this.site.store.published('wares')
    return this.upstream.plan({
      signal: AbortSignal.timeout(9000),
      trigger: 'start',
      published,
      wantsAll: false,
      refusedAt: null,
    })
  }

  async #republish(): Promise<void> {
    const { run: id, tables, cursor } = this.#refused!
    this.#refused = undefined
    await this.site.control.request('wares', 'start', id)
    const claim = await this.site.control.claim('wares', 'operator', TTL_MS)
    const run = await this.site.work(claim!, this.upstream)
    assert.equal(run.error, null)
    this.#ended(run, tables, cursor, { hasLooked: false })
  }

  async #rollBack(): Promise<void> {
    const lease = await this.site.control.lease('wares', 'operator', TTL_MS)
    this.site.publisher.table.setState('wares', { state: 'COMPLETED' })
    await rollback(this.site.publisher, lease!)
    await this.site.control.release(lease!)
    const back = this.#before as State
    this.#before = this.#now
    this.#now = back
    this.#isCertain = false
    this.#cursor = back.cursor
    this.upstream.isSamePlan = false
    this.#pointer = this.site.pointer()
    assert.equal(this.site.store.published('wares'), undefined)
    this.#check()
  }

  /** Somebody removes the active file: it can only be pulled anew. */
  #loseFile(): void {
    rmSync(this.site.folder().file(this.site.pointer().file))
    assert.equal(this.site.store.published('wares'), undefined)
    this.#now = undefined
    this.upstream.isSamePlan = false
  }

  /** `hasLooked`: at the upstream, not only at what was refused before. */
  #ended(run: Run, tables: Tables, cursor: string | undefined, { hasLooked } = { hasLooked: true }): void {
    assert.equal(run.status, 'completed', JSON.stringify(run.error))
    const isChanged = this.#now === undefined || !isSameData(this.#now.tables, tables)
    assert.equal(run.result, isChanged ? 'published' : 'unchanged')
    const pointer = this.site.pointer()
    if (!isChanged) assert.deepEqual(pointer, this.#pointer)
    else {
      // What a rollback goes back to has no file where that was lost.
      this.#before = this.#now
      this.#now = { tables, versions: versionsAfter(this.#now, tables, pointer, this.#times(pointer)), cursor }
      this.#pointer = pointer
    }
    this.upstream.isSamePlan = false
    if (isChanged || (hasLooked && cursor !== undefined)) this.#cursor = cursor
    const published = this.site.store.published('wares')
    if (isChanged || hasLooked) this.#isCertain = true
    if (!this.#isCertain) {
      assert.equal(published, undefined)
      return this.#check()
    }
    assert.equal(published?.cursor, this.#cursor)
    const kept = [...tables.values()].filter(({ isKept }) => isKept).map(({ name }) => name)
    assert.deepEqual(published?.kept.toSorted(), kept.toSorted())
    assert.deepEqual(published?.plan.tables.map(({ name }) => name).toSorted(), [...tables.keys()].toSorted())
    this.#check()
  }

  /** When the rows of a first snapshot were there, by table: it may have been begun by a run that was killed. */
  #times(pointer: Pointer): ReadonlyMap<string, number> {
    if (this.#now !== undefined) return new Map()
    return withSnapshot(this.site.folder().file(pointer.file), (db) => {
      const all = db.prepare<[], [string, number]>('SELECT name, base_at FROM _hf_tables').raw().all()
      assert.ok(all.every(([, at]) => at > 0 && at <= pointer.publishedAt))
      return new Map(all)
    })
  }

  /** Everything that the file and the pointer say, against what plain JavaScript knows. */
  #check(): void {
    const { tables, versions } = this.#now as State
    const pointer = this.site.pointer()
    assert.deepEqual(pointer.tables.map(({ name }) => name).toSorted(), [...tables.keys()].toSorted())
    withSnapshot(this.site.folder().file(pointer.file), (db, sqlTables) => {
      assert.equal(db.pragma('integrity_check', { simple: true }), 'ok')
      const found = new Map<string, Map<string, string>>()
      for (const info of pointer.tables) {
        const held = tables.get(info.name) as Held
        const table = sqlTables.find(({ name }) => name === info.name)!
        assert.deepEqual(
          table.columns.map(({ name }) => name).toSorted(),
          info.columns.map(({ name }) => name).toSorted(),
        )
        const rows = rowsOf(db, table)
        const wanted = expectedRows(
          held,
          info.columns.map(({ name }) => name),
        )
        const keyOf = (row: Record<string, unknown>) => keyText(info.key.map((name) => row[name]))
        const byKey = new Map(rows.map((row) => [keyOf(row), JSON.stringify(row)]))
        if (held.key !== undefined)
          assert.deepEqual(sorted(byKey), sorted(new Map(wanted.map((row) => [keyOf(row), JSON.stringify(row)])))) // prettier-ignore
        else assert.deepEqual(bare(rows, info.key).toSorted(), wanted.map((row) => JSON.stringify(row)).toSorted())
        assert.equal(info.digest, digestOf(rows), `digest of ${info.name}`)
        assert.equal(info.rows, rows.length)
        this.#checkBody(pointer, info, rows)
        const facts = db
          .prepare<[], number[]>(
            `SELECT ${POSITION}, ${VERSION}, ${CHANGED_AT}, ${CREATED_AT} FROM ${quote(table.sqlName)} ORDER BY 1`,
          )
          .raw()
          .all()
        assert.deepEqual(facts.map(([position]) => position), rows.map((_, index) => index + 1)) // prettier-ignore
        if (held.key !== undefined) {
          const own = new Map(rows.map((row, index) => [keyOf(row), facts[index]!.slice(1)]))
          assert.deepEqual(sorted(own), sorted(versions.get(info.name)!), `versions of ${info.name}`)
        }
        found.set(info.name, byKey)
      }
      this.#history.set(pointer.watermark, found)
      if (!pointer.isRolledBack) this.#checkLog(new SnapshotLog(db, pointer), found)
    })
  }

  #checkBody(pointer: Pointer, info: Pointer['tables'][number], rows: readonly object[]): void {
    const { snapshot, publishedAt, source } = pointer
    const start = envelopeStart({ source, snapshot, count: rows.length, publishedAt })
    const body = start + rows.map((row) => JSON.stringify(row)).join(',') + ENVELOPE_END
    if (info.bodyBytes > 0) assert.equal(info.bodyBytes, Buffer.byteLength(body), `bytes of ${info.name}`)
    for (const row of rows)
      assert.ok(info.largestRow! >= Buffer.byteLength(JSON.stringify(row)), `the largest row of ${info.name}`)
    const folder = this.site.folder()
    const path = folder.file(folder.bodyName(snapshot, pointer.tables.indexOf(info), 'identity'))
    if (!pointer.rendersLater && !pointer.isRolledBack && info.bodyBytes > 0)
      assert.equal(readFileSync(path, 'utf8'), body)
  }

  #checkLog(log: SnapshotLog, now: Rows): void {
    for (const [watermark, past] of this.#history) {
      if (watermark < log.start) continue
      const tables = new Map([...past].map(([name, rows]) => [name, new Map(rows)]))
      const fetched = new Set<string>()
      for (const batch of log.after(watermark)) {
        for (const { table, key, op, row } of log.changes(batch)) {
          // What is fetched again is already what later batches make of it.
          if (fetched.has(table)) continue
          if (op === 'put') tables.get(table)?.set(key, row as string)
          else if (op === 'delete') assert.ok(tables.get(table)?.delete(key), `${key} of ${table} was there`)
          else if (fetched.add(table) && now.has(table)) tables.set(table, new Map(now.get(table)))
          else tables.delete(table)
        }
      }
      const facts = (rows: Rows) =>
        sorted(new Map([...rows].map(([name, own]) => [name, sorted(own).map(([key, row]) => [key, canonical(row)])])))
      assert.deepEqual(facts(tables), facts(now), `the log from ${watermark}`)
    }
  }

  async render(): Promise<void> {
    if (this.#now === undefined) return
    await this.site.store.renderActive('wares', { signal: AbortSignal.timeout(9000), onProgress: () => {} })
    const pointer = this.site.pointer()
    const folder = this.site.folder()
    for (const [index, { bodyBytes }] of pointer.tables.entries()) {
      if (bodyBytes === 0) continue
      const body = readFileSync(folder.file(folder.bodyName(pointer.snapshot, index, 'identity')))
      assert.equal(body.length, bodyBytes)
    }
  }
}

function keyedRows({ key, rows, columns }: Held): Map<string, string> {
  if (key === undefined) return new Map()
  return new Map(rows.map((row) => [keyText(key.map((name) => jsonRow(row, columns)[name])), JSON.stringify(jsonRow(row, columns))])) // prettier-ignore
}

function expectedRows({ rows }: Held, columns: readonly string[]): Record<string, unknown>[] {
  return rows.map((row) =>
    jsonRow(
      row,
      columns.filter((name) => name in row || KINDS[name] !== undefined),
    ),
  )
}

/** Rows without their generated key. */
function bare(rows: readonly Record<string, unknown>[], key: readonly string[]): string[] {
  return rows.map((row) =>
    JSON.stringify(Object.fromEntries(Object.entries(row).filter(([name]) => !key.includes(name)))),
  )
}

function versionsAfter(
  before: State | undefined,
  tables: Tables,
  { batch, publishedAt }: Pointer,
  times: ReadonlyMap<string, number>,
): State['versions'] {
  return new Map(
    [...tables].map(([name, held]) => {
      const at = times.get(name) ?? publishedAt
      const old = before?.tables.get(name)
      const oldVersions = before?.versions.get(name)
      const oldRows = old && keyedRows(old)
      const isSameKey = old !== undefined && JSON.stringify(old.key) === JSON.stringify(held.key)
      const isSameShape = isSameKey && isSameNames(old.columns, held.columns)
      return [
        name,
        new Map(
          [...keyedRows(held)].map(([key, row]): [string, Version] => {
            const was = isSameKey ? oldVersions?.get(key) : undefined
            if (was !== undefined && isSameShape && canonical(oldRows!.get(key)!) === canonical(row)) return [key, was]
            return [key, [batch, at, was?.[2] ?? at]]
          }),
        ),
      ]
    }),
  )
}

/** Whether a table is gone or has lost all its rows. */
function looksBad(before: Pointer | undefined, after: Tables): boolean {
  return (before?.tables ?? []).some(({ name, rows }) => {
    const table = after.get(name)
    return table === undefined || (rows > 0 && table.rows.length === 0)
  })
}

function isSameNames(a: readonly string[], b: readonly string[]): boolean {
  return JSON.stringify(a.toSorted()) === JSON.stringify(b.toSorted())
}

function isSameData(a: Tables, b: Tables): boolean {
  const facts = ({ name, key, columns, rows, isKept }: Held) => {
    const texts = rows.map((row) => canonical(JSON.stringify(jsonRow(row, columns)))).toSorted()
    return JSON.stringify([name, key ?? null, columns.toSorted(), isKept, texts])
  }
  return isSameNames([...a.values()].map(facts), [...b.values()].map(facts))
}

/** Whatever the order of its members. */
function canonical(row: string): string {
  return JSON.stringify(Object.entries(JSON.parse(row) as object).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : 1))
}

test('whatever happens in whatever order, what is published is what the upstream had', async (t) => {
  const first = testSeed()
  for (let world = 0; world < WORLDS; world++) {
    const seed = first + world
    try {
      using run = new World(seed)
      for (let step = 0; step < RUNS; step++) {
        await run.step()
        if (step % 5 === 4) await run.render()
      }
    } catch (error) {
      t.diagnostic(`HOLDFAST_SEED=${seed}`)
      throw error
    }
  }
})
