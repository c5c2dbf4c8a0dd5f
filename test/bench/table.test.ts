import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  aboveReferenceAtMost,
  below,
  noTarget,
  ratioAtLeast,
  ratioAtMost,
  type Goal,
  type Measurement,
  type Outcome,
} from '../../bench/lib/row.ts'
import { formatFigure, renderNotes, renderTable, replaceBlock } from '../../bench/lib/table.ts'

function measured(name: string, target: Goal, measurement: Measurement): Outcome {
  return { row: { name, target, run: () => Promise.resolve(measurement) }, kind: 'measured', measurement }
}

function skipped(name: string, target: Goal, reason: string): Outcome {
  return { row: { name, target, run: () => Promise.reject(new Error(reason)) }, kind: 'skipped', reason }
}

function figure(ours: number, value?: number): Measurement {
  return { ours, unit: 'ms', ...(value !== undefined && { reference: { what: 'idle', value } }) }
}

describe('bench table', () => {
  test('says what was measured, what was missed and what was skipped', () => {
    const table = renderTable([
      measured('fetch', ratioAtMost(1), {
        ours: 19.5,
        unit: 'ms',
        reference: { what: 'nginx', value: 24 },
        ratio: 0.8125,
      }),
      measured('304', ratioAtLeast(1), {
        ours: 12_345.6,
        unit: 'req/s',
        reference: { what: 'hello', value: 20_000 },
        ratio: 0.617,
      }),
      measured('alone', ratioAtMost(1), { ours: 1, unit: 'ms', reference: { what: 'skipped: no nginx', value: null } }),
      skipped('gone', below(10, 'ms'), 'no such thing'),
    ])
    assert.equal(
      table,
      [
        '| What  | Ours               | Reference            | Ratio  | Target  | Met? |',
        '| ----- | ------------------ | -------------------- | ------ | ------- | ---- |',
        '| fetch | 19.5 ms            | 24.0 ms (nginx)      | 0.81 × | ≤ 1 ×   | yes  |',
        '| 304   | 12,346 req/s       | 20,000 req/s (hello) | 0.62 × | ≥ 1 ×   | NO   |',
        '| alone | 1.00 ms            | skipped: no nginx    | –      | ≤ 1 ×   | –    |',
        '| gone  | skipped, see notes | –                    | –      | < 10 ms | –    |',
      ].join('\n'),
    )
  })

  test('the notes give reasons on one line each', () => {
    const notes = renderNotes([
      measured('fetch', noTarget, { ours: 1, unit: 'ms', note: '80 MB' }),
      measured('quiet', noTarget, { ours: 1, unit: 'ms' }),
      skipped('gone', noTarget, 'no such\nthing'),
    ])
    assert.equal(notes, '- fetch: 80 MB\n- gone: skipped: no such thing')
  })

  test('a target is met, missed, or cannot be told', () => {
    assert.equal(below(10, 'ms').isMet(figure(9.9)), true)
    assert.equal(below(10, 'ms').isMet(figure(10)), false)
    assert.equal(aboveReferenceAtMost(15, 'ms').isMet(figure(17, 2)), true)
    assert.equal(aboveReferenceAtMost(15, 'ms').isMet(figure(17.1, 2)), false)
    assert.equal(aboveReferenceAtMost(15, 'ms').isMet(figure(1)), undefined)
    assert.equal(ratioAtLeast(1).isMet(figure(1)), undefined)
    assert.equal(noTarget.isMet(figure(1)), undefined)
  })

  test('figures keep three digits, long times are in seconds', () => {
    assert.equal(formatFigure(1.234, 'ms'), '1.23 ms')
    assert.equal(formatFigure(12.34, 'MB'), '12.3 MB')
    assert.equal(formatFigure(1234, 'ms'), '1234 ms')
    assert.equal(formatFigure(12_340, 'ms'), '12.3 s')
  })

  test('only the block between the markers is replaced, and only if both are there', () => {
    const markers = { begin: '<!-- b -->', end: '<!-- e -->' }
    assert.equal(replaceBlock('x\n<!-- b -->\nold\n<!-- e -->\ny', markers, 'new'), 'x\n<!-- b -->\nnew\n<!-- e -->\ny')
    assert.equal(replaceBlock('x <!-- b --> y', markers, 'new'), undefined)
    assert.equal(replaceBlock('<!-- e --> <!-- b -->', markers, 'new'), undefined)
  })
})
