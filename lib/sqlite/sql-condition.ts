import type { Cell, ResolvedCondition, ResolvedOperand, ResolvedTest } from '../query.ts'
import type { TableInfo } from '../snapshot.ts'
import type { ChangeTimes } from './query-changes.ts'
import { quote } from './database.ts'
import { decimalKey } from './sql-decimal.ts'
import { FormulaCompiler, type RowTimes } from './sql-formula.ts'
import { joinTerms, UNSEEN, type Fragment, type Weighted } from './sql-fragment.ts'
import { jsonKey } from './sql-json.ts'
import { likeCost, likePrefix, RegexBudget } from './sql-patterns.ts'
import { matchExpression, parseSearch, searchedWords, type SearchTerm } from './sql-search.ts'
import { CHANGED_AT, POSITION, VERSION, type SqlTable } from './snapshot-schema.ts'

/** What trying a condition on one row costs, next to finding the row. */
type Weight = number

/** A condition that has to be true of each row, and how an index can help to find those of which it is. */
export interface Conjunct extends Fragment {
  readonly weight: Weight
  /** The SQL name of the column whose own cells it compares, and how; null: no index helps. */
  readonly column: string | null
  readonly bound: 'eq' | 'in' | 'lower' | 'upper' | null
  /** It follows from the others: an index that takes them needs not take it. */
  readonly isImplied?: boolean
  /** No row can meet it. */
  readonly isNever?: boolean
  /** What it asks of the full text index. */
  readonly search?: { readonly match: string; readonly words: readonly string[] | undefined }
}

const MAX_INT64 = 2n ** 63n - 1n
const MIN_INT64 = -(2n ** 63n)

const CHEAP = 0.05
const DECIMAL = 0.5
const PATTERN = 2
const JSON_PARSE = 5
const CONTAINMENT = 20
/** Looks at more than the row. */
export const SEARCH = 1e6

const SIGNS = { eq: '=', neq: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=', isdistinct: 'IS NOT' } as const

/** Compiles conditions on the rows of one table, which goes by the alias `n`. Values are bound, never written. */
export class ConditionCompiler {
  readonly #table: SqlTable
  readonly #info: TableInfo
  readonly #times: RowTimes
  readonly #changes: () => ChangeTimes
  readonly #regexes = new RegexBudget()

  constructor(options: { table: SqlTable; info: TableInfo; times: RowTimes; changes: () => ChangeTimes }) {
    this.#table = options.table
    this.#info = options.info
    this.#times = options.times
    this.#changes = options.changes
  }

  /** The conditions that have all to be true. */
  conjuncts(where: ResolvedCondition | null): Conjunct[] {
    if (where === null) return []
    if (where.kind === 'and') return where.of.flatMap((part) => this.conjuncts(part))
    if (where.kind === 'or' && where.of.length === 0) return [{ ...plain(FALSE), isNever: true }]
    if (where.kind === 'test') return this.#testConjuncts(where.operand, where.test)
    if (where.kind === 'search') return [this.#searchConjunct(parseSearch('wfts', where.text), where.columns, null)]
    if (where.kind === 'modified_after' && this.#times.modified === null) return this.#changeConjuncts(where.at)
    return [plain(this.#compile(where))]
  }

  /** SQL by whose value an operand is compared and sorted. */
  key(operand: ResolvedOperand): Fragment & { readonly weight: Weight } {
    const sql = `n.${this.#table.sql(operand.column.name)}`
    if (operand.path.length > 0) {
      const name = operand.asText ? 'hf_json_text_at' : 'hf_json_key_at'
      return { sql: `${name}(${sql}, ?)`, params: [JSON.stringify(operand.path)], weight: JSON_PARSE }
    }
    const compared = this.#table.compared(operand.column)
    if (compared !== null) return { sql: `n.${compared}`, params: [], weight: CHEAP }
    if (operand.type === 'json') return { sql: `hf_json_key(${sql})`, params: [], weight: JSON_PARSE }
    return { sql: `hf_decimal(${sql})`, params: [], weight: DECIMAL }
  }

  #testConjuncts(operand: ResolvedOperand, test: ResolvedTest): Conjunct[] {
    const compiled = this.#test(operand, test)
    const conjunct = plain(compiled)
    const { path, type } = operand
    const { name } = operand.column
    if (test.op === 'fts' || test.op === 'plfts' || test.op === 'phfts' || test.op === 'wfts') {
      return [this.#searchConjunct(parseSearch(test.op, test.value), [name], name)]
    }
    if (path.length > 0) return [conjunct]
    const compared = this.#table.compared(operand.column)
    const column = compared ?? this.#table.sql(name)
    if (test.op === 'is') {
      if (test.value === 'not_null') return [conjunct]
      return [{ ...conjunct, column, bound: 'eq' }]
    }
    if (compared === null) return [conjunct]
    switch (test.op) {
      case 'eq':
      case 'gt':
      case 'gte':
      case 'lt':
      case 'lte':
        return [{ ...conjunct, column, bound: boundOf(compiled.sql) }]
      case 'in': {
        // What no cell can hold makes no row true.
        const values = test.values.filter((value) => isComparable(type, value))
        if (values.length === 0) return [{ ...conjunct, isNever: true }]
        return [{ ...plain(this.#test(operand, { op: 'in', values })), column, bound: 'in' }]
      }
      case 'like': {
        const prefix = likePrefix(test.value)
        if (prefix === '') return [conjunct]
        const sql = `n.${column}`
        const range = { weight: 0, column, isImplied: true } as const
        const end = behindPrefix(prefix)
        const lower: Conjunct = { ...range, sql: `${sql} >= ${UNSEEN}`, params: [prefix], bound: 'lower' }
        return end === undefined
          ? [conjunct, lower]
          : [conjunct, lower, { ...range, sql: `${sql} < ${UNSEEN}`, params: [end], bound: 'upper' }]
      }
      default:
        return [conjunct]
    }
  }

  /** By the versions that came after the time: those are few, and indexed. */
  #changeConjuncts(at: number): Conjunct[] {
    const { base, baseAt, versions } = this.#changes()
    const fallback = [plain(this.#compile({ kind: 'modified_after', at }))]
    if (versions === undefined) return fallback
    const later = versions.filter((change) => change.at > at)
    if (at < baseAt) return later.length === versions.length ? [] : fallback
    if (later.length === 0) return [{ ...plain(FALSE), isNever: true }]
    const params = later.map(({ version }) => version)
    return [
      { sql: `n.${VERSION} IN (${slots(params)})`, params, weight: CHEAP, column: VERSION, bound: 'in' },
      // Word for word what the index is limited to: without it SQLite does not see that the index has all of them.
      { sql: `n.${VERSION} > ${base}`, params: [], weight: 0, column: null, bound: null, isImplied: true },
    ]
  }

  #searchConjunct(term: SearchTerm | undefined, columns: readonly string[], column: string | null): Conjunct {
    if (term === undefined) return { ...plain(FALSE), isNever: true }
    const match = matchExpression(term)
    const conjunct = plain(this.#search(term, columns, column))
    if (match === undefined) return conjunct
    return { ...conjunct, search: { match: this.#inColumns(match, columns), words: searchedWords(term) } }
  }

  #compile(condition: ResolvedCondition): Weighted {
    switch (condition.kind) {
      case 'and':
      case 'or': {
        if (condition.of.length === 0) return condition.kind === 'and' ? TRUE : FALSE
        const parts = condition.of.map((part) => this.#compile(part))
        return {
          sql: joinTerms(
            parts.map(({ sql }) => `(${sql})`),
            condition.kind === 'and' ? ' AND ' : ' OR ',
          ),
          params: parts.flatMap(({ params }) => params),
          weight: parts.reduce((sum, { weight }) => sum + weight, 0),
        }
      }
      case 'not': {
        const inside = this.#compile(condition.of)
        return { ...inside, sql: `NOT (${inside.sql})` }
      }
      case 'test':
        return this.#test(condition.operand, condition.test)
      case 'search':
        return this.#search(parseSearch('wfts', condition.text), condition.columns, null)
      case 'modified_after': {
        const changed = `n.${CHANGED_AT}`
        const { modified } = this.#times
        if (modified === null) return { sql: `${changed} > ${UNSEEN}`, params: [condition.at], weight: CHEAP }
        const upstream = `hf_time(n.${this.#table.sql(modified)})`
        return { sql: `coalesce(${upstream}, ${changed}) > ${UNSEEN}`, params: [condition.at], weight: PATTERN }
      }
      case 'formula':
        return new FormulaCompiler(this.#table, this.#times, this.#regexes).compile(condition.of)
    }
  }

  #test(operand: ResolvedOperand, test: ResolvedTest): Weighted {
    const key = this.key(operand)
    const { type } = operand
    const withValue = (sql: string, values: readonly Cell[], weight: Weight): Weighted => ({
      sql,
      params: [...key.params, ...values],
      weight: key.weight + weight,
    })
    switch (test.op) {
      case 'eq':
      case 'neq':
      case 'gt':
      case 'gte':
      case 'lt':
      case 'lte':
      case 'isdistinct':
        return compare(key, test.op, type, test.value)
      case 'in': {
        if (test.values.length === 0) return FALSE
        const within = test.values.filter((value) => isComparable(type, value))
        const parts = test.values
          .filter((value) => !isComparable(type, value))
          .map((value) => compare(key, 'eq', type, value))
        if (within.length > 0) {
          parts.unshift(
            withValue(
              `${key.sql} IN (${slots(within)})`,
              within.map((value) => keyOfValue(type, value)),
              CHEAP,
            ),
          )
        }
        return {
          sql: joinTerms(
            parts.map(({ sql }) => sql),
            ' OR ',
          ),
          params: parts.flatMap(({ params }) => params),
          weight: key.weight + CHEAP,
        }
      }
      case 'is': {
        if (test.value === 'not_null') return withValue(`${this.#raw(operand, key)} IS NOT NULL`, [], 0)
        if (test.value === 'null' || test.value === 'unknown')
          return withValue(`${this.#raw(operand, key)} IS NULL`, [], 0)
        return withValue(`${key.sql} IS ?`, [test.value === 'true' ? 1 : 0], 0)
      }
      case 'like':
      case 'ilike':
        return withValue(`hf_${test.op}(${key.sql}, ?)`, [test.value], PATTERN * likeCost(test.value))
      case 'match':
      case 'imatch':
        return withValue(`hf_${test.op}(${key.sql}, ?)`, [test.value], this.#regexes.weigh(test.op, test.value))
      case 'cs':
      case 'cd':
      case 'ov': {
        const sql = `hf_${test.op}(n.${this.#table.sql(operand.column.name)}, ?, ?)`
        return { sql, params: [JSON.stringify(operand.path), test.value], weight: CONTAINMENT }
      }
      case 'fts':
      case 'plfts':
      case 'phfts':
      case 'wfts':
        return this.#search(parseSearch(test.op, test.value), [operand.column.name], operand.column.name)
    }
  }

  /** Whether a cell is NULL shows without working out its key; and an index shows it only of what it has. */
  #raw(operand: ResolvedOperand, key: Fragment): string {
    if (operand.path.length > 0) return key.sql
    const { column } = operand
    return `n.${this.#table.compared(column) ?? this.#table.sql(column.name)}`
  }

  /** `nullable`: where this column is NULL, the answer is NULL. */
  #search(term: SearchTerm | undefined, columns: readonly string[], nullable: string | null): Weighted {
    const found = term === undefined ? FALSE : this.#searchTerm(term, columns)
    if (nullable === null) return found
    return { ...found, sql: `CASE WHEN n.${this.#table.sql(nullable)} IS NULL THEN NULL ELSE (${found.sql}) END` }
  }

  #searchTerm(term: SearchTerm, columns: readonly string[]): Weighted {
    const match = matchExpression(term)
    if (match !== undefined) {
      const name = quote(this.#table.searchTable)
      return {
        sql: `n.${POSITION} IN (SELECT rowid FROM ${name} WHERE ${name} MATCH ?)`,
        params: [this.#inColumns(match, columns)],
        weight: SEARCH,
      }
    }
    if (term.kind === 'phrase') throw new Error('a phrase is always an expression')
    const parts = (term.kind === 'not' ? [term.of] : term.of).map((part) => this.#searchTerm(part, columns))
    const sqls = parts.map(({ sql }) => `(${sql})`)
    return {
      sql: term.kind === 'not' ? `NOT ${sqls.join('')}` : joinTerms(sqls, term.kind === 'and' ? ' AND ' : ' OR '),
      params: parts.flatMap(({ params }) => params),
      weight: SEARCH,
    }
  }

  #inColumns(match: string, columns: readonly string[]): string {
    if (columns.length === this.#info.search.length) return match
    return `{${columns.map((column) => `c${this.#info.search.indexOf(column)}`).join(' ')}} : (${match})`
  }
}

const TRUE: Weighted = { sql: 'TRUE', params: [], weight: 0 }
const FALSE: Weighted = { sql: 'FALSE', params: [], weight: 0 }

function plain(fragment: Weighted): Conjunct {
  return { ...fragment, column: null, bound: null }
}

/** A value as what `ConditionCompiler.key` yields for a cell that holds it. */
export function keyOfValue(type: ResolvedOperand['type'], value: Cell): Cell {
  if (value === null) return null
  if (type === 'decimal') return decimalKey(String(value))
  return type === 'json' ? jsonKey(String(value)) : value
}

/** Compares with a value; of one beyond all that cells can hold is known how each comparison ends. */
function compare(key: Weighted, op: keyof typeof SIGNS, type: ResolvedOperand['type'], value: Cell): Weighted {
  const weight = key.weight + CHEAP
  if (isComparable(type, value)) {
    const params = [...key.params, keyOfValue(type, value)]
    return { sql: `${key.sql} ${SIGNS[op]} ${UNSEEN}`, params, weight }
  }
  if (op === 'isdistinct') return TRUE
  const isAbove = type === 'real' || (value as bigint) > 0n
  const isTrue = op === 'neq' || (isAbove ? op === 'lt' || op === 'lte' : op === 'gt' || op === 'gte')
  // True or false of every number, and NULL of NULL.
  const [end, sign] = isAbove ? [greatest(type), isTrue ? '<=' : '>'] : [MIN_INT64, isTrue ? '>=' : '<']
  return { sql: `${key.sql} ${sign} ${UNSEEN}`, params: [...key.params, end], weight }
}

/** Whether SQLite can be given the value: integers of 64 bits, and no NaN. */
function isComparable(type: ResolvedOperand['type'], value: Cell): boolean {
  if (type === 'real') return !Number.isNaN(value)
  return typeof value !== 'bigint' || (value <= MAX_INT64 && value >= MIN_INT64)
}

function greatest(type: ResolvedOperand['type']): Cell {
  return type === 'real' ? Infinity : MAX_INT64
}

function boundOf(sql: string): Conjunct['bound'] {
  if (sql.endsWith(`> ${UNSEEN}`) || sql.endsWith(`>= ${UNSEEN}`)) return 'lower'
  return sql.endsWith(`< ${UNSEEN}`) || sql.endsWith(`<= ${UNSEEN}`) ? 'upper' : 'eq'
}

/** The least text behind all that begin with `prefix`. */
function behindPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix)
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const code = last.codePointAt(0)!
    if (code === 0x10ffff) continue
    // Surrogates are no characters.
    return points.join('') + String.fromCodePoint(code === 0xd7ff ? 0xe000 : code + 1)
  }
  return undefined
}

function slots(values: readonly unknown[]): string {
  return values.map(() => '?').join(', ')
}
