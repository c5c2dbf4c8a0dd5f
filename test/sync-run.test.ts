import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { advance, isActive, type Run, type RunEvent, type SourceState } from '../lib/sync-run.ts'

const IDLE: SourceState = { state: 'IDLE' }
const INITIALIZING: SourceState = { state: 'INITIALIZING' }
const PROCESSING: SourceState = { state: 'PROCESSING' }
const COMPLETED: SourceState = { state: 'COMPLETED' }
const ERROR: SourceState = { state: 'ERROR' }
const STOPPED: SourceState = { state: 'PAUSED', reason: 'stopped' }
const INTERRUPTED: SourceState = { state: 'PAUSED', reason: 'interrupted' }
const ROLLED_BACK: SourceState = { state: 'PAUSED', reason: 'rolled_back' }
const no = undefined

const EVENTS = ['start', 'planned', 'finished', 'failed', 'stop', 'interrupted', 'rolled_back', 'reset'] as const

/** One line for each state, one column for each event, in the order of `EVENTS`; `no`: it has no meaning there. */
const TABLE: readonly (readonly [SourceState, ...(SourceState | undefined)[]])[] = [
  // from          start         planned     finished   failed  stop     interrupted  rolled_back  reset
  [IDLE,           INITIALIZING, no,         no,        no,     no,      no,          ROLLED_BACK, IDLE],
  [INITIALIZING,   no,           PROCESSING, COMPLETED, ERROR,  STOPPED, INTERRUPTED, no,          no],
  [PROCESSING,     no,           no,         COMPLETED, ERROR,  STOPPED, INTERRUPTED, no,          no],
  [COMPLETED,      INITIALIZING, no,         no,        no,     no,      no,          ROLLED_BACK, IDLE],
  [ERROR,          INITIALIZING, no,         no,        no,     no,      no,          ROLLED_BACK, IDLE],
  [STOPPED,        INITIALIZING, no,         no,        no,     no,      no,          ROLLED_BACK, IDLE],
  [INTERRUPTED,    INITIALIZING, no,         no,        no,     STOPPED, no,          ROLLED_BACK, IDLE],
  [ROLLED_BACK,    INITIALIZING, no,         no,        no,     no,      no,          ROLLED_BACK, IDLE],
] // prettier-ignore

describe('the state of a source', () => {
  for (const [from, ...line] of TABLE) {
    const name = from.state === 'PAUSED' ? `PAUSED (${from.reason})` : from.state
    test(`${name} answers every event as the table says`, () => {
      assert.deepEqual(
        Object.fromEntries(EVENTS.map((kind) => [kind, advance(from, { kind } satisfies RunEvent)])),
        Object.fromEntries(EVENTS.map((kind, index) => [kind, line[index]])),
      )
    })
  }

  test('an event leaves the state it comes from as it was', () => {
    for (const [from] of TABLE) for (const kind of EVENTS) advance(Object.freeze({ ...from }), { kind })
  })

  test('a run is active while it can still change by itself', () => {
    const active = (['queued', 'running', 'paused', 'completed', 'failed', 'rejected', 'cancelled'] as const).filter(
      (status) => isActive({ status } as Run),
    )
    assert.deepEqual(active, ['queued', 'running'])
  })
})
