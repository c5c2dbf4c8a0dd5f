import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AgeWatch, type AgeWatchParts } from '../../lib/sync/age-watch.ts'
import type { Schedule } from '../../lib/sync/schedule.ts'

const START = 1_800_000_000_000
const HOUR = 3_600_000

describe('the watch over the age of sources', () => {
  test('with READY_MAX_AGE, data that is older is stale, paused or not, until it is checked again', async () => {
    const { watch, heard, now, check } = site({ maxAgeMs: HOUR, isPaused: () => true })
    await now(START + HOUR)
    assert.deepEqual(heard(), ['fresh'])
    await now(START + HOUR + 1)
    await watch.look()
    check(START + HOUR + 2)
    await watch.look()
    const words = 'wares was last known to be up to date at 2027-01-15T08:00:00.000Z; READY_MAX_AGE allows 3600 s.'
    assert.deepEqual(heard(), ['fresh', words, words, 'fresh'])
  })

  test('without it, a source is stale when the fourth slot comes and three have brought nothing', async () => {
    const { watch, heard, now, check } = site({})
    for (let slot = 1; slot <= 3; slot++) watch.passed('wares', START + slot * HOUR)
    await now(START + 4 * HOUR - 1)
    assert.deepEqual(heard(), ['fresh'])
    watch.passed('wares', START + 4 * HOUR)
    await now(START + 4 * HOUR)
    assert.match(heard()[1] ?? '', /^wares was last .* 3 times in vain\.$/)
    // One that came for the first of them is enough.
    check(START + HOUR)
    await watch.look()
    assert.equal(heard()[2], 'fresh')
  })

  test('a source that is paused is as its operator wants it, and one without data is not old', async () => {
    const paused = site({ isPaused: () => true })
    const empty = site({ checkedAt: () => undefined })
    for (const { watch, now, heard } of [paused, empty]) {
      for (let slot = 1; slot <= 9; slot++) watch.passed('wares', START + slot * HOUR)
      await now(START + 9 * HOUR)
      assert.deepEqual(heard(), ['fresh'])
    }
  })

  test('it follows the schedules and looks by itself, and lets go of them in the end', async () => {
    const ending = new AbortController()
    let followers = 0
    const slots: ((slot: number) => void)[] = []
    const schedule: Schedule = {
      nextAt: () => undefined,
      isDue: () => false,
      follow(onSlot) {
        followers++
        slots.push(onSlot)
        return { [Symbol.dispose]: () => void followers-- }
      },
    }
    let sleeps = 0
    const sleep = async () => {
      for (const onSlot of slots) onSlot(START + ++sleeps * HOUR)
      if (sleeps === 5) ending.abort()
    }
    const { watch, heard } = site({
      schedules: new Map([['wares', schedule]]),
      clock: { now: () => START, monotonic: () => START, sleep },
    })
    await watch.follow(ending.signal)
    assert.deepEqual([sleeps, heard().slice(0, 3), followers], [5, ['fresh', 'fresh', 'fresh'], 0])
    assert.match(heard()[3] ?? '', /in vain/)
  })

  test('one source that cannot be looked at does not keep the others from it', async () => {
    const troubles: unknown[] = []
    const schedules = new Map(['broken', 'wares'].map((source) => [source, never]))
    const { watch, heard } = site({
      schedules,
      checkedAt(source) {
        if (source === 'broken') throw new Error('no such file')
        return START
      },
      onTrouble: (error) => troubles.push(error),
    })
    await watch.look()
    assert.deepEqual([troubles.length, heard()], [1, ['fresh']])
  })
})

const never: Schedule = {
  nextAt: () => undefined,
  isDue: () => false,
  follow: () => ({ [Symbol.dispose]: () => {} }),
}

/** One source that was checked at START; what the alerts are told is noted. */
function site(parts: Partial<AgeWatchParts>) {
  let time = START
  let checked = START
  const heard: string[] = []
  const watch = new AgeWatch({
    schedules: new Map([['wares', never]]),
    clock: { now: () => time, monotonic: () => time, sleep: async () => {} },
    maxAgeMs: null,
    checkedAt: () => checked,
    isPaused: () => false,
    claim: async () => true,
    alerts: {
      stale: async (_source, message) => void heard.push(message),
      fresh: async () => void heard.push('fresh'),
    },
    onTrouble: (error) => assert.fail(String(error)),
    ...parts,
  })
  const now = (at: number) => {
    time = at
    return watch.look()
  }
  return { watch, heard: () => heard, now, check: (at: number) => void (checked = at) }
}
