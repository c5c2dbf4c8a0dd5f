import { parseDateAs, formatDate } from '../formula-date-format.ts'
import { dateAdd, dateDiff, datePart, isSameDate, parseDate, type DatePart, type DateUnit } from '../formula-dates.ts'
import type { FormulaOperation } from '../formula.ts'
import { recordIdOf } from '../record-id.ts'
import { elementsOf, elementText, numbersOf } from './formula-lists.ts'
import { regexMatchers } from './sql-patterns.ts'

/** A number, or the empty text where there is none. */
type Amount = number | ''
/** Epoch milliseconds, or the empty text. */
type Time = number | ''
/** Null: an error. */
type Result = string | number | null

/** Longer texts are errors: a formula could make them as long as it likes. */
const MAX_TEXT = 100_000

/**
 * What operations of formulas do that SQL has no words for. They are never given an error: what is made of one is one.
 * Characters are code points, and counted from 1.
 */
const VALUES = {
  concat: (...texts: string[]) => joinTexts(texts, ''),
  len: (text: string) => points(text).length,
  lower: (text: string) => text.toLowerCase(),
  upper: (text: string) => text.toUpperCase(),
  trim: (text: string) => text.trim(),
  left: (text: string, count: Amount) => slice(text, 0, whole(count)),
  right: (text: string, count: Amount) => slice(text, Math.max(0, points(text).length - whole(count)), whole(count)),
  mid: (text: string, from: Amount, count: Amount) => slice(text, whole(from) - 1, whole(count)),
  find: (part: string, text: string, from: Amount) => placeOf(part, text, whole(from)),
  search: (part: string, text: string, from: Amount) => placeOf(part, text, whole(from)) || '',
  substitute: (text: string, old: string, by: string, which: Amount) => substitute(text, old, by, whole(which)),
  rept: (text: string, count: Amount) => repeat(text, whole(count)),
  value: readNumber,
  regex_match: (text: string, pattern: string) => Number(regexMatchers.match(pattern)(text)),

  abs: (value: Amount) => Math.abs(Number(value)),
  round: (value: Amount, digits: Amount) => roundTo(value, digits, Math.round),
  round_up: (value: Amount, digits: Amount) => roundTo(value, digits, Math.ceil),
  round_down: (value: Amount, digits: Amount) => roundTo(value, digits, Math.floor),
  int: (value: Amount) => Math.floor(Number(value)),
  ceiling: (value: Amount, step: Amount) => stepOf(value, step, Math.ceil),
  floor: (value: Amount, step: Amount) => stepOf(value, step, Math.floor),
  mod: (value: Amount, by: Amount) => modulo(Number(value), Number(by)),
  sqrt: (value: Amount) => finite(Math.sqrt(Number(value))),
  power: (value: Amount, exponent: Amount) => finite(Number(value) ** Number(exponent)),
  sum: (...values: (string | number)[]) => sum(numbersOf(values)),
  min: (...values: (string | number)[]) => extreme(numbersOf(values), (a, b) => Math.min(a, b)),
  max: (...values: (string | number)[]) => extreme(numbersOf(values), (a, b) => Math.max(a, b)),
  average: (...values: (string | number)[]) => average(numbersOf(values)),
  count: (...values: (string | number)[]) => numbersOf(values).length,
  counta: (list: string) => elementsOf(list).length,
  array_join: (list: string, separator: string) => joinTexts(elementsOf(list).map(elementText), separator),

  number_text: String,
  date_text: (at: Time) => (at === '' ? '' : new Date(at).toISOString()),
  list_text: (list: string) => joinTexts(elementsOf(list).map(elementText), ', '),
  list_number: onlyNumber,
  text_date: (text: string) => (text === '' ? '' : parseDate(text)),

  date_add: (at: Time, count: Amount, unit: string) =>
    at === '' ? null : dateAdd(at, Number(count), unit as DateUnit),
  date_diff: (to: Time, from: Time, unit: string) =>
    to === '' || from === '' ? null : dateDiff(to, from, unit as DateUnit),
  is_same: (a: Time, b: Time, unit: string) =>
    a === '' || b === '' ? null : Number(isSameDate(a, b, unit as DateUnit)),
  date_part: (at: Time, part: string, firstDay: number) =>
    at === '' ? null : datePart(at, part as DatePart, firstDay),
  date_format: (at: Time, format: string) => (at === '' ? '' : formatDate(at, format)),
  date_parse: (text: string, format: string) => (text === '' ? '' : parseDateAs(text, format)),
  record_id: recordIdOf,
} as const satisfies Partial<Record<FormulaOperation, (...args: never[]) => Result>>

export type FormulaFunctionName = keyof typeof VALUES

export const FORMULA_VALUES = VALUES as Readonly<Record<FormulaFunctionName, (...args: unknown[]) => Result>>

function whole(amount: Amount): number {
  return Math.trunc(Number(amount))
}

/** A text by code points: as it is where each is one unit. */
function points(text: string): string | readonly string[] {
  return /[\ud800-\udfff]/.test(text) ? Array.from(text) : text
}

/** An error where there is no such place. */
function slice(text: string, from: number, count: number): Result {
  if (from < 0 || count < 0) return null
  const all = points(text)
  const found = all.slice(from, from + count)
  return typeof found === 'string' ? found : found.join('')
}

/** Counted from 1; 0 where it is not. */
function placeOf(part: string, text: string, from: number): number {
  const all = points(text)
  const start = Math.max(0, from - 1)
  if (typeof all === 'string') return all.indexOf(part, start) + 1
  const at = text.indexOf(part, all.slice(0, start).join('').length)
  return at === -1 ? 0 : points(text.slice(0, at)).length + 1
}

/** All of them, or only the one with this number, counted from 1. */
function substitute(text: string, old: string, by: string, which: number): Result {
  if (old === '' || which < 0) return which < 0 ? null : text
  const parts = text.split(old)
  const changed = which === 0 ? parts.length - 1 : Number(which < parts.length)
  if (text.length + changed * (by.length - old.length) > MAX_TEXT) return null
  if (which === 0) return parts.join(by)
  if (changed === 0) return text
  return parts.slice(0, which).join(old) + by + parts.slice(which).join(old)
}

function repeat(text: string, count: number): Result {
  return count < 0 || count * text.length > MAX_TEXT ? null : text.repeat(text === '' ? 0 : count)
}

function joinTexts(texts: readonly string[], separator: string): Result {
  const length = texts.reduce((total, text) => total + text.length + separator.length, 0)
  return length > MAX_TEXT ? null : texts.join(separator)
}

const AMOUNT = /^([+-])?\s*\p{Sc}?\s*(\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d+(?:\.\d*)?|\.\d+)(e[+-]?\d+)?\s*(%)?$/iu

/** Digits, also with a currency, thousands or per cent. */
function readNumber(text: string): Result {
  const match = text.length > 1000 ? null : AMOUNT.exec(text.trim())
  if (match === null) return text.trim() === '' ? '' : null
  const [, sign = '', digits, exponent = '', percent] = match
  return finite(Number(sign + digits!.replaceAll(',', '') + exponent) / (percent === undefined ? 1 : 100))
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}

/** 0 where there is none. */
function extreme(numbers: readonly number[], choose: (a: number, b: number) => number): number {
  return numbers.length === 0 ? 0 : numbers.reduce(choose)
}

function average(numbers: readonly number[]): number | null {
  return finite(sum(numbers) / numbers.length)
}

/** To so many digits behind the point; below zero, before it. What is just between goes away from zero. */
function roundTo(value: Amount, digits: Amount, round: (magnitude: number) => number): number | null {
  const number = Number(value)
  const scale = 10 ** whole(digits)
  return finite((Math.sign(number) * round(Math.abs(number) * scale)) / scale)
}

/** The nearest multiple, downwards or upwards. */
function stepOf(value: Amount, step: Amount, round: (steps: number) => number): number | null {
  return finite(round(Number(value) / Number(step)) * Number(step))
}

/** Has the sign of what is divided by. */
function modulo(value: number, by: number): number | null {
  return finite(value - by * Math.floor(value / by))
}

/** The number in a list of one. */
function onlyNumber(list: string): Result {
  const [first, ...others] = elementsOf(list)
  if (first === undefined) return ''
  return typeof first === 'number' && others.length === 0 ? first : null
}
