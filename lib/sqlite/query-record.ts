import type { Statement } from 'better-sqlite3'
import type { Column } from '../column.ts'
import type { Cell, RowFacts } from '../query.ts'
import { keyText, parseKeyText } from '../row-key.ts'
import type { TableInfo } from '../snapshot.ts'
import { quote, type Database } from './database.ts'
import { Cells, factsReader } from './query-rows.ts'
import type { SqlTable } from './snapshot-schema.ts'

const MAX_INT64 = 2n ** 63n - 1n

/** Reads one row of a table by the text of its key. */
export class RecordReader {
  readonly #types: readonly Column['type'][]
  readonly #statement: Statement<Cell[], unknown[]>
  readonly #columns: number
  readonly #facts: (row: readonly unknown[]) => RowFacts
  readonly #isText: boolean

  constructor(db: Database, table: SqlTable, info: TableInfo, columns: readonly Column[]) {
    this.#types = table.key.map((name) => table.columns.find((column) => column.name === name)!.type)
    this.#isText = this.#types.length === 1 && !['integer', 'real', 'boolean'].includes(this.#types[0]!)
    const cells = new Cells(table)
    // First and in their order, so that they are what is left when the rest is cut off.
    for (const column of columns) cells.column(column.name)
    this.#columns = columns.length
    this.#facts = factsReader(table, cells, info.times)
    const same = table.key.map((name) => `t.${table.sql(name)} = ?`).join(' AND ')
    this.#statement = db
      .prepare<Cell[], unknown[]>(`SELECT ${cells.sql} FROM ${quote(table.sqlName)} AS t WHERE ${same}`)
      .raw()
  }

  read(id: string): { cells: unknown[]; facts: RowFacts } | undefined {
    const row = this.#isText ? this.#statement.get(id) : this.#find(id)
    if (row === undefined) return undefined
    const facts = this.#facts(row)
    // Also what SQLite reads from a text that was not well formed.
    if (facts.id !== id) return undefined
    row.length = this.#columns
    return { cells: row, facts }
  }

  #find(id: string): unknown[] | undefined {
    const parts = parseKeyText(id, this.#types.length)
    if (parts === undefined) return undefined
    const cells: Cell[] = []
    for (const [index, part] of parts.entries()) {
      const cell = canonicalCell(this.#types[index]!, part)
      if (cell === undefined) return undefined
      cells.push(cell)
    }
    return keyText(parts) === id ? this.#statement.get(...cells) : undefined
  }
}

/** The cell whose text this is; undefined if it is not the one way that cell is written. */
function canonicalCell(type: Column['type'], text: string): Cell | undefined {
  switch (type) {
    case 'integer': {
      if (!/^-?(?:0|[1-9]\d{0,18})$/.test(text) || text === '-0') return undefined
      const number = Number(text)
      if (Number.isSafeInteger(number)) return number
      const exact = BigInt(text)
      return exact <= MAX_INT64 && exact >= -MAX_INT64 - 1n ? exact : undefined
    }
    case 'boolean':
      return text === '1' ? 1 : text === '0' ? 0 : undefined
    case 'real':
      return String(Number(text)) === text && text !== 'NaN' ? Number(text) : undefined
    default:
      return text
  }
}
