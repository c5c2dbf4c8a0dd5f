import { Failure } from './errors.ts'
import { parseDate } from './formula-dates.ts'
import { apply, BLANK, constant, constantOf, FALSE, type Expression, type FormulaType } from './formula.ts'

/** Where in a formula something stands, and what it is part of: for whoever has to be told that it does not fit. */
export interface Place {
  /** From 0. */
  readonly at: number
  /** `LEN()`, or an operator. */
  readonly of: string
}

/** A formula that reads well and means nothing. */
export function misuse({ at }: { readonly at: number }, sentence: string): Failure {
  return new Failure('bad_filter', `At position ${at + 1} of the formula: ${sentence}`, {
    facts: { position: at + 1 },
  })
}

const NAMES: Readonly<Record<FormulaType, string>> = {
  text: 'a text', number: 'a number', boolean: 'true or false', date: 'a date', list: 'a list', links: 'links to records',
  blank: 'blank', mixed: 'of several types',
} // prettier-ignore

/** What a condition decides on has its type from where it is used. */
function branches(expression: Expression, of: (branch: Expression) => Expression, type: FormulaType): Expression {
  if (expression.kind !== 'apply') return expression
  const [condition, ...rest] = expression.of
  const isSwitch = expression.operation === 'switch'
  const made = rest.map((part, index) => (isSwitch && index % 2 === 1 ? part : of(part)))
  return { ...expression, type, of: [condition!, ...made] }
}

export function asText(expression: Expression, place: Place): Expression {
  switch (expression.type) {
    case 'text':
      return expression
    case 'blank':
      return constant('text', '')
    case 'number':
    case 'boolean': {
      const value = constantOf(expression)
      return value === undefined ? apply('number_text', 'text', expression) : constant('text', String(value))
    }
    case 'date':
      // As it is written in the cell: a day is no time.
      if (expression.kind === 'cell') return { ...expression, type: 'text' }
      return apply('date_text', 'text', expression)
    case 'list':
      return apply('list_text', 'text', expression)
    case 'links':
      throw misfit(place, 'text', expression, 'what the linked records are called is not known here')
    case 'mixed':
      return branches(expression, (branch) => asText(branch, place), 'text')
  }
}

export function asNumber(expression: Expression, place: Place): Expression {
  switch (expression.type) {
    case 'number':
    case 'boolean':
      return expression
    case 'blank':
      return constant('number', '')
    case 'list':
      return apply('list_number', 'number', expression)
    case 'mixed':
      return branches(expression, (branch) => asNumber(branch, place), 'number')
    case 'text':
      if (constantOf(expression) === '') return constant('number', '')
      throw misfit(place, 'a number', expression, 'VALUE() makes a number of a text')
    case 'date':
    case 'links':
      throw misfit(place, 'a number', expression)
  }
}

/** What is 0, empty, or not there is false. */
export function asBoolean(expression: Expression): Expression {
  const value = constantOf(expression)
  if (value !== undefined) return constant('boolean', value === '' || value === 0 ? 0 : 1)
  switch (expression.type) {
    case 'boolean':
      return expression
    case 'blank':
      return FALSE
    case 'number':
      return apply('has_number', 'boolean', expression)
    case 'text':
    case 'date':
      return apply('has_text', 'boolean', expression)
    case 'list':
    case 'links':
      return apply('has_list', 'boolean', expression)
    case 'mixed':
      return branches(expression, asBoolean, 'boolean')
  }
}

export function asDate(expression: Expression, place: Place): Expression {
  switch (expression.type) {
    case 'date':
      return expression
    case 'blank':
      return constant('date', '')
    case 'text': {
      const value = constantOf(expression)
      if (value === undefined) return apply('text_date', 'date', expression)
      if (value === '') return constant('date', '')
      const at = parseDate(String(value))
      if (at !== null) return constant('date', at)
      throw misuse(place, `${place.of} takes a date, and ${JSON.stringify(String(value).slice(0, 100))} is none as ISO 8601 writes it.`) // prettier-ignore
    }
    case 'mixed':
      return branches(expression, (branch) => asDate(branch, place), 'date')
    case 'number':
    case 'boolean':
    case 'list':
    case 'links':
      throw misfit(place, 'a date', expression)
  }
}

/** Numbers, and lists that may have some. */
export function asNumbers(expression: Expression, place: Place): Expression {
  return expression.type === 'list' ? expression : asNumber(expression, place)
}

/** Something that has a type of its own: what may be a number or a text is a text. */
export function asOneType(expression: Expression, place: Place): Expression {
  return expression.type === 'mixed' ? asText(expression, place) : expression
}

/** The type that values which a condition chooses from have together. */
export function commonType(parts: readonly Expression[]): FormulaType {
  const types = new Set(parts.map(({ type }) => type).filter((type) => type !== 'blank'))
  if (types.size === 0) return 'blank'
  if (types.size === 1) return [...types][0]!
  return [...types].every((type) => type === 'number' || type === 'boolean') ? 'number' : 'mixed'
}

export type Comparison = 'eq' | 'neq' | 'lt' | 'lte' | 'gt' | 'gte'

/** Compares two values as what both can be. What is not there is 0 among numbers and the empty text among texts. */
export function compare(how: Comparison, left: Expression, right: Expression, place: Place): Expression {
  const [a, b] = comparable(asOneType(left, place), asOneType(right, place), how, place)
  return apply(how, 'boolean', a, b)
}

function comparable(a: Expression, b: Expression, how: Comparison, place: Place): [Expression, Expression] {
  const is = (type: FormulaType) => a.type === type || b.type === type
  const blank = [a, b].find(isEmpty)
  const other = blank === a ? b : a
  if (is('links')) {
    if (blank === undefined || (how !== 'eq' && how !== 'neq')) {
      throw misfit(
        place,
        'what can be compared',
        a.type === 'links' ? a : b,
        'only whether there are any, with BLANK()',
      )
    }
    return [asBoolean(other), FALSE]
  }
  if (is('date')) {
    if (blank !== undefined) return [constant('date', ''), other.type === 'date' ? other : asDate(other, place)]
    return [asDate(a, place), asDate(b, place)]
  }
  if (is('number') || is('boolean')) return [asNumber(a, place), asNumber(b, place)]
  return [asText(a, place), asText(b, place)]
}

function isEmpty(expression: Expression): boolean {
  return expression.type === BLANK.type || constantOf(expression) === ''
}

function misfit({ at, of }: Place, wanted: string, { type }: Expression, advice?: string): Failure {
  const sentence = `${of} takes ${wanted}, and this is ${NAMES[type]}`
  return misuse({ at }, advice === undefined ? `${sentence}.` : `${sentence}: ${advice}.`)
}
