import fc from 'fast-check'
import type { ColumnType, Value } from '../../lib/column.ts'
import type { Answer, Condition, Order } from '../../lib/query.ts'
import { seeded } from '../support/random.ts'
import type { PlainRow } from './plain-query.ts'
import { operand } from './query-site.ts'

const ROWS = 250

export const TYPES = {
  part: 'text', no: 'integer', n: 'integer', r: 'real', d: 'decimal', b: 'boolean', t: 'text', u: 'text', j: 'json',
} as const satisfies Record<string, ColumnType> // prettier-ignore

const TEXTS = ['', 'a', 'A', 'ab', 'Ab', 'b', 'ß', 'ẞ', 'ss', 'ς', 'Σ', 'σ', 'İ', 'ı', 'i', 'I', 'é', 'É', 'e\u0301', 'a%b', 'a_b', 'a\\b', '10', '9', '😀', '\uffff', '中', 'K', 'K', 'x\ny'] // prettier-ignore
const INTEGERS = ['0', '1', '-1', '2', '10', '9', '9007199254740992', '9007199254740993', '-9007199254740993', '9223372036854775807', '-9223372036854775808'] // prettier-ignore
const BEYOND = ['9223372036854775808', '-9223372036854775809', '100000000000000000000000']
const DECIMALS = ['0', '-0.0', '1', '1.0', '1.50', '1.5', '-1.5', '-1.25', '10', '9.99', '100000000000000000000.000001', '100000000000000000000', '0.000001', '-10'] // prettier-ignore
const REALS = ['0', '1', '-1', '1.5', '-1.5', '10', '9', '1000000', '0.1', '-0.001']
const JSONS = ['1', '1.0', '"1"', '"a"', 'true', 'false', 'null', '[]', '[1,2]', '[2,1]', '[1]', '["a",[1]]', '[[1,2]]', '{}', '{"a":1}', '{"a":1,"b":[1,2]}', '{"b":[1,2],"a":1.0}', '{"a":{"b":"x"}}', '{"a":null}', '{"a":"10"}', '{"a":10}', '{"a":[1,{"b":2}]}'] // prettier-ignore

export const KEY_ORDER: Order[] = ['part', 'no'].map((name) => ({
  operand: operand(name),
  descending: false,
  nulls: 'last',
}))

/** Rows of every type, with all that is odd about each. */
export function makeRows(seed: number): Value[][] {
  const random = seeded(seed)
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!
  const maybe = <T>(value: T): T | null => (random() < 0.2 ? null : value)
  const rows = Array.from({ length: ROWS }, (_, index): Value[] => [
    pick(['a', 'B', 'ä', '1']), index % 2 === 0 ? index : -index, maybe(BigInt(pick(INTEGERS))), maybe(Number(pick(REALS))),
    maybe(pick(DECIMALS)), maybe(random() < 0.5), maybe(pick(TEXTS)), pick(TEXTS), maybe(JSON.parse(pick(JSONS)) as Value),
  ]) // prettier-ignore
  return rows
}

export function toPlain(cells: readonly Value[]): PlainRow {
  return Object.fromEntries(Object.keys(TYPES).map((name, index) => [name, cells[index] ?? null]))
}

export function idOf(row: PlainRow): string {
  return `${encodeURIComponent(row.part as string)},${String(row.no)}`
}

export function idsOf({ facts }: Answer): string[] {
  return facts.map(({ id }) => id)
}

export function orders(): fc.Arbitrary<Order[]> {
  const names = ['part', 'no', 'n', 'r', 'd', 'b', 't', 'u', 'j', 'j->a', 'j->>a']
  const term = fc.record({
    operand: fc.constantFrom(...names).map(operand),
    descending: fc.boolean(),
    nulls: fc.constantFrom('first' as const, 'last' as const),
  })
  return fc.array(term, { maxLength: 3 })
}

export function conditions(): fc.Arbitrary<Condition | null> {
  const { node } = fc.letrec<{ node: Condition }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      { weight: 4, arbitrary: tests() },
      { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('and' as const, 'or' as const), of: fc.array(tie('node'), { minLength: 1, maxLength: 3 }) }) },
      { weight: 1, arbitrary: tie('node').map((of) => ({ kind: 'not' as const, of })) },
    ), // prettier-ignore
  }))
  return fc.option(node, { freq: 8 })
}

function tests(): fc.Arbitrary<Condition> {
  const compared = ['eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'isdistinct', 'in', 'is']
  const equal = ['eq', 'neq', 'isdistinct', 'in', 'is']
  const pattern = fc.array(fc.constantFrom('a', 'A', 'b', '%', '_', 'ß', 'Σ', 'i', '\\%', '\\_', '\\\\', '😀', '1'), { maxLength: 4 }).map((parts) => parts.join('')) // prettier-ignore
  const regex = fc.constantFrom('a', '^a', 'b$', '^[a-z]+$', '(a|b)', '^.$', '\\d+', '1?0', '^$', 'Σ')
  const of = (names: string[], ops: string[], values: fc.Arbitrary<string>, is: string[]): fc.Arbitrary<Condition> =>
    fc
      .record({ name: fc.constantFrom(...names), op: fc.constantFrom(...ops), value: values, values: fc.array(values, { maxLength: 3 }), is: fc.constantFrom(...is) })
      .map(({ name, op, value, values: many, is: state }) => {
        const tried = op === 'in' ? { op, values: many } : { op, value: op === 'is' ? state : value }
        return { kind: 'test', operand: operand(name), test: tried as never }
      }) // prettier-ignore
  const nulls = ['null', 'not_null']
  return fc.oneof(
    of(['n', 'no'], compared, fc.constantFrom(...INTEGERS, ...BEYOND, '4', '-7'), nulls),
    of(['r'], compared, fc.constantFrom(...REALS), nulls),
    of(['d'], compared, fc.constantFrom(...DECIMALS), nulls),
    of(['b'], compared, fc.constantFrom('true', 'false'), [...nulls, 'true', 'false', 'unknown']),
    of(['t', 'u', 'part', 'j->>a', 'j->>-1'], compared, fc.constantFrom(...TEXTS), nulls),
    of(['t', 'u', 'part', 'j->>a'], ['like', 'ilike'], pattern, nulls),
    of(['t', 'u', 'part', 'j->>a'], ['match', 'imatch'], regex, nulls),
    of(['j'], [...equal, 'cs', 'cd', 'ov'], fc.constantFrom(...JSONS), nulls),
    of(['j->a', 'j->b', 'j->0', 'j->a->b'], [...compared, 'cs', 'cd', 'ov'], fc.constantFrom(...JSONS), nulls),
  )
}
