import type { Value } from '../../column.ts'
import { Malformed, type Batch, type Format, type FormatState } from './format.ts'

const QUOTE = 0x22
const LF = 0x0a
const CR = 0x0d

const MARKUP = /^\s*<(?:!doctype|!--|\?xml|html|head|body)/i
const EXPECTED_HEADER = 'a header with a name for each column'

/**
 * RFC 4180 with a header row; lines end in CR, LF or CRLF. An unquoted cell that is one of `nulls` is NULL; a quoted
 * one is always text. Blank lines are skipped, but in a file of one column a blank line is an empty cell.
 *
 * Written here because csv-parse tells quoted cells apart only by calling `cast` for each cell, which alone takes
 * longer than a whole sync may. The tests compare the two.
 */
export function csv(options: { delimiter: ',' | '\t'; nulls: readonly string[] }, resumeFrom?: FormatState): Format {
  const delimiter = options.delimiter.charCodeAt(0)
  const nulls = new Set(options.nulls)
  const longestNull = Math.max(-1, ...options.nulls.map((text) => text.length))
  let header: readonly string[] | undefined = resumeFrom?.header
  let record = resumeFrom?.record ?? 0

  /** Reads one record into `cells`: the index behind it, or -1 when more text is needed to tell. */
  function readRecord(text: string, from: number, isLast: boolean, cells: Value[]): number {
    const isHeader = header === undefined
    let at = from
    for (;;) {
      let code = text.charCodeAt(at)
      if (code === QUOTE) {
        const close = closingQuote(text, at)
        if (close === -1 && isLast) throw openQuote(at)
        if (close === -1) return -1
        const cell = text.slice(at + 1, close)
        cells.push(cell.includes('"') ? cell.replaceAll('""', '"') : cell)
        at = close + 1
        code = text.charCodeAt(at)
      } else {
        const start = at
        while (code !== delimiter && code !== LF && code !== CR && at < text.length) {
          if (code === QUOTE) throw strayQuote(at)
          code = text.charCodeAt(++at)
        }
        const cell = text.slice(start, at)
        cells.push(cell.length <= longestNull && !isHeader && nulls.has(cell) ? null : cell)
      }
      if (code === delimiter) at++
      else if (code === LF) return at + 1
      else if (at === text.length) return isLast ? at : -1
      else if (code !== CR) throw textBehindQuote(at)
      else if (text.charCodeAt(at + 1) === LF) return at + 2
      // At the end of the text, the LF of this CR may still come.
      else return at + 1 < text.length || isLast ? at + 1 : -1
    }
  }

  function readHeader(text: string, from: number, isLast: boolean): number {
    if (MARKUP.test(text.slice(from, from + 200))) {
      throw new Malformed('an HTML or XML page', EXPECTED_HEADER, { index: from })
    }
    if (isLast && text.slice(from).trim() === '') throw emptyFile()
    const names: Value[] = []
    const end = readRecord(text, from, isLast, names)
    if (end === -1) return from
    header = checkedNames(names as string[], from)
    return end
  }

  const name = () => (header === undefined ? 'the header' : `record ${record + 1}`)
  const openQuote = (index: number) =>
    new Malformed(`the end of the file inside a quoted cell of ${name()} (truncated)`, 'a closing quote', { index })
  const strayQuote = (index: number) =>
    new Malformed(`a quote inside an unquoted cell of ${name()}`, 'quotes around the whole cell', { index })
  const textBehindQuote = (index: number) =>
    new Malformed(`text behind a quoted cell of ${name()}`, 'a delimiter or the end of the line', { index })

  return {
    read(text, from, { isLast, maxRows }): Batch {
      let at = header === undefined ? readHeader(text, from, isLast) : from
      const rows: Value[][] = []
      if (header === undefined) return { columns: [], rows, end: at }
      const width = header.length
      try {
        while (at < text.length && rows.length < maxRows) {
          const cells: Value[] = []
          const end = readRecord(text, at, isLast, cells)
          if (end === -1) break
          if (cells.length === width) {
            rows.push(cells)
            record++
          } else if (!isLineEnd(text.charCodeAt(at))) {
            throw new Malformed(`${cells.length} cells in ${name()}`, `${width} as in the header`, { index: at })
          }
          at = end
        }
      } catch (error) {
        if (rows.length === 0) throw error
      }
      return { columns: header, rows, end: at }
    },

    finish() {
      if (header === undefined) throw emptyFile()
      return header
    },

    get state() {
      return { record, ...(header !== undefined && { header }) }
    },
  }
}

/** The index of the quote that ends the cell whose first quote is at `open`; -1 when it does not come. */
function closingQuote(text: string, open: number): number {
  let at = open
  for (;;) {
    at = text.indexOf('"', at + 1)
    if (at === -1 || text.charCodeAt(at + 1) !== QUOTE) return at
    at++
  }
}

function isLineEnd(code: number): boolean {
  return code === LF || code === CR
}

function checkedNames(names: readonly string[], index: number): readonly string[] {
  const empty = names.findIndex((name) => name.trim() === '')
  if (empty !== -1) throw new Malformed(`a header whose column ${empty + 1} has no name`, EXPECTED_HEADER, { index })
  const repeated = names.find((name, place) => names.indexOf(name) !== place)
  if (repeated === undefined) return names
  throw new Malformed(`a header that has ${JSON.stringify(repeated.slice(0, 60))} twice`, 'column names that differ', {
    index,
  })
}

function emptyFile(): Malformed {
  return new Malformed('an empty file', EXPECTED_HEADER, null)
}
