import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Clock } from '../../lib/base/clock.ts'
import { createSchedule, slotsPerMonth } from '../../lib/sync/schedule.ts'
import { until } from '../support/holdfast.ts'
import { TestClock } from '../sqlite/site.ts'

const MINUTE = 60_000
const at = (text: string) => Date.parse(text)

/** A clock whose sleepers wake when it is moved past their time, in order. */
class ManualClock implements Clock {
  #now: number
  #sleepers: { at: number; wake: () => void }[] = []
  readonly slept: number[] = []
  constructor(now: number) {
    this.#now = now
  }
  now(): number {
    return this.#now
  }
  monotonic(): number {
    return this.#now
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.slept.push(ms)
    return new Promise((resolve) => {
      const sleeper = { at: this.#now + ms, wake: resolve }
      this.#sleepers.push(sleeper)
      signal?.addEventListener('abort', () => resolve(), { once: true })
    })
  }
  /** Moves to `to`; what is due by then wakes there, as after a machine slept. */
  async jump(to: number): Promise<void> {
    this.#now = to
    const due = this.#sleepers.filter((sleeper) => sleeper.at <= to)
    this.#sleepers = this.#sleepers.filter((sleeper) => sleeper.at > to)
    for (const { wake } of due) wake()
    for (let turn = 0; turn < 5; turn++) await Promise.resolve()
  }
}

describe('a schedule', () => {
  test('of rare slots is looked through by days: whoever serves is not held up', async () => {
    const now = at('2026-03-30T10:00:30Z')
    for (const [text, since, isDue] of [
      ['0 0 1 1 *', '2026-03-01T00:00:00Z', false],
      ['@monthly', '2026-03-02T00:00:00Z', false],
      ['@monthly', '2026-02-28T23:59:30Z', true],
      ['59 23 29 3 *', '2026-03-29T23:58:59Z', true],
      ['59 23 29 3 *', '2026-03-29T23:59:00Z', false],
      ['0 10 30 3 *', '2026-03-02T05:06:07Z', true],
      ['30 0 10 30 3 *', '2026-03-02T05:06:07Z', true],
      ['31 0 10 30 3 *', '2026-03-02T05:06:07Z', false],
    ] as const) {
      const schedule = await createSchedule(text, new TestClock(now))
      const from = performance.now()
      assert.equal(schedule.isDue(at(since), now), isDue, `${text} since ${since}`)
      if (!text.startsWith('@'))
        assert.ok(performance.now() - from < 100, `${text} took ${performance.now() - from} ms`)
    }
  })

  test('that is off has no slot', async () => {
    const schedule = await createSchedule('off', new TestClock())
    assert.equal(schedule.nextAt(), undefined)
    assert.equal(schedule.isDue(0, Date.now()), false)
    schedule.follow(() => assert.fail('there is none'))[Symbol.dispose]()
  })

  test('of an interval has the same slots in every process: multiples since the epoch', async () => {
    const clock = new TestClock(at('2026-03-01T10:00:07Z'))
    const schedule = await createSchedule('every 90s', clock)
    assert.equal(schedule.nextAt(), at('2026-03-01T10:01:30Z'))
    assert.equal(schedule.isDue(at('2026-03-01T10:00:00Z'), at('2026-03-01T10:01:29Z')), false)
    assert.equal(schedule.isDue(at('2026-03-01T10:00:00Z'), at('2026-03-01T10:01:30Z')), true)
    assert.equal(
      schedule.isDue(at('2026-03-01T10:01:30Z'), at('2026-03-01T10:02:59Z')),
      false,
      'a slot is over once it was taken',
    )
  })

  test('of an interval calls at each slot, once for all it slept through, and no more when disposed', async () => {
    const clock = new ManualClock(5_000)
    const schedule = await createSchedule('every 10s', clock)
    const slots: number[] = []
    const following = schedule.follow((slot) => slots.push(slot))
    await clock.jump(9_999)
    assert.deepEqual(slots, [])
    await clock.jump(10_000)
    await clock.jump(20_001)
    await clock.jump(57_000)
    assert.deepEqual(slots, [10_000, 20_000, 30_000])
    await clock.jump(60_000)
    following[Symbol.dispose]()
    await clock.jump(70_000)
    assert.deepEqual(slots, [10_000, 20_000, 30_000, 60_000])
  })

  test('of a long interval sleeps in steps, as clocks are set and timers overflow', async () => {
    const clock = new ManualClock(0)
    const slots: number[] = []
    using _following = (await createSchedule('every 86400s', clock)).follow((slot) => slots.push(slot))
    for (let hour = 1; hour <= 24; hour++) await clock.jump(hour * 60 * MINUTE)
    assert.deepEqual(slots, [86_400_000])
    assert.ok(clock.slept.every((ms) => ms <= 60 * MINUTE))
  })

  test('of a cron expression means UTC', async () => {
    const schedule = await createSchedule('30 4 * * 1', new TestClock())
    // A Monday.
    assert.equal(schedule.isDue(at('2026-03-02T04:29:00Z'), at('2026-03-02T04:29:59Z')), false)
    assert.equal(schedule.isDue(at('2026-03-02T04:29:59Z'), at('2026-03-02T04:30:00Z')), true)
    assert.equal(schedule.isDue(at('2026-03-02T04:30:00Z'), at('2026-03-09T04:29:59Z')), false)
    assert.equal(schedule.isDue(at('2026-03-02T04:30:00Z'), at('2026-03-09T04:30:00Z')), true)
    const next = new Date(schedule.nextAt() ?? 0)
    assert.deepEqual([next.getUTCDay(), next.getUTCHours(), next.getUTCMinutes()], [1, 4, 30])
    assert.ok(next.getTime() > Date.now())
  })

  test('of a cron expression with seconds is due at the second', async () => {
    const schedule = await createSchedule('*/20 30 4 * * *', new TestClock())
    const isDue = (since: string, now: string) => schedule.isDue(at(`2026-03-02T${since}Z`), at(`2026-03-02T${now}Z`))
    assert.equal(isDue('04:29:59', '04:30:00'), true)
    assert.equal(isDue('04:30:00', '04:30:19'), false)
    assert.equal(isDue('04:30:01', '04:30:20'), true)
    assert.equal(isDue('04:30:40', '04:30:59'), false)
    assert.equal(isDue('04:30:40', '23:59:59'), false)
    const rare = await createSchedule('0 0 0 29 2 *', new TestClock())
    assert.equal(rare.isDue(at('2026-03-02T00:00:00Z'), at('2026-03-30T00:00:00Z')), false)
  })

  test('of a cron expression is due after a month whatever it says', async () => {
    const schedule = await createSchedule('0 0 29 2 *', new TestClock())
    assert.equal(schedule.isDue(at('2026-03-02T00:00:00Z'), at('2026-03-30T00:00:00Z')), false)
    assert.equal(schedule.isDue(at('2026-03-02T00:00:00Z'), at('2026-04-30T00:00:00Z')), true)
    assert.equal(schedule.isDue(0, Date.now()), true)
  })

  test('of a cron expression with seconds calls at its slots until it is disposed', async () => {
    const schedule = await createSchedule('* * * * * *', new TestClock())
    const slots: number[] = []
    const following = schedule.follow((slot) => slots.push(slot))
    await until(() => slots.length >= 2, { what: 'two slots' })
    following[Symbol.dispose]()
    assert.ok(
      slots.every((slot) => slot % 1000 === 0),
      String(slots),
    )
    assert.equal(new Set(slots).size, slots.length)
  })
})

test('how often a schedule runs in a month is known beforehand', async () => {
  const known = {
    '0 * * * *': 744,
    '*/5 * * * *': 8928,
    'every 30s': 89_280,
    '0 3 * * 1': 4,
    '*/10 * * * * *': 267_840,
    '@daily': 31,
    '@hourly': 744,
  }
  for (const [text, slots] of Object.entries(known)) assert.equal(await slotsPerMonth(text), slots, text)
  assert.equal(await slotsPerMonth('off'), null)
})
