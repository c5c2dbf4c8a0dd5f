import fc from 'fast-check'
import type { ColumnType, Value } from '../lib/column.ts'
import { NOW } from './formula-site.ts'

/**
 * Formulas together with what they mean: the text of each, and a plain JavaScript function of a row, written apart from
 * the engine from what docs/v0.md says.
 */

export type Row = Readonly<Record<string, Value>>

/** What could not be worked out. */
const ERROR = Symbol('error')
/** The empty text is what is not there. */
type Plain = string | number | boolean
type Result = Plain | typeof ERROR

export interface Made {
  readonly text: string
  of(row: Row): Result
}

export const COLUMNS = {
  id: 'integer', t: 'text', u: 'text', n: 'integer', r: 'real', d: 'decimal', b: 'boolean', day: 'text', l: 'json',
} as const satisfies Record<string, ColumnType> // prettier-ignore

const TEXTS = [
  '',
  'a',
  'A',
  'ab',
  'ba',
  'abab',
  'ß',
  'É',
  '😀',
  'a😀b',
  ' x ',
  '12',
  '-3.5',
  "it's",
  '2024-02-29',
  '%_',
]
const NUMBERS = [0, 1, -1, 2, 3, 0.5, -2.5, 10, 100, 7]
const DAYS = [
  '2024-02-29',
  '2024-02-29T23:59:59.999Z',
  '2023-12-31',
  '2024-03-31T12:30:00.000Z',
  '1969-07-20T20:17:40.000Z',
]
const LISTS: readonly Value[] = [[], ['a'], ['a', 'b'], [1], [1, 2.5], [3, 'x', null, ''], 'solo', 7, [{ name: 'Ann' }]]

export function makeRows(random: () => number, count: number): Value[][] {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!
  const maybe = <T>(value: T): T | null => (random() < 0.25 ? null : value)
  return Array.from({ length: count }, (_, index): Value[] => [
    index, maybe(pick(TEXTS)), maybe(pick(TEXTS)), maybe(Math.trunc(pick(NUMBERS))), maybe(pick(NUMBERS)), maybe(String(pick(NUMBERS))),
    maybe(random() < 0.5), maybe(pick(DAYS)), maybe(pick(LISTS)),
  ]) // prettier-ignore
}

/** Whether a formula keeps a row. */
export function keeps({ of }: Made, row: Row): boolean {
  return truthOf(of(row)) === true
}

function truthOf(value: Result): boolean | typeof ERROR {
  return value === ERROR ? ERROR : value !== '' && value !== 0 && value !== false
}

/** Of what a function or an operator takes: what is made of an error is one. */
function strict(args: readonly Made[], apply: (...values: Plain[]) => Result): Made['of'] {
  return (row) => {
    const values = args.map((arg) => arg.of(row))
    return values.includes(ERROR) ? ERROR : apply(...(values as Plain[]))
  }
}

const finite = (value: number): Result => (Number.isFinite(value) ? value : ERROR)
const known = (value: number): Result => (Number.isNaN(value) ? ERROR : value)
const points = (value: Plain) => Array.from(String(value))
const timeOf = (day: Plain) => (day === '' ? '' : new Date(String(day)).getTime())
const elementsOf = (cell: Value) =>
  (Array.isArray(cell) ? (cell as Value[]) : [cell]).filter((one) => one !== null && one !== '')
const nameOf = (element: Value) => (typeof element === 'object' ? (element as { name: string }).name : String(element))
const numeric = (values: readonly Plain[]) => values.filter((value) => value !== '').map(Number)
const place = (part: Plain, value: Plain) =>
  points(String(value).slice(0, String(value).indexOf(String(part)))).length + 1

/** Kinds of arguments: T, N, D and B are formulas; the small ones are literals. */
type Kinds = string
type Functions = readonly (readonly [name: string, takes: Kinds, apply: (...values: Plain[]) => Result])[]

const TEXT_FUNCTIONS: Functions = [
  ['LOWER', 'T', (value) => String(value).toLowerCase()],
  ['UPPER', 'T', (value) => String(value).toUpperCase()],
  ['TRIM', 'T', (value) => String(value).trim()],
  ['LEFT', 'Tc', (value, count) => points(value).slice(0, Number(count)).join('')],
  ['RIGHT', 'Tc', (value, count) => points(value).slice(Math.max(0, points(value).length - Number(count))).join('')],
  ['MID', 'Tpc', (value, from, count) => points(value).slice(Number(from) - 1, Number(from) - 1 + Number(count)).join('')],
  ['SUBSTITUTE', 'TTT', (value, old, by) => (old === '' ? value : String(value).split(String(old)).join(String(by)))],
  ['REPT', 'Ts', (value, times) => (Number(times) < 0 ? ERROR : String(value).repeat(Number(times)))],
  ['CONCATENATE', 'TNT', (...values) => values.join('')],
  ['T', 'N', () => ''],
] // prettier-ignore
const NUMBER_FUNCTIONS: Functions = [
  ['LEN', 'T', (value) => points(value).length],
  ['FIND', 'TT', (part, value) => (String(value).includes(String(part)) ? place(part, value) : 0)],
  ['SEARCH', 'TT', (part, value) => (String(value).includes(String(part)) ? place(part, value) : '')],
  ['ABS', 'N', (value) => Math.abs(Number(value))],
  ['INT', 'N', (value) => Math.floor(Number(value))],
  ['SQRT', 'N', (value) => finite(Math.sqrt(Number(value)))],
  ['MOD', 'NN', (value, by) => finite(Number(value) - Number(by) * Math.floor(Number(value) / Number(by)))],
  ['POWER', 'Ns', (value, exponent) => finite(Math.pow(Number(value), Number(exponent)))],
  ['ROUND', 'N', (value) => finite(Math.sign(Number(value)) * Math.floor(Math.abs(Number(value)) + 0.5))],
  ['ROUNDUP', 'N', (value) => finite(Number(value) < 0 ? Math.floor(Number(value)) : Math.ceil(Number(value)))],
  ['ROUNDDOWN', 'N', (value) => finite(Math.trunc(Number(value)))],
  ['CEILING', 'Np', (value, step) => finite(Math.ceil(Number(value) / Number(step)) * Number(step))],
  ['FLOOR', 'Np', (value, step) => finite(Math.floor(Number(value) / Number(step)) * Number(step))],
  ['SUM', 'NNN', (...values) => known(numeric(values).reduce((sum, value) => sum + value, 0))],
  ['MIN', 'NN', (...values) => (numeric(values).length === 0 ? 0 : Math.min(...numeric(values)))],
  ['MAX', 'NN', (...values) => (numeric(values).length === 0 ? 0 : Math.max(...numeric(values)))],
  ['AVERAGE', 'NN', (...values) => finite(numeric(values).reduce((sum, value) => sum + value, 0) / numeric(values).length)],
  ['COUNT', 'NN', (...values) => numeric(values).length],
  ['COUNTA', 'TN', (...values) => values.filter((value) => value !== '').length],
  ['YEAR', 'D', (at) => (at === '' ? ERROR : Number(new Date(Number(at)).toISOString().slice(0, 4)))],
  ['MONTH', 'D', (at) => (at === '' ? ERROR : Number(new Date(Number(at)).toISOString().slice(5, 7)))],
  ['HOUR', 'D', (at) => (at === '' ? ERROR : Number(new Date(Number(at)).toISOString().slice(11, 13)))],
  ['WEEKDAY', 'D', (at) => (at === '' ? ERROR : new Date(Number(at)).getUTCDay())],
  ['DATETIME_DIFF', 'DD', (to, from) => (to === '' || from === '' ? ERROR : Math.trunc((Number(to) - Number(from)) / 1000))],
] // prettier-ignore
const TRUTH_FUNCTIONS: Functions = [
  ['IS_BEFORE', 'DD', (a, b) => (a === '' || b === '' ? ERROR : Number(a) < Number(b))],
  ['IS_AFTER', 'DD', (a, b) => (a === '' || b === '' ? ERROR : Number(a) > Number(b))],
  ['IS_SAME', 'DD', (a, b) => (a === '' || b === '' ? ERROR : a === b)],
  ['EXACT', 'TT', (a, b) => a === b],
  ['NOT', 'B', (value) => !value],
  ['XOR', 'BBB', (...values) => values.filter(Boolean).length % 2 === 1],
]

/** The last day of a month that has no such day. */
function addMonths(at: number, months: number): number {
  const date = new Date(at)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth() + months]
  const last = new Date(Date.UTC(year, month + 1, 0)).getUTCDate()
  return Date.UTC(year, month, Math.min(date.getUTCDate(), last)) + (at - Math.floor(at / 864e5) * 864e5)
}

const column = (name: string, of: (cell: Exclude<Value, null>) => Result): Made => ({
  text: `{${name}}`,
  of: (row) => (row[name] === null ? '' : of(row[name] as Exclude<Value, null>)),
})
const literal = (text: string, value: Plain): Made => ({ text, of: () => value })
const quoted = (value: string) => literal(`'${value.replaceAll(/['\\]/g, '\\$&')}'`, value)
const written = (value: number) => literal(value < 0 ? `-${-value}` : String(value), value)
const joined = (separator: string) => (cell: Exclude<Value, null>) => elementsOf(cell).map(nameOf).join(separator)

const ORDER = { '=': [0], '!=': [-1, 1], '<': [-1], '<=': [-1, 0], '>': [1], '>=': [0, 1] }

function orderOf(a: Plain, b: Plain): number {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b))
  return Number(a) < Number(b) ? -1 : Number(Number(a) > Number(b))
}

export const { truth: truths } = fc.letrec<Record<'text' | 'number' | 'date' | 'truth', Made>>((tie) => {
  const kinds: Readonly<Record<string, fc.Arbitrary<Made>>> = {
    T: tie('text'),
    N: tie('number'),
    D: tie('date'),
    B: tie('truth'),
    c: fc.nat(3).map(written),
    p: fc.integer({ min: 1, max: 3 }).map(written),
    s: fc.integer({ min: -1, max: 3 }).map(written),
  }
  const { T, N, D, B } = kinds as Record<'T' | 'N' | 'D' | 'B', fc.Arbitrary<Made>>
  const call = (functions: Functions): fc.Arbitrary<Made> =>
    fc.oneof(
      ...functions.map(([name, takes, apply]) =>
        fc.tuple(...Array.from(takes, (kind) => kinds[kind]!)).map((args): Made => ({
          text: `${name}(${args.map(({ text }) => text).join(', ')})`,
          of: strict(takes === 'B' || takes === 'BBB' ? args.map(asTruth) : args, apply),
        })),
      ),
    ) // prettier-ignore
  const asTruth = ({ text, of }: Made): Made => ({ text, of: (row) => truthOf(of(row)) })
  const infix = (of: fc.Arbitrary<Made>, signs: readonly string[], apply: (sign: string, a: Plain, b: Plain) => Result) =>
    fc.tuple(of, fc.constantFrom(...signs), of).map(([a, sign, b]): Made => ({
      text: `(${a.text} ${sign} ${b.text})`,
      of: strict([a, b], (x, y) => apply(sign, x, y)),
    })) // prettier-ignore
  const compared = (of: fc.Arbitrary<Made>, as: (value: Plain) => Plain) =>
    infix(of, Object.keys(ORDER), (sign, a, b) => ORDER[sign as keyof typeof ORDER].includes(orderOf(as(a), as(b))))
  const chosen = (of: fc.Arbitrary<Made>) =>
    fc.tuple(B, of, of).map(([condition, then, otherwise]): Made => ({
      text: `IF(${condition.text}, ${then.text}, ${otherwise.text})`,
      of: (row) => {
        const truth = truthOf(condition.of(row))
        return truth === ERROR ? ERROR : (truth ? then : otherwise).of(row)
      },
    })) // prettier-ignore
  /** A pattern that cannot be worked out matches nothing. */
  const switched = (of: fc.Arbitrary<Made>) =>
    fc.tuple(N, N, of, N, of, of).map(([value, first, one, second, two, otherwise]): Made => ({
      text: `SWITCH(${[value, first, one, second, two, otherwise].map(({ text }) => text).join(', ')})`,
      of: (row) => {
        const given = value.of(row)
        if (given === ERROR) return ERROR
        const matches = (pattern: Result) => pattern !== ERROR && Number(pattern) === Number(given)
        return (matches(first.of(row)) ? one : matches(second.of(row)) ? two : otherwise).of(row)
      },
    })) // prettier-ignore
  /** What decides, decides whatever cannot be worked out beside it. */
  const logic = (name: 'AND' | 'OR') =>
    fc.array(B, { minLength: 1, maxLength: 3 }).map((parts): Made => ({
      text: `${name}(${parts.map(({ text }) => text).join(', ')})`,
      of: (row) => {
        const values = parts.map(({ of }) => truthOf(of(row)))
        if (values.includes(name === 'OR')) return name === 'OR'
        return values.includes(ERROR) ? ERROR : name === 'AND'
      },
    })) // prettier-ignore

  return {
    text: fc.oneof(
      { maxDepth: 3 },
      fc.oneof(fc.constantFrom(column('t', String), column('u', String)), fc.constantFrom(...TEXTS).map(quoted)),
      fc.constantFrom(
        { ...column('l', joined('-')), text: "ARRAYJOIN({l}, '-')" },
        { ...column('l', joined(', ')), text: "({l} & '')" },
      ),
      call(TEXT_FUNCTIONS),
      fc.array(fc.oneof(T, N), { minLength: 2, maxLength: 3 }).map((parts) => ({
        text: `(${parts.map(({ text }) => text).join(' & ')})`,
        of: strict(parts, (...values) => values.join('')),
      })), // prettier-ignore
      chosen(T),
    ),
    number: fc.oneof(
      { maxDepth: 3 },
      fc.oneof(fc.constantFrom(...['n', 'r', 'd'].map((name) => column(name, Number))), fc.constantFrom(...NUMBERS).map(written)),
      fc.constantFrom<Made>(
        { text: 'SUM({l}, {n})', of: ({ l, n }) => elementsOf([l, n].flat() as Value).reduce<number>((sum, one) => sum + (typeof one === 'number' ? one : 0), 0) },
        { text: 'COUNTA({l})', of: ({ l }) => elementsOf(l!).length },
        { text: '({b} + 0)', of: ({ b }) => Number(b === true) },
      ),
      call(NUMBER_FUNCTIONS),
      infix(N, ['+', '-', '*', '/'], (sign, a, b) => {
        const [x, y] = [Number(a), Number(b)]
        if (sign === '/') return y === 0 ? ERROR : known(x / y)
        return known(sign === '+' ? x + y : sign === '-' ? x - y : x * y)
      }),
      N.map((part) => ({ text: `-(${part.text})`, of: strict([part], (value) => 0 - Number(value)) })),
      chosen(N),
      switched(N),
    ), // prettier-ignore
    date: fc.oneof(
      { maxDepth: 2 },
      fc.oneof(
        fc.constantFrom(column('day', (cell) => timeOf(cell as string)), literal('NOW()', NOW), literal('TODAY()', Math.floor(NOW / 864e5) * 864e5)),
        fc.constantFrom(...DAYS).map((day) => literal(`DATETIME_PARSE('${day}')`, timeOf(day))),
      ),
      fc.tuple(D, fc.integer({ min: -30, max: 30 }), fc.constantFrom('months', 'days', 'hours')).map(([date, count, unit]) => ({
        text: `DATEADD(${date.text}, ${count}, '${unit}')`,
        of: strict([date], (at) => {
          if (at === '') return ERROR
          return unit === 'months' ? addMonths(Number(at), count) : Number(at) + count * (unit === 'days' ? 864e5 : 36e5)
        }),
      })),
    ), // prettier-ignore
    truth: fc.oneof(
      { maxDepth: 4 },
      fc.oneof(fc.constant(column('b', Boolean)), compared(fc.constantFrom(column('t', String), ...TEXTS.map(quoted)), String)),
      T,
      N,
      call(TRUTH_FUNCTIONS),
      logic('AND'),
      logic('OR'),
      B.map(({ text, of }) => ({ text: `ISERROR(${text})`, of: (row: Row) => of(row) === ERROR })),
      compared(T, String),
      compared(N, Number),
      compared(fc.oneof(fc.constant(column('n', Number)), fc.constantFrom(...NUMBERS).map(written)), Number),
      fc.tuple(T, fc.constantFrom('a', '^a', 'b$', '[0-9]+', '^$', 'A|ß')).map(([value, pattern]) => ({
        text: `REGEX_MATCH(${value.text}, '${pattern}')`,
        of: strict([value], (found) => new RegExp(pattern, 'u').test(String(found))),
      })),
      chosen(B),
    ),
  } // prettier-ignore
})
