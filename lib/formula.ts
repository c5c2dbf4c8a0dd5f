import type { Column } from './column.ts'

/**
 * What a part of a formula yields, and how SQL has it. Of every type NULL is what could not be worked out: an error, and
 * so is whatever is made of it. The empty text is what is not there.
 *
 * | type    | SQL                                                                                       |
 * |---------|-------------------------------------------------------------------------------------------|
 * | text    | the text                                                                                  |
 * | number  | the number; calculated with, what is not there is 0                                       |
 * | boolean | 0 or 1                                                                                    |
 * | date    | epoch milliseconds                                                                        |
 * | list    | JSON text: an array, or a value that counts as an array of one                            |
 * | links   | the same, of records of other tables: how many there are is all that is known of them     |
 * | blank   | always the empty text                                                                     |
 * | mixed   | of a type that a condition decides: the branches of an `if` or `switch` have theirs       |
 */
export type FormulaType = 'text' | 'number' | 'boolean' | 'date' | 'list' | 'links' | 'blank' | 'mixed'

/** What SQL makes of values; the types of the parts are settled. A list of what each takes is in `sql-formula.ts`. */
export const FORMULA_OPERATIONS = [
  'and', 'or', 'not', 'xor', 'if', 'switch', 'is_error', 'has_number', 'has_text', 'has_list',
  'eq', 'neq', 'lt', 'lte', 'gt', 'gte', 'add', 'subtract', 'multiply', 'divide', 'negate', 'concat',
  'len', 'lower', 'upper', 'trim', 'left', 'right', 'mid', 'find', 'search', 'substitute', 'rept', 'value', 'regex_match',
  'abs', 'round', 'round_up', 'round_down', 'int', 'ceiling', 'floor', 'mod', 'sqrt', 'power',
  'sum', 'min', 'max', 'average', 'count', 'counta', 'array_join',
  'number_text', 'date_text', 'list_text', 'list_number', 'text_date',
  'date_add', 'date_diff', 'is_same', 'date_part', 'date_format', 'date_parse', 'record_id',
] as const // prettier-ignore
export type FormulaOperation = (typeof FORMULA_OPERATIONS)[number]

/** A formula that has been read and fits a table. */
export type Expression =
  | { readonly kind: 'constant'; readonly type: FormulaType; readonly value: string | number }
  | {
      readonly kind: 'cell'
      readonly type: FormulaType
      readonly column: Column
      /** Where it says that the cell is an error, and under which name; null: it never is. */
      readonly errors: { readonly column: Column; readonly name: string } | null
    }
  /** What is known of a row beside its cells: its key as text, and since when it is there and as it is. */
  | { readonly kind: 'fact'; readonly type: 'text' | 'date'; readonly fact: 'key' | 'created' | 'modified' }
  | {
      readonly kind: 'apply'
      readonly type: FormulaType
      readonly operation: FormulaOperation
      readonly of: readonly Expression[]
    }

/** A field as formulas see it. */
export interface FormulaField {
  readonly type: FormulaType
  readonly column: Column
  readonly errors: { readonly column: Column; readonly name: string } | null
}

/** What a formula is about. */
export interface FormulaContext {
  /** The field of that name or id; undefined where there is none for whoever asks. */
  field(name: string): FormulaField | undefined
  /** Names of fields, for whoever mistyped one. */
  readonly names: readonly string[]
  /** What `NOW()` is. Epoch milliseconds. */
  readonly now: number
  /** The columns of the table's key. */
  readonly key: readonly Column[]
  /** The upstream tells when a record was last changed: else that is when the change was first seen. */
  readonly tellsChanges: boolean
  /** Records are called by their keys as they are, or by ids that are made of them (`record-id.ts`). */
  readonly ids: 'keys' | 'made'
}

export function constant(type: FormulaType, value: string | number): Expression {
  return { kind: 'constant', type, value }
}

export const BLANK = constant('blank', '')
export const TRUE = constant('boolean', 1)
export const FALSE = constant('boolean', 0)

export function apply(operation: FormulaOperation, type: FormulaType, ...of: Expression[]): Expression {
  return { kind: 'apply', type, operation, of }
}

export function constantOf(expression: Expression): string | number | undefined {
  return expression.kind === 'constant' ? expression.value : undefined
}

/** The same for other columns. */
export function mapColumns(expression: Expression, map: (column: Column) => Column): Expression {
  switch (expression.kind) {
    case 'constant':
    case 'fact':
      return expression
    case 'cell': {
      const { errors } = expression
      return {
        ...expression,
        column: map(expression.column),
        errors: errors && { ...errors, column: map(errors.column) },
      }
    }
    case 'apply':
      return { ...expression, of: expression.of.map((part) => mapColumns(part, map)) }
  }
}
