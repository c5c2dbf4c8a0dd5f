import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Failure, FAILURES, toFailure } from '../lib/errors.ts'

describe('a failure', () => {
  test('has the status and the word on retrying that its code has', () => {
    for (const [code, { status, retry }] of Object.entries(FAILURES)) {
      const failure = new Failure(code as keyof typeof FAILURES, 'what happened')
      assert.deepEqual(
        [failure.status, failure.canRetry, failure.facts, failure.message],
        [status, retry, {}, 'what happened'],
      )
      assert.match(code, /^[a-z]+(_[a-z]+)*$/)
    }
  })

  test('is made once: a failure stays what it is, what the disk refuses and a bug are told apart', () => {
    const failure = new Failure('lease_lost', 'x', { facts: { generation: 1 } })
    assert.equal(toFailure(failure), failure)
    for (const code of [
      'ENOSPC',
      'EIO',
      'EDQUOT',
      'EROFS',
      'EMFILE',
      'SQLITE_FULL',
      'SQLITE_IOERR_WRITE',
      'SQLITE_CORRUPT',
      'SQLITE_NOTADB',
      'SQLITE_CANTOPEN',
    ]) {
      const cause = Object.assign(new Error('no'), { code })
      assert.deepEqual(
        [toFailure(cause).code, toFailure(cause).facts.cause, toFailure(cause).cause],
        ['disk_failed', code, cause],
      )
    }
    for (const thrown of [
      new TypeError('a bug'),
      'text',
      undefined,
      null,
      { code: 'ENOSPC' },
      Object.assign(new Error('x'), { code: 5 }),
    ]) {
      assert.equal(toFailure(thrown).code, 'internal')
      assert.ok(toFailure(thrown).cause instanceof Error)
    }
  })
})
