import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { refusalOf, troubleOf } from '../../../lib/sources/airtable/refusal.ts'

describe('an error of Airtable', () => {
  for (const [shape, body, type, message] of [
    ['a bare word', { error: 'NOT_FOUND' }, 'NOT_FOUND', ''],
    ['an object with a type', { error: { type: 'NOT_FOUND' } }, 'NOT_FOUND', ''],
    [
      'an object with a type and a message',
      { error: { type: 'INVALID_REQUEST_UNKNOWN', message: 'Invalid request' } },
      'INVALID_REQUEST_UNKNOWN',
      'Invalid request',
    ],
    [
      'a list',
      { errors: [{ error: 'RATE_LIMIT_REACHED', message: 'Rate limit exceeded.' }] },
      'RATE_LIMIT_REACHED',
      'Rate limit exceeded.',
    ],
    ['no JSON', undefined, 'HTTP_422', ''],
    ['JSON of another kind', { errors: 'none', error: 7 }, 'HTTP_422', ''],
    ['an empty list', { errors: [] }, 'HTTP_422', ''],
  ] as const) {
    test(`is read where it is ${shape}`, () => {
      const trouble = troubleOf({ status: 422, body })
      assert.deepEqual([trouble.type, trouble.message], [type, message])
    })
  }

  for (const [status, type, kind, code] of [
    [400, 'INVALID_REQUEST_BODY', 'final', 'upstream_refused'],
    [401, 'AUTHENTICATION_REQUIRED', 'final', 'upstream_refused'],
    [403, 'INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND', 'final', 'upstream_refused'],
    [404, 'NOT_FOUND', 'final', 'upstream_refused'],
    [422, 'INVALID_FILTER_BY_FORMULA', 'final', 'upstream_refused'],
    [429, 'RATE_LIMIT_REACHED', 'too many', 'upstream_unavailable'],
    [429, 'PUBLIC_API_BILLING_LIMIT_EXCEEDED', 'final', 'upstream_budget_spent'],
    [500, 'SERVER_ERROR', 'later', 'upstream_unavailable'],
    [502, 'BAD_GATEWAY', 'later', 'upstream_unavailable'],
    [503, 'RETRIABLE_ERROR', 'later', 'upstream_unavailable'],
    [302, 'HTTP_302', 'final', 'upstream_malformed'],
    [200, 'HTTP_200', 'later', 'upstream_malformed'],
  ] as const) {
    test(`${status} ${type} is ${code}, ${kind}`, () => {
      const trouble = troubleOf({ status, body: { error: { type } } })
      assert.equal(trouble.kind, kind)
      const refusal = refusalOf(trouble, 'list the records of table "Orders"')
      assert.equal(refusal.code, code)
      assert.match(refusal.message, new RegExp(`list the records of table "Orders" \\(${status} ${type}\\)`))
    })
  }

  test('is told on one line that does not go on for ever', () => {
    const message = `first\nsecond\u0000\u001b[31m ${'x'.repeat(5000)}`
    const refusal = refusalOf(troubleOf({ status: 422, body: { error: { type: 'X', message } } }), 'do this')
    assert.match(refusal.message, /first second \[31m x{100}/)
    assert.ok(refusal.message.length < 400)
  })
})
