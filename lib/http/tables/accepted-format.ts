import type { Format } from '../fetch-data-query.ts'
import { mediaRanges } from '../media-ranges.ts'

const FORMATS_BY_TYPE: Readonly<Record<string, Format>> = {
  'application/json': 'json',
  'text/csv': 'csv',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
}
/** JSON where they are all liked the same. */
const ANY: Readonly<Record<string, Format>> = { '*/*': 'json', 'application/*': 'json', 'text/*': 'csv' }

/**
 * The format that `Accept` likes best: by weight, then one that is named before one that any would do for, then the
 * first. JSON for a header that leaves none of ours: most who send such a one mean nothing by it.
 */
export function acceptedFormat(accept: string | undefined): Format {
  if (accept === undefined) return 'json'
  const named = new Map<Format, number>()
  const open = new Map<Format, number>()
  for (const { type, weight } of mediaRanges(accept)) {
    const byName = Object.hasOwn(FORMATS_BY_TYPE, type) ? FORMATS_BY_TYPE[type] : undefined
    const byAny = Object.hasOwn(ANY, type) ? ANY[type] : undefined
    if (byName !== undefined) named.set(byName, Math.max(weight, named.get(byName) ?? 0))
    if (byAny !== undefined) open.set(byAny, Math.max(weight, open.get(byAny) ?? 0))
  }
  let best: { format: Format; weight: number } = { format: 'json', weight: 0 }
  for (const [format, weight] of named) if (weight > best.weight) best = { format, weight }
  // A name says more than a range, also where it says that something is liked less.
  for (const [format, weight] of open) if (weight > best.weight && !named.has(format)) best = { format, weight }
  return best.format
}
