import { badParameter, readOpenQuery, unknownParameter, type ParameterRule } from '../query.ts'

/** For the description of the interface: the route reads its query by itself. */
export const LIST_PARAMETERS = {
  'fields[]': { kind: 'text', many: true },
  'sort[0][field]': { kind: 'text' },
  'sort[0][direction]': { kind: 'choice', of: ['asc', 'desc'] },
  filterByFormula: { kind: 'text' },
  view: { kind: 'text' },
  pageSize: { kind: 'integer', from: 1, to: 100 },
  maxRecords: { kind: 'integer', from: 1 },
  offset: { kind: 'text' },
  cellFormat: { kind: 'choice', of: ['json'] },
  returnFieldsByFieldId: { kind: 'flag' },
  'recordMetadata[]': { kind: 'choice', of: ['commentCount'] },
} as const satisfies Record<string, ParameterRule>

/** Which records, before anybody knows the table. */
export interface ListQuery extends RecordQuery {
  /** Names or ids; null: all. */
  readonly fields: readonly string[] | null
  readonly sort: readonly { readonly field: string; readonly isDescending: boolean }[]
  readonly formula: string | null
  readonly view: string | null
  readonly pageSize: number
  /** Over all pages. */
  readonly maxRecords: number | null
  readonly offset: string | null
  readonly countsComments: boolean
}

/** How a record is shown. */
export interface RecordQuery {
  readonly isByFieldId: boolean
}

type Members = Readonly<Record<string, unknown>>

const PAGE_SIZE = 100
const MAX_NAMES = 500
const MAX_SORTS = 20
const RECORD_MEMBERS = ['cellFormat', 'returnFieldsByFieldId']
/** `method` is how the official client sends a list; it is in what it sends, too. */
const LIST_MEMBERS = [
  ...RECORD_MEMBERS, 'fields', 'sort', 'filterByFormula', 'view', 'pageSize', 'maxRecords', 'offset', 'recordMetadata', 'method',
] // prettier-ignore

/** @throws Failure `bad_parameter`, `unknown_parameter` */
export function readListQuery(query: string): ListQuery {
  return listQueryOf(membersOf(query, LIST_MEMBERS), 'get')
}

/** The same members, in the body of a request. */
export function readListBody(body: Members, query: string): ListQuery {
  // Clients put there how cells are written out as texts, which they are not here.
  if (query !== '') membersOf(query, [])
  return listQueryOf(checked(body, LIST_MEMBERS), 'post')
}

export function readRecordQuery(query: string): RecordQuery {
  return recordQueryOf(membersOf(query, RECORD_MEMBERS))
}

function listQueryOf(members: Members, method: 'get' | 'post'): ListQuery {
  if (members.method !== undefined && members.method !== method)
    throw badParameter('method', `as ${method}, or not at all`)
  const metadata = names(members, 'recordMetadata') ?? []
  if (metadata.some((name) => name !== 'commentCount'))
    throw badParameter('recordMetadata', 'as commentCount: there is no other')
  return {
    ...recordQueryOf(members),
    fields: names(members, 'fields'),
    sort: sorts(members.sort),
    formula: text(members, 'filterByFormula'),
    view: text(members, 'view'),
    pageSize: count(members, 'pageSize', PAGE_SIZE) ?? PAGE_SIZE,
    maxRecords: count(members, 'maxRecords', Number.MAX_SAFE_INTEGER),
    offset: text(members, 'offset'),
    countsComments: metadata.length > 0,
  }
}

function recordQueryOf(members: Members): RecordQuery {
  const format = text(members, 'cellFormat')
  if (format !== null && format !== 'json')
    throw badParameter('cellFormat', 'as json: cells are not written out as texts here')
  return { isByFieldId: flag(members, 'returnFieldsByFieldId') }
}

const LIST = /^(fields|recordMetadata)\[(?:\d{1,4})?\]$/
const SORT = /^sort\[(\d{1,2})\]\[(field|direction)\]$/

/** A query string as the JSON that it stands for. */
function membersOf(query: string, known: readonly string[]): Members {
  const members = Object.create(null) as Record<string, unknown>
  const sort: Record<string, unknown>[] = []
  for (const [name, value] of readOpenQuery(query, {}).others) {
    const list = LIST.exec(name)?.[1]
    const [, index, member] = SORT.exec(name) ?? []
    if (list !== undefined && known.includes(list)) {
      const values = (members[list] ??= []) as string[]
      values.push(value)
    } else if (index !== undefined && known.includes('sort')) {
      const one = (sort[Number(index)] ??= {})
      if (one[member!] !== undefined) throw badParameter(name, 'once')
      one[member!] = value
    } else if (name === 'fields' || name === 'sort' || name === 'recordMetadata') {
      throw badParameter(name, name === 'sort' ? 'as sort[0][field]=…' : `as ${name}[]=…, once for each`)
    } else if (members[name] === undefined) members[name] = value
    else throw badParameter(name.slice(0, 100), 'once')
  }
  if (sort.length > 0) members.sort = sort.filter(Boolean)
  return checked(members, known)
}

function checked(members: Members, known: readonly string[]): Members {
  const unknown = Object.keys(members).find((name) => !known.includes(name))
  if (unknown !== undefined) throw unknownParameter(unknown, known)
  return members
}

function text(members: Members, name: string): string | null {
  const value = members[name]
  if (value === undefined || value === null || value === '') return null
  if (typeof value === 'string' && !value.includes('\0')) return value
  throw badParameter(name, 'as text')
}

function flag(members: Members, name: string): boolean {
  const value = members[name] ?? false
  if (value === true || value === 'true') return true
  if (value === false || value === 'false') return false
  throw badParameter(name, 'as true or false')
}

function count(members: Members, name: string, most: number): number | null {
  const value = members[name] ?? null
  if (value === null) return null
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isInteger(number) && number >= 1 && number <= most) return number
  throw badParameter(name, `as a whole number from 1 to ${most}`)
}

/** A list of none asks for nothing in particular, as one that is not there. */
function names(members: Members, name: string): readonly string[] | null {
  const value = members[name] ?? null
  if (value === null) return null
  if (
    !Array.isArray(value) ||
    value.length > MAX_NAMES ||
    !value.every((one) => typeof one === 'string' && one !== '')
  ) {
    throw badParameter(name, `as a list of at most ${MAX_NAMES} names`)
  }
  return value.length === 0 ? null : (value as string[])
}

function sorts(value: unknown): ListQuery['sort'] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value) || value.length > MAX_SORTS)
    throw badParameter('sort', `as a list of at most ${MAX_SORTS} fields`)
  return value.map((one: unknown) => {
    const { field, direction = 'asc', ...others } = (typeof one === 'object' && one !== null ? one : {}) as Members
    const isFine = typeof field === 'string' && field !== '' && (direction === 'asc' || direction === 'desc')
    if (isFine && Object.keys(others).length === 0) return { field, isDescending: direction === 'desc' }
    throw badParameter('sort', 'with a field, and a direction that is asc or desc')
  })
}
