import { hiddenColumns, hidesKey, type TableRule } from './access.ts'
import type { Column } from './column.ts'
import { Failure } from './errors.ts'
import { mapColumns } from './formula.ts'
import type {
  Cell,
  Condition,
  Operand,
  Query,
  ResolvedCondition,
  ResolvedOperand,
  ResolvedQuery,
  Test,
} from './query.ts'
import { isJson, resolveContained, resolveValue } from './resolve-value.ts'
import type { TableInfo } from './snapshot.ts'

const MAX_DEPTH = 100
const MAX_TESTS = 1000
const MAX_VALUES = 10_000
const MAX_PATTERN = 1000

/**
 * Finds the columns that a query names, converts its values to their types, and adds what `rule` keeps from the asker:
 * hidden columns are not there, for any purpose, and rows that the rule's filter does not find are not either.
 *
 * @throws Failure `column_not_found`, `bad_value`, `bad_filter`, `bad_parameter`, `not_supported`; `forbidden` when the
 *   key itself is hidden
 */
export function resolveQuery(query: Query, table: TableInfo, rule: TableRule | undefined): ResolvedQuery {
  const hidden = new Set(hiddenColumns(rule, table))
  if (hidesKey(rule, table)) requireNoNames(query, table)
  const seen = new Resolver(table, hidden)
  const asked = query.where === null ? null : seen.condition(query.where)
  const imposed = rule?.filter ? new Resolver(table, new Set()).condition(rule.filter) : null
  const order = query.order.map((term) => ({ ...term, operand: seen.operand(term.operand) }))
  return {
    table: table.name,
    outputs: seen.outputs(query.outputs),
    where: asked && imposed ? { kind: 'and', of: [imposed, asked] } : (asked ?? imposed),
    times: {
      created: seen.sees(table.times.created) ? table.times.created : null,
      modified: seen.sees(table.times.modified) ? table.times.modified : null,
    },
    order,
    byKey: query.byKey,
    offset: query.offset,
    limit: query.limit,
    after: query.after === null ? null : resolveAfter(query.after, order, query.byKey, table),
    count: query.count,
    ...(query.text && { text: query.text }),
  }
}

/** Rows that have no key of their own can be shown to those who do not see what they are called. */
function requireNoNames({ isNameless }: Query, { name, isKeyGenerated }: TableInfo): void {
  if (isKeyGenerated && isNameless) return
  const sentence = isKeyGenerated
    ? `This key may not see what the rows of ${name} are called: their ids are made of all columns, those that are hidden included. /rest/v1 and /fetch-data show the rows without ids.`
    : `This key may not see the table ${name}: the columns of its key are hidden.`
  throw new Failure('forbidden', sentence, { facts: { table: name } })
}

class Resolver {
  readonly #table: TableInfo
  readonly #columns: ReadonlyMap<string, Column>
  #tests = 0

  constructor(table: TableInfo, hidden: ReadonlySet<string>) {
    this.#table = table
    this.#columns = new Map(
      table.columns.filter(({ name }) => !hidden.has(name)).map((column) => [column.name, column]),
    )
  }

  sees(column: string | null): boolean {
    return column !== null && this.#columns.has(column)
  }

  operand({ column: name, path, asText }: Operand): ResolvedOperand {
    const column = this.#column(name)
    if (path.length === 0) return { column, path, asText: false, type: column.type }
    if (column.type !== 'json') {
      throw new Failure(
        'not_supported',
        `The column ${JSON.stringify(name)} is ${column.type}: -> and ->> look into JSON columns only.`,
        { facts: { column: name, type: column.type } },
      )
    }
    return { column, path, asText, type: asText ? 'text' : 'json' }
  }

  #column(name: string): Column {
    const column = this.#columns.get(name)
    if (column === undefined) throw this.#notFound(name)
    return column
  }

  outputs(outputs: Query['outputs']): ResolvedQuery['outputs'] {
    const resolved = outputs.flatMap((output) =>
      output === '*'
        ? [...this.#columns.values()].map(({ name }) => this.#plainOutput(name))
        : [{ operand: this.operand(output.operand), name: output.name, cast: output.cast }],
    )
    const names = new Set<string>()
    for (const { name } of resolved) {
      if (names.has(name)) {
        throw new Failure(
          'bad_filter',
          `Two members of each row would be named ${JSON.stringify(name)}. Give one of them another name: other:${name}.`,
          { facts: { name } },
        )
      }
      names.add(name)
    }
    return resolved
  }

  #plainOutput(name: string): ResolvedQuery['outputs'][number] {
    return { operand: this.operand({ column: name, path: [], asText: false }), name, cast: null }
  }

  condition(condition: Condition, depth = 0): ResolvedCondition {
    if (depth > MAX_DEPTH || ++this.#tests > MAX_TESTS) {
      throw new Failure(
        'bad_filter',
        `The filter is too large: at most ${MAX_TESTS} conditions, nested at most ${MAX_DEPTH} deep.`,
      )
    }
    switch (condition.kind) {
      case 'and':
      case 'or':
        return { kind: condition.kind, of: condition.of.map((part) => this.condition(part, depth + 1)) }
      case 'not':
        return { kind: 'not', of: this.condition(condition.of, depth + 1) }
      case 'test':
        return this.#test(this.operand(condition.operand), condition.test)
      case 'search': {
        const columns = this.#table.search.filter((name) => this.#columns.has(name))
        if (columns.length === 0) throw this.#notSearched()
        return { kind: 'search', text: condition.text, columns }
      }
      case 'modified_after':
        return condition
      case 'formula':
        return { kind: 'formula', of: mapColumns(condition.of, ({ name }) => this.#column(name)) }
    }
  }

  #test(operand: ResolvedOperand, test: Test): ResolvedCondition {
    const { column, type } = operand
    // What it yields decides how the value is read: a place in a JSON column is not that column.
    const yielded: Column = { name: column.name, type }
    switch (test.op) {
      case 'gt':
      case 'gte':
      case 'lt':
      case 'lte':
        if (type === 'json' && operand.path.length === 0) {
          throw misfit(operand, test.op, `Compare a place inside of it (${column.name}->a, ${column.name}->>a).`)
        }
        return { kind: 'test', operand, test: { op: test.op, value: resolveValue(yielded, test.value) } }
      case 'eq':
      case 'neq':
      case 'isdistinct':
        return { kind: 'test', operand, test: { op: test.op, value: resolveValue(yielded, test.value) } }
      case 'in': {
        if (test.values.length > MAX_VALUES) {
          throw new Failure('bad_filter', `A list has ${test.values.length} values; at most ${MAX_VALUES} are taken.`)
        }
        const values = test.values.map((value) => resolveValue(yielded, value))
        return { kind: 'test', operand, test: { op: 'in', values } }
      }
      case 'is':
        if (type !== 'boolean' && ['true', 'false', 'unknown'].includes(test.value)) {
          throw misfit(operand, `is.${test.value}`, 'Only booleans are true, false or unknown; is.null fits all.')
        }
        return { kind: 'test', operand, test }
      case 'like':
      case 'ilike':
      case 'match':
      case 'imatch':
        if (type !== 'text') {
          throw misfit(
            operand,
            test.op,
            'Patterns are for text: declare the column as text (types), or use ->> in JSON.',
          )
        }
        if (test.value.length > MAX_PATTERN) {
          throw new Failure(
            'bad_filter',
            `A pattern has ${test.value.length} characters; at most ${MAX_PATTERN} are taken.`,
          )
        }
        return { kind: 'test', operand, test: { op: test.op, value: test.value.toWellFormed() } }
      case 'cs':
      case 'cd':
      case 'ov':
        if (type !== 'json') throw misfit(operand, test.op, 'Containment is for JSON.')
        return { kind: 'test', operand, test: { op: test.op, value: resolveContained(yielded, test.value) } }
      case 'fts':
      case 'plfts':
      case 'phfts':
      case 'wfts':
        if (operand.path.length > 0 || !this.#table.search.includes(column.name)) throw this.#notSearched(column.name)
        return { kind: 'test', operand, test: { op: test.op, value: test.value.toWellFormed() } }
    }
  }

  #notFound(column: string): Failure {
    const known = [...this.#columns.keys()]
    const shown = column.slice(0, 100)
    const list = known.length > 50 ? `${known.slice(0, 50).join(', ')}, …` : known.join(', ')
    return new Failure(
      'column_not_found',
      `The table ${this.#table.name} has no column ${JSON.stringify(shown)}. It has: ${list}.`,
      { facts: { column: shown, table: this.#table.name, known } },
    )
  }

  #notSearched(column?: string): Failure {
    const { name } = this.#table
    const example = JSON.stringify(column ?? 'name')
    return new Failure(
      'not_supported',
      `${column === undefined ? `The table ${name}` : `The column ${JSON.stringify(column)} of ${name}`} cannot be searched by words. Configure it: tables: { ${JSON.stringify(name)}: { search: [${example}] } }.`,
      { facts: { table: name, column: column ?? null } },
    )
  }
}

function misfit({ column, path, asText, type }: ResolvedOperand, op: string, advice: string): Failure {
  const places = path.map((step, index) => `${asText && index === path.length - 1 ? '->>' : '->'}${step}`)
  const name = (column.name + places.join('')).slice(0, 100)
  return new Failure('not_supported', `${op} is not for ${JSON.stringify(name)}, which is ${type}. ${advice}`, {
    facts: { column: column.name, type, operator: op },
  })
}

/** Cursors come from outside: whatever does not fit the order would compare as something else. */
function resolveAfter(
  after: readonly Cell[],
  order: ResolvedQuery['order'],
  byKey: boolean,
  table: TableInfo,
): readonly Cell[] {
  const types = order.map(({ operand }) => operand.type)
  const nullable = order.length
  if (byKey) types.push(...table.key.map((name) => table.columns.find((column) => column.name === name)!.type))
  else types.push('integer')
  const isFitting =
    after.length === types.length &&
    after.every((cell, index) => (cell === null ? index < nullable : fits(cell, types[index]!)))
  if (isFitting) return after
  throw new Failure(
    'bad_parameter',
    'The cursor does not fit the order that is asked for, or a column has another type by now. Begin again without it.',
    { facts: { parameter: 'cursor' } },
  )
}

const MAX_INT64 = 2n ** 63n - 1n

function fits(cell: Exclude<Cell, null>, type: Column['type']): boolean {
  switch (type) {
    case 'integer':
      return typeof cell === 'bigint' ? cell <= MAX_INT64 && cell >= -MAX_INT64 - 1n : Number.isSafeInteger(cell)
    case 'boolean':
      return cell === 0 || cell === 1
    case 'real':
      return typeof cell === 'number'
    case 'text':
    case 'decimal':
      return typeof cell === 'string'
    case 'json':
      return typeof cell === 'string' && isJson(cell)
  }
}
