import { formatTrouble } from './formula-date-format.ts'
import { dateAdd, dateUnit, DATE_PARTS, startOf, type DateUnit } from './formula-dates.ts'
import {
  asBoolean, asDate, asNumber, asNumbers, asOneType, asText, commonType, compare, misuse, type Place,
} from './formula-types.ts' // prettier-ignore
import {
  apply, BLANK, constant, constantOf, FALSE, TRUE, type Expression, type FormulaContext, type FormulaOperation, type FormulaType,
} from './formula.ts' // prettier-ignore

/** A call of a function, its arguments already read. */
export interface FormulaCall {
  readonly args: readonly Expression[]
  readonly place: Place
  readonly context: FormulaContext
}

export interface FormulaFunction {
  readonly least: number
  readonly most: number
  make(call: FormulaCall): Expression
}

type Kind = 'text' | 'number' | 'date'

/** SQLite takes no more. */
const MAX_ARGS = 100
const ANY = 1000
const MAX_PATTERN = 1000
const PARTS = Object.fromEntries(DATE_PARTS.map((part) => [part.toUpperCase(), part]))

const AS: Readonly<Record<Kind, (value: Expression, place: Place) => Expression>> = {
  text: asText,
  number: asNumber,
  date: asDate,
}

/** A function whose arguments have a type each; those at the end that have a default may be left out. */
function plain(
  operation: FormulaOperation,
  type: FormulaType,
  kinds: readonly Kind[],
  defaults: readonly Expression[] = [],
): FormulaFunction {
  const least = kinds.length - defaults.length
  return {
    least,
    most: kinds.length,
    make: ({ args, place }) =>
      apply(operation, type, ...kinds.map((kind, index) => AS[kind](args[index] ?? defaults[index - least]!, place))),
  }
}

/** A function of any number of numbers, and of lists of them. */
function aggregate(operation: FormulaOperation): FormulaFunction {
  return {
    least: 1,
    most: MAX_ARGS,
    make: ({ args, place }) => apply(operation, 'number', ...args.map((value) => asNumbers(value, place))),
  }
}

function logic(operation: 'and' | 'or' | 'xor'): FormulaFunction {
  return { least: 1, most: ANY, make: ({ args }) => apply(operation, 'boolean', ...args.map(asBoolean)) }
}

function given(value: (call: FormulaCall) => Expression): FormulaFunction {
  return { least: 0, most: 0, make: value }
}

const ONE = constant('number', 1)
const ZERO = constant('number', 0)

export const FORMULA_FUNCTIONS: Readonly<Record<string, FormulaFunction>> = {
  AND: logic('and'),
  OR: logic('or'),
  XOR: logic('xor'),
  NOT: { least: 1, most: 1, make: ({ args }) => apply('not', 'boolean', asBoolean(args[0]!)) },
  IF: { least: 2, most: 3, make: ifElse },
  SWITCH: { least: 3, most: ANY, make: switchOf },
  BLANK: given(() => BLANK),
  TRUE: given(() => TRUE),
  FALSE: given(() => FALSE),
  ISERROR: { least: 1, most: 1, make: ({ args }) => apply('is_error', 'boolean', asBoolean(args[0]!)) },

  LEN: plain('len', 'number', ['text']),
  LOWER: plain('lower', 'text', ['text']),
  UPPER: plain('upper', 'text', ['text']),
  TRIM: plain('trim', 'text', ['text']),
  LEFT: plain('left', 'text', ['text', 'number'], [ONE]),
  RIGHT: plain('right', 'text', ['text', 'number'], [ONE]),
  MID: plain('mid', 'text', ['text', 'number', 'number']),
  FIND: plain('find', 'number', ['text', 'text', 'number'], [ONE]),
  SEARCH: plain('search', 'number', ['text', 'text', 'number'], [ONE]),
  SUBSTITUTE: plain('substitute', 'text', ['text', 'text', 'text', 'number'], [ZERO]),
  REPT: plain('rept', 'text', ['text', 'number']),
  CONCATENATE: { least: 1, most: ANY, make: ({ args, place }) => joined(args, place) },
  EXACT: {
    least: 2,
    most: 2,
    make: ({ args, place }) => apply('eq', 'boolean', asText(args[0]!, place), asText(args[1]!, place)),
  },
  T: {
    least: 1,
    most: 1,
    make: ({ args, place }) => {
      const value = asOneType(args[0]!, place)
      if (value.type === 'text' || value.type === 'links') return value.type === 'text' ? value : BLANK
      // Nothing of it, unless it is an error.
      return apply('left', 'text', asText(value, place), ZERO)
    },
  },
  VALUE: {
    least: 1,
    most: 1,
    make: ({ args, place }) => {
      const value = asOneType(args[0]!, place)
      return value.type === 'number' || value.type === 'boolean'
        ? value
        : apply('value', 'number', asText(value, place))
    },
  },
  REGEX_MATCH: {
    least: 2,
    most: 2,
    make: ({ args, place }) => {
      const pattern = literal(args[1], place, 'a regular expression')
      if (pattern.length > MAX_PATTERN)
        throw misuse(place, `A regular expression has at most ${MAX_PATTERN} characters.`)
      return apply('regex_match', 'boolean', asText(args[0]!, place), constant('text', pattern))
    },
  },
  ARRAYJOIN: {
    least: 1,
    most: 2,
    make: ({ args, place }) => {
      const list = asOneType(args[0]!, place)
      const separator = asText(args[1] ?? constant('text', ', '), place)
      return list.type === 'list' ? apply('array_join', 'text', list, separator) : asText(list, place)
    },
  },

  ABS: plain('abs', 'number', ['number']),
  ROUND: plain('round', 'number', ['number', 'number'], [ZERO]),
  ROUNDUP: plain('round_up', 'number', ['number', 'number'], [ZERO]),
  ROUNDDOWN: plain('round_down', 'number', ['number', 'number'], [ZERO]),
  INT: plain('int', 'number', ['number']),
  CEILING: plain('ceiling', 'number', ['number', 'number'], [ONE]),
  FLOOR: plain('floor', 'number', ['number', 'number'], [ONE]),
  MOD: plain('mod', 'number', ['number', 'number']),
  SQRT: plain('sqrt', 'number', ['number']),
  POWER: plain('power', 'number', ['number', 'number']),
  SUM: aggregate('sum'),
  MIN: aggregate('min'),
  MAX: aggregate('max'),
  AVERAGE: aggregate('average'),
  COUNT: aggregate('count'),
  COUNTA: {
    least: 1,
    most: MAX_ARGS,
    make: ({ args, place }) => apply('sum', 'number', ...args.map((value) => counted(asOneType(value, place)))),
  },

  RECORD_ID: given(({ context }) => {
    const key: Expression = { kind: 'fact', type: 'text', fact: 'key' }
    return context.ids === 'keys' ? key : apply('record_id', 'text', key)
  }),
  CREATED_TIME: given(() => ({ kind: 'fact', type: 'date', fact: 'created' })),
  LAST_MODIFIED_TIME: given(() => ({ kind: 'fact', type: 'date', fact: 'modified' })),
  NOW: given(({ context }) => constant('date', context.now)),
  TODAY: given(({ context }) => constant('date', startOf(context.now, 'days'))),
  IS_BEFORE: { least: 2, most: 2, make: ({ args, place }) => ordered('lt', args, place) },
  IS_AFTER: { least: 2, most: 2, make: ({ args, place }) => ordered('gt', args, place) },
  IS_SAME: {
    least: 2,
    most: 3,
    make: ({ args, place }) => {
      const unit = unitOf(args[2], place, 'milliseconds')
      return apply('is_same', 'boolean', asDate(args[0]!, place), asDate(args[1]!, place), constant('text', unit))
    },
  },
  DATEADD: { least: 3, most: 3, make: dateAdded },
  DATETIME_DIFF: {
    least: 2,
    most: 3,
    make: ({ args, place }) => {
      const unit = unitOf(args[2], place, 'seconds')
      return apply('date_diff', 'number', asDate(args[0]!, place), asDate(args[1]!, place), constant('text', unit))
    },
  },
  DATETIME_PARSE: { least: 1, most: 2, make: dateParsed },
  DATETIME_FORMAT: {
    least: 1,
    most: 2,
    make: ({ args, place }) => {
      const date = asDate(args[0]!, place)
      if (args[1] === undefined) return apply('date_text', 'text', date)
      return apply('date_format', 'text', date, formatOf(args[1], place, 'write'))
    },
  },
  ...Object.fromEntries(Object.keys(PARTS).map((name) => [name, partOf(name)])),
}

/** All arguments as texts, one behind the other. */
export function joined(args: readonly Expression[], place: Place): Expression {
  return apply('concat', 'text', ...args.map((value) => asText(value, place)))
}

function ifElse({ args: [condition, then, otherwise = BLANK] }: FormulaCall): Expression {
  return apply('if', commonType([then!, otherwise]), asBoolean(condition!), then!, otherwise)
}

/** `SWITCH(value, pattern, result, …, [default])`; a pattern that cannot be worked out matches nothing. */
function switchOf({ args: [first, ...rest], place }: FormulaCall): Expression {
  const hasDefault = rest.length % 2 === 1
  const otherwise = hasDefault ? rest.at(-1)! : BLANK
  const cases = hasDefault ? rest.slice(0, -1) : rest
  const results = cases.filter((_, index) => index % 2 === 1)
  const patterns = cases.filter((_, index) => index % 2 === 0)
  const compared = patterns.map((pattern) => compare('eq', first!, pattern, place))
  const [value] = sides(compared[0]!)
  if (compared.some((one) => sides(one)[0].type !== value.type)) {
    throw misuse(place, 'SWITCH() compares one value: its patterns must all be of one type.')
  }
  const type = commonType([...results, otherwise])
  return apply('switch', type, value, otherwise, ...results.flatMap((result, index) => [sides(compared[index]!)[1], result])) // prettier-ignore
}

function sides(comparison: Expression): [Expression, Expression] {
  const [left, right] = comparison.kind === 'apply' ? comparison.of : []
  return [left!, right!]
}

/** What is there counts as one, and a list as its elements. */
function counted(value: Expression): Expression {
  if (value.type === 'boolean') return value
  const isMany = value.type === 'list' || value.type === 'links'
  return isMany ? apply('counta', 'number', value) : apply('has_text', 'boolean', value)
}

/** A date that is not there is neither before nor after another: that is an error. */
function ordered(how: 'lt' | 'gt', args: readonly Expression[], place: Place): Expression {
  return apply(how, 'boolean', asDate(args[0]!, place), asDate(args[1]!, place))
}

function dateAdded({ args, place }: FormulaCall): Expression {
  const unit = unitOf(args[2], place)
  const [date, count] = [asDate(args[0]!, place), asNumber(args[1]!, place)]
  const [at, by] = [constantOf(date), constantOf(count)]
  const known = typeof at === 'number' && typeof by === 'number' ? dateAdd(at, by, unit) : null
  if (known !== null) return constant('date', known)
  return apply('date_add', 'date', date, count, constant('text', unit))
}

function dateParsed({ args, place }: FormulaCall): Expression {
  const text = asOneType(args[0]!, place)
  if (args[1] === undefined || text.type === 'date') return asDate(text, place)
  return apply('date_parse', 'date', asText(text, place), formatOf(args[1], place, 'read'))
}

function partOf(name: string): FormulaFunction {
  const isWeekday = name === 'WEEKDAY'
  return {
    least: 1,
    most: isWeekday ? 2 : 1,
    make: ({ args, place }) => {
      const first = args[1] === undefined ? 'Sunday' : literal(args[1], place, "'Sunday' or 'Monday'")
      if (first !== 'Sunday' && first !== 'Monday')
        throw misuse(place, "WEEKDAY() begins weeks on 'Sunday' or 'Monday'.")
      const day = constant('number', first === 'Monday' ? 1 : 0)
      return apply('date_part', 'number', asDate(args[0]!, place), constant('text', PARTS[name]!), day)
    },
  }
}

function unitOf(unit: Expression | undefined, place: Place, otherwise?: DateUnit): DateUnit {
  if (unit === undefined && otherwise !== undefined) return otherwise
  const text = literal(unit, place, "a unit such as 'days'")
  const known = dateUnit(text)
  if (known !== undefined) return known
  throw misuse(place, `${place.of} knows no unit ${JSON.stringify(text.slice(0, 100))}. There is: milliseconds, seconds, minutes, hours, days, weeks, months, quarters, years.`) // prettier-ignore
}

function formatOf(format: Expression, place: Place, use: 'read' | 'write'): Expression {
  const text = literal(format, place, 'a format')
  const trouble = formatTrouble(text, use)
  if (trouble !== undefined) throw misuse(place, `${place.of} cannot use that format: ${trouble}.`)
  return constant('text', text)
}

/** What has to be known before a row is read. */
function literal(value: Expression | undefined, place: Place, what: string): string {
  const text = value?.type === 'text' ? constantOf(value) : undefined
  if (typeof text === 'string') return text
  throw misuse(place, `${place.of} takes ${what} as a text in quotes there, the same for all records.`)
}
