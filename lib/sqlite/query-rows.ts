import type { Column } from '../column.ts'
import { Failure } from '../errors.ts'
import { joinUtf8 } from '../base/utf8-writer.ts'
import type { Answer, Cell, ResolvedQuery, RowFacts, TextShape } from '../query.ts'
import { recordToJson } from '../record-json.ts'
import { rowToJson } from '../row-json.ts'
import { keyText } from '../row-key.ts'
import { castCell } from './query-cast.ts'
import { stepSql, type Step } from './query-plan.ts'
import type { Statements } from './query-statements.ts'
import { parseExact, placeAt, textOf, writeExact } from './sql-json.ts'
import { parseTime } from './sql-time.ts'
import { CHANGED_AT, CREATED_AT, POSITION, type SqlTable } from './snapshot-schema.ts'

type Operand = ResolvedQuery['outputs'][number]['operand']
type Row = readonly unknown[]

/** Reads the rows of an answer, step by step. */
export interface RowsReader {
  /** How many rows it has yet to be given: one more than are asked for, which tells that there are more. */
  readonly missing: number
  /** How many rows it has found, one that tells that there are more included. */
  readonly found: number
  /**
   * Reads what is missing of the rows of a step, without the first `skip` of them.
   *
   * @throws Failure `answer_too_large`
   */
  read(step: Step, skip: number): void
  answer(count: Pick<Answer, 'total' | 'isEstimate'>): Answer
}

/** What readers read from. */
export interface RowsOrigin {
  readonly table: SqlTable
  readonly statements: Statements
  readonly maxBytes: number
}

/** Makes an answer of the cells of each row: every column is read once, whatever it is used for. */
export class CellsReader implements RowsReader {
  readonly #origin: RowsOrigin
  readonly #text: ResolvedQuery['text']
  readonly #columns: readonly Column[]
  readonly #limit: number
  readonly #rows: unknown[][] = []
  readonly #rowFacts: RowFacts[] = []
  #lastRow: Row | undefined
  #bytes = 0
  #hasMore = false
  readonly #facts: (row: Row) => RowFacts
  /** The outputs are the first cells of a row, in their order. */
  readonly #isPlain: boolean
  readonly #outputs: readonly ((row: Row) => unknown)[]
  readonly #order: readonly ((row: Row) => Cell)[]
  /** SQL of the cells that each row is made of. */
  readonly #sql: string

  constructor(origin: RowsOrigin, query: ResolvedQuery) {
    const { table } = origin
    const cells = new Cells(table)
    this.#origin = origin
    this.#text = query.text
    this.#limit = query.limit
    this.#columns = outputColumns(query)
    const plain = query.outputs.map(({ operand, cast }) =>
      operand.path.length === 0 && cast === null ? cells.column(operand.column.name) : -1,
    )
    this.#isPlain = plain.every((index, at) => index === at)
    this.#outputs = query.outputs.map(({ operand, name, cast }) => {
      const read = operandReader(operand, cells)
      return cast === null ? read : (row) => castCell(read(row), operand.type, cast, name)
    })
    this.#facts = factsReader(table, cells, query.times)
    this.#order = placeReaders(query, table, cells)
    this.#sql = cells.sql
  }

  get missing(): number {
    return this.#hasMore ? 0 : this.#limit + 1 - this.#rows.length
  }

  get found(): number {
    return this.#rows.length + Number(this.#hasMore)
  }

  read(step: Step, skip: number): void {
    const { table, statements } = this.#origin
    const { sql, params } = stepSql(table, step, this.#sql)
    const bound = [...params, this.missing, skip]
    const { statement } = statements.prepare(sql, bound)
    // One by one: a page of them may be too large to be read before that is noticed.
    for (const row of statement.iterate(...bound)) this.#add(row)
  }

  #add(row: Row): void {
    if (this.#rows.length >= this.#limit) {
      this.#hasMore = true
      return
    }
    const made = this.#isPlain ? row.slice(0, this.#outputs.length) : this.#outputs.map((read) => read(row))
    for (const cell of made) this.#bytes += typeof cell === 'string' ? cell.length + 2 : 8
    if (this.#bytes > this.#origin.maxBytes) throw tooLarge(this.#origin.maxBytes)
    this.#rows.push(made)
    this.#rowFacts.push(this.#facts(row))
    this.#lastRow = row
  }

  answer(count: Pick<Answer, 'total' | 'isEstimate'>): Answer {
    const row = this.#lastRow
    const text = this.#text && writeRows(this.#columns, this.#rows, this.#rowFacts, this.#text)
    return {
      columns: this.#columns,
      length: this.#rows.length,
      text: text ?? null,
      rows: text ? [] : this.#rows,
      facts: text ? [] : this.#rowFacts,
      last: row === undefined || !this.#hasMore ? null : this.#order.map((read) => read(row)),
      hasMore: this.#hasMore,
      ...count,
    }
  }
}

function writeRows(
  columns: readonly Column[],
  rows: readonly Row[],
  facts: readonly RowFacts[],
  { names, separator }: TextShape,
): Uint8Array {
  const write = names === null ? rowToJson(columns) : recordToJson(columns, names)
  return joinUtf8(
    rows.values().map((row, index) => write(row, facts[index]!)),
    separator,
  )
}

/** The outputs of a query with the types of what they hold. */
export function outputColumns({ outputs }: Pick<ResolvedQuery, 'outputs'>): Column[] {
  return outputs.map(({ operand, name, cast }) => ({ name, type: cast ?? operand.type }))
}

/** What reads, of a row, the place in the order where an answer goes on behind it. */
export function placeReaders(query: ResolvedQuery, table: SqlTable, cells: Cells): ((row: Row) => Cell)[] {
  const exactReader = (type: Column['type'], read: (row: Row) => unknown) =>
    type === 'integer' ? (row: Row) => exactCell(read(row)) : (row: Row) => read(row) as Cell
  const position = query.byKey ? -1 : cells.add(`t.${POSITION}`)
  const ties = query.byKey
    ? table.key.map((name) => {
        const index = cells.column(name)
        return exactReader(typeOf(table, name), (row) => row[index])
      })
    : [(row: Row) => row[position] as Cell]
  const terms = query.order.map(({ operand }) => exactReader(operand.type, operandReader(operand, cells)))
  return [...terms, ...ties]
}

/** The cells that are read of a row `t`, each once. */
export class Cells {
  readonly #table: SqlTable
  readonly #sqls: string[] = []
  readonly #json = new Map<number, (row: Row) => ReturnType<typeof parseExact>>()

  constructor(table: SqlTable) {
    this.#table = table
  }

  column(name: string): number {
    return this.add(
      this.#table.read(
        this.#table.columns.find((column) => column.name === name)!,
        't.',
      ),
    )
  }

  /** Reads a cell of JSON, however many ask for places in it, once for each row. */
  json(index: number): (row: Row) => ReturnType<typeof parseExact> {
    const known = this.#json.get(index)
    if (known) return known
    let last: { readonly row: Row; readonly json: ReturnType<typeof parseExact> } | undefined
    const read = (row: Row) => {
      if (last?.row !== row) last = { row, json: parseExact(row[index] as string) }
      return last.json
    }
    this.#json.set(index, read)
    return read
  }

  add(sql: string): number {
    const known = this.#sqls.indexOf(sql)
    return known >= 0 ? known : this.#sqls.push(sql) - 1
  }

  get sql(): string {
    return this.#sqls.join(', ')
  }
}

/** Makes the function that tells which row it is and since when: as upstream says, where it does. */
export function factsReader(table: SqlTable, cells: Cells, times: ResolvedQuery['times']): (row: Row) => RowFacts {
  const key = table.key.map((name) => cells.column(name))
  const created = cells.add(`t.${CREATED_AT}`)
  const changed = cells.add(`t.${CHANGED_AT}`)
  const upstreamCreated = times.created === null ? -1 : cells.column(times.created)
  const upstreamModified = times.modified === null ? -1 : cells.column(times.modified)
  const [only] = key
  const idOf =
    key.length === 1 ? (row: Row) => String(row[only!]) : (row: Row) => keyText(key.map((index) => row[index]))
  return (row) => ({
    id: idOf(row),
    createdAt: (upstreamCreated >= 0 ? parseTime(row[upstreamCreated]) : null) ?? (row[created] as number),
    modifiedAt: (upstreamModified >= 0 ? parseTime(row[upstreamModified]) : null) ?? (row[changed] as number),
  })
}

export function tooLarge(maxBytes: number): Failure {
  return new Failure(
    'answer_too_large',
    `The answer would be larger than ${maxBytes} bytes. Ask for fewer rows or columns, or take an export.`,
    { facts: { max_bytes: maxBytes } },
  )
}

function operandReader({ column, path, asText }: Operand, cells: Cells): (row: Row) => unknown {
  const index = cells.column(column.name)
  if (path.length === 0) return (row) => row[index]
  const parsed = cells.json(index)
  return (row) => {
    if (row[index] === null) return null
    const place = placeAt(parsed(row), path)
    if (asText) return textOf(place)
    return place === undefined ? null : writeExact(place)
  }
}

function typeOf(table: SqlTable, name: string): Column['type'] {
  return table.columns.find((column) => column.name === name)!.type
}

/** An integer beyond 2^53 is read as digits; to go on behind it, it has to be a number again. */
function exactCell(cell: unknown): Cell {
  return typeof cell === 'string' ? BigInt(cell) : (cell as Cell)
}
