import type { Column, ColumnType } from '../lib/column.ts'
import { readFormula } from '../lib/formula-condition.ts'
import type { FormulaContext, FormulaType } from '../lib/formula.ts'
import type { Condition } from '../lib/query.ts'

const TYPES: Readonly<Record<ColumnType, FormulaType>> = {
  text: 'text', integer: 'number', real: 'number', decimal: 'number', boolean: 'boolean', json: 'list',
} // prettier-ignore

export const NOW = Date.UTC(2026, 1, 3, 4, 5, 6, 7)

export interface ContextOptions {
  readonly key?: readonly string[]
  /** Columns whose type in formulas is not that of all columns of their type. */
  readonly as?: Readonly<Record<string, FormulaType>>
  readonly ids?: FormulaContext['ids']
  readonly tellsChanges?: boolean
  /** The column that says which cells are errors. */
  readonly errors?: string
}

/** A table as formulas see it whose fields are its columns. */
export function contextOf(
  columns: Readonly<Record<string, ColumnType>>,
  { key = ['id'], as = {}, ids = 'made', tellsChanges = false, errors }: ContextOptions = {},
): FormulaContext {
  const column = (name: string): Column => ({ name, type: columns[name]! })
  return {
    field: (name) =>
      Object.hasOwn(columns, name) && name !== errors
        ? {
            type: as[name] ?? TYPES[columns[name]!],
            column: column(name),
            errors: errors === undefined ? null : { column: column(errors), name },
          }
        : undefined,
    names: Object.keys(columns).filter((name) => name !== errors),
    now: NOW,
    key: key.map(column),
    tellsChanges,
    ids,
  }
}

export function where(formula: string, context: FormulaContext): Condition {
  return readFormula('filterByFormula', formula, context).where
}
