import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Failure } from '../lib/errors.ts'
import { LOGIC, parseConditions, parseFilter, parseLogic, parseOrder, parseSelect } from '../lib/query-grammar.ts'
import type { Condition, Operand, Order, Output, Test } from '../lib/query.ts'
import { testSeed } from './support/random.ts'

const seed = testSeed()

const column = (name: string, ...path: (string | number)[]): Operand => ({ column: name, path, asText: false })
const textOf = (name: string, ...path: (string | number)[]): Operand => ({ column: name, path, asText: true })
const output = (operand: Operand, name = operand.column, cast: Output['cast'] = null): Output => ({
  operand,
  name,
  cast,
})
const order = (operand: Operand, descending = false, nulls: Order['nulls'] = descending ? 'first' : 'last'): Order => ({
  operand,
  descending,
  nulls,
})
const tests = (name: string, tested: Test): Condition => ({ kind: 'test', operand: column(name), test: tested })
const not = (of: Condition): Condition => ({ kind: 'not', of })

/** What a parser says about a text that it does not take: the code, and the position where there is one. */
function refusal(parse: () => unknown): { code: string; position: unknown; message: string } {
  try {
    parse()
  } catch (error) {
    assert.ok(error instanceof Failure, String(error))
    return { code: error.code, position: error.facts.position, message: error.message }
  }
  return assert.fail('it was read')
}

function refuses(
  parse: (text: string) => unknown,
  cases: readonly (readonly [string, string, number, RegExp])[],
): void {
  for (const [text, code, position, says] of cases) {
    const found = refusal(() => parse(text))
    assert.deepEqual([text, found.code, found.position], [text, code, position])
    assert.match(found.message, says)
  }
}

describe('select', () => {
  test('names, renames, casts and paths', () => {
    const cases: readonly (readonly [string, readonly (Output | '*')[]])[] = [
      ['*', ['*']],
      ['*, a ,b', ['*', output(column('a')), output(column('b'))]],
      ['first name', [output(column('first name'))]],
      ['größe', [output(column('größe'))]],
      ['a-b', [output(column('a-b'))]],
      ['alias:a', [output(column('a'), 'alias')]],
      ['"al,ias":"weird,na\\"me"', [output(column('weird,na"me'), 'al,ias')]],
      ['data->a', [output(column('data', 'a'), 'a')]],
      ['data->a->0->>b-c', [output(textOf('data', 'a', 0, 'b-c'), 'b-c')]],
      ['data->"x.y"->-1', [output(column('data', 'x.y', -1), 'x.y')]],
      ['data->1', [output(column('data', 1), 'data')]],
      ['data->1st', [output(column('data', '1st'), '1st')]],
      ['n:data->>a::int', [output(textOf('data', 'a'), 'n', 'integer')]],
    ]
    for (const [text, outputs] of cases) assert.deepEqual(parseSelect(text), outputs, text)
  })

  test("PostgreSQL's names of types are understood, and others named", () => {
    const names = {
      text: ['text', 'varchar', 'char'],
      integer: ['int', 'int2', 'int4', 'int8', 'integer', 'bigint', 'smallint'],
      real: ['float', 'float4', 'float8', 'real', 'double precision'],
      decimal: ['numeric', 'decimal'],
      boolean: ['bool', 'boolean', 'BOOLEAN'],
      json: ['json', 'jsonb'],
    }
    for (const [cast, known] of Object.entries(names)) {
      for (const name of known) assert.deepEqual(parseSelect(`a::${name}`), [output(column('a'), 'a', cast as 'text')])
    }
    assert.match(refusal(() => parseSelect('a::timestamptz')).message, /no cast to timestamptz/)
  })

  test('what cannot be read or done is refused, with the place', () => {
    refuses(parseSelect, [
      ['', 'bad_filter', 1, /expected a column or \*, found the end/],
      ['a,', 'bad_filter', 3, /expected a column/],
      ['a,,b', 'bad_filter', 3, /expected a column/],
      ['a)', 'bad_filter', 2, /a comma or the end/],
      ['a.b', 'bad_filter', 2, /double quotes/],
      ['a:', 'bad_filter', 3, /expected a column/],
      ['*a', 'bad_filter', 2, /a comma or the end/],
      ['"a', 'bad_filter', 1, /expected a column/],
      ['""', 'bad_filter', 3, /expected a column/],
      ['a->', 'bad_filter', 4, /a member or a position/],
      ['a->>b->c', 'bad_filter', 6, /the last step/],
      ['a->99999999999', 'bad_filter', 4, /position in an array/],
      ['a::', 'bad_filter', 4, /name of a type/],
      ['rel(*)', 'not_supported', 4, /not embedded/],
      ['x:rel!inner(*)', 'not_supported', 6, /not embedded/],
      ['...rel(*)', 'not_supported', 1, /not embedded/],
      ['count()', 'not_supported', 6, /Aggregates/],
      ['n:a.sum()', 'not_supported', 4, /Aggregates/],
      ['a::int.avg()', 'not_supported', 7, /Aggregates/],
    ])
  })
})

describe('order', () => {
  test('directions and where NULL goes, which is last when ascending and first when descending', () => {
    const cases: readonly (readonly [string, readonly Order[]])[] = [
      ['a', [order(column('a'))]],
      ['a.desc,b.asc', [order(column('a'), true), order(column('b'))]],
      ['a.desc.nullslast', [order(column('a'), true, 'last')]],
      ['a.nullsfirst , b', [order(column('a'), false, 'first'), order(column('b'))]],
      ['"a.desc".desc', [order(column('a.desc'), true)]],
      ['data->a->>b.desc', [order(textOf('data', 'a', 'b'), true)]],
      ['-a', [order(column('-a'))]],
    ]
    for (const [text, orders] of cases) assert.deepEqual(parseOrder(text), orders, text)
  })

  test('a minus in front means descending, where that is allowed', () => {
    const orders = parseOrder('country,-name,-x.nullslast', { parameter: 'sort', allowMinus: true })
    assert.deepEqual(orders, [order(column('country')), order(column('name'), true), order(column('x'), true, 'last')])
    refuses((text) => parseOrder(text, { allowMinus: true }), [['-a.asc', 'bad_filter', 3, /nullsfirst/]])
  })

  test('what cannot be read or done is refused, with the place', () => {
    refuses(parseOrder, [
      ['', 'bad_filter', 1, /a column to order by/],
      ['a.down', 'bad_filter', 2, /\.asc or \.desc/],
      ['a.desc.asc', 'bad_filter', 7, /\.asc or \.desc/],
      ['a.descending', 'bad_filter', 7, /\.asc or \.desc/],
      ['a.nullsfirst.desc', 'bad_filter', 13, /\.asc or \.desc/],
      ['a,', 'bad_filter', 3, /a column to order by/],
      ['rel(a).desc', 'not_supported', 4, /other tables/],
    ])
  })
})

describe('a filter', () => {
  test('every operator', () => {
    const cases: readonly (readonly [string, Condition])[] = [
      ...(['eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'isdistinct', 'match', 'imatch'] as const).map(
        (op) => [`${op}.x.y,(z)`, tests('a', { op, value: 'x.y,(z)' })] as const,
      ),
      ['eq.', tests('a', { op: 'eq', value: '' })],
      ['eq."x"', tests('a', { op: 'eq', value: '"x"' })],
      ['like.*a%', tests('a', { op: 'like', value: '%a%' })],
      ['ilike.a*', tests('a', { op: 'ilike', value: 'a%' })],
      ['is.null', tests('a', { op: 'is', value: 'null' })],
      ['is.NOT_NULL', tests('a', { op: 'is', value: 'not_null' })],
      ['is.true', tests('a', { op: 'is', value: 'true' })],
      ['is.unknown', tests('a', { op: 'is', value: 'unknown' })],
      ['in.(1,2)', tests('a', { op: 'in', values: ['1', '2'] })],
      ['in.("a,b", "c)\\"" ,d e)', tests('a', { op: 'in', values: ['a,b', 'c)"', 'd e'] })],
      ['in.("a"b,"c)', tests('a', { op: 'in', values: ['"a"b', '"c'] })],
      ['in.()', tests('a', { op: 'in', values: [] })],
      ['in.("")', tests('a', { op: 'in', values: [''] })],
      ['cs.{1,2}', tests('a', { op: 'cs', value: '{1,2}' })],
      ['cd.{"a":1}', tests('a', { op: 'cd', value: '{"a":1}' })],
      ['ov.[1]', tests('a', { op: 'ov', value: '[1]' })],
      ['fts.a & b', tests('a', { op: 'fts', value: 'a & b' })],
      ['plfts(simple).a b', tests('a', { op: 'plfts', value: 'a b' })],
      ['phfts.a b', tests('a', { op: 'phfts', value: 'a b' })],
      ['wfts."a b" -c', tests('a', { op: 'wfts', value: '"a b" -c' })],
      ['not.eq.1', not(tests('a', { op: 'eq', value: '1' }))],
      ['not.in.(1)', not(tests('a', { op: 'in', values: ['1'] }))],
      ['eq(any).{1,"b c",d\\,e}', tests('a', { op: 'in', values: ['1', 'b c', 'd,e'] })],
      [
        'like(all).{a*,*b}',
        { kind: 'and', of: [tests('a', { op: 'like', value: 'a%' }), tests('a', { op: 'like', value: '%b' })] },
      ],
      [
        'gt(any).{ 1 , 2 }',
        { kind: 'or', of: [tests('a', { op: 'gt', value: '1' }), tests('a', { op: 'gt', value: '2' })] },
      ],
      ['ilike(any).{}', tests('a', { op: 'in', values: [] })],
      ['like(all).{}', not(tests('a', { op: 'in', values: [] }))],
    ]
    for (const [value, condition] of cases) assert.deepEqual(parseFilter('a', value), condition, value)
  })

  test('its name is a column, or a place in one', () => {
    const operandOf = (name: string) => {
      const condition = parseFilter(name, 'eq.5')
      return condition.kind === 'test' && condition.operand
    }
    assert.deepEqual(operandOf('data->>a'), textOf('data', 'a'))
    assert.deepEqual(operandOf('data->a->0'), column('data', 'a', 0))
    assert.deepEqual(operandOf('"a.b"'), column('a.b'))
    assert.deepEqual(operandOf('"order"'), column('order'))
    refuses(
      (name) => parseFilter(name, 'eq.5'),
      [
        ['', 'bad_filter', 1, /a column/],
        ['a[0]', 'bad_filter', 2, /double quotes/],
        ['a::text', 'bad_filter', 2, /double quotes/],
        ['rel.a', 'not_supported', 4, /not embedded/],
        ['rel.order', 'not_supported', 4, /not embedded/],
      ],
    )
  })

  test('what cannot be read or done is refused, with the place and what there is', () => {
    refuses(
      (value) => parseFilter('a', value),
      [
        ['', 'bad_filter', 1, /an operator \(eq, neq, .*isdistinct.*wfts; not\. in front\)/],
        ['5', 'bad_filter', 1, /an operator/],
        ['foo.1', 'bad_filter', 1, /an operator/],
        ['not.not.eq.1', 'bad_filter', 5, /an operator/],
        ['EQ.1', 'bad_filter', 1, /an operator/],
        ['eq', 'bad_filter', 3, /a dot behind eq/],
        ['eq(some).{1}', 'bad_filter', 4, /any or all/],
        ['eq(any.{1}', 'bad_filter', 7, /"\)"/],
        ['neq(any).{1}', 'bad_filter', 5, /no parentheses behind neq/],
        ['eq(any).1', 'bad_filter', 9, /\{ in an array/],
        ['eq(any).{1', 'bad_filter', 11, /a comma or \}/],
        ['eq(any).{1,}', 'bad_filter', 12, /a value/],
        ['eq(any).{{1}}', 'bad_filter', 10, /a value/],
        ['eq(any).{1,null}', 'bad_filter', 16, /NULL/],
        ['eq(any).{1}2', 'bad_filter', 12, /the end/],
        ['is.x', 'bad_filter', 4, /null, not_null, true, false, unknown/],
        ['in.1,2', 'bad_filter', 4, /"\("/],
        ['in.(1', 'bad_filter', 6, /a comma or \)/],
        ['in.(1)2', 'bad_filter', 7, /the end/],
        ['fts(german).x', 'not_supported', 12, /there is no fts\(german\)/],
        ['sl.[1,2)', 'not_supported', 3, /sl compares ranges/],
        ['adj.[1,2)', 'not_supported', 4, /adj compares ranges/],
      ],
    )
  })
})

describe('and, or', () => {
  const [a, b] = [tests('a', { op: 'eq', value: '1' }), tests('b', { op: 'gt', value: '2' })]

  test('nest, negate, and quote', () => {
    const cases: readonly (readonly [string, readonly Condition[]])[] = [
      ['(a.eq.1)', [a]],
      ['(a.eq.1,b.gt.2)', [a, b]],
      [
        '( a.eq.1, and(a.eq.1,b.gt.2) , not.or (b.gt.2))',
        [a, { kind: 'and', of: [a, b] }, not({ kind: 'or', of: [b] })],
      ],
      ['(a.not.in.(1,"2)"),b.gt.2)', [not(tests('a', { op: 'in', values: ['1', '2)'] })), b]],
      ['(a.eq."x,y) \\"z\\"",a.eq.1)', [tests('a', { op: 'eq', value: 'x,y) "z"' }), a]],
      ['(a.eq."x"y,a.eq.1)', [tests('a', { op: 'eq', value: '"x"y' }), a]],
      ['(a.cs.{1,2},a.eq.1)', [tests('a', { op: 'cs', value: '{1,2}' }), a]],
      [
        '(a.like(any).{x*,y},a.eq.)',
        [
          { kind: 'or', of: [tests('a', { op: 'like', value: 'x%' }), tests('a', { op: 'like', value: 'y' })] },
          tests('a', { op: 'eq', value: '' }),
        ],
      ],
      ['(data->a->>b.eq.1)', [{ kind: 'test', operand: textOf('data', 'a', 'b'), test: { op: 'eq', value: '1' } }]],
      ['("a.b".is.null)', [tests('a.b', { op: 'is', value: 'null' })]],
      ['(and.eq.1,or.eq.1,not.eq.1)', ['and', 'or', 'not'].map((name) => tests(name, { op: 'eq', value: '1' }))],
    ]
    for (const [value, of] of cases) {
      assert.deepEqual(parseLogic('or', value), { kind: 'or', of }, value)
      assert.deepEqual(parseLogic('not.and', value), not({ kind: 'and', of }), value)
    }
  })

  test('what cannot be read is refused, with the place', () => {
    refuses(
      (value) => parseLogic('or', value),
      [
        ['', 'bad_filter', 1, /"\("/],
        ['a.eq.1', 'bad_filter', 1, /"\("/],
        ['()', 'bad_filter', 2, /a column/],
        ['(a)', 'bad_filter', 3, /a dot/],
        ['(a.eq.1', 'bad_filter', 8, /a comma or \)/],
        ['(a.eq.1))', 'bad_filter', 9, /the end/],
        ['(a.eq.1,)', 'bad_filter', 9, /a column/],
        ['(a.eq.1,and(b.eq.1)', 'bad_filter', 20, /a comma or \)/],
        ['(rel.a.eq.1)', 'bad_filter', 6, /an operator/],
        ['((a.eq.1))', 'bad_filter', 2, /a column, and\( or or\(/],
      ],
    )
  })

  test('parameters hold all together', () => {
    assert.equal(parseConditions([]), null)
    assert.deepEqual(parseConditions([['a', 'eq.1']]), a)
    const all = parseConditions([
      ['a', 'eq.1'],
      ['a', 'eq.1'],
      ['or', '(b.gt.2)'],
    ])
    assert.deepEqual(all, { kind: 'and', of: [a, a, { kind: 'or', of: [b] }] })
  })
})

describe('bounds', () => {
  const many = (count: number, text: string) => Array.from({ length: count }, () => text).join(',')
  const nested = (depth: number) => `(${'and('.repeat(depth - 1)}a.eq.1${')'.repeat(depth)}`

  test('what is at a bound is read, and what is beyond it says which bound', () => {
    const cases: readonly (readonly [(count: number) => unknown, number, RegExp])[] = [
      [(count) => parseSelect(many(count, 'a')), 500, /at most 500 columns/],
      [(count) => parseOrder(many(count, 'a')), 100, /at most 100 columns/],
      [(count) => parseFilter('a', `in.(${many(count, '1')})`), 1000, /at most 1000 values/],
      [(count) => parseFilter('a', `gt(any).{${many(count, '1')}}`), 1000, /at most 1000 values/],
      [(count) => parseLogic('or', `(${many(count, 'a.eq.1')})`), 200, /at most 200 conditions/],
      [(count) => parseLogic('or', nested(count)), 20, /nested at most 20 deep/],
      [(count) => parseSelect(`a${'->b'.repeat(count)}`), 50, /at most 50 steps/],
    ]
    for (const [parse, bound, says] of cases) {
      parse(bound)
      const { code, message } = refusal(() => parse(bound + 1))
      assert.equal(code, 'bad_filter')
      assert.match(message, says)
    }
  })

  test('conditions and values count over all parameters of a request', () => {
    const filters = (count: number) => Array.from({ length: count }, () => ['a', 'eq.1'] as const)
    parseConditions([...filters(199), ['or', '(a.eq.1)']])
    assert.match(refusal(() => parseConditions([...filters(200), ['or', '(a.eq.1)']])).message, /200 conditions/)
    const list = ['a', `in.(${many(501, '1')})`] as const
    assert.match(refusal(() => parseConditions([list, list])).message, /1000 values/)
  })

  test('text made to be slow or deep is read or refused like any other', () => {
    const big = 200_000
    const texts = [
      '(',
      '((',
      'and(',
      'not.',
      '"',
      '"\\',
      '"\\",',
      '{',
      '{,',
      '}',
      ',',
      '->',
      '->>',
      '-',
      'a',
      ' ',
      '*',
      '...',
      '::',
      '.',
      '"a"b,',
      '\\',
    ]
    for (const text of texts.map((piece) => piece.repeat(big / piece.length))) {
      const parsers = [
        () => parseSelect(text),
        () => parseSelect(`a${text}`),
        () => parseOrder(text),
        () => parseFilter(text, 'eq.1'),
        () => parseFilter('a', text),
        () => parseFilter('a', `in.(${text}`),
        () => parseFilter('a', `eq(any).{${text}`),
        () => parseLogic('or', text),
        () => parseLogic('or', `(a.eq.${text}`),
        () => parseLogic('or', `(a.in.(${text}`),
      ]
      for (const parse of parsers) orRefused(parse)
    }
  })

  /** Runs a parser, and accepts its refusal. */
  function orRefused(parse: () => unknown): void {
    try {
      parse()
    } catch (error) {
      assert.ok(error instanceof Failure && ['bad_filter', 'not_supported'].includes(error.code), String(error))
      assert.ok(error.message.length < 2000)
    }
  }

  test('any text is read or refused, and a refusal points into it', () => {
    const piece = fc.constantFrom(
      ...'abc019 "\\(){}[],.:*->!=\u{1F600}ü\n\0'.split(''),
      '->>',
      '->',
      '::',
      'eq.',
      'in.(',
      'not.',
      'and(',
      'or(',
      'like(any).{',
      'is.null',
      'desc',
      '.asc',
      'nullslast',
      '...',
    )
    const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(''))
    const property = fc.property(text, (given) => {
      for (const parse of [
        () => parseSelect(given),
        () => parseOrder(given),
        () => parseOrder(given, { allowMinus: true }),
        () => parseFilter(given, 'eq.1'),
        () => parseFilter('a', given),
        ...LOGIC.map((kind) => () => parseLogic(kind, given)),
      ]) {
        try {
          parse()
        } catch (error) {
          assert.ok(error instanceof Failure, String(error))
          const position = Number(error.facts.position)
          assert.ok(position >= 1 && position <= given.length + 1, `${error.message} of ${JSON.stringify(given)}`)
        }
      }
    })
    fc.assert(property, { seed, numRuns: 400 })
  })
})

describe('what is written is read again', () => {
  /** Arbitraries make objects without a prototype; parsers do not. */
  const plain = <Value>(given: Value): Value => structuredClone(given)
  const quote = (text: string) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
  const operand: fc.Arbitrary<Operand> = fc
    .record({
      column: name,
      path: fc.array(fc.oneof(name, fc.integer({ min: -99, max: 99 })), { maxLength: 3 }),
      asText: fc.boolean(),
    })
    .map(({ column: of, path, asText }) => ({ column: of, path, asText: asText && path.length > 0 }))
  const writeOperand = ({ column: of, path, asText }: Operand) =>
    quote(of) +
    path
      .map(
        (step, index) =>
          `${asText && index === path.length - 1 ? '->>' : '->'}${typeof step === 'number' ? step : quote(step)}`,
      )
      .join('')
  const value = fc.string({ unit: 'grapheme', maxLength: 8 })
  const simpleTest: fc.Arbitrary<Test> = fc.oneof(
    fc.record({
      op: fc.constantFrom(
        'eq',
        'neq',
        'gt',
        'gte',
        'lt',
        'lte',
        'isdistinct',
        'match',
        'imatch',
        'cs',
        'cd',
        'ov',
        'fts',
        'plfts',
        'phfts',
        'wfts',
      ),
      value,
    }),
    fc.record({ op: fc.constantFrom('like', 'ilike'), value: value.map((text) => text.replaceAll('*', '%')) }),
    fc.record({ op: fc.constant('in' as const), values: fc.array(value, { maxLength: 4 }) }),
    fc.record({
      op: fc.constant('is' as const),
      value: fc.constantFrom('null', 'not_null', 'true', 'false', 'unknown'),
    }),
  ) as fc.Arbitrary<Test>
  const leaf: fc.Arbitrary<Condition> = fc.record({ kind: fc.constant('test' as const), operand, test: simpleTest })
  const { condition } = fc.letrec<{ condition: Condition; group: Condition }>((tie) => ({
    condition: fc.oneof(
      { maxDepth: 4 },
      leaf,
      leaf.map((of) => not(of)),
      tie('group'),
      tie('group').map((of) => not(of)),
    ),
    group: fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      of: fc.array(tie('condition'), { minLength: 1, maxLength: 3 }),
    }),
  }))

  function write(given: Condition, isNegated = false): string {
    const prefix = isNegated ? 'not.' : ''
    if (given.kind === 'not') return write(given.of, true)
    if (given.kind === 'and' || given.kind === 'or')
      return `${prefix}${given.kind}(${given.of.map((of) => write(of)).join(',')})`
    assert.ok(given.kind === 'test')
    const { op } = given.test
    const right =
      'values' in given.test
        ? `(${given.test.values.map(quote).join(',')})`
        : op === 'is'
          ? given.test.value
          : quote(given.test.value)
    return `${writeOperand(given.operand)}.${prefix}${op}.${right}`
  }

  test('conditions', () => {
    const property = fc.property(condition, (given) => {
      assert.deepEqual(parseLogic('and', `(${write(given)})`), { kind: 'and', of: [plain(given)] })
    })
    fc.assert(property, { seed, numRuns: 200 })
  })

  test('outputs', () => {
    const outputs = fc.array(fc.record({ operand, name, cast: fc.constantFrom(null, 'text', 'integer', 'json') }), {
      minLength: 1,
      maxLength: 5,
    })
    const property = fc.property(outputs, (given) => {
      const text = given.map(
        (one) => `${quote(one.name)}:${writeOperand(one.operand)}${one.cast ? `::${one.cast}` : ''}`,
      )
      assert.deepEqual(parseSelect(text.join(',')), plain(given))
    })
    fc.assert(property, { seed, numRuns: 200 })
  })

  test('orders', () => {
    const one = fc.record({ operand, descending: fc.boolean(), nulls: fc.constantFrom('first', 'last') })
    const property = fc.property(fc.array(one, { minLength: 1, maxLength: 5 }), (given) => {
      const text = given.map(
        (each) => `${writeOperand(each.operand)}.${each.descending ? 'desc' : 'asc'}.nulls${each.nulls}`,
      )
      assert.deepEqual(parseOrder(text.join(',')), plain(given))
    })
    fc.assert(property, { seed, numRuns: 200 })
  })
})
