import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { contextOf, where } from './formula-site.ts'
import { COLUMNS, keeps, makeRows, truths } from './generated-formula.ts'
import { QuerySite } from './sqlite/query-site.ts'
import { seeded, testSeed } from './support/random.ts'

const SEED = testSeed()
const RUNS = Number(process.env.HOLDFAST_FORMULA_RUNS ?? 400)
const ROWS = 60

test(`generated formulas keep the same records as plain JavaScript does (seed ${SEED})`, async () => {
  const rows = makeRows(seeded(SEED), ROWS)
  const plain = rows.map((cells) =>
    Object.fromEntries(Object.keys(COLUMNS).map((name, index) => [name, cells[index]!])),
  )
  const table = { indexes: ['t', 'n', 'd', ['b', 't']] }
  using site = await QuerySite.publish({ columns: COLUMNS, key: ['id'], rows, table })
  const context = contextOf(COLUMNS, { as: { day: 'date' } })
  const seen = { some: 0, tests: 0 }
  await fc.assert(
    fc.asyncProperty(truths, async (formula) => {
      const expected = plain.filter((row) => keeps(formula, row)).map(({ id }) => String(id as number))
      const condition = where(formula.text, context)
      if (expected.length > 0 && expected.length < ROWS) seen.some++
      if (condition.kind !== 'formula') seen.tests++
      assert.deepEqual(await site.ids(condition), expected, formula.text)
    }),
    { seed: SEED, numRuns: RUNS },
  )
  assert.ok(seen.some > RUNS / 5 && seen.tests > RUNS / 50, JSON.stringify(seen))
})
