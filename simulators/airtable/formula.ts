import { FUNCTIONS } from './formula-functions.ts'
import { InvalidFormula, parseFormula, type Expression, type Operator } from './formula-parser.ts'
import { FormulaError, isTruthy, toNumber, toText, toTime, type Value } from './formula-value.ts'
import type { StoredRecord } from './record.ts'

export type Evaluate = (record: StoredRecord) => Value

/** What a formula may look at besides the record itself. */
export interface FormulaScope {
  now(): number
  /** Undefined where there is no such field, by name or id. */
  field(nameOrId: string): { readonly id: string; readonly read: Evaluate } | undefined
}

/** Throws `InvalidFormula`. */
export function compileFormula(text: string, scope: FormulaScope): Evaluate {
  return compile(parseFormula(text), scope)
}

/** The ids that `OR(RECORD_ID()='rec…', …)` asks for; undefined for any other formula. */
export function recordIdsAskedFor(text: string): ReadonlySet<string> | undefined {
  const expression = parseFormula(text)
  const parts = expression.kind === 'call' && expression.name === 'OR' ? expression.args : [expression]
  const ids = parts.map((part) => {
    if (part.kind !== 'binary' || part.operator !== '=') return undefined
    const [call, literal] = part.left.kind === 'call' ? [part.left, part.right] : [part.right, part.left]
    if (call.kind !== 'call' || call.name !== 'RECORD_ID' || literal.kind !== 'literal') return undefined
    return String(literal.value)
  })
  return ids.every((id) => id !== undefined) ? new Set(ids) : undefined
}

function compile(expression: Expression, scope: FormulaScope): Evaluate {
  if (expression.kind === 'literal') return () => expression.value
  if (expression.kind === 'field') return compileField(expression.name, scope).read
  if (expression.kind === 'negate') {
    const of = compile(expression.of, scope)
    return (record) => -toNumber(of(record))
  }
  if (expression.kind === 'call') return compileCall(expression.name, expression.args, scope)
  const [left, right] = [compile(expression.left, scope), compile(expression.right, scope)]
  return (record) => operate(expression.operator, left(record), right(record))
}

function compileField(name: string, scope: FormulaScope): { readonly id: string; readonly read: Evaluate } {
  const field = scope.field(name)
  if (field === undefined) throw new InvalidFormula(`Unknown field names: ${name.toLowerCase()}`)
  return field
}

function compileCall(name: string, args: readonly Expression[], scope: FormulaScope): Evaluate {
  if (name === 'RECORD_ID') return (record) => record.id
  if (name === 'CREATED_TIME') return (record) => new Date(record.createdAt)
  if (name === 'NOW') return () => new Date(scope.now())
  if (name === 'TODAY') return () => new Date(Math.floor(scope.now() / 86_400_000) * 86_400_000)
  if (name === 'LAST_MODIFIED_TIME') return compileModified(args, scope)
  const compiled = args.map((arg) => compile(arg, scope))
  if (name === 'IF') return compileIf(compiled)
  if (name === 'ISERROR') return (record) => compiled[0]?.(record) instanceof FormulaError
  const call = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined
  if (call === undefined) throw new InvalidFormula(`Unknown function names: ${name}`)
  if (name === 'DATETIME_PARSE' && args.every(({ kind }) => kind === 'literal')) {
    const constant = call(args.map((arg) => (arg.kind === 'literal' ? arg.value : null)))
    return () => constant
  }
  return (record) => {
    const values = compiled.map((evaluate) => evaluate(record))
    return values.find((value) => value instanceof FormulaError) ?? call(values)
  }
}

function compileModified(args: readonly Expression[], scope: FormulaScope): Evaluate {
  const ids = args.map((arg) => {
    if (arg.kind !== 'field') throw new InvalidFormula('LAST_MODIFIED_TIME takes fields')
    return compileField(arg.name, scope).id
  })
  return (record) => {
    const at =
      ids.length === 0
        ? record.modifiedAt
        : Math.max(...ids.map((id) => record.modifiedAtByField?.get(id) ?? Number.NEGATIVE_INFINITY))
    return at === undefined || !Number.isFinite(at) ? null : new Date(at)
  }
}

function compileIf([condition, then, otherwise]: readonly Evaluate[]): Evaluate {
  if (condition === undefined || then === undefined) throw new InvalidFormula('IF takes two or three arguments')
  return (record) => {
    const value = condition(record)
    if (value instanceof FormulaError) return value
    return isTruthy(value) ? then(record) : (otherwise?.(record) ?? null)
  }
}

function operate(operator: Operator, left: Value, right: Value): Value {
  if (left instanceof FormulaError) return left
  if (right instanceof FormulaError) return right
  switch (operator) {
    case '&':
      return toText(left) + toText(right)
    case '+':
      return toNumber(left) + toNumber(right)
    case '-':
      return toNumber(left) - toNumber(right)
    case '*':
      return toNumber(left) * toNumber(right)
    case '/':
      return toNumber(left) / toNumber(right)
    case '=':
      return compare(left, right) === 0
    case '!=':
      return compare(left, right) !== 0
    case '<':
      return compare(left, right) < 0
    case '<=':
      return compare(left, right) <= 0
    case '>':
      return compare(left, right) > 0
    case '>=':
      return compare(left, right) >= 0
  }
}

/** Numbers by size, times by time, else texts; blank equals 0, "" and false. */
function compare(left: Value, right: Value): number {
  if (left instanceof Date || right instanceof Date) {
    const [a, b] = [toTime(left), toTime(right)]
    if (a !== undefined && b !== undefined) return a - b
  }
  const isNumeric = (value: Value) => typeof value === 'number' || typeof value === 'boolean'
  if (isNumeric(left) || isNumeric(right)) return toNumber(left) - toNumber(right)
  const [a, b] = [toText(left), toText(right)]
  if (a === b) return 0
  return a < b ? -1 : 1
}
