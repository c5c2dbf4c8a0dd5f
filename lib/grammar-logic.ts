import { GrammarBudget, MAX_NESTING } from './grammar-bounds.ts'
import { readCondition, type ConditionContext } from './grammar-filter.ts'
import { readListed } from './grammar-list.ts'
import { GrammarText } from './grammar-text.ts'
import type { Condition } from './query.ts'

export const LOGIC = ['and', 'or', 'not.and', 'not.or'] as const
export type Logic = (typeof LOGIC)[number]

/** `(a.eq.1,or(b.gt.2,not.and(c.is.null,d.in.(1,2))))`, as the value of a parameter of that name. */
export function parseLogic(kind: Logic, value: string, budget: GrammarBudget = new GrammarBudget()): Condition {
  const reader = new GrammarText(kind, value)
  reader.skipSpaces()
  const condition = readGroup(reader, kind, { budget, readValue: readInside }, 1)
  reader.expectEnd('the end')
  return condition
}

function readGroup(reader: GrammarText, kind: Logic, context: ConditionContext, depth: number): Condition {
  if (depth > MAX_NESTING) throw reader.exceeds(`conditions are nested at most ${MAX_NESTING} deep`)
  reader.expect('(')
  const of: Condition[] = []
  do {
    reader.skipSpaces()
    of.push(readMember(reader, context, depth))
    reader.skipSpaces()
  } while (reader.take(','))
  reader.expect(')', 'a comma or )')
  const isNegated = kind.startsWith('not.')
  const group: Condition = { kind: kind === 'and' || kind === 'not.and' ? 'and' : 'or', of }
  return isNegated ? { kind: 'not', of: group } : group
}

function readMember(reader: GrammarText, context: ConditionContext, depth: number): Condition {
  const group = reader.match(/(?:not\.)?(?:and|or)\s*(?=\()/y).trimEnd()
  if (group !== '') return readGroup(reader, group as Logic, context, depth + 1)
  const operand = reader.operand('a column, and( or or(')
  if (!reader.take('.'))
    throw reader.fail('a dot, then an operator; a name with other signs is written in double quotes')
  return readCondition(reader, operand, context)
}

/** A value in quotes, an array with its commas, or up to the next comma or parenthesis. */
function readInside(reader: GrammarText): string {
  return reader.quoted(/[,)]/y) ?? (reader.match(/\{[^{}]*\}/y) || readListed(reader))
}
