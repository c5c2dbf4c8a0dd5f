import type { Value } from '../../column.ts'
import { Malformed } from './format.ts'
import { fitsDouble, parseExactly } from './exact-number.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN = 0x7b
const CLOSE = 0x7d
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const PLUS = 0x2b
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const LETTER_E = 0x65

/** Every number with up to 15 digits and a small exponent fits a double. */
const SAFE_DIGITS = 15

/** Deeper values make `JSON.stringify` and other recursive code overflow the stack. */
const MAX_DEPTH = 1000

/** Reads JSON objects out of a text. A name that is repeated in one object has its last value. */
export class ObjectReader {
  /** The index behind the object that was read last. */
  end = 0
  /** So far, every object was flat and without numbers. */
  #isSimple = true
  /** The object whose end was found last has a number that a double cannot hold. */
  #needsExactness = false

  /**
   * The object that begins at `start`; undefined when `limit` comes before its end. Throws `Malformed`, where `name`
   * tells which record it is.
   */
  read(text: string, start: number, limit: number, name: () => string): Record<string, Value> | undefined {
    if (this.#isSimple) {
      const record = this.#readSimple(text, start, limit)
      if (record !== undefined) return record
    }
    const end = this.#findEnd(text, start, limit)
    if (end === -1) return undefined
    this.end = end
    return this.#parse(text, start, end, name)
  }

  /**
   * Takes the first brace for the end. If what stands before it parses, it is the whole object, as no JSON object
   * begins with another one. Without numbers in it there is nothing to lose either, and the scan is saved, which is a
   * fifth of the time; the first object that is not so ends the attempts.
   */
  #readSimple(text: string, start: number, limit: number): Record<string, Value> | undefined {
    const end = text.indexOf('}', start) + 1
    if (end === 0 || end > limit) return undefined
    try {
      const record = JSON.parse(text.slice(start, end)) as Record<string, Value>
      if (isSimple(record)) {
        this.end = end
        return record
      }
    } catch {
      // Nested, or a brace in a string, or malformed: the scan tells.
    }
    this.#isSimple = false
    return undefined
  }

  /** Counts only braces outside of strings; all else is left to `JSON.parse`, so what is accepted is JSON. */
  #findEnd(text: string, start: number, limit: number): number {
    this.#needsExactness = false
    let depth = 0
    let listDepth = 0
    let at = start
    while (at < limit) {
      const code = text.charCodeAt(at++)
      if (code === QUOTE) {
        for (;;) {
          if (at >= limit) return -1
          const inner = text.charCodeAt(at++)
          if (inner === QUOTE) break
          if (inner === BACKSLASH) at++
        }
      } else if (code === OPEN) {
        if (++depth > MAX_DEPTH) throw tooDeep(at - 1)
      } else if (code === CLOSE) {
        if (--depth === 0) return at
      } else if (code === OPEN_LIST) {
        if (++listDepth > MAX_DEPTH) throw tooDeep(at - 1)
      } else if (code === CLOSE_LIST) {
        listDepth--
      } else if (code === MINUS || (code >= ZERO && code <= NINE)) {
        at = this.#endOfNumber(text, at - 1)
      }
    }
    return -1
  }

  #parse(text: string, start: number, end: number, name: () => string): Record<string, Value> {
    const source = text.slice(start, end)
    try {
      return this.#needsExactness ? parseExactly(source) : JSON.parse(source)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      const position = Number(/at position (\d+)/.exec(message)?.[1] ?? 0)
      throw new Malformed(
        `${name()} that is not valid JSON`,
        'a JSON object',
        { index: start + position },
        { cause: error },
      )
    }
  }

  #endOfNumber(text: string, start: number): number {
    let at = start
    let digits = 0
    let hasExponent = false
    for (;;) {
      const code = text.charCodeAt(at)
      if (code >= ZERO && code <= NINE) digits++
      else if ((code | 0x20) === LETTER_E) hasExponent = true
      else if (code !== MINUS && code !== PLUS && code !== POINT) break
      at++
    }
    if ((digits > SAFE_DIGITS || hasExponent) && !fitsDouble(text.slice(start, at))) this.#needsExactness = true
    return at
  }
}

/** The index of the first character from `at` on that is not JSON white space. */
export function skipSpace(text: string, at: number): number {
  for (;;) {
    const code = text.charCodeAt(at)
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at
    at++
  }
}

function isSimple(record: Record<string, Value>): boolean {
  for (const name in record) {
    const value = record[name]
    if (typeof value !== 'string' && typeof value !== 'boolean' && value !== null) return false
  }
  return true
}

function tooDeep(index: number): Malformed {
  return new Malformed('a value that is nested too deeply', `at most ${MAX_DEPTH} levels`, { index })
}
