import type { Column } from '../column.ts'
import type { Expression, FormulaOperation } from '../formula.ts'
import { FORMULA_VALUES, type FormulaFunctionName } from './formula-values.ts'
import { joinTerms, type Weighted } from './sql-fragment.ts'
import type { RegexBudget } from './sql-patterns.ts'
import { CHANGED_AT, CREATED_AT, type SqlTable } from './snapshot-schema.ts'

type Applied = Expression & { readonly kind: 'apply' }
type Operands = readonly Weighted[]

const CHEAP = 0.05
const CALL = 1
const JSON_PARSE = 5
/** Makes a text that may be far longer than those it is made of. */
const GROWTH = 50
/** Functions take no more arguments. */
const MAX_ARGS = 100

const WEIGHTS: Partial<Record<FormulaOperation, number>> = {
  rept: GROWTH,
  substitute: GROWTH,
  counta: JSON_PARSE,
  array_join: JSON_PARSE,
  list_text: JSON_PARSE,
  list_number: JSON_PARSE,
  sum: JSON_PARSE,
  min: JSON_PARSE,
  max: JSON_PARSE,
  average: JSON_PARSE,
  count: JSON_PARSE,
}
const SIGNS = { eq: '=', neq: '<>', lt: '<', lte: '<=', gt: '>', gte: '>=' } as const
const ARITHMETIC = { add: '+', subtract: '-', multiply: '*' } as const

/** The upstream's own times of a row, as far as the asker may see them. */
export interface RowTimes {
  readonly created: string | null
  readonly modified: string | null
}

/** Compiles formulas about the rows of one table, which goes by the alias `n`: see `FormulaType` for what SQL makes of them. */
export class FormulaCompiler {
  readonly #table: SqlTable
  readonly #times: RowTimes
  readonly #regexes: RegexBudget

  constructor(table: SqlTable, times: RowTimes, regexes: RegexBudget) {
    this.#table = table
    this.#times = times
    this.#regexes = regexes
  }

  /** @throws Failure `bad_filter` for a regular expression that is none, and for too many of them */
  compile(expression: Expression): Weighted {
    switch (expression.kind) {
      case 'constant':
        return { sql: '?', params: [expression.value], weight: 0 }
      case 'cell':
        return this.#cell(expression)
      case 'fact':
        return this.#fact(expression.fact)
      case 'apply':
        return this.#apply(expression)
    }
  }

  #cell({ type, column, errors }: Expression & { kind: 'cell' }): Weighted {
    const cell = this.#value(`n.${this.#table.sql(column.name)}`, type, column)
    if (errors === null) return cell
    return {
      sql: `CASE WHEN hf_f_failed(n.${this.#table.sql(errors.column.name)}, ?) THEN NULL ELSE ${cell.sql} END`,
      params: [errors.name, ...cell.params],
      weight: cell.weight + JSON_PARSE,
    }
  }

  #value(sql: string, type: Expression['type'], column: Column): Weighted {
    const there = (value: string, weight: number): Weighted => ({
      sql: `CASE WHEN ${sql} IS NULL THEN '' ELSE ${value} END`,
      params: [],
      weight,
    })
    if (type === 'boolean') return { sql: `coalesce(${sql}, 0)`, params: [], weight: CHEAP }
    if (type === 'date') return there(`hf_f_text_date(${sql})`, CALL)
    if (type === 'number' && column.type === 'decimal') return there(`hf_f_digits(${sql})`, CALL)
    if (type === 'number') return there(`CAST(${sql} AS REAL)`, CHEAP)
    return { sql: `coalesce(${sql}, '')`, params: [], weight: CHEAP }
  }

  #fact(fact: 'key' | 'created' | 'modified'): Weighted {
    if (fact === 'key') {
      const cells = this.#table.key.map((name) =>
        this.#table.read(
          this.#table.columns.find((column) => column.name === name)!,
          'n.',
        ),
      )
      return { sql: `hf_f_key(${cells.join(', ')})`, params: [], weight: CALL }
    }
    const column = this.#times[fact]
    const seen = `n.${fact === 'created' ? CREATED_AT : CHANGED_AT}`
    if (column === null) return { sql: seen, params: [], weight: CHEAP }
    // Of a row that was never changed the upstream tells no time, and then there is none.
    const otherwise = fact === 'created' ? seen : "''"
    return { sql: `coalesce(hf_time(n.${this.#table.sql(column)}), ${otherwise})`, params: [], weight: CALL }
  }

  #apply(applied: Applied): Weighted {
    const { operation } = applied
    const of = applied.of.map((part) => this.compile(part))
    const [a, b] = of
    switch (operation) {
      case 'and':
      case 'or':
        return joined(of, operation === 'and' ? ' AND ' : ' OR ')
      case 'xor':
        return around('(', joined(of, ' + '), ') % 2')
      case 'not':
        return around('NOT (', a!, ')')
      case 'if':
        return written(['CASE (', ') WHEN 1 THEN ', ' WHEN 0 THEN ', ' END'], of)
      case 'switch':
        return choice(of, isNumeric(applied.of[0]!))
      case 'is_error':
        return around('(', a!, ') IS NULL')
      case 'has_number':
        return around('((', a!, ') + 0) <> 0')
      case 'has_text':
        return around('(', a!, `) <> ''`)
      case 'has_list':
        return { ...around('hf_f_counta(', a!, ') > 0'), weight: a!.weight + JSON_PARSE }
      case 'eq':
      case 'neq':
      case 'lt':
      case 'lte':
      case 'gt':
      case 'gte':
        return comparison(operation, applied.of[0]!, of)
      case 'add':
      case 'subtract':
      case 'multiply':
        return written(['(', `) ${ARITHMETIC[operation]} (`, ')'], of)
      case 'divide':
        return written(['CAST((', ') AS REAL) / (', ')'], [a!, b!])
      case 'negate':
        return around('-(', a!, ')')
      case 'concat':
        return concatenated(of)
      case 'regex_match':
        return { ...call(operation, of), weight: a!.weight + this.#regexes.weigh('match', String(b!.params[0])) }
      default:
        return call(operation, of)
    }
  }
}

function isNumeric({ type }: Expression): boolean {
  return type === 'number' || type === 'boolean'
}

/** What is not there is 0 among numbers, and an error among dates that are to be sorted. */
function comparison(how: keyof typeof SIGNS, { type }: Expression, of: Operands): Weighted {
  const sign = SIGNS[how]
  if (type === 'number' || type === 'boolean') return written(['((', `) + 0) ${sign} ((`, ') + 0)'], of)
  const isSorted = type === 'date' && how !== 'eq' && how !== 'neq'
  return isSorted ? written(['nullif(', `, '') ${sign} nullif(`, `, '')`], of) : written(['(', `) ${sign} (`, ')'], of)
}

/** An error is no case: it has a mark of its own, that no value is equal to, so that it is looked at once. */
function choice([value, otherwise, ...cases]: Operands, isNumber: boolean): Weighted {
  const key = (part: Weighted) => (isNumber ? around('((', part, ') + 0)') : around('(', part, ')'))
  const parts: Weighted[] = [around("CASE coalesce(", key(value!), ", X'00')")] // prettier-ignore
  for (let at = 0; at < cases.length; at += 2) {
    parts.push(around(' WHEN ', key(cases[at]!), ''), around(' THEN ', cases[at + 1]!, ''))
  }
  parts.push(around(" WHEN X'00' THEN NULL ELSE ", otherwise!, ' END'))
  return { sql: parts.map(({ sql }) => sql).join(''), params: paramsOf(parts), weight: weightOf(parts) }
}

function concatenated(of: Operands): Weighted {
  if (of.length <= MAX_ARGS) return call('concat', of)
  const size = Math.ceil(of.length / MAX_ARGS)
  const groups = Array.from({ length: Math.ceil(of.length / size) }, (_, index) =>
    of.slice(index * size, (index + 1) * size),
  )
  return call('concat', groups.map(concatenated))
}

function call(operation: FormulaOperation, of: Operands): Weighted {
  if (!Object.hasOwn(FORMULA_VALUES, operation)) throw new Error(`nothing works out ${operation}`)
  const name: FormulaFunctionName = operation as FormulaFunctionName
  const args = of.map(({ sql }) => sql).join(', ')
  return { sql: `hf_f_${name}(${args})`, params: paramsOf(of), weight: weightOf(of) + (WEIGHTS[operation] ?? CALL) }
}

/** Texts of SQL with the operands between them. */
function written(texts: readonly string[], of: Operands): Weighted {
  const sql = texts.map((text, index) => text + (of[index]?.sql ?? '')).join('')
  return { sql, params: paramsOf(of), weight: weightOf(of) + CHEAP }
}

function around(before: string, part: Weighted, after: string): Weighted {
  return { ...part, sql: before + part.sql + after, weight: part.weight + CHEAP }
}

function joined(of: Operands, operator: ' AND ' | ' OR ' | ' + '): Weighted {
  const terms = of.map(({ sql }) => `(${sql})`)
  return { sql: joinTerms(terms, operator), params: paramsOf(of), weight: weightOf(of) }
}

function paramsOf(of: Operands): Weighted['params'] {
  return of.flatMap(({ params }) => params)
}

function weightOf(of: Operands): number {
  return of.reduce((total, { weight }) => total + weight, 0)
}
