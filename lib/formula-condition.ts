import { closest } from './base/closest.ts'
import { Failure } from './errors.ts'
import { FORMULA_FUNCTIONS, joined } from './formula-functions.ts'
import { parseFormula, type FormulaNode, type FormulaSign } from './formula-syntax.ts'
import { asBoolean, asNumber, compare, misuse, type Comparison } from './formula-types.ts'
import { apply, constant, constantOf, type Expression, type FormulaContext } from './formula.ts'
import { conditionOf } from './formula-tests.ts'
import type { Condition } from './query.ts'

const COMPARISONS: Partial<Record<FormulaSign, Comparison>> = {
  '=': 'eq',
  '!=': 'neq',
  '<': 'lt',
  '<=': 'lte',
  '>': 'gt',
  '>=': 'gte',
}
const ARITHMETIC: Partial<Record<FormulaSign, 'add' | 'subtract' | 'multiply' | 'divide'>> = {
  '+': 'add',
  '-': 'subtract',
  '*': 'multiply',
  '/': 'divide',
}
const MOMENTARY = ['NOW', 'TODAY']

export interface FormulaCondition {
  /** True of the records to keep: those for which the formula is not 0, empty, false or an error. */
  readonly where: Condition
  /** What it finds depends on when it is asked. */
  readonly isMomentary: boolean
}

/**
 * Reads a formula in Airtable's language as a condition on the records of a table: as far as possible in tests that an
 * index can help with.
 *
 * @throws Failure `bad_filter` where it cannot be read or does not fit the table, `not_supported` where it calls a
 *   function that is not there
 */
export function readFormula(parameter: string, text: string, context: FormulaContext): FormulaCondition {
  const reader = new Reader(context)
  const expression = asBoolean(reader.read(parseFormula(parameter, text)))
  return { where: conditionOf(expression, context), isMomentary: reader.isMomentary }
}

class Reader {
  readonly #context: FormulaContext
  isMomentary = false

  constructor(context: FormulaContext) {
    this.#context = context
  }

  read(node: FormulaNode): Expression {
    switch (node.kind) {
      case 'number':
        return constant('number', node.value)
      case 'text':
        return constant('text', node.value.toWellFormed())
      case 'field':
        return this.#field(node.name, node.at)
      case 'call':
        return this.#call(node.name, node.args, node.at)
      case 'operator':
        return this.#operator(node.sign, node.args, node.at)
    }
  }

  #field(name: string, at: number): Expression {
    const field = this.#context.field(name)
    if (field !== undefined) return { kind: 'cell', ...field }
    const shown = JSON.stringify(name.slice(0, 100))
    const near = closest(name, this.#context.names)
    throw misuse({ at }, `there is no field ${shown}${near === undefined ? '' : `; perhaps {${near}} is meant`}.`)
  }

  #call(name: string, args: readonly FormulaNode[], at: number): Expression {
    const known = Object.hasOwn(FORMULA_FUNCTIONS, name) ? FORMULA_FUNCTIONS[name] : undefined
    if (known === undefined) throw unknownFunction(name, at)
    const { least, most } = known
    if (args.length < least || args.length > most) {
      const wanted = least === most ? String(least) : `${least} to ${most}`
      throw misuse({ at }, `${name}() takes ${wanted} arguments, and has ${args.length}.`)
    }
    if (MOMENTARY.includes(name)) this.isMomentary = true
    return known.make({
      args: args.map((arg) => this.read(arg)),
      place: { at, of: `${name}()` },
      context: this.#context,
    })
  }

  #operator(sign: FormulaSign, args: readonly FormulaNode[], at: number): Expression {
    const parts = args.map((arg) => this.read(arg))
    const place = { at, of: sign === 'negate' ? 'A minus sign' : `The operator ${sign}` }
    const [left, right] = parts
    const comparison = COMPARISONS[sign]
    if (comparison !== undefined) return compare(comparison, left!, right!, place)
    if (sign === '&') return joined(parts, place)
    if (sign === 'negate') {
      const number = asNumber(left!, place)
      const value = constantOf(number)
      return typeof value === 'number' ? constant('number', -value) : apply('negate', 'number', number)
    }
    return apply(ARITHMETIC[sign]!, 'number', asNumber(left!, place), asNumber(right!, place))
  }
}

function unknownFunction(name: string, at: number): Failure {
  const known = Object.keys(FORMULA_FUNCTIONS)
  const shown = name.slice(0, 100)
  const near = closest(shown, known)
  const advice = near === undefined ? `There is: ${known.join(', ')}.` : `Perhaps ${near}() is meant.`
  return new Failure('not_supported', `At position ${at + 1} of the formula: there is no function ${shown}() here. ${advice}`, {
    facts: { function: shown, position: at + 1, known },
  }) // prettier-ignore
}
