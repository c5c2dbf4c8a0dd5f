import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Principal } from '../../lib/access.ts'
import { NOBODY } from '../../lib/http/keys.ts'
import { FailedAttempts, RateLimits } from '../../lib/http/rate-limit.ts'
import { TestClock } from '../sqlite/site.ts'
import { AUTH, serve } from './fakes.ts'
import { ask, assertProblem, type Answer } from './raw.ts'
import { storedKeys } from './stored-keys.ts'

const MINUTE = 60_000
const limited = (limit: number, windowMs = MINUTE): Principal => ({ ...NOBODY, id: 'x', rate: { limit, windowMs } })

describe('a rate', () => {
  test('allows its limit at once, then one at a time', () => {
    const clock = new TestClock()
    const rates = new RateLimits(clock, 1)
    const key = limited(6)
    for (let left = 5; left >= 0; left--) {
      const allowance = rates.take(key)!
      assert.equal(allowance.retryAfter, 0)
      assert.match(allowance.headers[3]!, new RegExp(`^"default";r=${left};t=\\d+$`))
    }
    assert.equal(rates.take(key)?.retryAfter, 10)
    assert.equal(rates.take(key)?.retryAfter, 10, 'what is refused costs nothing')
    clock.move(9999)
    assert.equal(rates.take(key)?.retryAfter, 1)
    clock.move(1)
    assert.equal(rates.take(key)?.retryAfter, 0)
    assert.equal(rates.take(key)?.retryAfter, 10)
    clock.move(10 * MINUTE)
    for (let count = 0; count < 6; count++) assert.equal(rates.take(key)?.retryAfter, 0)
    assert.notEqual(rates.take(key)?.retryAfter, 0)
  })

  test('gives nothing away when the clock is set back', () => {
    const clock = new TestClock()
    const rates = new RateLimits(clock, 1)
    rates.take(limited(1))
    clock.move(-10 * MINUTE)
    assert.notEqual(rates.take(limited(1))?.retryAfter, 0)
    clock.move(MINUTE)
    assert.equal(rates.take(limited(1))?.retryAfter, 0)
  })

  test('is shared by the processes that serve; each has one request at least', () => {
    const taken = (limit: number, processes: number) => {
      const rates = new RateLimits(new TestClock(), processes)
      let count = 0
      while (rates.take(limited(limit))?.retryAfter === 0) count++
      return count
    }
    assert.deepEqual([taken(12, 1), taken(12, 4), taken(2, 8)], [12, 3, 1])
  })

  test('is for each key apart, and none is none', () => {
    const rates = new RateLimits(new TestClock(), 1)
    rates.take({ ...limited(1), id: 'a' })
    assert.equal(rates.take({ ...limited(1), id: 'b' })?.retryAfter, 0)
    assert.notEqual(rates.take({ ...limited(1), id: 'a' })?.retryAfter, 0)
    assert.equal(rates.take({ ...NOBODY, rate: null }), undefined)
  })
})

describe('failed attempts', () => {
  test('are bounded by address, and so is what is kept of them', () => {
    const clock = new TestClock()
    const attempts = new FailedAttempts(clock)
    for (let count = 0; count < 30; count++) attempts.count('a')
    assert.throws(() => attempts.count('a'), /keys that are not valid/)
    for (let count = 0; count < 10_000; count++) attempts.count(`other ${count}`)
    attempts.count('a') // forgotten meanwhile: what is kept is bounded
    clock.move(MINUTE)
    attempts.count('a')
  })
})

const rateOf = ({ headers }: Answer) => [headers['ratelimit-policy'], headers.ratelimit]

describe('an answer to a key with a rate', () => {
  test('says what is left, whatever it is, and is 429 when nothing is', async (t) => {
    const clock = new TestClock()
    const keys = storedKeys(t, { clock })
    const { port } = await serve(t, keys.parts)
    const { headers } = await keys.make({ rate: { limit: 6, windowMs: MINUTE } })
    const whole = await ask(port, '/fetch-data', { headers })
    const again = { ...headers, 'If-None-Match': whole.headers.etag! }
    const answers = [
      whole,
      await ask(port, '/fetch-data', { headers }),
      await ask(port, '/fetch-data', { headers: again }),
      await ask(port, '/fetch-data?surprise=1', { headers }),
      await ask(port, '/refresh', { method: 'POST', headers }),
      await ask(port, '/status', { headers }),
    ]
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 304, 400, 403, 200],
    )
    assert.deepEqual(
      answers.map(rateOf),
      [10, 20, 30, 40, 50, 60].map((reset, index) => ['"default";q=6;w=60', `"default";r=${5 - index};t=${reset}`]),
    )
    for (const path of ['/fetch-data', '/status', '/fetch-data?surprise=1']) {
      const refused = await ask(port, path, { headers })
      assertProblem(refused, 429, 'rate_limited')
      assert.equal(refused.headers['retry-after'], '10')
      assert.deepEqual(rateOf(refused), ['"default";q=6;w=60', '"default";r=0;t=60'])
    }
    assertProblem(await ask(port, '/fetch-data', { headers: again }), 429, 'rate_limited')
    clock.move(10_000)
    assert.equal((await ask(port, '/fetch-data', { headers: again })).status, 304)
  })

  test('comes from the settings where the key has none of its own', async (t) => {
    const keys = storedKeys(t)
    const settings = { rateLimit: { limit: 10, windowMs: 1000 } }
    const { port } = await serve(t, { ...keys.parts, settings })
    const { headers } = await keys.make({ rate: { limit: 5, windowMs: MINUTE } })
    for (const path of ['/fetch-data', '/status']) {
      assert.equal(rateOf(await ask(port, path, { headers: AUTH }))[0], '"default";q=10;w=1')
      assert.equal(rateOf(await ask(port, path, { headers }))[0], '"default";q=5;w=60')
    }
  })

  test('is told as the share that this process has of it', async (t) => {
    const keys = storedKeys(t)
    const { port } = await serve(t, { ...keys.parts, settings: { webConcurrency: 2 } })
    const { headers } = await keys.make({ rate: { limit: 2, windowMs: MINUTE } })
    assert.equal(rateOf(await ask(port, '/status', { headers }))[0], '"default";q=1;w=60')
    const { detail } = assertProblem(await ask(port, '/status', { headers }), 429, 'rate_limited')
    assert.match(detail, /may make 1 requests in 60 s of this process, its share of 2,/)
  })

  test('is not there without a rate', async (t) => {
    const { port } = await serve(t)
    for (const path of ['/fetch-data', '/status', '/health']) {
      assert.deepEqual(rateOf(await ask(port, path, { headers: AUTH })), [undefined, undefined])
    }
  })
})

test('wrong keys from one address are refused without hurting a right one', async (t) => {
  const clock = new TestClock()
  const { port } = await serve(t, { clock })
  const knock = async (key: string) => await ask(port, '/fetch-data', { headers: { 'X-API-Key': key } })
  for (let count = 0; count < 30; count++) assertProblem(await knock(`wrong ${count}`), 401, 'unauthorized')
  const refused = await knock('wrong')
  assertProblem(refused, 429, 'rate_limited')
  assert.equal(refused.headers['retry-after'], '2')
  assert.equal((await ask(port, '/fetch-data', { headers: AUTH })).status, 200)
  assertProblem(await ask(port, '/fetch-data'), 401, 'unauthorized')
  clock.move(2000)
  assertProblem(await knock('wrong'), 401, 'unauthorized')
})
