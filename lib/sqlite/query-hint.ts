import type { ResolvedCondition, ResolvedQuery } from '../query.ts'
import type { TableInfo } from '../snapshot.ts'

const MAX_COLUMNS = 4
const EQUAL = ['eq', 'in', 'is']
const RANGES = ['gt', 'gte', 'lt', 'lte', 'like']

/** What would make a query answerable by an index, in words that can be followed. */
export function indexHint(table: TableInfo, query: ResolvedQuery): string {
  const columns = indexFor(query)
  const indexes = [sortedKey(table), ...table.indexes]
  const isThere = indexes.some((index) => columns.every((column, at) => index[at] === column))
  if (columns.length > 0 && !isThere) {
    const names = columns.map((name) => `'${name.replaceAll(/['\\]/g, '\\$&')}'`).join(', ')
    return `Add indexes: [[${names}]] to tables.${table.name}.`
  }
  if (query.offset > 0) return 'Go on with a cursor instead of an offset, or ask for fewer rows.'
  return 'Narrow it by a column that has an index, ask for no exact count, or take an export.'
}

/** Columns that are compared with one value, then those that rows are sorted by, or else one that has a range. */
function indexFor({ where, order }: ResolvedQuery): string[] {
  const conditions = where === null ? [] : allOf(where)
  const compared = (operators: readonly string[]) =>
    conditions.flatMap((condition) =>
      condition.kind === 'test' && isPlain(condition.operand) && operators.includes(condition.test.op)
        ? [condition.operand.column.name]
        : [],
    )
  const sorted: string[] = []
  for (const { operand } of order) {
    if (!isPlain(operand)) break
    sorted.push(operand.column.name)
  }
  const behind = sorted.length > 0 ? sorted : compared(RANGES).slice(0, 1)
  return [...new Set([...compared(EQUAL), ...behind])].slice(0, MAX_COLUMNS)
}

function allOf(condition: ResolvedCondition): readonly ResolvedCondition[] {
  return condition.kind === 'and' ? condition.of.flatMap(allOf) : [condition]
}

/** Of JSON, no index has the order. */
function isPlain({ path, type }: ResolvedQuery['order'][number]['operand']): boolean {
  return path.length === 0 && type !== 'json'
}

/** The columns of the key that its index sorts as queries do: it has decimals as they are stored. */
function sortedKey({ key, columns }: TableInfo): readonly string[] {
  const decimals = columns.filter(({ type }) => type === 'decimal').map(({ name }) => name)
  const end = key.findIndex((name) => decimals.includes(name))
  return end < 0 ? key : key.slice(0, end)
}
