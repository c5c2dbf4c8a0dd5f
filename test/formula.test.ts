import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { ColumnType, Value } from '../lib/column.ts'
import { Failure } from '../lib/errors.ts'
import { readFormula } from '../lib/formula-condition.ts'
import type { Condition } from '../lib/query.ts'
import { recordIdOf } from '../lib/record-id.ts'
import { contextOf, NOW, where } from './formula-site.ts'
import { QuerySite } from './sqlite/query-site.ts'

const COLUMNS = {
  id: 'integer', Name: 'text', 'Total Price': 'decimal', Count: 'integer', Ratio: 'real', Done: 'boolean', Due: 'text',
  Tags: 'json', Links: 'json', Errors: 'json',
} as const satisfies Record<string, ColumnType> // prettier-ignore
const ROWS: readonly Value[][] = [
  [1, 'Anna', '10.50', 3, 0.5, true, '2024-02-29', ['a', 'b'], ['rec1', 'rec2'], null],
  [2, '', null, 0, null, false, '2024-03-01T10:30:00.000Z', [7], [], null],
  [3, null, '-2', null, null, null, null, null, null, null],
  [4, 'Zoë', null, 5, null, null, null, null, null, { Ratio: { error: '#ERROR!' } }],
]
const context = contextOf(COLUMNS, { as: { Due: 'date', Links: 'links' }, errors: 'Errors' })

let site: QuerySite
before(async () => void (site = await QuerySite.publish({ columns: COLUMNS, key: ['id'], rows: ROWS })))
after(() => site[Symbol.dispose]())

/** The ids of the records that a formula keeps. */
const kept = async (formula: string) => (await site.ids(where(formula, context))).join(' ')
const refusal = (formula: string): Failure => {
  try {
    readFormula('filterByFormula', formula, context)
  } catch (error) {
    assert.ok(error instanceof Failure, String(error))
    return error
  }
  return assert.fail(`${formula} was not refused`)
}

describe('a formula', () => {
  test('keeps the records for which it is not 0, empty, false or an error', async () => {
    const cases: readonly (readonly [string, string])[] = [
      ['TRUE()', '1 2 3 4'],
      ['FALSE()', ''],
      ['BLANK()', ''],
      ['1', '1 2 3 4'],
      ['0', ''],
      ["'x'", '1 2 3 4'],
      ["''", ''],
      ['Name', '1 4'],
      ['{Name}', '1 4'],
      ['Count', '1 4'],
      ['{Total Price}', '1 3'],
      ['Done', '1'],
      ['Due', '1 2'],
      ['Tags', '1 2'],
      ['Links', '1'],
      ['NOT(Links)', '2 3 4'],
      ['1 / Count', '1 4'],
      ['Ratio', '1'],
    ]
    for (const [formula, ids] of cases) assert.equal(await kept(formula), ids, formula)
  })

  test('compares what is not there as 0 with numbers and as the empty text with texts', async () => {
    const cases: readonly (readonly [string, string])[] = [
      ["Name = ''", '2 3'],
      ['Name = BLANK()', '2 3'],
      ["Name != 'Anna'", '2 3 4'],
      ["Name > 'B'", '4'],
      ["Name < 'B'", '1 2 3'],
      ['Count = 0', '2 3'],
      ['Count = BLANK()', '2 3'],
      ["Count = ''", '2 3'],
      ["Count & '' = ''", '3'],
      ['Count < 4', '1 2 3'],
      ['Count >= 3', '1 4'],
      ['{Total Price} < 0', '3'],
      ['Done = TRUE()', '1'],
      ['Done = 1', '1'],
      ['Done = FALSE()', '2 3 4'],
      ['Done = BLANK()', '2 3 4'],
      ['Due = BLANK()', '3 4'],
      ["Due != ''", '1 2'],
      ["Due = '2024-02-29'", '1'],
      ["Due > '2024-02-29T12:00Z'", '2'],
      ["Tags = 'a, b'", '1'],
      ['Tags = 7', '2'],
      ['Tags > 6', '2'],
      ['Links = BLANK()', '2 3 4'],
      ['Links != BLANK()', '1'],
      ['3 = Count', '1'],
      ['-2 = {Total Price}', '3'],
    ]
    for (const [formula, ids] of cases) assert.equal(await kept(formula), ids, formula)
  })

  test('that cannot be worked out keeps nothing, and ISERROR says so', async () => {
    assert.equal(await kept('ISERROR(Ratio)'), '4')
    assert.equal(await kept('NOT(Ratio)'), '2 3')
    assert.equal(await kept('Ratio = 0'), '2 3')
    assert.equal(await kept("Ratio & 'x'"), '1 2 3')
    assert.equal(await kept('ISERROR(1 / Count)'), '2 3')
    assert.equal(await kept('NOT(1 / Count)'), '')
    assert.equal(await kept('IF(ISERROR(1 / Count), 0, 1)'), '1 4')
    assert.equal(await kept('OR(Name, 1 / Count)'), '1 4')
    assert.equal(await kept('AND(ISERROR(YEAR(Due)), ISERROR(IS_BEFORE(Due, TODAY())))'), '3 4')
    assert.equal(await kept('ISERROR(IF(TRUE(), 1, 1 / 0))'), '')
    assert.equal(await kept('ISERROR(SWITCH(1 / Count, 7, 1, 2))'), '2 3')
  })

  test('reads operators in the order that is usual', async () => {
    const same = [
      '1 + 2 * 3 = 7', '(1 + 2) * 3 = 9', '10 - 2 - 3 = 5', '12 / 2 / 3 = 2', '-2 * -3 = 6', '1 - -1 = 2', '2 - 1 & 1 = "11"',
      "'a' & 1 + 1 = 'a2'", '1 < 2 = TRUE()', '7 / 2 = 3.5', '.5 + 1. = 1.5e0', '1!=2', '1<=1', '2>=2', '-(1+1)=-2', "'a'&'b'&'c'='abc'",
      ' \n 1\t= 1 ', '( ( 1 ) )',
    ] // prettier-ignore
    for (const formula of same) assert.equal(await kept(formula), '1 2 3 4', formula)
  })

  test('takes texts in either quotes, with what is escaped, and fields by any name', async () => {
    const odd = { id: 'integer', 'a}b"\\': 'text', TRUE: 'text', größe_2: 'text', 'x y': 'text' } as const
    using other = await QuerySite.publish({ columns: odd, key: ['id'], rows: [[1, "it's", 'a\n"b"\\', '😀', ' ']] })
    const found = (formula: string) => other.ids(where(formula, contextOf(odd)))
    for (const formula of [
      String.raw`{a\}b"\\} = 'it\'s'`, String.raw`{a\}b"\\} = "it's"`, String.raw`TRUE = "a\n\"b\"\\"`, 'AND(TRUE, TRUE())', "größe_2 = '😀'",
      "{x y} = ' '", 'LEN(größe_2) = 1', "and(True(), True(), lower('A') = 'a')",
    ]) assert.deepEqual(await found(formula), ['1'], formula) // prettier-ignore
  })
})

describe('functions', () => {
  /** Each is a formula and what it is the same as. */
  const same = (name: string, cases: readonly string[]): void => {
    void test(name, async () => {
      for (const formula of cases) assert.equal(await kept(formula), '1 2 3 4', formula)
    })
  }
  const errors = (name: string, cases: readonly string[]): void => {
    void test(name, async () => {
      for (const formula of cases) assert.equal(await kept(`ISERROR(${formula})`), '1 2 3 4', formula)
    })
  }

  same('of texts', [
    "LEN('a😀b') = 3", "LOWER('ÄB') = 'äb'", "UPPER('äb') = 'ÄB'", "TRIM('  a b ') = 'a b'", "LEFT('abc', 2) = 'ab'", "LEFT('abc') = 'a'",
    "LEFT('a', 9) = 'a'", "RIGHT('a😀b', 2) = '😀b'", "RIGHT('a', 9) = 'a'", "MID('a😀bc', 2, 2) = '😀b'", "MID('abc', 9, 2) = ''",
    "FIND('b', 'abcb') = 2", "FIND('b', 'abcb', 3) = 4", "FIND('x', 'abc') = 0", "FIND('b', '😀b') = 2", "SEARCH('x', 'abc') & '' = ''",
    "SEARCH('b', 'abc') = 2", "SUBSTITUTE('a-b-c', '-', '+') = 'a+b+c'", "SUBSTITUTE('a-b-c', '-', '+', 2) = 'a-b+c'",
    "SUBSTITUTE('abc', 'x', 'y') = 'abc'", "SUBSTITUTE('a.c', '.', '$&') = 'a$&c'", "SUBSTITUTE('abc', '', 'y') = 'abc'",
    "SUBSTITUTE('aa', 'a', 'b', 3) = 'aa'", "REPT('ab', 3) = 'ababab'", "REPT('ab', 0) = ''", "CONCATENATE('a', 1, TRUE()) = 'a11'",
    "EXACT('a', 'A') = FALSE()", "EXACT('a', 'a')", "T('a') = 'a'", "T(5) = ''", "VALUE('12.5') = 12.5", "VALUE('$1,234.50') = 1234.5",
    "VALUE('-50%') = -0.5", "VALUE('') = 0", "VALUE('1e3') = 1000", "REGEX_MATCH('abc', '^a.c$')", "NOT(REGEX_MATCH('abc', '^b'))",
    "ARRAYJOIN('a', '-') = 'a'", "LEN(12345) = 5", "1 & '' = '1'", "0.1 + 0.2 & '' = '0.30000000000000004'",
  ]) // prettier-ignore
  errors('of texts that go too far', [
    "REPT('a', 100001)", "REPT('ab', -1)", "SUBSTITUTE(REPT('a', 1000), 'a', REPT('b', 1000))", "MID('abc', 0, 1)", "LEFT('abc', -1)",
    "VALUE('abc')", "VALUE('1,2')", "CONCATENATE(REPT('a', 90000), REPT('a', 90000))", "RIGHT('a', -1)", "SUBSTITUTE('a', 'a', 'b', -1)",
  ]) // prettier-ignore
  same('of numbers', [
    'ABS(-2) = 2', 'ROUND(2.5) = 3', 'ROUND(-2.5) = -3', 'ROUND(1234.567, 2) = 1234.57', 'ROUND(1234, -2) = 1200', 'ROUNDUP(1.01) = 2',
    'ROUNDUP(-1.01) = -2', 'ROUNDDOWN(1.99) = 1', 'ROUNDDOWN(-1.99) = -1', 'INT(-1.5) = -2', 'CEILING(1.2) = 2', 'CEILING(7, 5) = 10',
    'FLOOR(7, 5) = 5', 'FLOOR(-1.5) = -2', 'MOD(7, 3) = 1', 'MOD(-7, 3) = 2', 'MOD(7, -3) = -2', 'MIN(3, 1, 2) = 1', 'MAX(3, 1, 2) = 3',
    'MIN(BLANK(), 5) = 5', 'MAX(BLANK()) = 0', 'SUM(1, 2, BLANK(), 3) = 6', 'AVERAGE(1, 2, BLANK()) = 1.5', 'COUNT(1, BLANK(), 2) = 2',
    "COUNTA(1, BLANK(), 'a', '', TRUE()) = 3", 'SQRT(9) = 3', 'POWER(2, 10) = 1024', 'BLANK() + 1 = 1', 'TRUE() + TRUE() = 2', '-BLANK() = 0',
  ]) // prettier-ignore
  errors('of numbers that there are not', ['SQRT(-1)', 'MOD(1, 0)', '1 / 0', '0 / 0', 'POWER(0, -1)', 'AVERAGE(BLANK())', 'CEILING(1, 0)', 'POWER(10, 400)']) // prettier-ignore
  same('of dates', [
    'NOW() = "2026-02-03T04:05:06.007Z"', 'TODAY() = "2026-02-03"', "YEAR('2024-02-29') = 2024", "MONTH('2024-02-29') = 2", "DAY('2024-02-29') = 29",
    "HOUR('2024-02-29T13:14:15Z') = 13", "HOUR('2024-02-29T13:14:15+02:00') = 11", "MINUTE('2024-02-29T13:14:15Z') = 14",
    "SECOND('2024-02-29T13:14:15Z') = 15", "WEEKDAY('2024-02-29') = 4", "WEEKDAY('2024-02-29', 'Monday') = 3", "WEEKDAY('2024-03-03') = 0",
    "WEEKDAY('2024-03-03', 'Monday') = 6", "DATEADD('2024-01-31', 1, 'months') = '2024-02-29'", "DATEADD('2024-02-29', 1, 'years') = '2025-02-28'",
    "DATEADD('2024-01-01', -1, 'day') = '2023-12-31'", "DATEADD('2024-01-01', 90, 'm') = '2024-01-01T01:30:00Z'", "DATEADD('2024-01-01', 1, 'M') = '2024-02-01'",
    "DATEADD('2024-01-01', 1, 'quarters') = '2024-04-01'", "DATEADD('2024-01-01', 2, 'weeks') = '2024-01-15'",
    "DATETIME_DIFF('2024-03-01', '2024-02-01') = 2505600", "DATETIME_DIFF('2024-03-01', '2024-02-01', 'days') = 29",
    "DATETIME_DIFF('2024-02-01', '2024-03-01', 'days') = -29", "DATETIME_DIFF('2024-03-30', '2024-01-31', 'months') = 1",
    "DATETIME_DIFF('2024-01-31', '2024-03-30', 'months') = -1", "DATETIME_DIFF('2026-02-27', '2024-02-29', 'years') = 1",
    "DATETIME_DIFF('2024-01-01T12:00Z', '2024-01-01', 'days') = 0", "IS_BEFORE('2024-01-01', '2024-01-02')", "IS_AFTER('2024-01-02', '2024-01-01')",
    "NOT(IS_AFTER('2024-01-01', '2024-01-01'))", "IS_SAME('2024-01-01', '2024-01-31', 'month')", "NOT(IS_SAME('2024-01-01', '2024-01-31'))",
    "IS_SAME('2024-01-07', '2024-01-13', 'week')", "NOT(IS_SAME('2024-01-06', '2024-01-07', 'week'))", "IS_SAME('2024-04-01', '2024-06-30', 'quarter')",
    "DATETIME_FORMAT('2024-02-09T13:04:05Z', 'YYYY-MM-DD HH:mm:ss') = '2024-02-09 13:04:05'", "DATETIME_FORMAT('2024-02-09', 'D/M/YY') = '9/2/24'",
    "DATETIME_FORMAT('2024-02-09T13:04:05Z', 'dddd, MMMM D [at] h:mm A') = 'Friday, February 9 at 1:04 PM'", "DATETIME_FORMAT('1970-01-02', 'X') = '86400'",
    "DATETIME_FORMAT('2024-02-09') = '2024-02-09T00:00:00.000Z'", "DATETIME_PARSE('9 Feb 2024 1:04 pm', 'D MMM YYYY h:mm a') = '2024-02-09T13:04:00Z'",
    "DATETIME_PARSE('31.12.1999', 'DD.MM.YYYY') = '1999-12-31'", "DATETIME_PARSE('2024-02-09') = '2024-02-09'", "DATETIME_PARSE('86400', 'X') = '1970-01-02'",
    "'2024-02-29' & '' = '2024-02-29'", "NOW() & '' = '2026-02-03T04:05:06.007Z'", "DATETIME_PARSE('') = BLANK()",
  ]) // prettier-ignore
  errors('of dates that there are not', [
    "DATETIME_PARSE('x', 'D')", "DATETIME_PARSE('31.02.2024', 'DD.MM.YYYY')", "DATETIME_PARSE('13:00 am', 'HH:mm a')", 'YEAR(BLANK())', "DATEADD(BLANK(), 1, 'days')",
    "DATETIME_DIFF(BLANK(), NOW(), 'days')", "DATEADD('2024-01-01', 1e12, 'years')", "DATETIME_PARSE(CONCATENATE('2024-13', '-01'))", 'IS_AFTER(BLANK(), NOW())',
  ]) // prettier-ignore
  same('that choose', [
    "IF(1, 'a', 'b') = 'a'", "IF(0, 'a') & '' = ''", "IF(BLANK(), 1, 2) = 2", "SWITCH(2, 1, 'a', 2, 'b') = 'b'", "SWITCH(3, 1, 'a', 'z') = 'z'",
    "SWITCH(3, 1, 'a') & '' = ''", "SWITCH('x', 'x', 1, 0) = 1", 'XOR(1, 1, 1)', 'NOT(XOR(1, 1))', "IF(1, 5, 'b') & '' = '5'", "NOT(IF(1, 0, 'b'))",
    "IF(1, TODAY(), '') = TODAY()", 'AND(1, OR(0, 1), NOT(0))', "SWITCH(TODAY(), NOW(), 1, '2026-02-03', 2) = 2",
  ]) // prettier-ignore

  test('of records: ids, times, and lists', async () => {
    assert.equal(await kept(`RECORD_ID() = '${recordIdOf('3')}'`), '3')
    assert.equal(await kept(`RECORD_ID() & 'x' = '${recordIdOf('3')}x'`), '3')
    assert.equal(await kept("RECORD_ID() = '3'"), '')
    assert.equal(await kept("IS_AFTER(CREATED_TIME(), '2000-01-01')"), '1 2 3 4')
    assert.equal(await kept("IS_AFTER(LAST_MODIFIED_TIME(), '2000-01-01')"), '1 2 3 4')
    assert.equal(await kept("IS_BEFORE(LAST_MODIFIED_TIME(), '2000-01-01')"), '')
    assert.equal(await kept("ARRAYJOIN(Tags, '-') = 'a-b'"), '1')
    assert.equal(await kept("FIND('b', Tags)"), '1')
    assert.equal(await kept('SUM(Tags, 1) = 8'), '2')
    assert.equal(await kept('COUNTA(Tags) = 2'), '1')
    assert.equal(await kept('COUNTA(Links) = 2'), '1')
    assert.equal(await kept('ISERROR(Tags + 1)'), '1')
    assert.equal(await kept('Tags + 1 = 8'), '2')
  })
})

describe('a formula that cannot be used', () => {
  test('is refused, and told where and why', () => {
    const cases: readonly (readonly [string, string, RegExp, number?])[] = [
      ['', 'bad_filter', /expected a value/, 1],
      ['1 +', 'bad_filter', /expected a value/, 4],
      ['1 2', 'bad_filter', /expected an operator or the end, found "2"/, 3],
      ['(1', 'bad_filter', /expected "\)"/, 3],
      ["'abc", 'bad_filter', /ends with the quote/, 1],
      ['{abc', 'bad_filter', /name of a field in braces/, 1],
      ['LEN(1', 'bad_filter', /expected "," or "\)"/, 6],
      ['1 <> 2', 'bad_filter', /expected a value/, 4],
      ['{Nam} = 1', 'bad_filter', /no field "Nam"; perhaps \{Name\}/, 1],
      ['AND(1, Errors)', 'bad_filter', /no field "Errors"/, 8],
      ['1 + FOO(1)', 'not_supported', /no function FOO\(\) here\. .*AND/, 5],
      ["REGEX_REPLACE('a', 'b', 'c')", 'not_supported', /REGEX_REPLACE\(\)/, 1],
      ['LEN()', 'bad_filter', /LEN\(\) takes 1 arguments, and has 0/, 1],
      ['LEN(1, 2)', 'bad_filter', /takes 1 arguments, and has 2/, 1],
      ["'a' + 1", 'bad_filter', /\+ takes a number, and this is a text: VALUE\(\)/, 1],
      ["Count = 'x'", 'bad_filter', /takes a number/, 1],
      ["ABS('x')", 'bad_filter', /ABS\(\) takes a number/, 1],
      ['Due + 1', 'bad_filter', /takes a number, and this is a date/, 1],
      ['YEAR(5)', 'bad_filter', /YEAR\(\) takes a date/, 1],
      ["IS_AFTER(Due, 'soon')", 'bad_filter', /"soon" is none as ISO 8601/, 1],
      ["Links = 'rec1'", 'bad_filter', /links to records/, 1],
      ["FIND('a', Links)", 'bad_filter', /links to records/, 1],
      ["DATEADD(Due, 1, 'fortnights')", 'bad_filter', /no unit "fortnights"/, 1],
      ['DATEADD(Due, 1, Name)', 'bad_filter', /the same for all records/, 1],
      ["DATETIME_FORMAT(Due, 'Qo')", 'bad_filter', /no "Q" in formats/, 1],
      ["DATETIME_PARSE(Name, 'dddd')", 'bad_filter', /dddd can only be written/, 1],
      ['REGEX_MATCH(Name, Name)', 'bad_filter', /the same for all records/, 1],
      [`REGEX_MATCH(Name, '${'a'.repeat(1001)}')`, 'bad_filter', /at most 1000 characters/, 1],
      ["SWITCH(Name, 'a', 1, Count, 2)", 'bad_filter', /one type|takes a number/, 1],
      ["WEEKDAY(Due, 'Friday')", 'bad_filter', /'Sunday' or 'Monday'/, 1],
      ['('.repeat(5000) + '1', 'bad_filter', /60 things are nested/],
      ['-'.repeat(5000) + '1', 'bad_filter', /60 things are nested/],
      ['NOT('.repeat(500) + '1' + ')'.repeat(500), 'bad_filter', /60 things are nested/],
      ['1' + '+1'.repeat(500), 'bad_filter', /60 things are nested/],
      [`OR(${'1,'.repeat(3000)}1)`, 'bad_filter', /2000 parts/],
      [`'${'a'.repeat(60_000)}'`, 'bad_filter', /60000 characters/],
      ['1e400', 'bad_filter', /among those of 64 bits/],
      [`SUM(${'1,'.repeat(100)}1)`, 'bad_filter', /takes 1 to 100 arguments/],
    ]
    for (const [formula, code, says, position] of cases) {
      const { code: got, message, facts } = refusal(formula)
      assert.equal(got, code, formula.slice(0, 100))
      assert.match(message, says)
      if (position !== undefined) assert.equal(facts.position, position, formula)
    }
  })

  test('with a regular expression that is none is refused before a row is read', async () => {
    await assert.rejects(kept("REGEX_MATCH(Name, '(')"), { code: 'bad_filter' })
  })
})

describe('an index', () => {
  const eq = (column: string, value: string): Condition => ({
    kind: 'test',
    operand: { column, path: [], asText: false },
    test: { op: 'eq', value },
  })
  const test_ = (column: string, op: string, value: string | readonly string[]): Condition => ({
    kind: 'test',
    operand: { column, path: [], asText: false },
    test: (Array.isArray(value) ? { op, values: value } : { op, value }) as never,
  })

  test('gets the comparisons that it can answer as tests', () => {
    const cases: readonly (readonly [string, Condition])[] = [
      ["Name = 'a'", eq('Name', 'a')],
      ["'a' = Name", eq('Name', 'a')],
      ["EXACT(Name, 'a')", eq('Name', 'a')],
      ["AND(Name = 'a', Count > 3)", { kind: 'and', of: [eq('Name', 'a'), test_('Count', 'gt', '3')] }],
      ["OR(Name = 'a', Name = 'b')", test_('Name', 'in', ['a', 'b'])],
      ['Count = -3', eq('Count', '-3')],
      ['5 <= Count', test_('Count', 'gte', '5')],
      ['{Total Price} < -1.5', test_('Total Price', 'lt', '-1.5')],
      ['Done', test_('Done', 'is', 'true')],
      ['Done = TRUE()', test_('Done', 'is', 'true')],
      ["RECORD_ID() = 'recYYYYYYYYYYYYY3'", eq('id', '3')],
      ["OR(RECORD_ID() = 'recYYYYYYYYYYYYY3', RECORD_ID() = 'recX', RECORD_ID() = 'recYYYYYYYYYYYYY4')", test_('id', 'in', ['3', '4'])],
      ["RECORD_ID() = 'nobody'", { kind: 'or', of: [] }],
      ["RECORD_ID() = 'recYYYYYYYYYYYY03'", { kind: 'or', of: [] }],
      ["IS_AFTER(LAST_MODIFIED_TIME(), DATEADD(TODAY(), -1, 'days'))", { kind: 'modified_after', at: Date.UTC(2026, 1, 2) }],
      ["IS_AFTER(LAST_MODIFIED_TIME(), DATETIME_PARSE('2024-01-01'))", { kind: 'modified_after', at: Date.UTC(2024, 0, 1) }],
      ['TRUE()', { kind: 'and', of: [] }],
      ['0', { kind: 'or', of: [] }],
    ] // prettier-ignore
    for (const [formula, condition] of cases) assert.deepEqual(where(formula, context), condition, formula)
  })

  test('gets nothing that finds other records than the formula', () => {
    const formulas = [
      "Name = ''", "Name != 'a'", "NOT(Name = 'a')", "Name < 'a'", 'Count < 3', 'Count = 0', 'Count = 1.5', 'Count > -1', 'Count >= 0',
      "OR(Name = 'a', Count = 3)", "OR(Name = 'a', Done)", 'NOT(Done)', 'Done = FALSE()', "LEN(Name) = 3", 'Count = 1e20', "Tags = 'a'",
      'IS_BEFORE(LAST_MODIFIED_TIME(), NOW())', "Due = '2024-02-29'",
    ] // prettier-ignore
    for (const formula of formulas) assert.equal(where(formula, context).kind, 'formula', formula)
  })

  test('answers them where they stand, and what it does not bound is left to a reader', async () => {
    const rows = Array.from({ length: 9000 }, (_, index): Value[] => [index, `n${index % 500}`, index])
    const columns = { id: 'integer', name: 'text', no: 'integer' } as const
    using large = await QuerySite.publish({ columns, key: ['id'], rows, table: { indexes: ['name', 'no'] } })
    const found = async (formula: string) => (await large.ids(where(formula, contextOf(columns)))).length
    assert.equal(await found("AND(name = 'n7', LEN(name) = 2)"), 18)
    assert.equal(await found("OR(name = 'n7', name = 'n8')"), 36)
    assert.equal(await found('AND(no > 8990, MOD(no, 2) = 0)'), 4)
    assert.equal(await found(`OR(RECORD_ID() = '${recordIdOf('7')}', RECORD_ID() = '${recordIdOf('8')}')`), 2)
    assert.equal(await found("RECORD_ID() = 'nobody'"), 0)
    assert.deepEqual(large.left, [])
    assert.equal(await found('LEN(name) = 2'), 180)
    assert.equal(large.left.length, 1)
  })
})

test('a formula that asks for the time says so', () => {
  assert.equal(readFormula('filterByFormula', 'IS_BEFORE(Due, TODAY())', context).isMomentary, true)
  assert.equal(readFormula('filterByFormula', 'AND(NOW(), Name)', context).isMomentary, true)
  assert.equal(readFormula('filterByFormula', "Name = 'TODAY()'", context).isMomentary, false)
  assert.ok(NOW > 0)
})
