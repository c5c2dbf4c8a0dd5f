import type { ColumnType } from '../../lib/column.ts'
import type { Condition, Operand, Order } from '../../lib/query.ts'

/**
 * What a query means, in plain JavaScript over rows in memory: written apart from the engine, from what SQL and
 * PostgreSQL say, so that each can be held against the other.
 */

export type PlainRow = Readonly<Record<string, unknown>>
export type Types = Readonly<Record<string, ColumnType>>

/** True, false or unknown. */
type Truth = boolean | null

export function holds(condition: Condition, row: PlainRow, types: Types): Truth {
  switch (condition.kind) {
    case 'and':
      return condition.of.reduce<Truth>((all, part) => and(all, holds(part, row, types)), true)
    case 'or':
      return negate(condition.of.reduce<Truth>((all, part) => and(all, negate(holds(part, row, types))), true))
    case 'not':
      return negate(holds(condition.of, row, types))
    case 'test':
      return testHolds(condition, row, types)
    default:
      throw new Error(`not in here: ${condition.kind}`)
  }
}

export function compareRows(order: readonly Order[], types: Types): (a: PlainRow, b: PlainRow) => number {
  return (a, b) => {
    for (const { operand, descending, nulls } of order) {
      const [x, y] = [valueOf(operand, a, types), valueOf(operand, b, types)]
      if (x === null && y === null) continue
      if (x === null) return nulls === 'first' ? -1 : 1
      if (y === null) return nulls === 'first' ? 1 : -1
      const sign = compare(x, y, typeOf(operand, types))
      if (sign !== 0) return descending ? -sign : sign
    }
    return 0
  }
}

function and(a: Truth, b: Truth): Truth {
  if (a === false || b === false) return false
  return a === null || b === null ? null : true
}

function negate(truth: Truth): Truth {
  return truth === null ? null : !truth
}

function typeOf({ column, path, asText }: Operand, types: Types): ColumnType {
  return path.length === 0 ? types[column]! : asText ? 'text' : 'json'
}

/** Null: SQL's NULL. JSON's null is `NULL_JSON`. */
const NULL_JSON = Symbol('null')

function valueOf({ column, path, asText }: Operand, row: PlainRow, types: Types): unknown {
  const cell = row[column] ?? null
  if (cell === null || path.length === 0) return cell === null ? null : read(types[column]!, cell)
  let place: unknown = cell
  for (const step of path) {
    if (Array.isArray(place)) place = typeof step === 'number' ? place.at(step) : undefined
    else if (typeof place === 'object' && place !== null) place = (place as PlainRow)[String(step)]
    else place = undefined
  }
  if (place === undefined) return null
  if (!asText) return place === null ? NULL_JSON : place
  if (place === null) return null
  return typeof place === 'string' ? place : JSON.stringify(place)
}

/** Whole numbers in units of 10^-12, so that they compare exactly. */
function scaled(text: string): bigint {
  const [, sign, whole = '', fraction = ''] = /^([+-]?)(\d*)\.?(\d*)$/.exec(text)!
  const digits = BigInt(whole + fraction.padEnd(12, '0'))
  return sign === '-' ? -digits : digits
}

function read(type: ColumnType, cell: unknown): unknown {
  if (type === 'integer') return BigInt(cell as number)
  if (type === 'decimal') return scaled(cell as string)
  return cell
}

function readValue(type: ColumnType, text: string): unknown {
  switch (type) {
    case 'integer':
      return BigInt(text)
    case 'decimal':
      return scaled(text)
    case 'real':
      return Number(text)
    case 'boolean':
      return text === 'true'
    case 'json': {
      const json = JSON.parse(text) as unknown
      return json === null ? NULL_JSON : json
    }
    default:
      return text
  }
}

function compare(a: unknown, b: unknown, type: ColumnType): number {
  if (type === 'json') return compareJson(a, b)
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b)
  const [x, y] = [Number(a), Number(b)]
  if (typeof a === 'bigint' && typeof b === 'bigint') return a < b ? -1 : a > b ? 1 : 0
  return x < y ? -1 : x > y ? 1 : 0
}

function compareText(a: string, b: string): number {
  const [x, y] = [Array.from(a), Array.from(b)]
  for (let index = 0; index < Math.min(x.length, y.length); index++) {
    const sign = x[index]!.codePointAt(0)! - y[index]!.codePointAt(0)!
    if (sign !== 0) return Math.sign(sign)
  }
  return Math.sign(x.length - y.length)
}

function rank(json: unknown): number {
  if (json === null || json === NULL_JSON) return 0
  const types = ['string', 'number', 'boolean']
  return types.includes(typeof json) ? types.indexOf(typeof json) + 1 : Array.isArray(json) ? 4 : 5
}

function compareJson(a: unknown, b: unknown): number {
  if (rank(a) !== rank(b)) return Math.sign(rank(a) - rank(b))
  if (rank(a) === 0) return 0
  if (typeof a === 'string') return compareText(a, b as string)
  if (typeof a !== 'object') return Math.sign(Number(a) - Number(b))
  const [x, y] = [a, b].map((json) =>
    Array.isArray(json)
      ? (json as unknown[])
      : Object.entries(json as object)
          .toSorted(([m], [n]) => compareText(m, n))
          .flat(),
  ) as [unknown[], unknown[]]
  if (x.length !== y.length) return Math.sign(x.length - y.length)
  for (const [index, element] of x.entries()) {
    const sign = compareJson(element, y[index])
    if (sign !== 0) return sign
  }
  return 0
}

function contains(outer: unknown, inner: unknown, isTop: boolean): boolean {
  const isPlain = rank(inner) < 4
  if (Array.isArray(outer)) {
    if (isPlain) return isTop && outer.some((one) => compareJson(one, inner) === 0)
    if (!Array.isArray(inner)) return false
    return inner.every((one) =>
      outer.some((place) => (rank(one) < 4 ? compareJson(place, one) === 0 : contains(place, one, false))),
    )
  }
  if (isPlain || rank(outer) < 4) return isPlain && rank(outer) < 4 && compareJson(outer, inner) === 0
  if (Array.isArray(inner)) return false
  return Object.entries(inner as object).every(
    ([name, value]) => Object.hasOwn(outer as object, name) && contains((outer as PlainRow)[name], value, false),
  )
}

function likeExpression(pattern: string, flags: string): RegExp {
  let source = ''
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at]!
    if (char === '%') source += '.*'
    else if (char === '_') source += '.'
    else {
      const literal = char === '\\' && at + 1 < pattern.length ? pattern[++at]! : char
      source += literal.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
    }
  }
  return new RegExp(`^${source}$`, flags)
}

function testHolds(condition: Extract<Condition, { kind: 'test' }>, row: PlainRow, types: Types): Truth {
  const { operand, test } = condition
  const type = typeOf(operand, types)
  const value = valueOf(operand, row, types)
  if (test.op === 'is') {
    if (test.value === 'null' || test.value === 'unknown') return value === null
    return test.value === 'not_null' ? value !== null : value === (test.value === 'true')
  }
  if (test.op === 'isdistinct') return value === null || compare(value, readValue(type, test.value), type) !== 0
  if (test.op === 'in') {
    if (test.values.length === 0) return false
    return value === null ? null : test.values.some((one) => compare(value, readValue(type, one), type) === 0)
  }
  if (value === null) return null
  const sign = (text: string) => compare(value, readValue(type, text), type)
  switch (test.op) {
    case 'eq':
      return sign(test.value) === 0
    case 'neq':
      return sign(test.value) !== 0
    case 'gt':
      return sign(test.value) > 0
    case 'gte':
      return sign(test.value) >= 0
    case 'lt':
      return sign(test.value) < 0
    case 'lte':
      return sign(test.value) <= 0
    case 'like':
      return likeExpression(test.value, 'su').test(value as string)
    case 'ilike':
      return likeExpression(test.value, 'siu').test(value as string)
    case 'match':
      return new RegExp(test.value, 'u').test(value as string)
    case 'imatch':
      return new RegExp(test.value, 'iu').test(value as string)
    case 'cs':
      return contains(value, JSON.parse(test.value), true)
    case 'cd':
      return contains(JSON.parse(test.value), value, true)
    case 'ov': {
      const many = (json: unknown) => (Array.isArray(json) ? (json as unknown[]) : [json])
      const others = many(JSON.parse(test.value))
      return many(value).some((one) => others.some((other) => compareJson(one, other) === 0))
    }
    default:
      throw new Error(`not in here: ${test.op}`)
  }
}
