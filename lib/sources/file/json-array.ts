import { Malformed, type ArrayPart, type Batch, type Format, type FormatState } from './format.ts'
import { ObjectReader, skipSpace } from './json-object.ts'
import { RowCollector } from './row-collector.ts'

const EXPECTED = 'one JSON array of objects'

/** A file that is one JSON array of objects. */
export function jsonArray(resumeFrom?: FormatState): Format {
  const objects = new ObjectReader()
  let part: ArrayPart = resumeFrom?.part ?? 'before'
  let record = resumeFrom?.record ?? 0

  function cutOffInside(index: number): Malformed {
    return new Malformed(`the end of the file inside ${name()} (truncated)`, 'a closing }', { index })
  }

  const name = () => `record ${record + 1}`

  /** Steps over what stands in front of the next object: its index, or -1 when it does not come or not yet. */
  function objectStart(text: string, at: number, isLast: boolean): number {
    let start = at
    if (part === 'next' && text[start] === ',') {
      start = skipSpace(text, start + 1)
      if (start === text.length && isLast) throw cutOff(start)
    } else if (part === 'next') {
      throw new Malformed(`something else behind record ${record}`, 'a comma or the end of the array', { index: at })
    }
    if (start === text.length) return -1
    if (text[start] !== '{') throw new Malformed(`${name()} that is not an object`, EXPECTED, { index: start })
    return start
  }

  function cutOff(index: number): Malformed {
    return new Malformed(`the end of the file inside the array, behind record ${record} (truncated)`, 'a closing ]', {
      index,
    })
  }

  return {
    read(text, from, { isLast, maxRows }): Batch {
      const collected = new RowCollector()
      let at = from
      const batch = (): Batch => ({ columns: collected.columns, rows: collected.finish(), end: at })
      try {
        for (;;) {
          at = skipSpace(text, at)
          if (at === text.length || collected.rows.length === maxRows) return batch()
          if (part === 'after')
            throw new Malformed('more text behind the end of the array', 'nothing more', { index: at })
          if (part === 'before') {
            checkStart(text, at)
            part = 'first'
            at++
          } else if (text[at] === ']') {
            part = 'after'
            at++
          } else {
            const start = objectStart(text, at, isLast)
            if (start === -1) return batch()
            const object = objects.read(text, start, text.length, name)
            if (object === undefined && isLast) throw cutOffInside(start)
            if (object === undefined) return batch()
            collected.add(object, start, name)
            record++
            part = 'next'
            at = objects.end
          }
        }
      } catch (error) {
        if (collected.rows.length > 0) return batch()
        throw error
      }
    },

    finish() {
      if (part === 'before') throw new Malformed('an empty file', EXPECTED, null)
      if (part !== 'after') throw cutOff(0)
      return []
    },

    get state() {
      return { record, part }
    },
  }
}

function checkStart(text: string, index: number): void {
  if (text[index] === '[') return
  if (text[index] === '<') throw new Malformed('an HTML or XML page', EXPECTED, { index })
  if (text[index] === '{')
    throw new Malformed("an object (for one object a line, set `format: 'ndjson'`)", EXPECTED, { index })
  throw new Malformed('something else', EXPECTED, { index })
}
