import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Plan } from '../../lib/source.ts'
import type { Progress, Run } from '../../lib/sync-run.ts'
import { endLine, progressLine } from '../../lib/sync/progress-line.ts'
import { ProgressMeter } from '../../lib/sync/progress-meter.ts'
import { TestClock } from '../sqlite/site.ts'

const plan = (...tables: Plan['tables']): Plan => ({ identity: 'i', tables })

describe('the progress of a run', () => {
  const metered = (...tables: Plan['tables']) => {
    const clock = new TestClock(0)
    const meter = new ProgressMeter(clock)
    meter.planned(plan(...tables), () => 0)
    return { clock, meter }
  }

  test('knows its share, rate and time left from expected or estimated totals', () => {
    const { clock, meter } = metered({ name: 't', expectedRows: 1000 }, { name: 'u', estimatedRows: 1000 })
    assert.deepEqual(meter.progress, {
      phase: 'planning', done: 0, rate: 0, etaMs: null, at: 0,
      tables: [{ table: 't', total: 1000, completed: 0, failed: 0 }, { table: 'u', total: 1000, completed: 0, failed: 0 }],
    }) // prettier-ignore
    meter.phase = 'pulling'
    meter.page('t', 0, undefined)
    for (let second = 1; second <= 5; second++) {
      clock.move(1000)
      meter.page('t', second * 100, undefined)
    }
    assert.deepEqual([meter.progress.done, meter.progress.rate, meter.progress.etaMs], [0.25, 100, 15_000])
    assert.equal(meter.progress.at, 5000)
    assert.equal(meter.progress.phase, 'pulling')
  })

  test('takes the source’s own word for how far it is', () => {
    const { clock, meter } = metered({ name: 't' })
    meter.page('t', 10, 0)
    clock.move(2000)
    meter.page('t', 20, 0.5)
    assert.deepEqual([meter.progress.done, meter.progress.rate, meter.progress.etaMs], [0.5, 10, 2000])
  })

  test('does not guess where nobody knows the end', () => {
    const { clock, meter } = metered({ name: 't', expectedRows: 10 }, { name: 'u' })
    clock.move(1000)
    meter.page('t', 5, undefined)
    assert.deepEqual([meter.progress.done, meter.progress.etaMs, meter.progress.rate], [null, null, 5])
    const empty = metered({ name: 't', expectedRows: 0 })
    empty.meter.page('t', 0, undefined)
    assert.equal(empty.meter.progress.done, null)
  })

  test('is never more than all, however wrong an estimate was', () => {
    const { clock, meter } = metered({ name: 't', estimatedRows: 10 })
    clock.move(1000)
    meter.page('t', 500, undefined)
    assert.deepEqual([meter.progress.done, meter.progress.etaMs], [1, 0])
  })

  test('tells the rate of the last seconds, not of all time', () => {
    const { clock, meter } = metered({ name: 't' })
    for (let second = 1; second <= 60; second++) {
      clock.move(1000)
      meter.page('t', second * 1000, undefined)
    }
    for (let second = 1; second <= 12; second++) {
      clock.move(1000)
      meter.page('t', 60_000 + second * 10, undefined)
    }
    assert.equal(meter.progress.rate, 10)
  })

  test('is no rate where time stands still or goes back', () => {
    const { clock, meter } = metered({ name: 't' })
    meter.page('t', 100, 0.1)
    assert.deepEqual([meter.progress.rate, meter.progress.etaMs], [0, null])
    clock.move(-5000)
    meter.page('t', 200, 0.2)
    assert.deepEqual([meter.progress.rate, meter.progress.etaMs], [0, null])
  })

  test('counts rows that an earlier attempt left, but not into the rate', () => {
    const clock = new TestClock(0)
    const meter = new ProgressMeter(clock)
    meter.planned(plan({ name: 't', expectedRows: 1000 }), () => 400)
    clock.move(1000)
    meter.page('t', 500, undefined)
    assert.deepEqual([meter.progress.done, meter.progress.rate, meter.progress.etaMs], [0.5, 100, 5000])
    const told = new ProgressMeter(clock)
    told.planned(plan({ name: 't' }), () => 400)
    told.page('t', 400, 0.4)
    clock.move(1000)
    told.page('t', 500, 0.5)
    assert.deepEqual([told.progress.rate, told.progress.etaMs], [100, 5000])
  })

  test('is all done when all is pulled, however much was expected', () => {
    const { meter } = metered({ name: 't', estimatedRows: 1000 })
    meter.page('t', 998, undefined)
    meter.pulled()
    assert.equal(meter.progress.done, 1)
  })

  test('begins again with a pull that begins again', () => {
    const { clock, meter } = metered({ name: 'gone', expectedRows: 100 }, { name: 't', expectedRows: 100 })
    clock.move(1000)
    meter.page('gone', 100, 0.5)
    meter.planned(plan({ name: 't', expectedRows: 100 }), () => 0)
    assert.deepEqual([meter.progress.done, meter.progress.rate, meter.progress.etaMs], [0, 0, null])
    assert.deepEqual(
      meter.progress.tables.map(({ table }) => table),
      ['t'],
    )
    clock.move(1000)
    meter.page('t', 50, undefined)
    assert.deepEqual([meter.progress.done, meter.progress.rate], [0.5, 50])
  })
})

describe('the line that shows a run', () => {
  const progress: Progress = { phase: 'pulling', tables: [{ table: 't', total: 2000, completed: 1000, failed: 0 }, { table: 'u', total: null, completed: 234, failed: 0 }], done: 0.5, rate: 5678, etaMs: 9500, at: 0 } // prettier-ignore
  const run = {
    id: 'r', source: 'wares', trigger: 'once', status: 'running', result: null, snapshot: null, requestedAt: 0, startedAt: 1000, finishedAt: null,
    resumes: 0, republish: null, error: null, progress, timings: null,
  } satisfies Run // prettier-ignore

  test('has a bar, the rows, the rate and the time left while it pulls', () => {
    assert.equal(
      progressLine(run, 200),
      `wares  ${'█'.repeat(12)}${'░'.repeat(12)} 50 %  pulling  1,234 rows  5,678 rows/s  9.5 s left`,
    )
    const of = (change: Partial<Progress>) => progressLine({ ...run, progress: { ...progress, ...change } }, 200)
    assert.equal(of({ done: null, etaMs: null, rate: 0 }), 'wares  pulling  1,234 rows')
    assert.match(of({ done: 0 }), /░{24} 0 %/)
    assert.match(of({ done: 1 }), /█{24} 100 %/)
    assert.match(of({ done: 0.999 }), / 99 %/)
    assert.doesNotMatch(of({ phase: 'comparing' }), /left|rows\/s/)
  })

  test('says seconds, then minutes', () => {
    const left = (etaMs: number) =>
      / ([\d.]+ \w+) left/.exec(progressLine({ ...run, progress: { ...progress, etaMs } }, 200))?.[1]
    assert.deepEqual([0, 9999, 10_000, 119_499, 120_000, 3_600_000].map(left), [
      '0.0 s',
      '10.0 s',
      '10 s',
      '119 s',
      '2 min',
      '60 min',
    ])
  })

  test('is no wider than the terminal, and there before there is anything to tell', () => {
    for (const width of [0, 1, 10, 79]) assert.ok(progressLine(run, width).length <= width)
    assert.equal(progressLine({ ...run, progress: null }, 79), 'wares  waiting')
  })

  test('ends with what became of the run', () => {
    const ended = { ...run, status: 'completed', finishedAt: 3500 } as const
    assert.equal(
      endLine({ ...ended, result: 'published', snapshot: 's1' }),
      'wares  published 1,234 rows as s1 in 2.5 s',
    )
    assert.equal(endLine({ ...ended, result: 'unchanged' }), 'wares  unchanged in 2.5 s')
    const error = { code: 'upstream_unavailable', message: 'It is away.', facts: {} } as const
    assert.equal(endLine({ ...ended, status: 'failed', error }), 'wares  failed: It is away. (upstream_unavailable)')
    assert.equal(endLine({ ...run, status: 'paused' }), 'wares  paused')
  })
})
