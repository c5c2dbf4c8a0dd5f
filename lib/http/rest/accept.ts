import { Failure } from '../../errors.ts'
import { mediaRanges, type MediaRange } from '../media-ranges.ts'

/** How rows are written. */
export interface Representation {
  readonly format: 'json' | 'csv'
  /** One object, and a failure unless there is exactly one row. */
  readonly isSingular: boolean
  /** Members that are null are left out, those inside JSON values too. */
  readonly stripsNulls: boolean
}

const ARRAY: Representation = { format: 'json', isSingular: false, stripsNulls: false }
const CSV: Representation = { format: 'csv', isSingular: false, stripsNulls: false }
const OBJECT: Representation = { format: 'json', isSingular: true, stripsNulls: false }
const OBJECT_TYPE = 'application/vnd.pgrst.object+json'
const ARRAY_TYPE = 'application/vnd.pgrst.array+json'
const STRIPPED = ';nulls=stripped'

const KNOWN: Readonly<Record<string, Representation>> = {
  '*/*': ARRAY,
  'application/*': ARRAY,
  'application/json': ARRAY,
  [ARRAY_TYPE]: ARRAY,
  'application/vnd.pgrst.array': ARRAY,
  [OBJECT_TYPE]: OBJECT,
  'application/vnd.pgrst.object': OBJECT,
  'text/csv': CSV,
  'text/*': CSV,
}
const AVAILABLE = ['application/json', 'text/csv', OBJECT_TYPE, ARRAY_TYPE + STRIPPED, OBJECT_TYPE + STRIPPED]

/** Media types that PostgREST has and that are not here, by how they begin. */
const MISSING: Readonly<Record<string, string>> = {
  'application/vnd.pgrst.plan': 'Plans of queries are not shown.',
  'application/geo+json': 'There are no geometries here to write as GeoJSON.',
  'application/openapi+json': 'Rows are not a description.',
}

/** The representation a client likes best of those there are. */
export function readAccept(header: string | undefined): Representation {
  if (header === undefined || header.trim() === '') return ARRAY
  for (const { type, parameters } of ranked(header)) {
    const known = Object.hasOwn(KNOWN, type) ? KNOWN[type]! : undefined
    if (known === undefined) continue
    const stripsNulls = parameters.get('nulls') === 'stripped' && type.startsWith('application/vnd.pgrst.')
    return stripsNulls ? { ...known, stripsNulls } : known
  }
  const asked = header.toLowerCase()
  const reason = Object.entries(MISSING).find(([type]) => asked.includes(type))?.[1]
  throw new Failure(
    'not_acceptable',
    `${reason === undefined ? '' : `${reason} `}Accept asks for ${JSON.stringify(header.slice(0, 100))}. There is: ${AVAILABLE.join(', ')}.`,
    { facts: { available: AVAILABLE } },
  )
}

export function contentType({ format, isSingular, stripsNulls }: Representation): string {
  if (format === 'csv') return 'text/csv; charset=utf-8; header=present'
  if (!isSingular && !stripsNulls) return 'application/json; charset=utf-8'
  return `${isSingular ? OBJECT_TYPE : ARRAY_TYPE}${stripsNulls ? STRIPPED : ''}; charset=utf-8`
}

/** In the order in which they are liked; those that are refused are left out. */
function ranked(header: string): MediaRange[] {
  return mediaRanges(header)
    .filter(({ weight }) => weight > 0)
    .toSorted((a, b) => b.weight - a.weight)
}
