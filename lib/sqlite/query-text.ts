import type { Answer, Cell, ResolvedQuery } from '../query.ts'
import { stepSql, type Step } from './query-plan.ts'
import { Cells, outputColumns, placeReaders, tooLarge, type RowsOrigin, type RowsReader } from './query-rows.ts'

/**
 * Has SQLite itself write the rows of an answer, all those of a step as one text: no cell of them becomes a JavaScript
 * value. Only the last row's place in the order is read as cells, where there are more rows behind it.
 */
export class TextReader implements RowsReader {
  readonly #origin: RowsOrigin
  readonly #query: ResolvedQuery
  /** SQL of all rows of a step as one text, and of how many they are. */
  readonly #sql: string
  readonly #texts: Uint8Array[] = []
  #length = 0
  #bytes = 0
  #last: readonly Cell[] | null = null
  #hasMore = false

  /** `rowSql` writes one row. */
  constructor(origin: RowsOrigin, query: ResolvedQuery, rowSql: string) {
    this.#origin = origin
    this.#query = query
    const separator = query.text?.separator === '\n' ? 'char(10)' : `','`
    this.#sql = `CAST(group_concat(${rowSql}, ${separator}) AS BLOB), count(*)`
  }

  get missing(): number {
    return this.#hasMore ? 0 : this.#query.limit + 1 - this.#length
  }

  get found(): number {
    return this.#length + Number(this.#hasMore)
  }

  read(step: Step, skip: number): void {
    const wanted = this.#query.limit - this.#length
    const found = wanted === 0 ? 0 : this.#readTexts(step, wanted, skip)
    if (found < wanted) return
    // The page is full: is there a row behind it?
    const places = this.#places(step, { limit: found > 0 ? 2 : 1, offset: skip + Math.max(0, found - 1) })
    if (found > 0) this.#last = places.shift()!
    this.#hasMore = places.length > 0
  }

  answer(count: Pick<Answer, 'total' | 'isEstimate'>): Answer {
    const [only] = this.#texts
    return {
      columns: outputColumns(this.#query),
      length: this.#length,
      text: only && this.#texts.length === 1 ? only : this.#joined(),
      rows: [],
      facts: [],
      last: this.#hasMore ? this.#last : null,
      hasMore: this.#hasMore,
      ...count,
    }
  }

  #readTexts(step: Step, limit: number, skip: number): number {
    const { table, statements, maxBytes } = this.#origin
    const { sql, params } = stepSql(table, step, this.#sql)
    const bound = [...params, limit, skip]
    const [text, found] = statements.prepare(sql, bound).statement.get(...bound) as [Uint8Array | null, number]
    if (text === null) return 0
    this.#bytes += text.length
    if (this.#bytes > maxBytes) throw tooLarge(maxBytes)
    this.#texts.push(text)
    this.#length += found
    return found
  }

  #places(step: Step, { limit, offset }: { limit: number; offset: number }): (readonly Cell[])[] {
    const { table, statements } = this.#origin
    const cells = new Cells(table)
    const readers = placeReaders(this.#query, table, cells)
    const { sql, params } = stepSql(table, step, cells.sql)
    const bound = [...params, limit, offset]
    const rows = statements.prepare(sql, bound).statement.all(...bound)
    return rows.map((row) => readers.map((read) => read(row)))
  }

  #joined(): Buffer {
    const separator = Buffer.from(this.#query.text?.separator ?? ',')
    return Buffer.concat(this.#texts.flatMap((text, index) => (index === 0 ? [text] : [separator, text])))
  }
}
