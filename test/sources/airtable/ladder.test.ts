import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  budgetWarning,
  monthlyCalls,
  reservedCalls,
  runCalls,
  sweepCalls,
  type Consumption,
} from '../../../lib/sources/airtable/forecast.ts'
import { rungFor, type Situation } from '../../../lib/sources/airtable/ladder.ts'
import { decodeState, encodeState, stateAt, type State } from '../../../lib/sources/airtable/state.ts'

const DAY_MS = 86_400_000
const NOW = Date.UTC(2026, 6, 15)
const STATE: State = {
  identity: 'all-1',
  sweptAt: NOW - DAY_MS / 2,
  since: NOW - 60_000,
  payloads: { hook: 'ach1', next: 4 },
  isBlind: false,
  gaps: 0,
  isStale: false,
  records: { tbl1: 50_000 },
  seen: {},
  kept: [],
  toRead: {},
  look: null,
}
const SITUATION: Situation = {
  known: STATE,
  trigger: 'schedule',
  gap: null,
  now: NOW,
  sweepEveryMs: DAY_MS,
  usage: { month: '2026-07', calls: 0, budget: null, pausedUntil: null },
  sweepCalls: 503,
  refusedAt: null,
  reservedCalls: 0,
}
const rung = (change: Partial<Situation>) => rungFor({ ...SITUATION, ...change })
const isSweep = (change: Partial<Situation>) => rung(change).isSweep

describe('the ladder', () => {
  test('is as low as it can be: changes only', () => {
    for (const trigger of ['schedule', 'refresh', 'webhook', 'once', 'change', 'first'] as const) {
      assert.deepEqual(rung({ trigger }), { isSweep: false, warnings: [] })
    }
  })

  test('has everything read where nothing is known, somebody starts it, payloads are missing, or it is due', () => {
    assert.ok(isSweep({ known: undefined }))
    assert.ok(isSweep({ trigger: 'start' }))
    assert.ok(isSweep({ gap: 'payloads are gone' }))
    assert.ok(isSweep({ known: { ...STATE, sweptAt: NOW - DAY_MS } }))
    assert.ok(!isSweep({ known: { ...STATE, sweptAt: NOW - DAY_MS + 1 } }))
    assert.ok(isSweep({ known: { ...STATE, sweptAt: NOW + 1 } }), 'the clock went back: nobody knows when it was')
  })

  test('does not read again what the guard refused a short while ago, and says so', () => {
    const known = { ...STATE, sweptAt: NOW - 2 * DAY_MS }
    const refused = rung({ known, refusedAt: NOW - 1000 })
    assert.equal(refused.isSweep, false)
    assert.match(refused.warnings.join(), /refused by the guard/)
    assert.ok(isSweep({ known, refusedAt: NOW - DAY_MS }))
    assert.ok(isSweep({ known, refusedAt: NOW - 1000, trigger: 'start' }))
  })

  test('has what is due wait for the next month where the calls of this one will not do, and says so', () => {
    const known = { ...STATE, sweptAt: NOW - 2 * DAY_MS }
    const usage = { ...SITUATION.usage, budget: 100_000, calls: 99_498 }
    const { isSweep: isSwept, warnings } = rung({ known, usage })
    assert.equal(isSwept, false)
    assert.match(warnings.join(), /put off.*503 calls.*100000 in 2026-07, 502 are left/)
    assert.ok(isSweep({ known, usage: { ...usage, calls: 99_497 } }))
    assert.ok(!isSweep({ known, usage: { ...usage, calls: 99_497 }, reservedCalls: 1 }), 'changes go before')
  })

  test('does not have what is needed wait', () => {
    const usage = { ...SITUATION.usage, budget: 100_000, calls: 99_999 }
    assert.ok(isSweep({ known: undefined, usage }))
    assert.ok(isSweep({ gap: 'payloads are gone', usage }))
    assert.ok(isSweep({ trigger: 'start', usage }))
  })

  test('has payloads that keep missing read around, but once an hour', () => {
    const known = { ...STATE, gaps: 2, sweptAt: NOW - 3_599_000 }
    const { isSweep: isSwept, warnings } = rung({ gap: 'the webhook is gone', known })
    assert.equal(isSwept, false)
    assert.match(warnings.join(), /the webhook is gone/)
    assert.ok(isSweep({ gap: 'the webhook is gone', known: { ...known, sweptAt: NOW - 3_600_000 } }))
    assert.ok(isSweep({ gap: 'the webhook is gone', known: { ...known, gaps: 1 } }))
  })
})

describe('the forecast', () => {
  const hourly: Consumption = { records: [50_000], mode: 'polling', sweepEveryMs: DAY_MS, runsPerMonth: 744 }

  test('counts pages of a hundred, one at least for each table', () => {
    assert.equal(sweepCalls({ records: [0, 1, 100, 101], mode: 'webhook' }), 1 + 1 + 1 + 2 + 3)
    assert.equal(runCalls({ records: [5, 5, 5], mode: 'polling' }), 4)
    assert.equal(runCalls({ records: [5, 5, 5], mode: 'webhook' }), 3)
  })

  test('reserves what changes take until the month ends', () => {
    const half = { ...hourly, runsPerMonth: 744 }
    assert.equal(reservedCalls(half, Date.UTC(2026, 6, 1)), 744 * 2)
    assert.equal(reservedCalls(half, Date.UTC(2026, 6, 31, 23)), 2)
    assert.equal(reservedCalls(half, Date.UTC(2026, 11, 16, 12)), 744)
    assert.equal(reservedCalls({ ...half, runsPerMonth: null }, Date.UTC(2026, 6, 1)), 0)
  })

  test('says that hourly runs over 50,000 records fit into 100,000 calls', () => {
    assert.equal(monthlyCalls(hourly), (744 - 31) * 2 + 31 * 503)
    assert.equal(budgetWarning(hourly, 100_000), undefined)
  })

  test('says beforehand when they do not, and what would help', () => {
    const warning = budgetWarning({ ...hourly, sweepEveryMs: 3_600_000 }, 100_000)
    assert.match(warning ?? '', /374232 calls.*100000 are allowed.*sweepEvery/)
    const busy = { ...hourly, records: Array.from({ length: 40 }, () => 10), runsPerMonth: 44_640 }
    assert.match(budgetWarning(busy, 100_000) ?? '', /every.*webhook/)
  })

  test('counts full sweeps where no schedule is known', () => {
    assert.equal(monthlyCalls({ ...hourly, runsPerMonth: null }), 31 * 503)
    assert.equal(monthlyCalls({ ...hourly, runsPerMonth: 10 }), 10 * 503)
  })
})

describe('a cursor', () => {
  test('comes back as it was', () => assert.deepEqual(decodeState(encodeState(STATE)), STATE))

  for (const cursor of [undefined, '', 'null', '7', '{}', '{"format":2}', '[]', '{']) {
    test(`is none where it is ${cursor}`, () => {
      assert.equal(decodeState(cursor), undefined)
      if (cursor !== undefined) assert.throws(() => stateAt(cursor, 'all-1'), { code: 'upstream_changed' })
    })
  }

  test('of another pull is refused', () => {
    assert.deepEqual(stateAt(encodeState(STATE), 'all-1'), STATE)
    assert.throws(() => stateAt(encodeState(STATE), 'all-2'), { code: 'upstream_changed' })
  })
})
