import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { Failure } from '../../lib/errors.ts'
import type { Answer, Query } from '../../lib/query.ts'
import { resolveQuery } from '../../lib/resolve-query.ts'
import type { TableInfo } from '../../lib/snapshot.ts'
import type { ReaderJob } from '../../lib/sqlite/reader-job.ts'
import { ReaderPool, type ReaderSettings } from '../../lib/sqlite/reader-pool.ts'
import { until } from '../support/holdfast.ts'
import { tempFolder } from '../support/temp.ts'
import { any, by, EVERYTHING, is, QuerySite, type QuerySiteOptions } from './query-site.ts'

const SETTINGS: ReaderSettings = { queryReaders: 2, queryDeadlineMs: 60_000, answerMaxBytes: 1e6 }
const ENTRY = new URL('reader-entry.ts', import.meta.url)

/** A pool whose processes only pretend. */
function pretending(settings: Partial<ReaderSettings> = {}, options: { idleMs?: number; maxWaiting?: number } = {}) {
  return new ReaderPool({ ...SETTINGS, ...settings }, { entry: ENTRY, ...options })
}

function job(name: string): ReaderJob {
  const table: TableInfo = {
    name, rows: 1, key: ['id'], columns: [{ name: 'id', type: 'integer' }], digest: '', bodyBytes: 0, indexes: [],
    search: [], times: { created: null, modified: null },
  } // prettier-ignore
  return { path: '/nowhere', table, query: resolveQuery(EVERYTHING, table, undefined) }
}

function ask(pool: ReaderPool, name: string, options: { principal?: string; signal?: AbortSignal } = {}) {
  const { principal = 'one', signal = new AbortController().signal } = options
  return pool.run(job(name), { principal, signal })
}

/** Until one has started, however long that takes. */
async function started(run: () => Promise<Answer>): Promise<void> {
  for (;;) {
    try {
      return void (await run())
    } catch (error) {
      if (!failsWith('query_deadline')(error)) throw error
    }
  }
}

const LARGE: QuerySiteOptions = {
  columns: { id: 'integer', name: 'text' },
  key: ['id'],
  rows: Array.from({ length: 20_000 }, (_, id) => [id, `${'ab'.repeat(100)}${id}`]),
}
/** Takes minutes. */
const ENDLESS: Query = {
  ...EVERYTHING,
  where: any(...Array.from({ length: 150 }, (_, n) => is('name', 'imatch', `(a|b)*[^ab]{9}(x|y)${n}$`))),
}

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function goneAll(pids: readonly number[]): Promise<void> {
  await until(() => pids.every((pid) => !isAlive(pid)), { what: `the end of ${pids.join(', ')}` })
}

const failsWith = (code: string) => (error: unknown) => error instanceof Failure && error.code === code

describe('reader processes', () => {
  test('answer what real queries ask, with the types of cells kept, and failures as failures', async () => {
    const rows = [
      [1, 'b', 2n ** 60n],
      [2, 'a', null],
    ]
    using site = await QuerySite.publish({
      columns: { id: 'integer', name: 'text', big: 'integer' },
      key: ['id'],
      rows,
    })
    using pool = new ReaderPool(SETTINGS)
    const path = site.site.folder().file(site.site.pointer().file)
    const options = { principal: 'one', signal: new AbortController().signal }
    const resolve = (query: object) => resolveQuery({ ...EVERYTHING, ...query }, site.table, undefined)
    const query = resolve({
      order: by('name'),
      count: 'exact',
      where: is('big', 'isdistinct', '99999999999999999999999'),
    })
    const answer = await pool.run({ path, table: site.table, query }, options)
    assert.deepEqual(answer.rows, [
      [2, 'a', null],
      [1, 'b', String(2n ** 60n)],
    ])
    assert.equal(answer.last, null)
    assert.deepEqual(answer, await site.snapshot.query(query, options))
    const asText = { ...query, text: { separator: ',', names: null } } as const
    const { text } = await pool.run({ path, table: site.table, query: asText }, options)
    assert.equal(
      Buffer.from(text!).toString(),
      '{"id":2,"name":"a","big":null},{"id":1,"name":"b","big":"1152921504606846976"}',
    )
    const bad = resolve({ where: is('name', 'match', '(a') })
    await assert.rejects(pool.run({ path, table: site.table, query: bad }, options), failsWith('bad_filter'))
    await assert.rejects(
      pool.run({ path: `${path}.gone`, table: site.table, query }, options),
      failsWith('snapshot_not_found'),
    )
    assert.equal(pool.state.pids.length, 1, 'one process has done all of it')
  })

  test('a query that does not end is killed at its deadline, and told which index would help', async () => {
    using pool = pretending({ queryDeadlineMs: 500, queryReaders: 1 })
    await started(() => ask(pool, 'quick'))
    const { table } = job('hang')
    const asked = { ...EVERYTHING, where: is('id', 'eq', '1') }
    const wide = { ...table, key: ['other'], columns: [...table.columns, { name: 'name', type: 'text' as const }] }
    const query = resolveQuery({ ...asked, order: by('name') }, wide, undefined)
    const running = pool.run({ path: '', table: wide, query }, { principal: 'a', signal: new AbortController().signal })
    // Never comes to run: the time it waits counts.
    const waiting = ask(pool, 'wait', { principal: 'b' })
    const { pids } = pool.state
    assert.equal(pids.length, 1)
    await assert.rejects(running, (error: Failure) => {
      assert.equal(error.code, 'query_deadline')
      assert.equal(error.facts.hint, "Add indexes: [['id', 'name']] to tables.hang.")
      return true
    })
    await assert.rejects(waiting, failsWith('query_deadline'))
    await goneAll(pids)
  })

  test('a query over a large table is really killed', async () => {
    using site = await QuerySite.publish(LARGE)
    using pool = new ReaderPool({ ...SETTINGS, queryDeadlineMs: 1000 })
    const query = resolveQuery(ENDLESS, site.table, undefined)
    const path = site.site.folder().file(site.site.pointer().file)
    const options = { principal: 'a', signal: new AbortController().signal }
    const first = resolveQuery({ ...EVERYTHING, limit: 1 }, site.table, undefined)
    await started(() => pool.run({ path, table: site.table, query: first }, options))
    const running = pool.run({ path, table: site.table, query }, options)
    const { pids } = pool.state
    await assert.rejects(running, failsWith('query_deadline'))
    await goneAll(pids)
    assert.deepEqual(pool.state, { pids: [], running: 0, waiting: 0 })
  })

  test('one that is still starting at the deadline is left to start, for the next', async () => {
    using folder = tempFolder()
    process.env.READER_GATE = folder.file('open')
    try {
      using pool = pretending({ queryDeadlineMs: 300, queryReaders: 1 })
      await assert.rejects(ask(pool, 'quick'), failsWith('query_deadline'))
      const { pids } = pool.state
      assert.equal(pids.length, 1)
      await assert.rejects(ask(pool, 'quick'), failsWith('query_deadline'))
      assert.deepEqual(pool.state, { pids, running: 0, waiting: 0 })
      assert.ok(isAlive(pids[0]!))
      writeFileSync(folder.file('open'), '')
      await started(() => ask(pool, 'quick'))
    } finally {
      delete process.env.READER_GATE
    }
  })

  test('a query nobody waits for any more is ended, running or waiting', async () => {
    using pool = pretending({ queryReaders: 1 })
    await started(() => ask(pool, 'quick'))
    const [first, second] = [new AbortController(), new AbortController()]
    const running = ask(pool, 'hang', { signal: first.signal })
    const waiting = ask(pool, 'hang', { signal: second.signal })
    const behind = ask(pool, 'quick')
    const { pids } = pool.state
    second.abort(new Error('left early'))
    await assert.rejects(waiting, /left early/)
    assert.equal(pool.state.waiting, 1)
    first.abort(new Error('left late'))
    await assert.rejects(running, /left late/)
    await goneAll(pids)
    const [[pid]] = (await behind).rows as [[number]]
    assert.ok(!pids.includes(pid))
    await assert.rejects(ask(pool, 'quick', { signal: AbortSignal.abort(new Error('gone already')) }), /gone already/)
  })

  test('a process that breaks fails its query only, and another takes its place', async () => {
    using pool = pretending({ queryReaders: 1 })
    const broken = ask(pool, 'crash')
    const next = ask(pool, 'quick')
    await assert.rejects(broken, (error: Failure) => error.code === 'internal' && /code 7/.test(error.message))
    assert.equal((await next).rows.length, 1)
  })

  test('who asks much waits behind who asks little', async () => {
    using pool = pretending({ queryReaders: 1 })
    const order: string[] = []
    const note = (name: string, principal: string) => ask(pool, 'quick', { principal }).then(() => order.push(name))
    await Promise.all([
      ...['a1', 'a2', 'a3', 'a4'].map((name) => note(name, 'a')),
      ...['b1', 'b2'].map((name) => note(name, 'b')),
      note('c1', 'c'),
    ])
    assert.deepEqual(order, ['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4'])
  })

  test('one may have all processes, until somebody else waits', async () => {
    using pool = pretending({ queryReaders: 2 })
    const leaving = new AbortController()
    const options = { principal: 'a', signal: leaving.signal }
    const first = new AbortController()
    const order: string[] = []
    const held = [
      ask(pool, 'wait', { principal: 'a', signal: first.signal }),
      ask(pool, 'wait', options),
      ask(pool, 'wait', options).finally(() => order.push('a')),
    ]
    const ended = Promise.allSettled(held)
    assert.deepEqual([pool.state.running, pool.state.waiting], [2, 1])
    const other = ask(pool, 'quick', { principal: 'b' }).finally(() => order.push('b'))
    assert.deepEqual([pool.state.running, pool.state.waiting], [2, 2])
    first.abort(new Error('enough'))
    await other
    assert.deepEqual(order, ['b'], 'asked last, served first')
    leaving.abort(new Error('enough'))
    await ended
    assert.equal(pool.state.running, 0)
  })

  test('only so many wait; where there is no room, it is for who has most of it to go', async () => {
    using pool = pretending({ queryReaders: 1 }, { maxWaiting: 3 })
    const leaving = new AbortController()
    const options = (principal: string) => ({ principal, signal: leaving.signal })
    const held = [1, 2, 3, 4].map(() => ask(pool, 'wait', options('a')))
    const ended = Promise.allSettled(held)
    await assert.rejects(ask(pool, 'wait', options('a')), failsWith('readers_busy'))
    const other = ask(pool, 'wait', options('b'))
    await assert.rejects(held.at(-1)!, failsWith('readers_busy'))
    leaving.abort(new Error('enough'))
    await assert.rejects(other, /enough/)
    await ended
  })

  test('end when there is nothing to do, and when the pool does', async () => {
    const pool = pretending({}, { idleMs: 1 })
    const first = (await ask(pool, 'quick')).rows[0]![0] as number
    await goneAll([first])
    await until(() => pool.state.pids.length === 0, { what: 'the pool to know' })
    const held = ask(pool, 'hang')
    const { pids } = pool.state
    pool[Symbol.dispose]()
    await assert.rejects(held, failsWith('draining'))
    await assert.rejects(ask(pool, 'quick'), failsWith('draining'))
    await goneAll(pids)
  })

  for (const when of ['before they have begun', 'in the midst of a statement']) {
    test(`are not left behind by a server that is killed ${when}`, async () => {
      using site = await QuerySite.publish(LARGE)
      const path = site.site.folder().file(site.site.pointer().file)
      const jobs = [{ ...EVERYTHING, where: is('id', 'eq', '1') }, ENDLESS].map((query) => ({
        path,
        table: site.table,
        query: resolveQuery(query, site.table, undefined),
      }))
      const script = `
        import { ReaderPool } from ${JSON.stringify(new URL('../../lib/sqlite/reader-pool.ts', import.meta.url))}
        const pool = new ReaderPool(${JSON.stringify({ ...SETTINGS, queryReaders: 1 })})
        const options = { principal: 'a', signal: new AbortController().signal }
        const [first, second] = ${JSON.stringify(jobs)}
        ${when.startsWith('in') ? 'await pool.run(first, options)' : ''}
        pool.run(second, options).catch(() => {})
        console.log(pool.state.pids[0])`
      const server = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const pid = await new Promise<number>((resolve) =>
        server.stdout.once('data', (data: Buffer) => resolve(Number(data.toString()))),
      )
      assert.ok(isAlive(pid))
      server.kill('SIGKILL')
      await goneAll([pid])
    })
  }
})
