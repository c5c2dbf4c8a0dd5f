import type { ColumnType } from './column.ts'
import { constantOf, type Expression, type FormulaContext } from './formula.ts'
import type { Condition, Operand } from './query.ts'
import { keyOfRecordId } from './record-id.ts'
import { parseKeyText } from './row-key.ts'

/**
 * A formula as conditions, as far as they say the same: of what all have to be true, or one, comparisons of a column with
 * a value become tests that an index can answer. A test is found true where the formula is; not found is the same as
 * false or an error, so nothing of it may be turned into its opposite.
 */
export function conditionOf(formula: Expression, context: FormulaContext): Condition {
  const value = constantOf(formula)
  if (value !== undefined) return value === 0 ? NEVER : ALWAYS
  const whole: Condition = { kind: 'formula', of: formula }
  if (formula.kind !== 'apply') return testOf(formula, context) ?? whole
  const { operation, of } = formula
  if (operation === 'and') return { kind: 'and', of: of.map((part) => conditionOf(part, context)) }
  if (operation === 'or') return anyOf(of.map((part) => testOf(part, context))) ?? whole
  return testOf(formula, context) ?? whole
}

const ALWAYS: Condition = { kind: 'and', of: [] }
const NEVER: Condition = { kind: 'or', of: [] }

/** Several values of one column. */
function anyOf(tests: readonly (Condition | undefined)[]): Condition | undefined {
  const values: string[] = []
  let operand: Operand | undefined
  for (const one of tests) {
    if (one === NEVER) continue
    if (one?.kind !== 'test' || one.test.op !== 'eq') return undefined
    if (operand !== undefined && one.operand.column !== operand.column) return undefined
    operand = one.operand
    values.push(one.test.value)
  }
  if (operand === undefined) return NEVER
  return { kind: 'test', operand, test: { op: 'in', values } }
}

const MIRRORED = { eq: 'eq', lt: 'gt', lte: 'gte', gt: 'lt', gte: 'lte' } as const
type How = keyof typeof MIRRORED

/** One comparison that a test says as well; undefined for all others. */
function testOf(formula: Expression, context: FormulaContext): Condition | undefined {
  if (formula.kind === 'cell') {
    return formula.type === 'boolean' ? test(formula.column.name, { op: 'is', value: 'true' }) : undefined
  }
  if (formula.kind !== 'apply' || !(formula.operation in MIRRORED)) return undefined
  const how = formula.operation as How
  const [left, right] = formula.of
  const value = constantOf(right!)
  if (value !== undefined) return compareWith(left!, how, value, context)
  const other = constantOf(left!)
  return other === undefined ? undefined : compareWith(right!, MIRRORED[how], other, context)
}

function compareWith(
  compared: Expression,
  how: How,
  value: string | number,
  context: FormulaContext,
): Condition | undefined {
  if (compared.kind === 'cell') return compareCell(compared, how, value)
  if (compared.kind === 'fact' && compared.fact === 'modified' && how === 'gt' && typeof value === 'number') {
    return context.tellsChanges ? undefined : { kind: 'modified_after', at: value }
  }
  if (how === 'eq' && isRecordId(compared)) return hasId(String(value), context)
  return undefined
}

function compareCell(
  { column, type }: Expression & { kind: 'cell' },
  how: How,
  value: string | number,
): Condition | undefined {
  if (type === 'boolean') {
    return how === 'eq' && value === 1 ? test(column.name, { op: 'is', value: 'true' }) : undefined
  }
  if (type === 'text') {
    // What is not there is the empty text, and less than all others.
    const isFound = column.type === 'text' && value !== '' && how !== 'lt' && how !== 'lte'
    return isFound ? test(column.name, { op: how, value: String(value) }) : undefined
  }
  if (type !== 'number' || typeof value !== 'number' || holds(0, how, value)) return undefined
  if (column.type === 'integer' && !Number.isSafeInteger(value)) return undefined
  return Number.isFinite(value) ? test(column.name, { op: how, value: String(value) }) : undefined
}

/** Whether what is not there would be found too. */
function holds(number: number, how: How, value: number): boolean {
  switch (how) {
    case 'eq':
      return number === value
    case 'lt':
      return number < value
    case 'lte':
      return number <= value
    case 'gt':
      return number > value
    case 'gte':
      return number >= value
  }
}

function isRecordId(expression: Expression): boolean {
  if (expression.kind === 'fact') return expression.fact === 'key'
  return expression.kind === 'apply' && expression.operation === 'record_id'
}

function hasId(id: string, { key, ids }: FormulaContext): Condition | undefined {
  if (!key.every(({ type }) => WRITTEN.has(type))) return undefined
  const text = ids === 'keys' ? id : keyOfRecordId(id)
  const parts = text === undefined ? undefined : parseKeyText(text, key.length)
  if (parts === undefined || parts.some((part, index) => !isWritten(part, key[index]!.type))) return NEVER
  const tests = parts.map((part, index) => test(key[index]!.name, { op: 'eq', value: part }))
  return tests.length === 1 ? tests[0]! : { kind: 'and', of: tests }
}

/** Types whose cells are equal only if their texts are: decimals are not, nor is JSON. */
const WRITTEN: ReadonlySet<ColumnType> = new Set(['text', 'integer', 'real', 'boolean'])

/** Whether a cell of a key has this as its text: others are no key's, and could not be compared with one. */
function isWritten(text: string, type: ColumnType): boolean {
  if (type === 'integer') return /^(?:0|-?[1-9]\d{0,18})$/.test(text)
  if (type === 'real') return String(Number(text)) === text
  return type !== 'boolean' || text === '0' || text === '1'
}

type Plain = Condition & { kind: 'test' }

function test(column: string, tried: Plain['test']): Plain {
  return { kind: 'test', operand: { column, path: [], asText: false }, test: tried }
}
