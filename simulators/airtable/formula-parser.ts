/** A formula that cannot be read, or that asks for what is not there. */
export class InvalidFormula extends Error {}

export type Operator = '=' | '!=' | '<' | '<=' | '>' | '>=' | '&' | '+' | '-' | '*' | '/'

export type Expression =
  | { readonly kind: 'literal'; readonly value: string | number }
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: 'negate'; readonly of: Expression }
  | { readonly kind: 'binary'; readonly operator: Operator; readonly left: Expression; readonly right: Expression }

interface Token {
  readonly kind: 'text' | 'number' | 'field' | 'word' | 'sign'
  readonly text: string
}

const TOKEN =
  /\s*(?:"((?:[^"\\]|\\[^])*)"|'((?:[^'\\]|\\[^])*)'|\{((?:[^}\\]|\\[^])*)\}|(\d+(?:\.\d+)?(?:e[+-]?\d+)?)|([\p{L}_][\p{L}\p{N}_]*)|(!=|<=|>=|[=<>&+\-*/(),]))/uy
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }
/** From those that bind least to those that bind most. */
const LEVELS: readonly (readonly Operator[])[] = [['=', '!=', '<', '<=', '>', '>='], ['&'], ['+', '-'], ['*', '/']]
const DEEPEST = 200

/** Throws `InvalidFormula`. */
export function parseFormula(text: string): Expression {
  return new Parser(tokensOf(text)).whole()
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  while (text.slice(at).trim() !== '') {
    TOKEN.lastIndex = at
    const match = TOKEN.exec(text)
    if (match === null) throw new InvalidFormula(`Invalid formula near "${text.slice(at, at + 20)}"`)
    const [, double, single, field, number, word, sign = ''] = match
    const quoted = double ?? single
    if (quoted !== undefined) tokens.push({ kind: 'text', text: unescape(quoted) })
    else if (field !== undefined) tokens.push({ kind: 'field', text: unescape(field) })
    else if (number !== undefined) tokens.push({ kind: 'number', text: number })
    else if (word !== undefined) tokens.push({ kind: 'word', text: word })
    else tokens.push({ kind: 'sign', text: sign })
    at = TOKEN.lastIndex
  }
  return tokens
}

function unescape(text: string): string {
  return text.replaceAll(/\\([^])/g, (_, character: string) => ESCAPES[character] ?? character)
}

class Parser {
  readonly #tokens: readonly Token[]
  #at = 0
  #depth = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  whole(): Expression {
    const expression = this.#level(0)
    const rest = this.#tokens[this.#at]
    if (rest !== undefined) throw new InvalidFormula(`Unexpected "${rest.text}"`)
    return expression
  }

  #level(level: number): Expression {
    const operators = LEVELS[level]
    if (operators === undefined) return this.#operand()
    let left = this.#level(level + 1)
    for (let operator = this.#operator(operators); operator !== undefined; operator = this.#operator(operators)) {
      left = { kind: 'binary', operator, left, right: this.#level(level + 1) }
    }
    return left
  }

  #operator(among: readonly Operator[]): Operator | undefined {
    const token = this.#tokens[this.#at]
    const found = token?.kind === 'sign' ? among.find((operator) => operator === token.text) : undefined
    if (found !== undefined) this.#at += 1
    return found
  }

  #operand(): Expression {
    this.#depth += 1
    if (this.#depth > DEEPEST) throw new InvalidFormula('The formula is nested too deeply')
    try {
      return this.#plainOperand()
    } finally {
      this.#depth -= 1
    }
  }

  #plainOperand(): Expression {
    const token = this.#tokens[this.#at]
    if (token === undefined) throw new InvalidFormula('The formula ends too early')
    this.#at += 1
    if (token.kind === 'text') return { kind: 'literal', value: token.text }
    if (token.kind === 'number') return { kind: 'literal', value: Number(token.text) }
    if (token.kind === 'field') return { kind: 'field', name: token.text }
    if (token.kind === 'word') {
      return this.#takes('(')
        ? { kind: 'call', name: token.text.toUpperCase(), args: this.#args() }
        : { kind: 'field', name: token.text }
    }
    if (token.text === '-') return { kind: 'negate', of: this.#operand() }
    if (token.text !== '(') throw new InvalidFormula(`Unexpected "${token.text}"`)
    const inner = this.#level(0)
    if (!this.#takes(')')) throw new InvalidFormula('A parenthesis is not closed')
    return inner
  }

  #args(): Expression[] {
    const args: Expression[] = []
    if (this.#takes(')')) return args
    do args.push(this.#level(0))
    while (this.#takes(','))
    if (!this.#takes(')')) throw new InvalidFormula('A parenthesis is not closed')
    return args
  }

  #takes(sign: string): boolean {
    const token = this.#tokens[this.#at]
    if (token?.kind !== 'sign' || token.text !== sign) return false
    this.#at += 1
    return true
  }
}
