import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { acceptedCodings, matchesTag } from '../../lib/http/negotiate.ts'

describe('Accept-Encoding', () => {
  const cases: [string | undefined, string[]][] = [
    [undefined, ['identity']],
    ['', ['identity']],
    ['gzip', ['gzip', 'identity']],
    ['gzip, br, zstd', ['zstd', 'br', 'gzip', 'identity']],
    ['gzip;q=1.0, br;q=0.5', ['gzip', 'br', 'identity']],
    ['identity;q=1, gzip;q=0.5', ['identity', 'gzip']],
    ['br;q=0, *', ['zstd', 'gzip', 'identity']],
    ['*', ['zstd', 'br', 'gzip', 'identity']],
    ['identity;q=0, gzip', ['gzip']],
    ['*;q=0, zstd', ['zstd']],
    ['identity;q=0', []],
    ['*;q=0', []],
    ['*;q=0, identity;q=0.1', ['identity']],
    ['X-GZIP', ['gzip', 'identity']],
    ['gzip;q=2', ['identity']],
    ['gzip;q=banana, br', ['br', 'identity']],
    [';;;,,=,gzip;;q', ['identity']],
    ['deflate, compress', ['identity']],
    ['gzip ; q=0.123 , zstd;q=0.1234', ['gzip', 'identity']],
  ]
  for (const [header, expected] of cases) {
    test(`${JSON.stringify(header)} takes ${expected.join(', ') || 'nothing'}`, () => {
      assert.deepEqual(acceptedCodings(header), expected)
    })
  }
})

describe('If-None-Match', () => {
  const tag = '"s1-abc-zstd"'
  const cases: [string | undefined, boolean][] = [
    [undefined, false],
    ['', false],
    [tag, true],
    [`W/${tag}`, true],
    ['*', true],
    [' * ', true],
    [`"other", ${tag}`, true],
    [`"other",W/${tag} , "more"`, true],
    ['"other"', false],
    ['s1-abc-zstd', false],
    ['"s1-abc-gzip"', false],
    ['"a*"', false],
    ['"""', false],
  ]
  for (const [header, expected] of cases) {
    test(`${String(header)} ${expected ? 'matches' : 'does not match'}`, () =>
      assert.equal(matchesTag(header, tag), expected))
  }
})
