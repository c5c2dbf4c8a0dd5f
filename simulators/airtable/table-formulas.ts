import { readCell } from './cell-read.ts'
import { textOption, type Field } from './field.ts'
import { compileFormula, type Evaluate, type FormulaScope } from './formula.ts'
import { InvalidFormula } from './formula-parser.ts'
import { FormulaError, valueOfCell, type Value } from './formula-value.ts'
import type { StoredRecord } from './record.ts'
import type { Table } from './table.ts'

const TIME_TYPES = new Set(['date', 'dateTime', 'createdTime', 'lastModifiedTime'])

/** The formula fields of a table, and the table as formulas see it. */
export class TableFormulas implements FormulaScope {
  readonly #table: Table
  /** Compiled, by id of the field. */
  readonly #compiled = new Map<string, Evaluate>()

  constructor(table: Table) {
    this.#table = table
  }

  /** To be called with any change of a field: all are compiled anew. */
  forget(): void {
    this.#compiled.clear()
  }

  now(): number {
    return this.#table.base.now()
  }

  field(nameOrId: string): { readonly id: string; readonly read: Evaluate } | undefined {
    const field = this.#table.findField(nameOrId)
    if (field === undefined) return undefined
    const isTime = TIME_TYPES.has(field.type)
    return { id: field.id, read: (record) => this.#valueOf(field, record, isTime) }
  }

  /** What a formula field comes to; an error where it refers to a field that is gone. */
  evaluate(field: Field, record: StoredRecord): Value {
    let evaluate = this.#compiled.get(field.id)
    if (evaluate === undefined) {
      evaluate = this.#compile(textOption(field, 'formula') ?? '')
      this.#compiled.set(field.id, evaluate)
    }
    return evaluate(record)
  }

  #compile(formula: string): Evaluate {
    try {
      return compileFormula(formula, this)
    } catch (error) {
      if (error instanceof InvalidFormula) return () => new FormulaError()
      throw error
    }
  }

  /** Links are the names of what they lead to. */
  #valueOf(field: Field, record: StoredRecord, isTime: boolean): Value {
    const cell = readCell(this.#table, field, record)
    if (field.type !== 'multipleRecordLinks') return valueOfCell(cell, isTime)
    const far = this.#table.base.findTable(textOption(field, 'linkedTableId') ?? '')
    return ((cell ?? []) as readonly string[]).map((id) => {
      const other = far?.find(id)
      return far === undefined || other === undefined ? id : valueOfCell(readCell(far, far.primaryField, other), false)
    })
  }
}
