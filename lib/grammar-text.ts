import { Failure } from './errors.ts'
import type { Operand } from './query.ts'

/** Most members of one JSON path. */
const MAX_PATH = 50
const MAX_POSITION = 2 ** 31 - 1
const SHOWN = 20

/** A name that needs no quotes: anything that has no meaning of its own in the grammar. `-` is fine, `->` is not. */
const PLAIN_NAME = /(?:[^\-,.:()"*<>=!{}[\]\\]|-(?!>))+/y
/** A member of a JSON value, without quotes. */
const PLAIN_MEMBER = /(?:[^\-,.:()>"]|-(?!>))+/y
const ARRAY_POSITION = /-?\d+(?=->|::|[.,]|$)/y

/**
 * One parameter's text, read from left to right and never back. Every pattern is sticky and takes each character in
 * one way only, so that reading costs what the text is long.
 */
export class GrammarText {
  readonly text: string
  readonly #parameter: string
  readonly #subject: string
  #at = 0

  constructor(parameter: string, text: string, subject = 'The parameter') {
    this.text = text
    this.#parameter = parameter
    this.#subject = subject
  }

  /** Index of the next character. */
  get at(): number {
    return this.#at
  }

  get isAtEnd(): boolean {
    return this.#at >= this.text.length
  }

  sees(token: string): boolean {
    return this.text.startsWith(token, this.#at)
  }

  take(token: string): boolean {
    const isThere = this.sees(token)
    if (isThere) this.#at += token.length
    return isThere
  }

  /** What a sticky pattern finds here; empty where it finds nothing. */
  match(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.text)?.[0] ?? ''
    this.#at += found.length
    return found
  }

  skipSpaces(): void {
    this.match(/\s+/y)
  }

  rest(): string {
    const rest = this.text.slice(this.#at)
    this.#at = this.text.length
    return rest
  }

  expect(token: string, expected = JSON.stringify(token)): void {
    if (!this.take(token)) throw this.fail(expected)
  }

  expectEnd(expected: string): void {
    this.skipSpaces()
    if (!this.isAtEnd) throw this.fail(expected)
  }

  /**
   * A text in double quotes, `\` taking the next character as it is. Undefined, and nothing is read, where there is none
   * or where what follows it says that the quotes were part of something else.
   */
  quoted(follows?: RegExp): string | undefined {
    const start = this.#at
    const found = this.match(/"(?:[^"\\]|\\[^])*"/y)
    if (found !== '' && (!follows || this.isAtEnd || this.#looksAt(follows))) {
      return found.slice(1, -1).replace(/\\([^])/g, '$1')
    }
    this.#at = start
    return undefined
  }

  /** A column's name, as it is or in quotes. */
  name(expected = 'a column'): string {
    const name = this.quoted() ?? this.match(PLAIN_NAME).trim()
    if (name === '') throw this.fail(expected)
    return name
  }

  /** A column, or a place in it. */
  operand(expected?: string): Operand {
    return this.operandOf(this.name(expected))
  }

  /** The path behind a name that is read already. */
  operandOf(column: string): Operand {
    const path: (string | number)[] = []
    let asText = false
    while (this.sees('->')) {
      if (asText) throw this.fail('->> to be the last step of a path, since text has no members')
      if (path.length >= MAX_PATH) throw this.exceeds(`a path has at most ${MAX_PATH} steps`)
      this.take('->')
      asText = this.take('>')
      path.push(this.#step())
    }
    return { column, path, asText }
  }

  fail(expected: string, at = this.#at): Failure {
    const found = at >= this.text.length ? 'the end' : JSON.stringify(this.text.slice(at, at + SHOWN))
    return new Failure(
      'bad_filter',
      `${this.#subject} ${this.#shown} cannot be read at position ${at + 1}: expected ${expected}, found ${found}.`,
      { facts: { parameter: this.#parameter.slice(0, 100), position: at + 1 } },
    )
  }

  /** A bound is reached; `bound` says which. */
  exceeds(bound: string): Failure {
    return new Failure('bad_filter', `${this.#subject} ${this.#shown} goes beyond a bound: ${bound}. Ask for less.`, {
      facts: { parameter: this.#parameter.slice(0, 100), position: this.#at + 1 },
    })
  }

  /** It reads well, but there is nothing here that could do it. */
  notSupported(sentence: string): Failure {
    return new Failure('not_supported', `${this.#subject} ${this.#shown}: ${sentence}`, {
      facts: { parameter: this.#parameter.slice(0, 100), position: this.#at + 1 },
    })
  }

  get #shown(): string {
    return JSON.stringify(this.#parameter.slice(0, 100))
  }

  #step(): string | number {
    const start = this.#at
    const digits = this.match(ARRAY_POSITION)
    if (digits !== '') {
      if (Math.abs(Number(digits)) <= MAX_POSITION) return Number(digits)
      throw this.fail(`a position in an array of at most ${MAX_POSITION}`, start)
    }
    const member = this.quoted() ?? this.match(PLAIN_MEMBER).trim()
    if (member === '' && this.#at === start) throw this.fail('the name of a member or a position in an array')
    return member
  }

  #looksAt(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at
    return pattern.test(this.text)
  }
}
