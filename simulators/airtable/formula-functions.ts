import { FormulaError, isTruthy, parseTime, toNumber, toText, toTime, type Value } from './formula-value.ts'

const DAY_MS = 86_400_000
const UNIT_MS: Readonly<Record<string, number>> = {
  milliseconds: 1,
  seconds: 1000,
  minutes: 60_000,
  hours: 3_600_000,
  days: DAY_MS,
  weeks: 7 * DAY_MS,
}

function unitMs(unit: Value): number {
  const name = toText(unit).toLowerCase()
  return UNIT_MS[name] ?? UNIT_MS[`${name}s`] ?? Number.NaN
}

function compareTimes(args: readonly Value[], holds: (left: number, right: number) => boolean): Value {
  const [left, right] = args.map(toTime)
  if (left === undefined || right === undefined) return args.includes(null) ? false : new FormulaError()
  return holds(left, right)
}

const numbersOf = (args: readonly Value[]) =>
  args.flatMap((arg) => (Array.isArray(arg) ? (arg as readonly Value[]) : [arg])).filter((arg) => arg !== null)

function atTime(time: number | undefined): Value {
  return time === undefined || Number.isNaN(time) ? new FormulaError() : new Date(time)
}

/** Functions of their arguments alone. `RECORD_ID`, `CREATED_TIME` and such, which look at the record, are compiled. */
export const FUNCTIONS: Readonly<Record<string, (args: readonly Value[]) => Value>> = {
  AND: (args) => args.every(isTruthy),
  OR: (args) => args.some(isTruthy),
  XOR: (args) => args.filter(isTruthy).length % 2 === 1,
  NOT: ([arg = null]) => !isTruthy(arg),
  TRUE: () => true,
  FALSE: () => false,
  BLANK: () => null,
  ERROR: () => new FormulaError(),
  CONCATENATE: (args) => args.map(toText).join(''),
  LOWER: ([text = null]) => toText(text).toLowerCase(),
  UPPER: ([text = null]) => toText(text).toUpperCase(),
  TRIM: ([text = null]) => toText(text).trim(),
  LEN: ([text = null]) => toText(text).length,
  FIND: ([what = null, where = null, from = 1]) => toText(where).indexOf(toText(what), toNumber(from) - 1) + 1,
  SEARCH: ([what = null, where = null]) => {
    const at = toText(where).indexOf(toText(what))
    return at < 0 ? null : at + 1
  },
  VALUE: ([text = null]) => toNumber(text),
  ABS: ([number = null]) => Math.abs(toNumber(number)),
  ROUND: ([number = null, digits = 0]) => {
    const scale = 10 ** toNumber(digits)
    return Math.round(toNumber(number) * scale) / scale
  },
  SUM: (args) => numbersOf(args).reduce((sum: number, value) => sum + toNumber(value), 0),
  AVERAGE: (args) => {
    const values = numbersOf(args)
    return values.reduce((sum: number, value) => sum + toNumber(value), 0) / values.length
  },
  MIN: (args) => Math.min(...numbersOf(args).map(toNumber)),
  MAX: (args) => Math.max(...numbersOf(args).map(toNumber)),
  COUNTA: (args) => numbersOf(args).filter((value) => value !== '').length,
  DATETIME_PARSE: ([text = null]) => (text instanceof Date ? text : atTime(parseTime(toText(text)))),
  DATEADD: ([date = null, count = null, unit = null]) =>
    atTime((toTime(date) ?? Number.NaN) + toNumber(count) * unitMs(unit)),
  DATETIME_DIFF: ([left = null, right = null, unit = 'seconds']) => {
    const difference = (toTime(left) ?? Number.NaN) - (toTime(right) ?? Number.NaN)
    return Number.isNaN(difference) ? new FormulaError() : Math.trunc(difference / unitMs(unit))
  },
  IS_AFTER: (args) => compareTimes(args, (left, right) => left > right),
  IS_BEFORE: (args) => compareTimes(args, (left, right) => left < right),
  IS_SAME: (args) => compareTimes(args, (left, right) => left === right),
}
