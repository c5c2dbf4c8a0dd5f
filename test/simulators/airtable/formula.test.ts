import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Base } from '../../../simulators/airtable/base.ts'
import { generateBase } from '../../../simulators/airtable/generate.ts'
import { compileFormula } from '../../../simulators/airtable/formula.ts'
import { InvalidFormula } from '../../../simulators/airtable/formula-parser.ts'
import { FormulaError, type Value } from '../../../simulators/airtable/formula-value.ts'
import { VirtualClock } from '../../../simulators/airtable/virtual-clock.ts'
import { listAll, start } from './asking.ts'

const base = new Base()
const table = base.createTable({
  name: 'Things',
  fields: [
    { name: 'Name', type: 'singleLineText' },
    { name: 'Price (€)', type: 'number', options: { precision: 2 } },
    { name: 'Sold', type: 'dateTime' },
    { name: 'Tags', type: 'multipleSelects', options: { choices: [{ name: 'a' }, { name: 'b' }] } },
    { name: 'Gone', type: 'checkbox' },
    { name: 'Maker', type: 'singleCollaborator' },
  ],
})
const thing = table.create(
  {
    Name: 'O\'Hara "x"',
    'Price (€)': 12.5,
    Sold: '2026-03-04T05:06:07.000Z',
    Tags: ['a', 'b'],
    Gone: true,
    Maker: { ...base.owner },
  },
  { createdTime: Date.UTC(2026, 0, 1) },
)
const blank = table.create({})

function evaluate(formula: string, record = thing): Value {
  const value = compileFormula(formula, table.formulas)(record)
  return value instanceof Date ? value.toISOString() : value
}

describe('a formula', () => {
  const VALUES: [string, Value][] = [
    ['1 + 2 * 3 - 4 / 2', 5],
    ['(1 + 2) * -3', -9],
    ['"a" & 1 & "b"', 'a1b'],
    ['"say \\"hi\\"" & \'\\n\'', 'say "hi"\n'],
    ['{Name}', 'O\'Hara "x"'],
    ["{Name} = 'O\\'Hara \"x\"'", true],
    ['{Price (€)} >= 12.5', true],
    ['{Price (€)} != 12.5', false],
    ['{Tags}', ['a', 'b']],
    ['{Tags} & ""', 'a, b'],
    ['{Maker} = "Ada"', true],
    ['AND({Gone}, NOT(BLANK()), 1 < 2)', true],
    ['OR({Gone} = FALSE(), 0)', false],
    ['XOR(1, 1, 1)', true],
    ['IF({Gone}, "yes", ERROR())', 'yes'],
    ['ISERROR(ERROR())', true],
    ['LEN(TRIM(" ab ")) + FIND("a", "ba") + SEARCH("b", "ab")', 6],
    ['UPPER("ä") & LOWER("Ö") & CONCATENATE("a", 1)', 'Äöa1'],
    ['ROUND(2.345, 2) + ABS(-1) + VALUE("3")', 6.35],
    ['SUM(1, 2, {Price (€)}) + MAX(1, 5) - MIN(2, 3) + AVERAGE(1, 3) + COUNTA("a", "")', 21.5],
    ['IS_AFTER({Sold}, DATETIME_PARSE("2026-03-04"))', true],
    ['IS_BEFORE({Sold}, "2026-03-04")', false],
    ['IS_SAME({Sold}, "2026-03-04T05:06:07Z")', true],
    ['DATEADD({Sold}, 1, "day")', '2026-03-05T05:06:07.000Z'],
    ['DATETIME_DIFF({Sold}, "2026-03-04", "hours")', 5],
    ['CREATED_TIME()', '2026-01-01T00:00:00.000Z'],
    ['LAST_MODIFIED_TIME()', null],
    ['RECORD_ID()', thing.id],
    ['DATEADD(TODAY(), 0, "days") <= NOW()', true],
  ]
  for (const [formula, value] of VALUES) {
    test(`${formula} is ${JSON.stringify(value)}`, () => assert.deepEqual(evaluate(formula), value))
  }

  test('errors spread, and a comparison of no time is false', () => {
    assert.ok(evaluate('1 + ERROR()') instanceof FormulaError)
    assert.ok(evaluate('IS_AFTER("soon", NOW())') instanceof FormulaError)
    assert.equal(evaluate('IS_AFTER({Sold}, DATETIME_PARSE("2020-01-01"))', blank), false)
    assert.equal(evaluate('IS_AFTER(LAST_MODIFIED_TIME(), DATETIME_PARSE("2020-01-01"))', blank), false)
  })

  for (const formula of [
    '',
    '{Nmae}',
    'RUN()',
    '1 +',
    '(1',
    '1 2',
    '"open',
    'LAST_MODIFIED_TIME("x")',
    `${'('.repeat(300)}1`,
  ]) {
    test(`${JSON.stringify(formula.slice(0, 20))} cannot be read`, () => {
      assert.throws(() => compileFormula(formula, table.formulas), InvalidFormula)
    })
  }
})

test('the window of what changed has records that were edited or created in it, and no others', async () => {
  const clock = new VirtualClock()
  await using sim = await start(generateBase({ tables: 1, records: 500 }), { clock })
  const orders = sim.base.table('Orders')
  const since = new Date(clock.now()).toISOString()
  const formula = `OR(IS_AFTER(LAST_MODIFIED_TIME(), DATETIME_PARSE("${since}")), IS_AFTER(CREATED_TIME(), DATETIME_PARSE("${since}")))`
  assert.deepEqual(await listAll(sim, 'Orders', { filterByFormula: formula }), [])

  await clock.sleep(1000)
  const [edited, other, gone] = orders.records
  assert.ok(edited && other && gone)
  orders.update(edited.id, { Notes: 'changed' })
  orders.delete(gone.id)
  const created = orders.create({ Number: 'A-new' })

  const found = await listAll(sim, 'Orders', { filterByFormula: formula })
  assert.deepEqual(found.map(({ id }) => id).toSorted(), [edited.id, created.id].toSorted())
  const discount = orders.field('Discount').id
  const byField = `IS_AFTER(LAST_MODIFIED_TIME({${discount}}), DATETIME_PARSE("${since}"))`
  assert.deepEqual(await listAll(sim, 'Orders', { filterByFormula: byField }), [])
})

test('records are found by their ids, as many as are named', async () => {
  await using sim = await start(generateBase({ tables: 1, records: 500 }))
  const ids = sim.base
    .table('Orders')
    .records.slice(0, 100)
    .map(({ id }) => id)
  const filterByFormula = `OR(${[...ids, 'recAAAAAAAAAAAAAA'].map((id) => `RECORD_ID()='${id}'`).join(',')})`
  assert.deepEqual(
    (await listAll(sim, 'Orders', { filterByFormula })).map(({ id }) => id),
    ids,
  )
  assert.equal((await listAll(sim, 'Orders', { filterByFormula: `RECORD_ID()="${ids[3]}"` })).length, 1)
})
