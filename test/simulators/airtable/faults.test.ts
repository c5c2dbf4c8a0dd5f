import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { generateBase } from '../../../simulators/airtable/generate.ts'
import type { FaultKind, FaultSpec } from '../../../simulators/airtable/faults.ts'
import { VirtualClock } from '../../../simulators/airtable/virtual-clock.ts'
import { list, refusal, start, type ListBody } from './asking.ts'

const orders = () => generateBase({ tables: 2, records: 250 })

describe('a fault', () => {
  const REFUSALS: [FaultKind, number, string, Partial<FaultSpec>?][] = [
    ['iterator', 422, 'LIST_RECORDS_ITERATOR_NOT_AVAILABLE'],
    ['unauthorized', 401, 'UNAUTHORIZED'],
    ['forbidden', 403, 'INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND'],
    ['not found', 404, 'NOT_FOUND'],
    ['server error', 500, 'SERVER_ERROR'],
    ['bad gateway', 502, 'BAD_GATEWAY'],
    ['unavailable', 503, 'RETRIABLE_ERROR'],
  ]
  for (const [kind, status, type] of REFUSALS) {
    test(`'${kind}' answers ${status} ${type}, once, to the request it is for`, async () => {
      await using sim = await start(orders())
      const fault = sim.fault({ match: { table: 'Customers' }, kind, skip: 1 })
      const path = (table: string) => `/v0/${sim.base.id}/${table}`
      assert.equal((await sim.fetch(path('Orders'))).status, 200)
      assert.equal((await sim.fetch(path('Customers'))).status, 200)
      assert.partialDeepStrictEqual(await refusal(sim, path('Customers')), { status, type })
      assert.equal((await sim.fetch(path('Customers'))).status, 200)
      assert.equal(fault.fired, 1)
      assert.deepEqual(
        sim.requests.map((request) => request.fault),
        [undefined, undefined, kind, undefined],
      )
    })
  }

  test('both kinds of 429 look like those of the limiter', async () => {
    await using sim = await start(orders(), { limiter: { body: 'error' } })
    sim.fault({ kind: 'rate limit', retryAfterSeconds: 7 })
    sim.fault({ kind: 'quota' })
    const limited = await sim.fetch(`/v0/${sim.base.id}/Orders`)
    assert.equal(limited.headers.get('retry-after'), '7')
    assert.partialDeepStrictEqual(await limited.json(), { error: { type: 'RATE_LIMIT_REACHED' } })
    const quota = await sim.fetch(`/v0/${sim.base.id}/Orders`)
    assert.partialDeepStrictEqual(await quota.json(), { errors: [{ error: 'PUBLIC_API_BILLING_LIMIT_EXCEEDED' }] })
  })

  test('503 has a Retry-After if it is given one', async () => {
    await using sim = await start(orders())
    sim.fault({ kind: 'unavailable', retryAfterSeconds: 3 })
    sim.fault({ kind: 'unavailable' })
    const path = `/v0/${sim.base.id}/Orders`
    const answers = [await sim.fetch(path), await sim.fetch(path), await sim.fetch(path)]
    assert.deepEqual(
      answers.map(({ status, headers }) => [status, headers.get('retry-after')]),
      [
        [503, '3'],
        [503, null],
        [200, null],
      ],
    )
  })

  test("'stall' sends half a page and then nothing, while time goes on", async () => {
    const clock = new VirtualClock()
    await using sim = await start(orders(), { clock })
    sim.fault({ kind: 'stall', match: { isPaged: true } })
    const { offset = '' } = await list(sim, 'Orders')
    const deadline = new AbortController()
    void clock.sleep(30_000).then(() => deadline.abort())
    const path = `/v0/${sim.base.id}/Orders?offset=${encodeURIComponent(offset)}`
    await assert.rejects(sim.fetch(path, { signal: deadline.signal }), { name: 'AbortError' })
    assert.equal(clock.monotonic(), 30_000)
  })

  test("'cut' ends the connection in the middle of a page, 'reset' before it", async () => {
    await using sim = await start(orders())
    sim.fault({ kind: 'cut' })
    sim.fault({ kind: 'reset' })
    const path = `/v0/${sim.base.id}/Orders`
    await assert.rejects(sim.fetch(path), /terminated/)
    await assert.rejects(sim.fetch(path), /fetch failed/)
    assert.equal((await sim.fetch(path)).status, 200)
  })

  test("'slow' answers late", async () => {
    await using sim = await start(orders())
    sim.fault({ kind: 'slow', delayMs: 45_000 })
    assert.equal((await sim.fetch(`/v0/${sim.base.id}/Orders`)).status, 200)
    assert.equal(sim.clock.monotonic(), 45_000)
  })

  test("'repeat page' answers with the page before once more, offset and all", async () => {
    await using sim = await start(orders())
    sim.fault({ kind: 'repeat page', match: { isPaged: true } })
    const first = await list(sim, 'Orders')
    const again: ListBody = await list(sim, 'Orders', { offset: first.offset ?? '' })
    assert.deepEqual(again, first)
    assert.notDeepEqual(await list(sim, 'Orders', { offset: again.offset ?? '' }), first)
  })

  test("'call' changes the base just before a page is read", async () => {
    await using sim = await start(orders())
    const table = sim.base.table('Orders')
    sim.fault({ kind: 'call', match: { isPaged: true }, skip: 1, run: () => table.renameField('Number', 'No.') })
    const pages = [await list(sim, 'Orders')]
    for (let offset = pages[0]?.offset; offset !== undefined; offset = pages.at(-1)?.offset) {
      pages.push(await list(sim, 'Orders', { offset }))
    }
    const named = (name: string) => pages.map(({ records }) => records.every(({ fields }) => name in fields))
    assert.deepEqual(named('Number'), [true, true, false])
    assert.deepEqual(named('No.'), [false, false, true])
  })

  test("'call' can delete the table in the middle of a list", async () => {
    await using sim = await start(orders())
    sim.fault({ kind: 'call', match: { isPaged: true }, run: () => sim.base.deleteTable('Orders') })
    const { offset = '' } = await list(sim, 'Orders')
    const path = `/v0/${sim.base.id}/Orders?offset=${encodeURIComponent(offset)}`
    assert.equal((await refusal(sim, path)).status, 403)
  })

  test('a call and another fault can meet in one request; two others wait for their turns', async () => {
    await using sim = await start(orders())
    let calls = 0
    sim.fault({ kind: 'call', times: 10, run: () => void (calls += 1) })
    using never = sim.fault({ kind: 'bad gateway', times: Number.POSITIVE_INFINITY })
    sim.fault({ kind: 'not found' })
    const path = `/v0/${sim.base.id}/Orders`
    assert.equal((await sim.fetch(path)).status, 502)
    assert.equal((await sim.fetch(path)).status, 502)
    never[Symbol.dispose]()
    assert.equal((await sim.fetch(path)).status, 404)
    assert.equal((await sim.fetch(path)).status, 200)
    assert.deepEqual([calls, never.fired], [4, 2])
  })

  test('a hook that fails is seen in the answer', async () => {
    await using sim = await start(orders())
    sim.fault({
      kind: 'call',
      run: () => {
        throw new Error('the hook is wrong')
      },
    })
    const answer = await sim.fetch(`/v0/${sim.base.id}/Orders`)
    assert.equal(answer.status, 500)
    assert.match(await answer.text(), /the hook is wrong/)
  })
})
