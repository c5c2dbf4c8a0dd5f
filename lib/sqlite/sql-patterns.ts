import { createRequire } from 'node:module'
import type { RE2JS as Expressions } from 're2js'
import { Failure } from '../errors.ts'
import { regexSize } from '../regex-size.ts'

/** A pattern that is ready to be tried on texts. */
type Matcher = (text: string) => boolean

/** Of all patterns that are kept, together: characters, and for regular expressions steps. */
const KEPT_SIZE = 20_000
/** What the smallest one takes. */
const MIN_SIZE = 50
/** Patterns as long as this cost what patterns are said to. */
const PLAIN_LENGTH = 8

/** Compiles each pattern once, and forgets the oldest. */
function keepMatchers(
  compile: (pattern: string) => Matcher,
  sizeOf = (pattern: string) => pattern.length,
): (pattern: string) => Matcher {
  const kept = new Map<string, { readonly matcher: Matcher; readonly size: number }>()
  let held = 0
  return (pattern) => {
    const known = kept.get(pattern)
    if (known !== undefined) return known.matcher
    const added = { matcher: compile(pattern), size: MIN_SIZE + sizeOf(pattern) }
    for (const [oldest, { size }] of kept) {
      if (held + added.size <= KEPT_SIZE) break
      kept.delete(oldest)
      held -= size
    }
    kept.set(pattern, added)
    held += added.size
    return added.matcher
  }
}

/** One code point, any one (`_`), or any number of them (`%`). */
type Token = string | typeof ONE | typeof MANY
const ONE = Symbol('_')
const MANY = Symbol('%')

/** SQL's LIKE: `%`, `_`, and `\` that takes the next character as it is. Case counts. */
export const likeMatcher = keepMatchers((pattern) => matcherOf(tokensOf(pattern), (text) => text))

/** The same, where case does not count: that of any script, by Unicode's simple case folding. */
export const ilikeMatcher = keepMatchers((pattern) =>
  matcherOf(
    tokensOf(pattern).map((token) => (typeof token === 'string' ? foldCase(token) : token)),
    foldCase,
  ),
)

/**
 * How many times as much as a plain text a LIKE pattern costs to be tried: a part with a `_` behind a `%` may be looked
 * at from every place of the text.
 */
export function likeCost(pattern: string): number {
  let longest = 0
  let length = 0
  let hasOne = false
  let isBehindMany = false
  for (const token of [...tokensOf(pattern), MANY] as const) {
    if (token !== MANY) {
      length++
      hasOne ||= token === ONE
      continue
    }
    if (hasOne && isBehindMany) longest = Math.max(longest, length)
    length = 0
    hasOne = false
    isBehindMany = true
  }
  return 1 + longest / PLAIN_LENGTH
}

/** The literal text that everything starts with that a LIKE pattern matches. */
export function likePrefix(pattern: string): string {
  const tokens = tokensOf(pattern)
  const end = tokens.findIndex((token) => typeof token !== 'string')
  return (end === -1 ? tokens : tokens.slice(0, end)).join('')
}

function tokensOf(pattern: string): Token[] {
  const tokens: Token[] = []
  let isEscaped = false
  for (const char of pattern) {
    if (isEscaped || (char !== '\\' && char !== '%' && char !== '_')) {
      tokens.push(char)
      isEscaped = false
    } else if (char === '\\') isEscaped = true
    else if (char === '_') tokens.push(ONE)
    else if (tokens.at(-1) !== MANY) tokens.push(MANY)
  }
  // PostgreSQL refuses a `\` with nothing behind it; here it is itself.
  if (isEscaped) tokens.push('\\')
  return tokens
}

/**
 * Between two `%` each part is looked for from where the last one ended, leftmost first, which never has to be taken
 * back. Parts without `_` are found by `indexOf`; the others cost at most text times part.
 */
function matcherOf(tokens: readonly Token[], fold: (text: string) => string): Matcher {
  const parts: (string | typeof ONE)[][] = [[]]
  for (const token of tokens) {
    if (token === MANY) parts.push([])
    else parts.at(-1)!.push(token)
  }
  const [first, ...rest] = parts.map(partOf)
  const last = rest.pop()
  return (raw) => {
    const text = fold(raw)
    let at = first!.matchAt(text, 0)
    if (last === undefined) return at === text.length
    for (const part of rest) {
      if (at < 0) return false
      at = part.find(text, at)
    }
    if (at < 0) return false
    const start = last.startFromEnd(text)
    return start >= at && last.matchAt(text, start) === text.length
  }
}

interface Part {
  /** Where it ends when it matches there, else −1. */
  matchAt(text: string, at: number): number
  /** Where its first match at or behind `from` ends, else −1. */
  find(text: string, from: number): number
  /** Where it has to start to end with the text; −1 if the text is too short. */
  startFromEnd(text: string): number
}

function partOf(tokens: readonly (string | typeof ONE)[]): Part {
  const matchAt = (text: string, at: number): number => {
    let end = at
    for (const token of tokens) {
      if (end >= text.length) return -1
      if (token === ONE) end += codePointLength(text, end)
      else if (text.startsWith(token, end)) end += token.length
      else return -1
    }
    return end
  }
  const startFromEnd = (text: string): number => {
    let start = text.length
    for (let index = tokens.length - 1; index >= 0; index--) {
      if (start <= 0) return -1
      const low = text.charCodeAt(start - 1)
      start -= low >= 0xdc00 && low <= 0xdfff && start > 1 ? 2 : 1
    }
    return start
  }
  if (!tokens.includes(ONE)) {
    const literal = tokens.join('')
    return {
      matchAt: (text, at) => (text.startsWith(literal, at) ? at + literal.length : -1),
      find(text, from) {
        const at = text.indexOf(literal, from)
        return at < 0 ? -1 : at + literal.length
      },
      startFromEnd: (text) => text.length - literal.length,
    }
  }
  return {
    matchAt,
    find(text, from) {
      for (let at = from; at < text.length; at += codePointLength(text, at)) {
        const end = matchAt(text, at)
        if (end >= 0) return end
      }
      return -1
    },
    startFromEnd,
  }
}

function codePointLength(text: string, at: number): number {
  return text.codePointAt(at)! > 0xffff ? 2 : 1
}

const folded = new Map<string, string>()

/** Code point by code point, so that a text has as many after as before: `ß` and `ŉ` stay what they are. */
function foldCase(text: string): string {
  // oxlint-disable-next-line no-control-regex -- ASCII is most of what there is, and folds in one step.
  if (/^[\x00-\x7f]*$/.test(text)) return text.toLowerCase()
  let result = ''
  for (const char of text) {
    let fold = folded.get(char)
    if (fold === undefined) {
      fold = foldCodePoint(char)
      if (folded.size < 10_000) folded.set(char, fold)
    }
    result += fold
  }
  return result
}

/** Unicode's own folding is in the regular expressions of the language and nowhere else: they have the last word. */
function foldCodePoint(char: string): string {
  const isSame = (other: string) => new RegExp(`^${escapeRegExp(other)}$`, 'iu').test(char)
  const lower = char.toLowerCase()
  const viaUpper = char.toUpperCase().toLowerCase()
  for (const candidate of [viaUpper, lower]) {
    if (Array.from(candidate).length === 1 && isSame(candidate)) return candidate
  }
  return char
}

function escapeRegExp(char: string): string {
  return `\\u{${char.codePointAt(0)!.toString(16)}}`
}

interface Library {
  readonly RE2JS: typeof Expressions
}

/** Loaded where somebody asks with a regular expression: nothing else needs it. */
let library: Library | undefined

function regexMatcher(flags: 'CASE_INSENSITIVE' | null): (pattern: string) => Matcher {
  return (pattern) => {
    library ??= createRequire(import.meta.url)('re2js') as Library
    const { RE2JS } = library
    try {
      const compiled = RE2JS.compile(pattern, flags === null ? 0 : RE2JS.CASE_INSENSITIVE)
      return (text) => compiled.matcher(text).find()
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new Failure(
        'bad_filter',
        `${JSON.stringify(pattern.slice(0, 100))} is not a regular expression as RE2 reads them (${why.slice(0, 200)}).`,
        { facts: { pattern: pattern.slice(0, 100) }, cause },
      )
    }
  }
}

/** Regular expressions (RE2): found anywhere in the text, in time that grows no faster than the text. */
export const regexMatchers = {
  match: keepMatchers(regexMatcher(null), regexSize),
  imatch: keepMatchers(regexMatcher('CASE_INSENSITIVE'), regexSize),
}

/** What a regular expression costs to be tried, next to a plain text. */
const REGEX = 40
/** Of all regular expressions of a query together, in steps: so many are compiled to see whether they are any. */
const MAX_TRIED = 1000
const MAX_STEPS = 10_000

/** The regular expressions of one query, each of which may come to far more than it is long. */
export class RegexBudget {
  readonly #seen = new Set<string>()
  #steps = 0

  /**
   * Refuses what is no regular expression before a row is read, and too much of it. Large ones are not compiled for that:
   * it takes long, and others are answered meanwhile. Returns what trying it on one row costs.
   *
   * @throws Failure `bad_filter`
   */
  weigh(op: keyof typeof regexMatchers, pattern: string): number {
    const steps = regexSize(pattern)
    if (!this.#seen.has(pattern)) this.#steps += steps
    this.#seen.add(pattern)
    if (this.#steps > MAX_STEPS) {
      throw new Failure(
        'bad_filter',
        `The regular expressions come to ${this.#steps} steps, with all that they repeat; at most ${MAX_STEPS} are taken.`,
      )
    }
    if (this.#steps <= MAX_TRIED) regexMatchers[op](pattern)
    // For each place of a text, each of its steps may have to be followed.
    return REGEX * Math.max(1, steps / PLAIN_LENGTH)
  }
}
