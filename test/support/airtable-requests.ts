import { madeId } from '../../lib/http/v0/ids.ts'
import { recordIdOf } from '../../lib/record-id.ts'
import type { GeneratedRequest, Vocabulary } from './requests.ts'

/** A page that was answered, and where it says that its list goes on. */
export interface AnsweredPage {
  readonly request: GeneratedRequest
  readonly offset: string
}

export interface Chance {
  pick<T>(of: readonly T[]): T
  chance(share: number): boolean
  readonly hostile: readonly string[]
}

type Parameters = readonly (readonly [name: string, value: string])[]

const TEXTS = ['LOWER', 'UPPER', 'TRIM', 'LEN', 'VALUE', 'T', 'DATETIME_PARSE', 'YEAR', 'ISERROR', 'NOT', 'ABS', 'INT', 'SQRT', 'COUNTA', 'ARRAYJOIN', 'BLANK', 'NOW', 'TODAY', 'RECORD_ID', 'CREATED_TIME', 'LAST_MODIFIED_TIME', 'NOTHING'] // prettier-ignore
const PAIRS = ['LEFT', 'REPT', 'FIND', 'SEARCH', 'REGEX_MATCH', 'EXACT', 'ROUND', 'MOD', 'POWER', 'IS_BEFORE', 'IS_SAME', 'DATETIME_FORMAT', 'DATETIME_DIFF'] // prettier-ignore
const MANY = ['AND', 'OR', 'XOR', 'IF', 'SWITCH', 'MID', 'SUBSTITUTE', 'CONCATENATE', 'SUM', 'MAX', 'AVERAGE', 'DATEADD'] // prettier-ignore
const SIGNS = ['=', '!=', '<', '<=', '>', '>=', '&', '+', '-', '*', '/']
const LITERALS = ['0', '1', '-3', '1e9', '1e308', "''", "'days'", "'YYYY-MM-DD'", "'2024-02-29'", "'(a+)+$'", "'💣'"]

/** Requests to `/v0`, `/api/attachments` and `/webhooks`, as a stranger makes them, an enemy, and a program with a bug. */
export function airtableRequests(
  { pick, chance, hostile }: Chance,
  { columns, ids, pages = [] }: Vocabulary,
): () => GeneratedRequest {
  const names = Object.keys(columns)
  const fieldId = (name: string) => madeId('fld', 'wares', 'wares', name)
  const field = () => {
    const name = pick(names)
    return chance(0.05) ? pick(hostile) : chance(0.2) ? fieldId(name) : name
  }
  const quoted = (text: string) => `'${text.replaceAll(/['\\]/g, '\\$&')}'`
  const formula = (depth: number): string => {
    if (chance(0.02)) return pick(hostile)
    const inner = () => formula(depth - 1)
    if (depth === 0 || chance(0.25)) return chance(0.6) ? `{${field()}}` : pick([...LITERALS, quoted(pick(hostile))])
    if (chance(0.4)) return `(${inner()} ${pick(SIGNS)} ${inner()})`
    if (chance(0.4)) return `${pick(TEXTS)}(${inner()})`
    if (chance(0.5)) return `${pick(PAIRS)}(${inner()}, ${inner()})`
    return `${pick(MANY)}(${Array.from({ length: pick([1, 2, 3, 4, 40]) }, () => formula(depth > 2 ? 1 : depth - 1)).join(',')})`
  }
  const simple = () => {
    const name = pick(names)
    return `{${name}} ${pick(SIGNS.slice(0, 6))} ${quoted(pick([...(columns[name] ?? []), '']))}`
  }
  const value = (name: string): string => {
    if (chance(0.04)) return pick(hostile)
    if (name === 'filterByFormula') return chance(0.4) ? simple() : formula(pick([1, 2, 3, 5]))
    if (name === 'pageSize' || name === 'maxRecords') return pick(['1', '3', '50', '100', '101', '0', '1e2'])
    if (name === 'returnFieldsByFieldId') return pick(['true', 'false', '1'])
    if (name === 'view') return pick(['Grid view', madeId('viw', 'wares', 'wares'), 'viwNothing0000000'])
    if (name.endsWith('direction]')) return pick(['asc', 'desc', 'up'])
    return field()
  }
  const parameters = (): Parameters => {
    const known = ['fields[]', 'fields[]', 'sort[0][field]', 'sort[1][direction]', 'filterByFormula', 'filterByFormula', 'pageSize', 'maxRecords', 'returnFieldsByFieldId', 'view'] // prettier-ignore
    const asked = Array.from({ length: pick([0, 1, 1, 2, 3]) }, () => (chance(0.02) ? pick(hostile) : pick(known)))
    return asked.map((name) => [name, value(name)])
  }
  const segment = (text: string) => encodeURIComponent(text.toWellFormed())
  const queryOf = (of: Parameters) => of.map(([name, text]) => `${segment(name)}=${segment(text)}`).join('&')
  const bodyOf = (of: Parameters): object => {
    const body = Object.fromEntries(of.filter(([name]) => !name.includes('[')))
    const fields = of.filter(([name]) => name === 'fields[]').map(([, text]) => text)
    const sort = of
      .filter(([name]) => name === 'sort[0][field]')
      .map(([, text]) => ({ field: text, direction: 'desc' }))
    return { ...body, ...(fields.length > 0 && { fields }), ...(sort.length > 0 && { sort }) }
  }
  /** One member of one of the two lists that an offset is made of, another than it was. */
  const tampered = (offset: string): string => {
    if (chance(0.5)) return offset
    const parts = offset.replace('itr', '').split('/rec')
    const at = pick([0, 1])
    const members = JSON.parse(Buffer.from(parts[at] ?? '', 'base64url').toString()) as unknown[]
    members[pick([...members.keys()])] = pick([...hostile, -1, 9e15, 1.5, null, [], [null, 'x'], { n: '99999999999999999999' }])
    parts[at] = Buffer.from(JSON.stringify(members)).toString('base64url')
    return `itr${parts.join('/rec')}`
  } // prettier-ignore
  const going = ({ request, offset }: AnsweredPage): GeneratedRequest => {
    const next = tampered(offset)
    if (request.body !== undefined) {
      return {
        ...request,
        body: JSON.stringify({ ...(JSON.parse(request.body.trim() || '{}') as object), offset: next }),
      }
    }
    return { ...request, target: `${request.target}${request.target.includes('?') ? '&' : '?'}offset=${segment(next)}` }
  }

  return () => {
    if (pages.length > 0 && chance(0.25)) return going(pick(pages))
    const odd = (of: readonly string[]) => segment(chance(0.95) ? pick(of) : pick(hostile))
    const base = odd(['wares', madeId('app', 'wares')])
    const table = odd(['wares', 'wares.wares', madeId('tbl', 'wares', 'wares')])
    const id = odd([...ids, ...ids.map(recordIdOf)])
    const asked = parameters()
    const list = asked.length === 0 ? `/v0/${base}/${table}` : `/v0/${base}/${table}?${queryOf(asked)}`
    if (chance(0.5)) return { target: list, headers: {} }
    if (chance(0.5)) {
      const body = chance(0.97) ? JSON.stringify(bodyOf(asked)) : pick(hostile).toWellFormed()
      return { target: `/v0/${base}/${table}/listRecords`, headers: { 'Content-Type': 'application/json' }, body }
    }
    const target = pick([
      `/v0/${base}/${table}/${id}`, `/v0/${base}/${table}/${id}?returnFieldsByFieldId=true`, '/v0/meta/bases', '/v0/meta/whoami', `/v0/meta/bases/${base}/tables`,
      `/v0/meta/bases/${base}/tables?include[]=visibleFieldIds`, `/api/attachments?table=${table}`, `/api/attachments?table=${table}&field=${segment(field())}&record=${id}`,
      `/api/attachments?table=${table}&cursor=${segment(pick(hostile))}`, `/api/attachments/${odd(['att0', 'att1'])}`, `/api/attachments/${odd(['att0'])}?download=1`,
    ]) // prettier-ignore
    if (chance(0.9)) return { target, headers: chance(0.2) ? { Range: pick(['bytes=0-', 'bytes=9-1', 'x']) } : {} }
    const mac = pick([`hmac-sha256=${'0'.repeat(64)}`, 'hmac-sha256=', '0'])
    return { target: `/webhooks/airtable/${base}`, headers: { 'X-Airtable-Content-MAC': mac }, body: pick(['{}', 'x']) }
  }
}
