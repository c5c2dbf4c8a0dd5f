import type { Value } from '../../column.ts'
import { Malformed, type Batch, type Format, type FormatState } from './format.ts'
import { ObjectReader } from './json-object.ts'
import { RowCollector } from './row-collector.ts'

const EXPECTED = 'one JSON object a line'

/** A file with one JSON object a line. Blank lines are skipped; the last line needs no line end. */
export function ndjson(resumeFrom?: FormatState): Format {
  const objects = new ObjectReader()
  let record = resumeFrom?.record ?? 0
  let line = resumeFrom?.line ?? 0

  const name = () => `line ${line + 1}`

  function readLine(text: string, start: number, lineEnd: number, isCutOff: boolean): Record<string, Value> {
    if (text[start] !== '{') throw notAnObject(text, start)
    const object = objects.read(text, start, lineEnd, name)
    if (object === undefined) {
      const found = isCutOff
        ? `the end of the file inside ${name()} (truncated)`
        : `the end of ${name()} inside an object`
      throw new Malformed(found, EXPECTED, { index: start })
    }
    const behind = skipBlanks(text, objects.end)
    if (behind < lineEnd) throw new Malformed(`more text behind the object on ${name()}`, EXPECTED, { index: behind })
    return object
  }

  function notAnObject(text: string, index: number): Malformed {
    if (record === 0 && text[index] === '<') return new Malformed('an HTML or XML page', EXPECTED, { index })
    const hint = record === 0 && text[index] === '[' ? " (for one array, set `format: 'json'`)" : ''
    return new Malformed(`${name()} that is not an object${hint}`, EXPECTED, { index })
  }

  return {
    read(text, from, { isLast, maxRows }): Batch {
      const collected = new RowCollector()
      let at = from
      try {
        while (at < text.length && collected.rows.length < maxRows) {
          const newline = text.indexOf('\n', at)
          if (newline === -1 && !isLast) break
          const lineEnd = newline === -1 ? text.length : newline
          const start = skipBlanks(text, at)
          if (start < lineEnd) {
            collected.add(readLine(text, start, lineEnd, newline === -1), start, name)
            record++
          }
          line++
          at = newline === -1 ? lineEnd : newline + 1
        }
      } catch (error) {
        if (collected.rows.length === 0) throw error
      }
      return { columns: collected.columns, rows: collected.finish(), end: at }
    },

    finish() {
      if (record === 0) throw new Malformed('an empty file', EXPECTED, null)
      return []
    },

    get state() {
      return { record, line }
    },
  }
}

/** The index of the first character from `at` on that is not white space within a line. */
function skipBlanks(text: string, at: number): number {
  for (;;) {
    const code = text.charCodeAt(at)
    if (code !== 0x20 && code !== 0x0d && code !== 0x09) return at
    at++
  }
}
