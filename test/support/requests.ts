import { airtableRequests, type AnsweredPage } from './airtable-requests.ts'

/** Requests as a stranger makes them, an enemy, and a program with a bug: from one generator of chance. */
export interface GeneratedRequest {
  /** Path and query, as they go on the wire. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  /** What is sent by POST; without, it is a GET. */
  readonly body?: string
}

export interface Vocabulary {
  readonly tables: readonly string[]
  /** With cells that are really there, or could be. */
  readonly columns: Readonly<Record<string, readonly string[]>>
  readonly ids: readonly string[]
  /** Lists of /v0 that can be gone on in: whoever sends what is generated may add to them. */
  readonly pages?: readonly AnsweredPage[]
}

const PLAIN = ['eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'in', 'is', 'isdistinct', 'not.eq', 'not.in', 'eq(any)'] as const
const OPERATORS =
  'eq neq gt gte lt lte like ilike match imatch is isdistinct in cs cd ov fts plfts phfts wfts sl sr nxl nxr adj eq(any) like(all) fts(english) not.eq not.not.eq EQ xx'.split(
    ' ',
  )
const HOSTILE = [
  `' OR 1=1 --`, `"; DROP TABLE wares; --`, `') UNION SELECT name FROM sqlite_master --`, `x" AS y, (SELECT 1)`, '_hf_row', '_hf_tables', 'rowid',
  'sqlite_master', '*', '', ' ', '\0', '\u202e', 'ﷺ'.repeat(50), '💣', '\ud800', '%', '%%', '\\', '"', "'", ')', '((((', '{}', '{"a":', '[1,',
  '-1', '1e999', 'NaN', '-0', '9223372036854775808', '99999999999999999999999999', '0x10', '1_000', 'null', 'true', 'undefined', '(a+)+$', '[', '(?<x>',
  '$.a', 'a->b', 'a->>-1', "a->'b'", '__proto__', 'constructor', 'toString', '../../etc/passwd', 'http://localhost/', 'a'.repeat(3000), ','.repeat(500),
  'now()', 'count()', 'wares(*)', '...x(*)', 'a::regclass', 'NEAR(a b, 5)', 'name:^a*', 'a AND OR NOT', '2026-02-30T25:61:00Z', '+00:00',
] // prettier-ignore
const PARAMETERS = [
  'select', 'order', 'limit', 'offset', 'and', 'or', 'not.and', 'not.or', 'page', 'pageSize', 'cursor', 'sort', 'fields', 'modifiedAfter', 'q', 'total',
  'format', 'on_conflict', 'columns', 'since', 'source', 'table', 'key', 'wait', 'start_row', 'end_row', 'before', 'api_key', 'ticket',
] // prettier-ignore
const OF_REST = ['select', 'order', 'limit', 'offset', 'and', 'or', 'not.and', 'not.or'] as const
const OF_TABLES = ['fields', 'sort', 'limit', 'pageSize', 'page', 'total', 'format', 'and', 'or', 'q'] as const
const OF_V0 = [
  'filterByFormula',
  'filterByFormula',
  'maxRecords',
  'pageSize',
  'fields[]',
  'sort[0][field]',
  'offset',
  'view',
  'cellFormat',
] as const
const HEADERS: readonly (readonly [string, readonly string[]])[] = [
  ['Accept', ['*/*', 'application/json', 'text/csv', 'application/vnd.pgrst.object+json', 'application/x-ndjson', 'image/png', ';;;', 'application/vnd.pgrst.array+json;nulls=stripped']],
  ['Prefer', ['count=exact', 'count=planned', 'count=estimated', 'count=maybe', 'handling=strict, x=y', 'return=minimal', '=', 'count=exact,count=planned']],
  ['Range', ['0-9', '5-', '9-5', 'items=0-9', 'bytes=0-1', '-', '0-99999999999999999999', 'a-b']],
  ['Range-Unit', ['items', 'bytes', '']],
  ['Accept-Encoding', ['gzip', 'br', 'zstd', 'identity', '*;q=0', 'identity;q=0', 'gzip;q=2', '']],
  ['If-None-Match', ['*', '"x"', 'W/"x"', '"', ',']],
  ['Cache-Control', ['only-if-cached', 'max-stale=0', 'min-fresh=1', 'max-age=0', 'max-age=x', 'no-cache']],
  ['Accept-Profile', ['public', 'private']],
  ['Last-Event-ID', ['0', 'x', '-']],
] // prettier-ignore

export function requestGenerator(random: () => number, vocabulary: Vocabulary): () => GeneratedRequest {
  const { tables, columns, ids } = vocabulary
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T
  const chance = (share: number) => random() < share
  const many = (max: number, make: () => string, separator = ',') =>
    Array.from({ length: 1 + Math.floor(random() * max) }, make).join(separator)

  const names = Object.keys(columns)
  const column = (name = pick(names)): string => {
    if (chance(0.04)) return pick(HOSTILE)
    if (chance(0.1)) return `"${name}"`
    return chance(0.06)
      ? name + many(3, () => pick(['->a', '->>a', '->0', '->>0', '->-1', '->"x y"', '->>']), '')
      : name
  }
  const value = (name?: string): string => {
    const known = name === undefined ? [] : (columns[name] ?? [])
    const other = () => (chance(0.5) ? pick(HOSTILE) : String(Math.floor(random() * 2000) - 500))
    const plain = known.length > 0 && chance(0.85) ? pick(known) : other()
    return chance(0.1) ? `"${plain}"` : plain
  }
  const operand = (operator: string, name: string): string => {
    if (operator.endsWith('in')) return chance(0.9) ? `(${many(6, () => value(name))})` : value()
    if (operator.endsWith('is')) return pick(['null', 'not_null', 'true', 'false', 'unknown', 'NULL', value()])
    if (/cs|cd|ov|any|all/.test(operator)) {
      return pick([`{${many(3, () => value(name))}}`, `["${value()}"]`, `{"a":${Math.floor(random() * 9)}}`, value()])
    }
    if (/like/.test(operator)) return pick(['*', '%a%', '*1*', 'W_re*', `*${value()}*`, '\\', '%'.repeat(200)])
    if (/match/.test(operator)) return pick(['^W', '[0-9]+$', '(a+)+$', '(', '(?i)x', 'a{1000}', value()])
    return value(name)
  }
  const test = (separator: '=' | '.'): string => {
    const operator = chance(0.6) ? pick(PLAIN) : pick(OPERATORS)
    const name = pick(names)
    return `${column(name)}${separator}${operator}.${operand(operator, name)}`
  }
  const tree = (depth: number): string => {
    const inner = () =>
      depth > 0 && chance(0.3) ? `${pick(['and', 'or', 'not.and', 'not.or'])}${tree(depth - 1)}` : test('.')
    return chance(0.03) ? '('.repeat(40) : `(${many(3, inner)})`
  }
  const formula = (depth: number): string => {
    const field = `{${column()}}`
    const text = `"${value().replaceAll(/["\\]/g, '\\$&')}"`
    if (depth === 0) return pick([field, text, String(Math.floor(random() * 100)), 'TRUE()', 'NOW()', value()])
    const inner = () => formula(depth - 1)
    return pick([
      `${inner()}${pick(['=', '!=', '<', '>=', '&', '+', '/'])}${inner()}`, `${pick(['AND', 'OR', 'XOR'])}(${many(3, inner)})`, `NOT(${inner()})`,
      `IF(${inner()},${inner()},${inner()})`, `FIND(${text},${field})`, `REGEX_MATCH(${field},"${pick(['^W', '(a+)+$', '(', 'b{999}b{999}'])}")`,
      `REPT(${text},${pick(['2', '1000000', '-1'])})`, `DATETIME_FORMAT(${inner()},${text})`, `SUBSTITUTE(${field},${text},${text})`, '('.repeat(60),
    ]) // prettier-ignore
  }
  const parameter = (of: readonly string[]): string => {
    const name = chance(0.95) ? pick(of) : pick(PARAMETERS)
    const text = (() => {
      switch (name) {
        case 'select':
        case 'fields':
          return many(4, () =>
            chance(0.2)
              ? `x:${column()}`
              : chance(0.2)
                ? `${column()}::${pick(['text', 'int', 'json', 'money'])}`
                : column(),
          )
        case 'order':
        case 'sort':
          return many(3, () => column() + pick(['', '.asc', '.desc', '.desc.nullslast', '.nullsfirst', '.up']))
        case 'and':
        case 'or':
        case 'not.and':
        case 'not.or':
          return tree(4)
        case 'limit':
        case 'pageSize':
        case 'maxRecords':
        case 'offset':
        case 'page':
          return pick(['0', '1', '5', '50', '100', chance(0.2) ? value() : '7', chance(0.2) ? '999999999999' : '20'])
        case 'format':
          return pick(['json', 'csv', 'ndjson', 'xml'])
        case 'total':
          return pick(['exact', 'estimated', 'none', 'all'])
        case 'filterByFormula':
          return formula(3)
        case 'fields[]':
        case 'sort[0][field]':
          return column()
        case 'wait':
          return pick(['x', '-1', '99999'])
        default:
          return value()
      }
    })()
    return `${encodeURIComponent(name)}=${encode(text)}`
  }
  /** Mostly as a client encodes it, sometimes hardly or wrongly. */
  const encode = (text: string): string => {
    if (chance(0.95)) return encodeURIComponent(text.toWellFormed()).replaceAll('%2C', ',')
    if (chance(0.3))
      return `${encodeURIComponent(text.toWellFormed())}${pick(['%', '%zz', '%c0%af', '%ff%fe', '%00', '+', '&', '#'])}`
    // What cannot stand in a request line at all would test the client.
    return text.replaceAll(/[^\x21-\x7e]/g, '')
  }
  const query = (of: readonly string[]): string =>
    many(2, () => {
      if (chance(0.35)) return parameter(of)
      const [name = '', ...rest] = test('=').split('=')
      return `${encode(name)}=${encode(rest.join('='))}`
    }, '&') // prettier-ignore

  const ofAirtable = airtableRequests({ pick, chance, hostile: HOSTILE }, vocabulary)

  return () => {
    if (chance(0.3)) return ofAirtable()
    const table = chance(0.95) ? pick(tables) : pick(HOSTILE)
    const id = chance(0.7) ? pick(ids) : pick(HOSTILE)
    const segment = (text: string) => encodeURIComponent(text.toWellFormed())
    const path = pick([
      `/api/tables/${segment(table)}`, `/api/tables/${segment(table)}`, `/rest/v1/${segment(table)}`, `/rest/v1/${segment(table)}`, `/rest/v1/${segment(table)}`,
      `/api/tables/${segment(table)}/${segment(id)}`, '/api/tables', '/fetch-data', '/api/changes', '/api/types', `/api/mappings/${segment(table)}`, '/api/stats',
      `/v0/wares/${segment(table)}`, `/v0/wares/${segment(table)}`, `/v0/wares/wares/${segment(id)}`, '/v0/meta/bases/wares/tables', '/api/attachments',
      '/status', '/api/runs', `/api/sources/${segment(table)}`, `/api/exports/${segment(id)}/${segment(table)}.csv`, `/rest/v1/rpc/${segment(table)}`,
    ]) // prettier-ignore
    const headers = Object.fromEntries(HEADERS.filter(() => chance(0.1)).map(([name, of]) => [name, pick(of)]))
    const of = path.startsWith('/rest')
      ? OF_REST
      : path.startsWith('/api/tables')
        ? OF_TABLES
        : path.startsWith('/v0/w')
          ? OF_V0
          : PARAMETERS
    const isAsked = chance(of === PARAMETERS ? 0.3 : 0.9)
    return { target: isAsked ? `${path}?${query(of)}` : path, headers }
  }
}
