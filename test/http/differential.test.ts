import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Condition, Operand, Order } from '../../lib/query.ts'
import { testSeed } from '../support/random.ts'
import { conditions, idOf, KEY_ORDER, makeRows, orders, toPlain, TYPES } from '../sqlite/generated-query.ts'
import { compareRows, holds } from '../sqlite/plain-query.ts'
import { serveReal } from './real.ts'

const SEED = testSeed()
const RUNS = Number(process.env.HOLDFAST_QUERY_RUNS ?? 60)
const MAX_URL = 7500

interface Listing {
  readonly records: readonly { readonly _id: string }[]
  readonly pagination: { readonly total: number; readonly cursor: string | null; readonly hasMore: boolean }
}

test(`filters, sorts and pages over HTTP agree with plain JavaScript (seed ${SEED})`, async (t) => {
  const rows = makeRows(SEED)
  const plain = rows.map(toPlain)
  const server = await serveReal(t, { site: { tables: { wares: { indexes: ['d', ['b', 'd']] } } } })
  const columns = Object.keys(TYPES)
  await server.publish(
    rows.map((cells) => Object.fromEntries(columns.map((name, index) => [name, cells[index] ?? null]))),
    { key: ['part', 'no'], types: TYPES },
  )
  let asked = 0
  let found = 0

  await fc.assert(
    fc.asyncProperty(conditions(), orders(), fc.integer({ min: 1, max: 60 }), fc.nat(40), async (where, order, limit, offset) => {
      fc.pre(where === null || !hasEmptyList(where))
      const filter = where === null ? '' : `and=${encodeURIComponent(`(${conditionText(where)})`)}&`
      const sort = order.length === 0 ? '' : encodeURIComponent(order.map(orderText).join(','))
      fc.pre(filter.length + sort.length < MAX_URL)
      const matching = plain.filter((row) => where === null || holds(where, row, TYPES) === true)
      asked++
      if (matching.length > 0) found++

      const expected = matching.toSorted(compareRows(order, TYPES)).map(idOf)
      const page = expected.slice(offset, offset + limit)
      const rest = `/rest/v1/wares?select=part,no&${filter}${sort && `order=${sort}&`}limit=${limit}&offset=${offset}`
      const response = await server.get(rest, { Prefer: 'count=exact' })
      const text = await response.text()
      if (offset > expected.length) assert.equal(response.status, 416, text)
      else {
        assert.ok(response.ok, text)
        assert.deepEqual((JSON.parse(text) as Parameters<typeof idOf>[0][]).map(idOf), page, rest)
        const range = page.length === 0 ? '*' : `${offset}-${offset + page.length - 1}`
        assert.equal(response.headers.get('content-range'), `${range}/${expected.length}`)
      }

      // Without a sort, records come by key.
      const records = order.length === 0 ? matching.toSorted(compareRows(KEY_ORDER, TYPES)).map(idOf) : expected
      const list = `/api/tables/wares?${filter}${sort && `sort=${sort}&`}limit=${limit}`
      const window = await server.json<Listing>(`${list}&offset=${offset}&total=exact&fields=part`)
      assert.deepEqual(window.records?.map(({ _id }) => _id), records.slice(offset, offset + limit), list)
      assert.equal(window.pagination.total, records.length)
      const walked: string[] = []
      for (let cursor = ''; ;) {
        const answer: Listing = await server.json<Listing>(`${list}${cursor}`)
        walked.push(...answer.records.map(({ _id }) => _id))
        if (!answer.pagination.hasMore) break
        cursor = `&cursor=${answer.pagination.cursor}`
        assert.ok(walked.length <= records.length, `${list} goes on and on`)
      }
      assert.deepEqual(walked, records, `${list}, by cursor`)
    }),
    { seed: SEED, numRuns: RUNS },
  ) // prettier-ignore
  assert.ok(asked > RUNS / 2 && found > RUNS / 4, `${asked} queries, ${found} of which found something`)
})

/** PostgREST has no way to write a list of nothing. */
function hasEmptyList(condition: Condition): boolean {
  if (condition.kind === 'and' || condition.kind === 'or') return condition.of.some(hasEmptyList)
  if (condition.kind === 'not') return hasEmptyList(condition.of)
  return condition.kind === 'test' && condition.test.op === 'in' && condition.test.values.length === 0
}

/** A condition as it stands inside of `and=(…)`. */
function conditionText(condition: Condition): string {
  if (condition.kind === 'and' || condition.kind === 'or')
    return `${condition.kind}(${condition.of.map(conditionText).join(',')})`
  if (condition.kind === 'not') return `not.and(${conditionText(condition.of)})`
  if (condition.kind !== 'test') throw new Error(`there is no text for ${condition.kind}`)
  const { operand, test: tried } = condition
  const value =
    'values' in tried
      ? `(${tried.values.map(quoted).join(',')})`
      : tried.op === 'is'
        ? tried.value
        : quoted(tried.value)
  return `${operandText(operand)}.${tried.op}.${value}`
}

function orderText({ operand, descending, nulls }: Order): string {
  return `${operandText(operand)}.${descending ? 'desc' : 'asc'}.nulls${nulls}`
}

function operandText({ column, path, asText }: Operand): string {
  const steps = path.map((step, index) => `${asText && index === path.length - 1 ? '->>' : '->'}${step}`)
  return column + steps.join('')
}

function quoted(value: string): string {
  return `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`
}
