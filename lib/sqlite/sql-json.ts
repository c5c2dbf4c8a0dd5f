import { ExactNumber } from '../column.ts'
import { decimalKey } from './sql-decimal.ts'

/** JSON as it is parsed here: a number that a double might not hold keeps its digits. */
type Json = null | boolean | number | string | ExactNumber | readonly Json[] | { readonly [name: string]: Json }
type Path = readonly (string | number)[]

/** Long digits or an exponent: only then is it worth to look at each number as it is written. */
const MAY_BE_INEXACT = /\d[\d.]{14}|\d[eE]/
const MAX_DEPTH = 500

type ExactParse = (text: string, reviver: (key: string, value: Json, context: { source?: string }) => Json) => Json

export function parseExact(text: string): Json {
  if (!MAY_BE_INEXACT.test(text)) return JSON.parse(text) as Json
  try {
    return (JSON.parse as unknown as ExactParse)(text, (_, value, { source }) =>
      typeof value === 'number' && source !== undefined && String(value) !== source ? new ExactNumber(source) : value,
    )
  } catch (error) {
    // Nested deeper than the stack is: then its numbers are those a double can hold.
    if (!(error instanceof RangeError)) throw error
    return JSON.parse(text) as Json
  }
}

/** JSON text, its numbers as they were written. */
export function writeExact(json: Json): string {
  const raw = JSON as unknown as { rawJSON(text: string): unknown }
  return JSON.stringify(json, (_, value: unknown) => (value instanceof ExactNumber ? raw.rawJSON(value.digits) : value))
}

/** The place inside of a value that a path leads to, or undefined. Positions below zero count from the end. */
export function placeAt(json: Json, path: Path): Json | undefined {
  let place: Json | undefined = json
  for (const step of path) {
    if (place === null || typeof place !== 'object' || place instanceof ExactNumber) return undefined
    if (Array.isArray(place)) place = typeof step === 'number' ? (place as readonly Json[]).at(step) : undefined
    else {
      const name = String(step)
      place = Object.hasOwn(place, name) ? (place as Readonly<Record<string, Json>>)[name] : undefined
    }
    if (place === undefined) return undefined
  }
  return place
}

/** `->>`: a text as it is, null and what is not there as NULL, everything else as JSON. */
export function textOf(json: Json | undefined): string | null {
  if (json === undefined || json === null) return null
  return typeof json === 'string' ? json : writeExact(json)
}

/**
 * A text that is the same for equal values, whatever their writing, and that sorts as PostgreSQL sorts `jsonb`: null,
 * texts, numbers, booleans, arrays, objects; longer arrays and objects behind shorter ones.
 */
export function jsonKey(text: string): string {
  return keyOf(parseExact(text), 0)
}

export function keyOf(json: Json, depth: number): string {
  if (json === null) return '0'
  if (typeof json === 'string') return `1${stringKey(json)}`
  if (typeof json === 'number') return `2${decimalKey(String(json))}\u0001`
  if (typeof json === 'boolean') return json ? '31' : '30'
  if (json instanceof ExactNumber) return `2${decimalKey(json.digits)}\u0001`
  // Deeper ones are compared as they are written: nothing is nested like that but to do harm.
  if (depth >= MAX_DEPTH) return `9${stringKey(safeText(json))}`
  if (Array.isArray(json)) {
    const elements = json as readonly Json[]
    return `4${countKey(elements.length)}${elements.map((element) => keyOf(element, depth + 1)).join('')}`
  }
  const members = Object.entries(json as Readonly<Record<string, Json>>)
  members.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return `5${countKey(members.length)}${members.map(([name, value]) => stringKey(name) + keyOf(value, depth + 1)).join('')}`
}

function safeText(json: Json): string {
  try {
    return writeExact(json)
  } catch {
    return ''
  }
}

function countKey(count: number): string {
  return String(count).padStart(10, '0')
}

/** Ends with a character lower than any inside, so that a text sorts before those that it begins. */
function stringKey(text: string): string {
  // oxlint-disable-next-line no-control-regex -- exactly these three stand for the end and for each other.
  const inside = text.replaceAll(/[\u0000-\u0002]/g, (char) => `\u0002${String.fromCharCode(char.charCodeAt(0) + 3)}`)
  return `${inside}\u0001`
}

/** PostgreSQL's `@>`: whether `inner` is found in `outer`, objects by some of their members, arrays in any order. */
export function contains(outer: Json, inner: Json): boolean {
  if (Array.isArray(outer) && !isContainer(inner)) return (outer as readonly Json[]).some((one) => isSame(one, inner))
  return containsAt(outer, inner, 0)
}

function containsAt(outer: Json, inner: Json, depth: number): boolean {
  if (!isContainer(inner) || !isContainer(outer)) return !isContainer(outer) && isSame(outer, inner)
  if (depth >= MAX_DEPTH) return false
  if (Array.isArray(inner)) {
    if (!Array.isArray(outer)) return false
    const plain = new Set((outer as readonly Json[]).filter((one) => !isContainer(one)).map((one) => keyOf(one, 0)))
    const nested = (outer as readonly Json[]).filter(isContainer)
    return (inner as readonly Json[]).every((one) =>
      isContainer(one) ? nested.some((place) => containsAt(place, one, depth + 1)) : plain.has(keyOf(one, 0)),
    )
  }
  if (Array.isArray(outer)) return false
  const members = outer as Readonly<Record<string, Json>>
  return Object.entries(inner as Readonly<Record<string, Json>>).every(
    ([name, value]) => Object.hasOwn(members, name) && containsAt(members[name]!, value, depth + 1),
  )
}

/** Whether two arrays have an element in common; a value that is not an array is one of itself. */
export function overlaps(a: Json, b: Json): boolean {
  const elements = (json: Json) => (Array.isArray(json) ? (json as readonly Json[]) : [json])
  const keys = new Set(elements(a).map((one) => keyOf(one, 0)))
  return elements(b).some((one) => keys.has(keyOf(one, 0)))
}

function isContainer(json: Json): boolean {
  return typeof json === 'object' && json !== null && !(json instanceof ExactNumber)
}

function isSame(a: Json, b: Json): boolean {
  return keyOf(a, 0) === keyOf(b, 0)
}
