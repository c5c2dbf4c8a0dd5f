import { isoTime } from '../record-json.ts'
import { keyText } from '../row-key.ts'
import type { Database } from './database.ts'
import { FORMULA_VALUES } from './formula-values.ts'
import { decimalKey } from './sql-decimal.ts'
import { contains, jsonKey, keyOf, overlaps, parseExact, placeAt, textOf } from './sql-json.ts'
import { ilikeMatcher, likeMatcher, regexMatchers } from './sql-patterns.ts'
import { parseTime } from './sql-time.ts'

/**
 * The SQL functions that queries are compiled to, each the same wherever a snapshot is read. NULL in gives NULL out, as
 * everywhere in SQL.
 */
export function addQueryFunctions(db: Database): void {
  const add = (name: string, apply: (...args: string[]) => string | number | null): void => {
    db.function(name, { deterministic: true, directOnly: true, varargs: true }, (...args: unknown[]) =>
      args.includes(null) ? null : apply(...(args as string[])),
    )
  }
  add('hf_decimal', decimalKey)
  add('hf_like', (text, pattern) => Number(likeMatcher(pattern)(text)))
  add('hf_ilike', (text, pattern) => Number(ilikeMatcher(pattern)(text)))
  add('hf_match', (text, pattern) => Number(regexMatchers.match(pattern)(text)))
  add('hf_imatch', (text, pattern) => Number(regexMatchers.imatch(pattern)(text)))
  add('hf_json_key', jsonKey)
  add('hf_json_key_at', (json, path) => {
    const place = placeAt(parseExact(json), pathOf(path))
    return place === undefined ? null : keyOf(place, 0)
  })
  add('hf_json_text_at', (json, path) => textOf(placeAt(parseExact(json), pathOf(path))))
  add('hf_cs', (json, path, value) => compare(json, path, (place) => contains(place, parseExact(value))))
  add('hf_cd', (json, path, value) => compare(json, path, (place) => contains(parseExact(value), place)))
  add('hf_ov', (json, path, value) => compare(json, path, (place) => overlaps(place, parseExact(value))))
  add('hf_time', (cell) => parseTime(cell))
  add('hf_iso', (at) => isoTime(Number(at)))
  add('hf_json', (cell) => JSON.stringify(cell))
  for (const [name, apply] of Object.entries(FORMULA_VALUES)) add(`hf_f_${name}`, apply)
  add('hf_f_key', (...cells) => keyText(cells))
  add('hf_f_digits', numberOf)
  add('hf_f_failed', (errors, name) => Number(Object.hasOwn(JSON.parse(errors) as object, name)))
}

/** Null for what is no number, or no double. */
function numberOf(digits: string): number | null {
  const number = Number(digits)
  return Number.isFinite(number) ? number : null
}

function compare(json: string, path: string, test: (place: ReturnType<typeof parseExact>) => boolean): number | null {
  const place = placeAt(parseExact(json), pathOf(path))
  return place === undefined ? null : Number(test(place))
}

const paths = new Map<string, readonly (string | number)[]>()

function pathOf(text: string): readonly (string | number)[] {
  let path = paths.get(text)
  if (path === undefined) {
    path = JSON.parse(text) as readonly (string | number)[]
    if (paths.size >= 200) paths.clear()
    paths.set(text, path)
  }
  return path
}
