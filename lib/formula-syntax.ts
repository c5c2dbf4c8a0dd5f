import { GrammarText } from './grammar-text.ts'

/**
 * A formula as it is written, before anybody knows what its names mean. `at` is where it stands in the text, from 0;
 * `depth` is how deep it is nested.
 */
export type FormulaNode = { readonly at: number; readonly depth: number } & (
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'field'; readonly name: string }
  /** `name` in capitals. */
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly FormulaNode[] }
  | { readonly kind: 'operator'; readonly sign: FormulaSign; readonly args: readonly FormulaNode[] }
)

const COMPARING = ['!=', '<=', '>=', '=', '<', '>'] as const
export type FormulaSign = (typeof COMPARING)[number] | '&' | '+' | '-' | '*' | '/' | 'negate'

const MAX_LENGTH = 60_000
const MAX_NODES = 2000
const MAX_DEPTH = 60

const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y
const TEXT = /"(?:[^"\\]|\\[^])*"|'(?:[^'\\]|\\[^])*'/y
const FIELD = /\{(?:[^{}\\]|\\[^])*\}/y
const NAME = /[\p{L}_][\p{L}\p{N}\p{M}_]*/uy
const ESCAPED: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }

/**
 * Reads a formula, in time that grows with its length: `&` binds tighter than comparisons, `+ -` tighter than that, then
 * `* /`, then a sign; operators of one kind go from left to right.
 *
 * @throws Failure `bad_filter`, saying where and what was expected
 */
export function parseFormula(parameter: string, text: string): FormulaNode {
  const source = new GrammarText(parameter, text)
  if (text.length > MAX_LENGTH) {
    throw source.exceeds(`a formula has at most ${MAX_LENGTH} characters, and this one ${text.length}`)
  }
  return new Parser(source).whole()
}

class Parser {
  readonly #source: GrammarText
  #nodes = 0
  #open = 0

  constructor(source: GrammarText) {
    this.#source = source
  }

  whole(): FormulaNode {
    const node = this.#expression()
    this.#source.expectEnd('an operator or the end')
    return node
  }

  #expression(): FormulaNode {
    if (++this.#open > MAX_DEPTH) throw this.#tooDeep()
    const node = this.#chain(COMPARING, () => this.#joined())
    this.#open--
    return node
  }

  /** `a & b & c` is one join of three: long ones are common, and would be nested deep. */
  #joined(): FormulaNode {
    const first = this.#sum()
    const parts = [first]
    for (this.#source.skipSpaces(); this.#source.take('&'); this.#source.skipSpaces()) parts.push(this.#sum())
    return parts.length === 1 ? first : this.#operator('&', parts)
  }

  #sum(): FormulaNode {
    return this.#chain(['+', '-'], () => this.#chain(['*', '/'], () => this.#signed()))
  }

  #chain(signs: readonly FormulaSign[], operand: () => FormulaNode): FormulaNode {
    let left = operand()
    for (;;) {
      this.#source.skipSpaces()
      const sign = signs.find((one) => this.#source.take(one))
      if (sign === undefined) return left
      left = this.#operator(sign, [left, operand()])
    }
  }

  #signed(): FormulaNode {
    this.#source.skipSpaces()
    if (!this.#source.take('-')) return this.#primary()
    if (++this.#open > MAX_DEPTH) throw this.#tooDeep()
    const node = this.#operator('negate', [this.#signed()])
    this.#open--
    return node
  }

  #primary(): FormulaNode {
    const source = this.#source
    const { at } = source
    if (source.take('(')) {
      const inside = this.#expression()
      source.skipSpaces()
      source.expect(')')
      return inside
    }
    const digits = source.match(NUMBER)
    if (digits !== '') {
      const value = Number(digits)
      if (!Number.isFinite(value)) throw source.exceeds('a number has a place among those of 64 bits')
      return this.#count({ kind: 'number', value, at, depth: 1 })
    }
    if (source.sees('"') || source.sees("'")) {
      const quoted = source.match(TEXT)
      if (quoted === '') throw source.fail('a text that ends with the quote it began with')
      return this.#count({ kind: 'text', value: unescape(quoted), at, depth: 1 })
    }
    if (source.sees('{')) {
      const braced = source.match(FIELD)
      if (braced === '') throw source.fail('the name of a field in braces')
      return this.#count({ kind: 'field', name: unescape(braced), at, depth: 1 })
    }
    const name = source.match(NAME)
    if (name === '') throw source.fail('a value: a number, a text in quotes, a {field} or a function')
    source.skipSpaces()
    if (!source.take('(')) return this.#count({ kind: 'field', name, at, depth: 1 })
    const args = this.#args()
    return this.#count({ kind: 'call', name: name.toUpperCase(), args, at, depth: depthOf(args) })
  }

  #args(): FormulaNode[] {
    const args: FormulaNode[] = []
    this.#source.skipSpaces()
    if (this.#source.take(')')) return args
    do {
      args.push(this.#expression())
      this.#source.skipSpaces()
    } while (this.#source.take(','))
    this.#source.expect(')', '"," or ")"')
    return args
  }

  #operator(sign: FormulaSign, args: readonly FormulaNode[]): FormulaNode {
    return this.#count({ kind: 'operator', sign, args, at: args[0]!.at, depth: depthOf(args) })
  }

  #count(node: FormulaNode): FormulaNode {
    if (node.depth > MAX_DEPTH) throw this.#tooDeep()
    if (++this.#nodes > MAX_NODES) throw this.#source.exceeds(`a formula has at most ${MAX_NODES} parts`)
    return node
  }

  #tooDeep() {
    return this.#source.exceeds(`at most ${MAX_DEPTH} things are nested in one another`)
  }
}

function depthOf(args: readonly FormulaNode[]): number {
  return 1 + args.reduce((most, { depth }) => Math.max(most, depth), 0)
}

/** What stands between quotes or braces; `\` takes the next character as it is, or as a line break or tab. */
function unescape(quoted: string): string {
  return quoted
    .slice(1, -1)
    .replaceAll(/\\([^])/g, (_all, char: string) => (quoted[0] === '{' ? char : (ESCAPED[char] ?? char)))
}
