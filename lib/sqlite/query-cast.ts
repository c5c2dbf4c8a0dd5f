import { ExactNumber, type ColumnType } from '../column.ts'
import { Failure } from '../errors.ts'
import type { Cast } from '../query.ts'
import { isJson, resolveValue } from '../resolve-value.ts'
import { parseExact } from './sql-json.ts'

const MAX_INT64 = 2n ** 63n - 1n

/**
 * A cell as one of another type, as PostgreSQL casts; integers beyond 2^53 come and go as digits.
 *
 * @throws Failure `bad_value` for a cell that has no such form
 */
export function castCell(cell: unknown, from: ColumnType, to: Cast, name: string): unknown {
  if (cell === null || from === to) return cell
  const held = cell as string | number
  const made = from === 'json' ? castJson(String(held), to, name) : castPlain(held, from, to, name)
  if (made !== undefined) return made
  const value = String(held).slice(0, 100)
  throw new Failure(
    'bad_value',
    `${JSON.stringify(name)} holds ${JSON.stringify(value)} in a row, which cannot be cast to ${to}.`,
    {
      facts: { column: name, type: to, value },
    },
  )
}

function castPlain(cell: string | number, from: ColumnType, to: Cast, name: string): unknown {
  switch (to) {
    case 'text':
      return from === 'boolean' ? (cell === 1 ? 'true' : 'false') : String(cell)
    case 'json':
      if (from === 'text') return isJson(String(cell)) ? cell : undefined
      return from === 'boolean' ? (cell === 1 ? 'true' : 'false') : String(cell)
    case 'boolean':
      if (from === 'integer') return Number(cell !== 0)
      return from === 'text' ? read(String(cell), 'boolean', name) : undefined
    case 'integer':
      if (from === 'boolean') return cell
      if (from === 'text') return narrow(read(String(cell), 'integer', name))
      return from === 'real' ? rounded(halfToEven(Number(cell))) : roundedDigits(String(cell))
    case 'real':
      if (from === 'boolean') return undefined
      return finite(from === 'text' ? read(String(cell), 'real', name) : Number(cell))
    case 'decimal':
      if (from === 'boolean') return undefined
      return from === 'text' ? read(String(cell), 'decimal', name) : String(cell)
  }
}

function castJson(text: string, to: Cast, name: string): unknown {
  if (to === 'text') return text
  const json = parseExact(text)
  if (json === null) return null
  if (to === 'boolean') return typeof json === 'boolean' ? Number(json) : undefined
  const digits = json instanceof ExactNumber ? json.digits : typeof json === 'number' ? String(json) : undefined
  return digits === undefined ? undefined : castPlain(digits, 'decimal', to, name)
}

function read(text: string, type: ColumnType, name: string): unknown {
  return resolveValue({ name, type }, text)
}

function finite(number: unknown): unknown {
  return Number.isFinite(number) ? number : undefined
}

function halfToEven(number: number): number {
  const low = Math.floor(number)
  const rest = number - low
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1
}

function roundedDigits(digits: string): unknown {
  const [, sign = '', whole, fraction = ''] = /^([+-]?)(\d+)(?:\.(\d*))?$/.exec(digits) ?? []
  // Written with an exponent: those are far from where one digit more would count.
  if (whole === undefined) return rounded(Math.round(Number(digits)))
  const up = fraction !== '' && fraction.charCodeAt(0) >= 53 ? 1n : 0n
  return narrow((BigInt(whole) + up) * (sign === '-' ? -1n : 1n))
}

function rounded(number: number): unknown {
  return Number.isFinite(number) ? narrow(BigInt(number)) : undefined
}

/** As cells leave: a number, or digits beyond 2^53. */
function narrow(value: unknown): unknown {
  const number = Number(value)
  if (Number.isSafeInteger(number)) return number + 0
  const exact = value as bigint
  return exact <= MAX_INT64 && exact >= -MAX_INT64 - 1n ? String(exact) : undefined
}
