import type { Json } from './json.ts'
import { isObject } from './json.ts'

/** What a formula computes with. `null` is blank. */
export type Value = string | number | boolean | Date | null | FormulaError | readonly Value[]

/** `#ERROR!`: a value that spreads to whatever is computed from it. */
export class FormulaError {
  readonly text: string

  constructor(text = '#ERROR!') {
    this.text = text
  }
}

export function toNumber(value: Value): number {
  if (typeof value === 'number') return value
  if (typeof value === 'boolean') return value ? 1 : 0
  if (value === null) return 0
  if (value instanceof Date) return value.getTime()
  if (value instanceof FormulaError) return Number.NaN
  if (typeof value === 'string') return value.trim() === '' ? 0 : Number(value)
  return value.length === 1 ? toNumber(value[0] ?? null) : Number.NaN
}

export function toText(value: Value): string {
  if (value === null) return ''
  if (value instanceof Date) return value.toISOString()
  if (value instanceof FormulaError) return value.text
  if (typeof value === 'boolean') return value ? '1' : '0'
  if (typeof value === 'object') return value.map(toText).join(', ')
  return String(value)
}

/** Undefined where the value is no time. */
export function toTime(value: Value): number | undefined {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? undefined : value.getTime()
  if (typeof value === 'string') return parseTime(value)
  if (Array.isArray(value) && value.length === 1) return toTime((value as readonly Value[])[0] ?? null)
  return undefined
}

/** ISO 8601, read as UTC where no zone is given. */
export function parseTime(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\d/.test(text)) return undefined
  const hasZone = /(?:Z|[+-]\d\d:?\d\d)$/i.test(text)
  const time = Date.parse(hasZone || !text.includes(':') ? text : `${text}Z`)
  return Number.isNaN(time) ? undefined : time
}

/** Keeps a record unless it is 0, false, "", NaN, [] or an error. */
export function isTruthy(value: Value): boolean {
  if (value instanceof FormulaError || value === null) return false
  if (value instanceof Date) return !Number.isNaN(value.getTime())
  if (Array.isArray(value)) return value.length > 0
  return Boolean(value)
}

/** How a cell reads inside of a formula: names instead of objects. */
export function valueOfCell(cell: Json | undefined, isTime: boolean): Value {
  if (cell === undefined || cell === null) return null
  if (typeof cell === 'string') {
    const time = isTime ? parseTime(cell) : undefined
    return time === undefined ? cell : new Date(time)
  }
  if (typeof cell === 'number' || typeof cell === 'boolean') return cell
  if (Array.isArray(cell)) return (cell as readonly Json[]).map((item) => valueOfCell(item, isTime))
  if (!isObject(cell)) return null
  if ('error' in cell) return new FormulaError()
  if ('specialValue' in cell) return Number(cell['specialValue'])
  for (const name of ['name', 'text', 'filename', 'value', 'label', 'email']) {
    const text = cell[name]
    if (typeof text === 'string') return text
  }
  return null
}
