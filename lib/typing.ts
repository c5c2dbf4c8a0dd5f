import { ExactNumber, type Column, type ColumnType, type Value } from './column.ts'
import { Failure } from './errors.ts'

/**
 * How the type of a column grows while its cells arrive. Each step down keeps every value seen so far:
 *
 *     empty → integer → real ─┐            empty → digits → text ─┐
 *     empty → integer → exact ┴→ json      empty → boolean ───────┴→ json
 *
 * `digits` is text that reads as one number (`10.50`), `exact` a number that a double cannot hold. Both are kept
 * digit for digit and shown as type `decimal`. In an untyped table (CSV) a cell of digits may be an integer.
 */
export type Kind = 'empty' | 'integer' | 'real' | 'exact' | 'digits' | 'boolean' | 'text' | 'json'

export interface ColumnState {
  readonly name: string
  readonly declared: ColumnType | null
  readonly untyped: boolean
  kind: Kind
  /** An integer beyond ±(2^53 − 1) was seen. */
  wide: boolean
}

/** A cell as it is bound to a statement. */
export type Cell = null | string | number | bigint

const MAX_INT64 = 2n ** 63n - 1n
const MIN_INT64 = -(2n ** 63n)

const KIND_OF_TYPE: Record<ColumnType, Kind> = {
  integer: 'integer',
  real: 'real',
  decimal: 'digits',
  boolean: 'boolean',
  text: 'text',
  json: 'json',
}

const TYPE_OF_KIND: Record<Kind, ColumnType> = {
  empty: 'text',
  integer: 'integer',
  real: 'real',
  exact: 'decimal',
  digits: 'decimal',
  boolean: 'boolean',
  text: 'text',
  json: 'json',
}

export function newColumnState(name: string, options: { declared?: ColumnType; untyped?: boolean } = {}): ColumnState {
  const declared = options.declared ?? null
  const kind = declared === null ? 'empty' : KIND_OF_TYPE[declared]
  return { name, declared, untyped: options.untyped ?? false, kind, wide: false }
}

export function columnOf(state: ColumnState): Column {
  return { name: state.name, type: TYPE_OF_KIND[state.kind] }
}

/**
 * The kind the column must have to hold `value` too, and what is stored for it then. Does not change `state`,
 * except that it remembers wide integers.
 *
 * @throws Failure `upstream_malformed` when the value does not fit the declared type
 */
export function kindFor(state: ColumnState, value: Value): Kind {
  const seen = kindOfValue(state, value)
  if (seen === 'integer' && isWide(value)) state.wide = true
  if (state.declared !== null) {
    if (!fitsDeclared(state.declared, seen, value)) throw misfit(state, value)
    return state.kind
  }
  return join(state, seen)
}

/** The value as it is stored in a column of `kind`; `kind` must be one that `kindFor` gave for it, or wider. */
export function toCell(kind: Kind, value: Value): Cell {
  if (value === null) return null
  switch (kind) {
    case 'empty':
      return null
    case 'integer':
      return toInteger(value)
    case 'real':
      return Number(value)
    case 'boolean':
      return value === true || value === 'true' || value === 1 || value === '1' ? 1 : 0
    case 'exact':
    case 'digits':
    case 'text':
      return typeof value === 'string' ? value : toText(value)
    case 'json':
      return toJson(value)
  }
}

/** What the column has stored for `value`; undefined where none of its cells can be that. */
export function storedCell(state: ColumnState, value: Value): Cell | undefined {
  try {
    return kindFor({ ...state }, value) === state.kind ? toCell(state.kind, value) : undefined
  } catch (error) {
    if (error instanceof Failure) return undefined
    throw error
  }
}

/** How cells stored as one kind are read when they have to be stored as a wider one. Given back to `toCell`. */
export function fromCell(kind: Kind, cell: Cell): Value {
  if (cell === null) return null
  if (kind === 'boolean') return cell === 1 || cell === 1n
  if (kind === 'exact') return fromDigits(String(cell))
  return cell
}

/** The number as it was before its column had to keep digits: only what a double cannot hold is exact. */
function fromDigits(digits: string): Value {
  const number = Number(digits)
  return String(number) === digits ? number : new ExactNumber(digits)
}

/** Whether both kinds store the same cells, so that widening one to the other touches no row. */
export function storesAlike(from: Kind, to: Kind): boolean {
  const textual = (kind: Kind) => kind === 'digits' || kind === 'text' || kind === 'empty'
  return from === to || (textual(from) && textual(to))
}

export function sqliteType(kind: Kind): 'INTEGER' | 'REAL' | 'TEXT' {
  if (kind === 'integer' || kind === 'boolean') return 'INTEGER'
  return kind === 'real' ? 'REAL' : 'TEXT'
}

function kindOfValue(state: ColumnState, value: Value): Kind {
  switch (typeof value) {
    case 'string':
      // Most columns are plain text already: nothing narrower is looked for.
      if (state.kind === 'text' || state.kind === 'json') return 'text'
      if (!isDigits(value)) return 'text'
      return state.untyped && isInteger64(value) ? 'integer' : 'digits'
    case 'number':
      return Number.isSafeInteger(value) ? 'integer' : 'real'
    case 'bigint':
      return value >= MIN_INT64 && value <= MAX_INT64 ? 'integer' : 'exact'
    case 'boolean':
      return 'boolean'
    default:
      if (value === null || value === undefined) return 'empty'
      return value instanceof ExactNumber ? 'exact' : 'json'
  }
}

function join(state: ColumnState, seen: Kind): Kind {
  const kind = state.kind
  if (seen === 'empty' || seen === kind || kind === 'json') return kind
  if (kind === 'empty') return seen
  if (state.untyped) {
    // Everything was text to begin with, so text holds it all.
    const ranks: Kind[] = ['integer', 'digits', 'text']
    return ranks[Math.max(ranks.indexOf(kind), ranks.indexOf(seen))] ?? 'json'
  }
  if (kind === 'text' && seen === 'digits') return 'text'
  if (kind === 'digits' && seen === 'text') return 'text'
  const numeric: Kind[] = ['integer', 'real', 'exact']
  if (numeric.includes(kind) && numeric.includes(seen)) {
    if (kind === 'exact' || seen === 'exact') return 'exact'
    return state.wide ? 'exact' : 'real'
  }
  return 'json'
}

function fitsDeclared(type: ColumnType, seen: Kind, value: Value): boolean {
  if (seen === 'empty') return true
  switch (type) {
    case 'json':
      return true
    case 'text':
      return seen !== 'json'
    case 'integer':
      return seen === 'integer' || (typeof value === 'string' && isInteger64(value))
    case 'real':
      return seen === 'integer' || seen === 'real' || (typeof value === 'string' && isReal(value))
    case 'decimal':
      return seen === 'integer' || seen === 'real' || seen === 'exact' || seen === 'digits'
    case 'boolean':
      return value === true || value === false || ['true', 'false', '0', '1', 0, 1].includes(value as string | number)
  }
}

function misfit(state: ColumnState, value: Value): Failure {
  const shown = String(typeof value === 'object' ? JSON.stringify(value) : value).slice(0, 60)
  return new Failure(
    'upstream_malformed',
    `Column ${JSON.stringify(state.name)} is declared ${state.declared}, but a row holds ${JSON.stringify(shown)}.`,
    { facts: { column: state.name, expected: state.declared } },
  )
}

function isWide(value: Value): boolean {
  if (typeof value === 'bigint' || typeof value === 'number') return !Number.isSafeInteger(Number(value))
  return typeof value === 'string' && value.length > 15 && !Number.isSafeInteger(Number(value))
}

/** A number written the one usual way: no sign but minus, no leading zero, no exponent; any count of decimals. */
function isDigits(text: string): boolean {
  const first = text.charCodeAt(0)
  // Letters, quotes and the like leave here; most text does.
  if (!((first >= 48 && first <= 57) || first === 45)) return false
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/.test(text)
}

function isReal(text: string): boolean {
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?$/.test(text) && Number.isFinite(Number(text))
}

function isInteger64(text: string): boolean {
  if (text.length > 20 || text === '-0' || !/^-?(?:0|[1-9]\d*)$/.test(text)) return false
  if (text.length <= 18) return true
  const value = BigInt(text)
  return value >= MIN_INT64 && value <= MAX_INT64
}

function toInteger(value: Value): Cell {
  if (typeof value === 'number' || typeof value === 'bigint') return value
  const text = value as string
  return text.length <= 15 ? Number(text) : BigInt(text)
}

function toText(value: Exclude<Value, null>): string {
  if (value instanceof ExactNumber) return value.digits
  return typeof value === 'object' ? toJson(value) : String(value)
}

function toJson(value: Exclude<Value, null>): string {
  if (value instanceof ExactNumber) return JSON.stringify(value.digits)
  // What a text column does to a lone surrogate, whether the column is of JSON already or becomes so later.
  if (typeof value === 'string') return JSON.stringify(value.toWellFormed())
  if (typeof value !== 'bigint' && typeof value !== 'number') return JSON.stringify(value)
  const digits = String(value)
  return isWide(value) && /^-?\d+$/.test(digits) ? JSON.stringify(digits) : JSON.stringify(Number(value))
}
