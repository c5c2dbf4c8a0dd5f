import { GrammarBudget } from './grammar-bounds.ts'
import { readArray, readList } from './grammar-list.ts'
import { GrammarText } from './grammar-text.ts'
import { COMPARISONS, CONTAINMENTS, PATTERNS, SEARCHES, type Condition, type Operand, type Test } from './query.ts'

/** PostgreSQL's operators on ranges, which are columns that there are none of here. */
const RANGES = ['sl', 'sr', 'nxl', 'nxr', 'adj'] as const
const OPERATORS = [...COMPARISONS, ...PATTERNS, 'is', 'in', ...CONTAINMENTS, ...SEARCHES] as const
/** Those that take `(any)` and `(all)`. */
const QUANTIFIABLE = ['eq', 'gt', 'gte', 'lt', 'lte', ...PATTERNS] as const
const IS_VALUES = ['null', 'not_null', 'true', 'false', 'unknown'] as const

type Operator = (typeof OPERATORS)[number] | (typeof RANGES)[number]

/** A filter as a parameter: the column is its name, `eq.x` its value, which goes on to the end. */
export function parseFilter(name: string, value: string, budget: GrammarBudget = new GrammarBudget()): Condition {
  const operand = parseFilterName(name)
  const reader = new GrammarText(name, value)
  const condition = readCondition(reader, operand, { budget, readValue: (text) => text.rest() })
  reader.expectEnd('the end')
  return condition
}

/** A column or a place in one, as the name of a parameter. */
function parseFilterName(name: string): Operand {
  const reader = new GrammarText(name, name, 'The name of the parameter')
  const operand = reader.operand()
  if (reader.sees('.')) {
    throw reader.notSupported(
      'Tables are not embedded in one another here, so there is nothing to filter in them. A column whose own name ' +
        'has a dot is written in double quotes.',
    )
  }
  reader.expectEnd('-> or the end; a name with other signs is written in double quotes')
  return operand
}

/** What depends on where a condition stands. */
export interface ConditionContext {
  readonly budget: GrammarBudget
  readonly readValue: (reader: GrammarText) => string
}

/** `eq.x`, `not.in.(a,b)`, `like(any).{a*,b*}`: what follows an operand. */
export function readCondition(reader: GrammarText, operand: Operand, context: ConditionContext): Condition {
  context.budget.countCondition(reader)
  const isNegated = reader.take('not.')
  const condition = readTest(reader, operand, context)
  return isNegated ? { kind: 'not', of: condition } : condition
}

function readTest(reader: GrammarText, operand: Operand, { budget, readValue }: ConditionContext): Condition {
  const { op, modifier } = readOperator(reader)
  const testOf = (test: Test): Condition => ({ kind: 'test', operand, test })
  if (op === 'in') return testOf({ op, values: readList(reader, budget) })
  if (op === 'is') return testOf({ op, value: readIs(reader, readValue) })
  if (modifier !== undefined && isOneOf(QUANTIFIABLE, op)) {
    const values = readArray(reader, readValue(reader), budget)
    if (op === 'eq' && modifier === 'any') return testOf({ op: 'in', values })
    // Of no patterns, all match and none does.
    const none = testOf({ op: 'in', values: [] })
    if (values.length === 0) return modifier === 'any' ? none : { kind: 'not', of: none }
    return { kind: modifier === 'any' ? 'or' : 'and', of: values.map((value) => testOf(testOfText(op, value))) }
  }
  return testOf(testOfText(op, readValue(reader)))
}

function testOfText(op: Exclude<Operator, 'in' | 'is' | (typeof RANGES)[number]>, value: string): Test {
  return { op, value: op === 'like' || op === 'ilike' ? value.replaceAll('*', '%') : value }
}

function readOperator(reader: GrammarText): {
  op: Exclude<Operator, (typeof RANGES)[number]>
  modifier: string | undefined
} {
  const start = reader.at
  const op = reader.match(/[a-z]+/y)
  if (isOneOf(RANGES, op)) {
    throw reader.notSupported(
      `${op} compares ranges, and no column here holds one. Compare with gt, gte, lt and lte instead.`,
    )
  }
  if (!isOneOf(OPERATORS, op)) throw reader.fail(`an operator (${OPERATORS.join(', ')}; not. in front)`, start)
  const modifierAt = reader.at + 1
  const modifier = reader.take('(') ? reader.match(/[^).]*/y) : undefined
  if (modifier !== undefined) {
    reader.expect(')')
    checkModifier(reader, op, { modifier, at: modifierAt })
  }
  if (!reader.take('.')) throw reader.fail(`a dot behind ${op}, then the value`)
  return { op, modifier }
}

function checkModifier(
  reader: GrammarText,
  op: (typeof OPERATORS)[number],
  { modifier, at }: { modifier: string; at: number },
): void {
  if (isOneOf(SEARCHES, op)) {
    if (modifier === 'simple') return
    throw reader.notSupported(
      `Words are searched as they are written, without the rules of a language: there is no ${op}(${modifier.slice(0, 50)}). Leave it out.`,
    )
  }
  const isFitting = isOneOf(QUANTIFIABLE, op) && (modifier === 'any' || modifier === 'all')
  if (!isFitting) throw reader.fail(isOneOf(QUANTIFIABLE, op) ? 'any or all' : `no parentheses behind ${op}`, at)
}

function readIs(reader: GrammarText, readValue: ConditionContext['readValue']): (typeof IS_VALUES)[number] {
  const start = reader.at
  const value = readValue(reader).trim().toLowerCase()
  if (isOneOf(IS_VALUES, value)) return value
  throw reader.fail(`one of ${IS_VALUES.join(', ')}`, start)
}

function isOneOf<Name extends string>(names: readonly Name[], name: string): name is Name {
  return (names as readonly string[]).includes(name)
}
