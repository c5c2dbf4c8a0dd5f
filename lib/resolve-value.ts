import type { Column } from './column.ts'
import { Failure } from './errors.ts'
import type { Cell } from './query.ts'

const MAX_NUMBER_LENGTH = 1000
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,9})?$/i
const INFINITE = /^([+-]?)inf(?:inity)?$/i
/** PostgreSQL's spellings; a beginning that fits only one is enough. */
const TRUE = ['t', 'tr', 'tru', 'true', 'y', 'ye', 'yes', 'on', '1']
const FALSE = ['f', 'fa', 'fal', 'fals', 'false', 'n', 'no', 'of', 'off', '0']
const BOOLEANS: ReadonlyMap<string, number> = new Map([
  ...TRUE.map((text) => [text, 1] as const),
  ...FALSE.map((text) => [text, 0] as const),
])

/**
 * A value as it was asked with, as a cell that can be compared with those of a column: an integer of any size (beyond
 * 64 bits as a bigint that no cell reaches), a real with Infinity and NaN, digits, 1 or 0, text, or JSON text. NaN is,
 * as in PostgreSQL, greater than every number.
 *
 * @throws Failure `bad_value`
 */
export function resolveValue({ name, type }: Column, text: string): Cell {
  switch (type) {
    case 'text':
      return text.toWellFormed()
    case 'integer':
      return toInteger(text) ?? refuse(name, type, text, 'a whole number')
    case 'real':
      return toReal(text) ?? refuse(name, type, text, 'a number')
    case 'decimal':
      return toDigits(text) ?? refuse(name, type, text, 'a number')
    case 'boolean':
      return BOOLEANS.get(text.trim().toLowerCase()) ?? refuse(name, type, text, 'true or false')
    case 'json':
      return isJson(text) ? text : refuse(name, type, text, 'JSON, a text in double quotes')
  }
}

/**
 * What a JSON column is to contain or to be contained in: JSON, or an array written `{a,"b c",1}`, in which numbers,
 * `true`, `false` and `null` are themselves unless they are quoted.
 *
 * @throws Failure `bad_value`
 */
export function resolveContained({ name, type }: Column, text: string): string {
  if (isJson(text)) return text
  const elements = arrayLiteral(text)
  if (elements === undefined) return refuse(name, type, text, 'an array such as {a,b}, or JSON')
  return `[${elements.join(',')}]`
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function toInteger(text: string): number | bigint | undefined {
  const digits = text.trim()
  if (digits.length > MAX_NUMBER_LENGTH || !/^[+-]?\d+$/.test(digits)) return undefined
  const number = Number(digits)
  // Of `-0`, too, there is only one.
  return Number.isSafeInteger(number) ? number + 0 : BigInt(digits.replace(/^\+/, ''))
}

function toReal(text: string): number | undefined {
  const trimmed = text.trim()
  const infinite = INFINITE.exec(trimmed)
  if (infinite !== null) return infinite[1] === '-' ? -Infinity : Infinity
  if (/^nan$/i.test(trimmed)) return NaN
  return trimmed.length <= MAX_NUMBER_LENGTH && NUMBER.test(trimmed) ? Number(trimmed) : undefined
}

function toDigits(text: string): string | undefined {
  const trimmed = text.trim()
  const infinite = INFINITE.exec(trimmed)
  if (infinite !== null) return infinite[1] === '-' ? '-Infinity' : 'Infinity'
  if (/^nan$/i.test(trimmed)) return 'NaN'
  return trimmed.length <= MAX_NUMBER_LENGTH && NUMBER.test(trimmed) ? trimmed : undefined
}

/** The elements of `{…}` as JSON texts, or undefined. */
function arrayLiteral(text: string): string[] | undefined {
  const body = /^\s*\{([^]*)\}\s*$/.exec(text)?.[1]
  if (body === undefined) return undefined
  if (body.trim() === '') return []
  const elements: string[] = []
  const element = /\s*(?:"((?:[^"\\]|\\[^])*)"|([^",{}\\]*))\s*(,|$)/y
  for (;;) {
    const match = element.exec(body)
    if (match === null) return undefined
    const plain = match[2]?.trim()
    if (plain === '') return undefined
    elements.push(plain === undefined ? JSON.stringify(match[1]!.replaceAll(/\\([^])/g, '$1')) : plainElement(plain))
    if (match[3] === '') return elements
  }
}

function plainElement(text: string): string {
  return /^(?:null|true|false|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/i.test(text)
    ? text.toLowerCase()
    : JSON.stringify(text)
}

function refuse(column: string, type: string, text: string, expected: string): never {
  const value = text.slice(0, 100)
  throw new Failure(
    'bad_value',
    `The column ${JSON.stringify(column)} is ${type}: ${JSON.stringify(value)} is not ${expected}.`,
    { facts: { column, type, value } },
  )
}
