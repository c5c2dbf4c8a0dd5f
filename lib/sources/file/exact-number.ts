import { ExactNumber, type JsonValue, type Value } from '../../column.ts'

const INTEGER = /^-?\d+$/

/** Whether a number written in JSON comes out of a double as the same number. */
export function fitsDouble(digits: string): boolean {
  const value = Number(digits)
  const written = String(value)
  if (written === digits && !Number.isInteger(value)) return true
  if (INTEGER.test(digits)) return Number.isSafeInteger(value)
  return Number.isFinite(value) && normal(written) === normal(digits)
}

/** `JSON.parse` of an object that keeps every number exact: as text where it is nested, as JSON does not name them. */
export function parseExactly(text: string): Record<string, Value> {
  const record = JSON.parse(text, exactNumber as (key: string, value: unknown) => unknown) as Record<string, Value>
  // Defined, not assigned: the name may be `__proto__`.
  for (const [name, value] of Object.entries(record)) {
    if (typeof value === 'object' && !(value instanceof ExactNumber)) {
      Object.defineProperty(record, name, { value: withoutExactNumbers(value), enumerable: true })
    }
  }
  return record
}

function exactNumber(_key: string, value: unknown, context: { source?: string }): unknown {
  const digits = context.source
  if (typeof value !== 'number' || digits === undefined || fitsDouble(digits)) return value
  return INTEGER.test(digits) ? BigInt(digits) : new ExactNumber(digits)
}

function withoutExactNumbers(value: Value): JsonValue {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof ExactNumber) return value.digits
  if (Array.isArray(value)) return value.map(withoutExactNumbers)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withoutExactNumbers(inner)]))
}

/** One spelling per number: its digits without zeros around them, and the power of ten they are multiplied with. */
function normal(digits: string): string {
  const [, sign, whole = '', fraction = '', power = '0'] = /^(-?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(digits) ?? []
  const all = (whole + fraction).replace(/^0+/, '')
  const significant = all.replace(/0+$/, '')
  if (significant === '') return '0'
  return `${sign}${significant}e${Number(power) - fraction.length + all.length - significant.length}`
}
