import type { Answer, Cell, ResolvedQuery } from '../query.ts'
import { quote, sqliteCode } from './database.ts'
import { positionsSql, type Step } from './query-plan.ts'
import { Cells, outputColumns, placeReaders, tooLarge, type RowsOrigin, type RowsReader } from './query-rows.ts'
import { POSITION } from './snapshot-schema.ts'

/** Most rows that are written in one go: rows may be much larger than most are. */
const MAX_ROWS_AT_ONCE = 64
/** Bytes that are written in one go, by the average row. */
const USUAL_AT_ONCE = 1024 * 1024
/** Bytes that are never exceeded, by the largest row, unless it alone is larger. */
const MOST_AT_ONCE = 16 * 1024 * 1024
const NOTHING = new Uint8Array()

/**
 * Has SQLite itself write the rows of an answer, many as one text: no cell of them becomes a JavaScript value. First it is
 * found which rows these are, then they are written by their positions; only of the last one, where more rows are behind
 * it, the place in the order is read as cells.
 */
export class TextReader implements RowsReader {
  readonly #origin: RowsOrigin
  readonly #query: ResolvedQuery
  readonly #rowSql: string
  readonly #rowsAtOnce: number
  /** Of the rows that were found, separated by commas: text, so that one value comes over from SQLite for all of them. */
  #positions = ''
  #found = 0

  /** `rowSql` writes one row; `most` is 0 where it is not known. */
  constructor(
    origin: RowsOrigin,
    query: ResolvedQuery,
    { rowSql, rowBytes: { usual, most } }: { rowSql: string; rowBytes: { usual: number; most: number } },
  ) {
    this.#origin = origin
    this.#query = query
    this.#rowSql = rowSql
    const mostAtOnce = Math.min(MOST_AT_ONCE, origin.maxBytes)
    const rows = Math.min(MAX_ROWS_AT_ONCE, USUAL_AT_ONCE / usual, mostAtOnce / most)
    this.#rowsAtOnce = Math.max(1, Math.floor(rows))
  }

  get missing(): number {
    return this.#query.limit + 1 - this.#found
  }

  get found(): number {
    return this.#found
  }

  read(step: Step, skip: number): void {
    const { statements } = this.#origin
    const { sql, params } = positionsSql(step)
    const bound = [...params, this.missing, skip]
    const all = `SELECT group_concat(p), count(*) FROM (${sql})`
    const [positions, found] = statements.prepare(all, bound).statement.get(...bound) as [string | null, number]
    if (positions === null) return
    this.#positions += this.#found === 0 ? positions : `,${positions}`
    this.#found += found
  }

  answer(count: Pick<Answer, 'total' | 'isEstimate'>): Answer {
    const { limit } = this.#query
    const hasMore = this.#found > limit
    const length = Math.min(this.#found, limit)
    // The one that tells that there are more is the last.
    const shown = hasMore ? this.#positions.slice(0, Math.max(0, this.#positions.lastIndexOf(','))) : this.#positions
    return {
      columns: outputColumns(this.#query),
      length,
      text: length === 0 ? NOTHING : this.#write(shown, length),
      rows: [],
      facts: [],
      last: hasMore && length > 0 ? this.#placeOf(Number(shown.slice(shown.lastIndexOf(',') + 1))) : null,
      hasMore,
      ...count,
    }
  }

  #write(positions: string, length: number): Uint8Array {
    const { table, maxBytes } = this.#origin
    const separator = this.#query.text?.separator ?? ','
    const sql = `SELECT CAST(group_concat(${this.#rowSql}, ${separator === '\n' ? 'char(10)' : `','`}) AS BLOB)
      FROM json_each(?) AS f CROSS JOIN ${quote(table.sqlName)} AS t ON t.${POSITION} = f.value`
    const size = this.#rowsAtOnce
    const texts: Uint8Array[] = []
    let bytes = 0
    for (const some of length <= size ? [positions] : partsOf(positions, size)) {
      const text = this.#textOf(sql, some)
      bytes += text.length + 1
      if (bytes > maxBytes) throw tooLarge(maxBytes)
      if (texts.length > 0) texts.push(Buffer.from(separator))
      texts.push(text)
    }
    return texts.length === 1 ? texts[0]! : Buffer.concat(texts)
  }

  #textOf(sql: string, positions: string): Uint8Array {
    const { statements, maxBytes } = this.#origin
    const bound = [`[${positions}]`]
    try {
      return statements.prepare(sql, bound).statement.get(...bound)![0] as Uint8Array
    } catch (error) {
      throw sqliteCode(error) === 'SQLITE_TOOBIG' ? tooLarge(maxBytes) : error
    }
  }

  #placeOf(position: number): Cell[] {
    const { table, statements } = this.#origin
    const cells = new Cells(table)
    const readers = placeReaders(this.#query, table, cells)
    const sql = `SELECT ${cells.sql} FROM ${quote(table.sqlName)} AS t WHERE t.${POSITION} = ?`
    const row = statements.prepare(sql, [position]).statement.get(position)!
    return readers.map((read) => read(row))
  }
}

/** So many of a list at a time. */
function partsOf(list: string, size: number): string[] {
  const all = list.split(',')
  return Array.from({ length: Math.ceil(all.length / size) }, (_, part) =>
    all.slice(part * size, (part + 1) * size).join(','),
  )
}
