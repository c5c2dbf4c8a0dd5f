import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CallLimit } from '../../lib/call-limiter.ts'
import { ControlDatabase } from '../../lib/sqlite/control-database.ts'
import { seeded, testSeed } from '../support/random.ts'
import { tempFolder } from '../support/temp.ts'
import { BASE, crowds, keepCalling, rowsOf, UNBOUNDED, Upstream, World, type WorldProcess } from './call-world.ts'

const FLOOR_MS = 204_200
const DAY_MS = 86_400_000
const never = new AbortController().signal
const seed = testSeed()
const hint = `replay with HOLDFAST_SEED=${seed}`

describe('calls of many processes', () => {
  for (const { processes, cursors } of [
    { processes: 1, cursors: 2 },
    { processes: 4, cursors: 2 },
    { processes: 8, cursors: 1 },
  ]) {
    test(`1,023 calls of ${processes} × ${cursors} cursors keep the limit and take at most 1.06 × what it allows`, async (t) => {
      using world = new World(seeded(seed))
      const upstream = new Upstream(world, { wayBackMs: 200 })
      const startedAt = world.nowMs
      const isEnough = () => upstream.arrivals.length >= 1023
      for (let index = 0; index < processes; index++) {
        const process = world.start()
        keepCalling(process, process.limiter(), upstream, { count: cursors, isEnough })
      }
      await world.pass(isEnough)
      assert.deepEqual(crowds(upstream.times), [], hint)
      const tookMs = world.nowMs - startedAt
      t.diagnostic(`${(tookMs / FLOOR_MS).toFixed(4)} × the floor`)
      assert.ok(tookMs <= 1.06 * FLOOR_MS, `${tookMs} ms, ${hint}`)
    })
  }

  test('late timers, slow commits and busy threads cost a few milliseconds a window, and no slot', async (t) => {
    using world = new World(seeded(seed))
    const upstream = new Upstream(world)
    const startedAt = world.nowMs
    const isEnough = () => upstream.arrivals.length >= 1023
    for (let index = 0; index < 4; index++) {
      const process = world.start({ isRough: true })
      keepCalling(process, process.limiter(), upstream, { count: 2, isEnough })
    }
    await world.pass(isEnough)
    assert.deepEqual(crowds(upstream.times), [], hint)
    const ratio = (world.nowMs - startedAt) / FLOOR_MS
    t.diagnostic(`${ratio.toFixed(4)} × the floor`)
    assert.ok(ratio < 1.1, `${ratio}, ${hint}`)
  })

  test('whatever is killed, stopped or set, no window has too many', async (t) => {
    let calls = 0
    for (let round = 0; round < 12; round++) {
      using world = new World(seeded(seed + round))
      const upstream = new Upstream(world)
      const isEnough = () => upstream.arrivals.length >= 150
      const processes: WorldProcess[] = []
      const start = () => {
        const process = world.start({ isRough: true })
        process.jump(world.between(-DAY_MS, DAY_MS))
        keepCalling(process, process.limiter(), upstream, { count: 1 + Math.floor(world.random() * 3), isEnough })
        return process
      }
      for (let index = 0; index < 5; index++) processes.push(start())
      const trouble = () => {
        const victim = Math.floor(world.random() * processes.length)
        const kind = world.random()
        if (kind < 0.3) {
          processes[victim]?.kill()
          processes[victim] = start()
        } else if (kind < 0.7) processes[victim]?.stop(world.between(1, 4000))
        else processes[victim]?.jump(world.between(-40 * DAY_MS, 40 * DAY_MS))
        world.at(world.nowMs + world.between(20, 1500), trouble)
      }
      world.at(world.nowMs + 500, trouble)
      await world.pass(isEnough)
      assert.deepEqual(crowds(upstream.times), [], `round ${round}, ${hint}`)
      calls += upstream.arrivals.length
    }
    t.diagnostic(`${calls} calls`)
  })

  test('the checks see a limiter that does not allow for jitter', async () => {
    using world = new World(seeded(seed))
    const upstream = new Upstream(world)
    const isEnough = () => upstream.arrivals.length >= 300
    const process = world.start()
    keepCalling(process, process.limiter([{ ...BASE, windowMs: 950 }]), upstream, { count: 8, isEnough })
    await world.pass(isEnough)
    assert.notDeepEqual(crowds(upstream.times), [], hint)
  })

  for (const { isRough, says, most } of [
    { isRough: false, says: 'first', most: 0 },
    { isRough: true, says: 'first, but for who oversleeps', most: BASE.calls },
  ]) {
    test(`who asked first calls ${says}, whatever process it is of`, async () => {
      using world = new World(seeded(seed))
      const limiters = Array.from({ length: 4 }, () => world.start({ isRough }).limiter())
      const order: number[] = []
      for (let index = 0; index < 40; index++) {
        void limiters[(index * 7) % 4]?.slot(never).then(() => order.push(index))
        await world.pass(1)
      }
      await world.pass(() => order.length === 40)
      const ahead = order.map((asker, place) => asker - place)
      assert.ok(Math.max(...ahead) <= most, `${order.join(' ')}, ${hint}`)
    })
  }

  test('several limits are kept at once, and what one of them leaves is used', async (t) => {
    using world = new World(seeded(seed))
    const token: CallLimit = { account: 'token', calls: 8, windowMs: 1000 }
    const bases = [0, 1, 2].map((index) => ({ account: `base ${index}`, upstream: new Upstream(world) }))
    const isEnough = () => bases.reduce((sum, { upstream }) => sum + upstream.arrivals.length, 0) >= 400
    const startedAt = world.nowMs
    for (const { account, upstream } of bases) {
      const process = world.start()
      keepCalling(process, process.limiter([{ ...BASE, account }, token]), upstream, { count: 4, isEnough })
    }
    await world.pass(isEnough)
    const all = bases.flatMap(({ upstream }) => upstream.times)
    for (const { upstream } of bases) assert.deepEqual(crowds(upstream.times), [], hint)
    assert.deepEqual(crowds(all, token), [], hint)
    const share = all.length / ((world.nowMs - startedAt) / 1000) / token.calls
    t.diagnostic(`${(share * 100).toFixed(1)} % of the limit they share`)
    assert.ok(share > 0.93, `${share}, ${hint}`)
  })

  test('who waits for one limit does not hold up who needs only another', async () => {
    using world = new World(seeded(seed))
    const token: CallLimit = { account: 'token', calls: 6, windowMs: 1000 }
    const [one, other] = [world.start(), world.start()]
    const busy = one.limiter([BASE, token])
    let sent = 0
    for (let index = 0; index < 15; index++) void busy.slot(never).then(() => sent++)
    await world.pass(1)
    assert.equal(sent, 5)
    const before = world.nowMs
    await world.wait(other.limiter([{ ...BASE, account: 'other' }, token]).slot(never))
    assert.ok(world.nowMs - before < 5, `${world.nowMs - before} ms`)
  })
})

describe('a slot', () => {
  test('is there at once where nobody called', async () => {
    using world = new World(seeded(seed))
    const limiter = world.start().limiter()
    const before = world.nowMs
    for (let call = 0; call < 5; call++) await world.wait(limiter.slot(never))
    assert.equal(world.nowMs, before)
    await world.wait(limiter.slot(never))
    assert.ok(world.nowMs - before >= 1050 && world.nowMs - before <= 1053, `${world.nowMs - before} ms`)
  })

  test('is saved before it is used', async () => {
    using world = new World(seeded(seed))
    const [one, other] = [world.start(), world.start()]
    const limiter = one.limiter()
    for (let call = 0; call < 5; call++) await world.wait(limiter.slot(never))
    one.kill()
    const before = world.nowMs
    await world.wait(other.limiter().slot(never))
    assert.ok(world.nowMs - before >= 1050)
  })

  test('of a process that is killed while it waits is all that is lost', async () => {
    using world = new World(seeded(seed))
    const [one, other] = [world.start(), world.start()]
    const [doomed, limiter] = [one.limiter(), other.limiter()]
    for (let call = 0; call < 8; call++) void doomed.slot(never)
    await world.pass(1)
    one.kill()
    const before = world.nowMs
    // Five were sent and three were waiting: two places are left in the next window.
    for (let call = 0; call < 2; call++) await world.wait(limiter.slot(never))
    assert.ok(world.nowMs - before < 1060, `${world.nowMs - before} ms`)
    await world.wait(limiter.slot(never))
    assert.ok(world.nowMs - before < 2120, `${world.nowMs - before} ms`)
  })

  test('that its owner slept through is not used in a burst', async () => {
    using world = new World(seeded(seed))
    const [sleepy, brisk] = [world.start(), world.start()]
    const upstream = new Upstream(world)
    const isEnough = () => upstream.arrivals.length >= 60
    keepCalling(sleepy, sleepy.limiter(), upstream, { count: 10, isEnough })
    await world.pass(100)
    sleepy.stop(3210)
    keepCalling(brisk, brisk.limiter(), upstream, { count: 6, isEnough })
    await world.pass(isEnough)
    assert.deepEqual(crowds(upstream.times), [], hint)
  })

  test('whose process was stopped right after the commit is taken again, and counted once', async () => {
    using world = new World(seeded(seed))
    const [one, other] = [world.start(), world.start()]
    const limiter = one.limiter()
    const sent: number[] = []
    one.stop(5000)
    const slot = limiter.slot(never).then(() => sent.push(world.nowMs))
    assert.equal(limiter.usage().calls, 1)
    // Those of another process fill the window in which it wakes up.
    world.at(world.nowMs + 4900, () => {
      for (let call = 0; call < 5; call++)
        void other
          .limiter()
          .slot(never)
          .then(() => sent.push(world.nowMs))
    })
    await world.wait(slot)
    assert.equal(sent.length, 6)
    assert.deepEqual(crowds(sent, { ...BASE, windowMs: 1050 }), [])
    assert.equal(limiter.usage().calls, 6)
  })

  test('is taken in the end even where every commit takes long', async () => {
    using world = new World(seeded(seed))
    const process = world.start({ commitMs: 70 })
    const sent: number[] = []
    for (let call = 0; call < 12; call++)
      void process
        .limiter()
        .slot(never)
        .then(() => sent.push(world.nowMs))
    await world.pass(() => sent.length === 12)
    assert.deepEqual(crowds(sent, { ...BASE, windowMs: 1050 }), [])
  })

  test('that nobody wants any more is left to others, at once', async () => {
    using world = new World(seeded(seed))
    const [one, other] = [world.start(), world.start()]
    const limiter = one.limiter()
    for (let call = 0; call < 5; call++) await world.wait(limiter.slot(never))
    const aborter = new AbortController()
    const given = Array.from({ length: 20 }, () => assert.rejects(limiter.slot(aborter.signal), { message: 'enough' }))
    await world.pass(10)
    const before = world.nowMs
    aborter.abort(new Error('enough'))
    await Promise.all(given)
    assert.equal(world.nowMs, before)
    await world.wait(other.limiter().slot(never))
    assert.ok(world.nowMs - before < 1060, `${world.nowMs - before} ms`)
    assert.equal(limiter.usage().calls, 6)
  })

  test('is not given to who has been told to stop', async () => {
    using world = new World(seeded(seed))
    const limiter = world.start().limiter()
    await assert.rejects(limiter.slot(AbortSignal.abort(new Error('enough'))), { message: 'enough' })
    assert.equal(limiter.usage().calls, 0)
  })

  test('waits a full window after the machine was started again', async () => {
    using world = new World(seeded(seed))
    const before = world.start({ boot: 'first' }).limiter()
    await world.wait(before.slot(never))
    world.nowMs = 17
    const after = world.start({ boot: 'second' }).limiter()
    await world.wait(after.slot(never))
    assert.ok(world.nowMs >= 17 + 1050 && world.nowMs <= 17 + 1052, `${world.nowMs} ms`)
    const startedAt = world.nowMs
    for (let call = 0; call < 4; call++) await world.wait(after.slot(never))
    assert.equal(world.nowMs, startedAt)
  })

  test('leaves no more rows than a window has calls', async () => {
    using world = new World(seeded(seed))
    const process = world.start()
    const limiter = process.limiter()
    for (let call = 0; call < 60; call++) await world.wait(limiter.slot(never))
    assert.ok(rowsOf(process, 'call_slots').length <= BASE.calls)
    assert.deepEqual(rowsOf(process, 'call_pauses'), [])
  })
})

describe('limits', () => {
  test('come with their tables to a data directory that is older, and all that was there stays', async () => {
    using folder = tempFolder()
    using world = new World(seeded(seed))
    const path = folder.file('control.sqlite')
    const clock = world.start()
    const old = new ControlDatabase(path, clock)
    old.db
      .exec(`DROP TABLE call_slots; DROP TABLE call_pauses; DROP TABLE call_months; DELETE FROM meta WHERE name = 'calls';
      PRAGMA user_version = 2;
      INSERT INTO sources (source, generation, state) VALUES ('shop', 7, 'COMPLETED');
      INSERT INTO slots VALUES ('shop', 12);
      UPDATE meta SET value = 41 WHERE name = 'sequence'`)
    const before = dumpOf(old)
    old.close()
    const control = new ControlDatabase(path, clock)
    try {
      const after = dumpOf(control)
      for (const [table, rows] of Object.entries(before)) {
        if (table === 'meta') for (const row of rows) assert.ok(after.meta?.includes(row), row)
        else assert.deepEqual(after[table], rows, table)
      }
      assert.deepEqual([after.call_slots, after.call_pauses, after.call_months], [[], [], []])
      assert.equal(control.db.pragma('user_version', { simple: true }), 3)
    } finally {
      control.close()
    }
  })

  test('have to be given', () => {
    using world = new World(seeded(seed))
    assert.throws(() => world.start().limiter([], UNBOUNDED), /needs a limit/)
  })
})

/** Every row of every table, as texts. */
function dumpOf({ db }: ControlDatabase): Record<string, string[]> {
  const tables = db.prepare<[], string>(`SELECT name FROM sqlite_schema WHERE type = 'table'`).pluck().all()
  return Object.fromEntries(
    tables.map((table) => [
      table,
      db
        .prepare(`SELECT * FROM "${table}"`)
        .all()
        .map((row) => JSON.stringify(row)),
    ]),
  )
}
