import type { Column } from '../../column.ts'
import type { TableInfo } from '../../snapshot.ts'
import { typeNames } from '../../type-text.ts'
import type { Route } from '../route.ts'
import { recordNames } from '../tables/record-names.ts'
import { refToId, type JsonSchema } from './components.ts'
import type { OpenApiDocument, Operation, Parameter, PathItem, Reference, Response } from './document-types.ts'
import { OBJECT_TYPE } from './routes/rest.ts'

const JSON_TYPE = 'application/json'

/** Beyond these a table has only the paths that take any table: the document stays one that can be read. */
export const MAX_TABLES = 200
export const MAX_COLUMNS = 5000

const LIST = '/api/tables/{table}'
const RECORD = '/api/tables/{table}/{id}'
const REST = '/rest/v1/{table}'

/** A table as whoever reads the document sees it. */
export interface DescribedTable {
  /** The shortest name that means it alone. */
  readonly name: string
  readonly source: string
  readonly table: TableInfo
  /** Those that are not hidden. */
  readonly columns: readonly Column[]
  /** The id of one of its records. */
  readonly id?: string | undefined
}

type Described = Pick<OpenApiDocument, 'paths' | 'tags'> & Pick<OpenApiDocument['components'], 'schemas' | 'parameters'>

/** The paths of certain tables, made from those that take any, and the schemas of their rows. */
export function describeTables(
  all: readonly DescribedTable[],
  routes: readonly Route[],
  generic: Readonly<Record<string, PathItem>>,
): Described {
  const tables = bounded(all)
  const names = typeNames(tables.map(({ name }) => asciiOf(name)))
  const shared = new SharedParameters()
  const paths: Record<string, PathItem> = {}
  const schemas: Record<string, JsonSchema> = {}
  const reserved = new Set(
    routes.flatMap(({ path, others, parameters }) =>
      others === 'filters' && path.endsWith('/:table') ? Object.keys(parameters) : [],
    ),
  )
  for (const [index, table] of tables.entries()) {
    const component = names[index]!
    Object.assign(schemas, schemasOf(table, component))
    const filters = table.columns.map(({ name, type }): Parameter => ({
      name: filterName(name, reserved),
      in: 'query',
      description: `Filter: ${type}`,
      schema: { type: 'string' },
      'x-column': name,
    }))
    const place = encodeURIComponent(table.name.toWellFormed())
    const about = { table, component, filters, shared }
    add(`/api/tables/${place}`, generic[LIST]?.get, about, {
      id: `list_${component}`, summary: `Records of ${table.name}`, schemas: { [JSON_TYPE]: refToId(`${component}.RecordList`) }, example: '?limit=1',
    }) // prettier-ignore
    add(`/api/tables/${place}/{id}`, generic[RECORD]?.get, { ...about, filters: [] }, {
      id: `get_${component}`, summary: `A record of ${table.name}`, schemas: { [JSON_TYPE]: refToId(`${component}.RecordAnswer`) },
    }) // prettier-ignore
    add(`/rest/v1/${place}`, generic[REST]?.get, about, {
      id: `select_${component}`,
      summary: `Rows of ${table.name}, in PostgREST’s grammar`,
      schemas: {
        [JSON_TYPE]: { type: 'array', items: refToId(`${component}.Row`) },
        [OBJECT_TYPE]: refToId(`${component}.Row`),
      },
      example: '?limit=1',
    })
  }

  function add(path: string, from: Operation | undefined, about: About, to: Specific): void {
    if (from) paths[path] = { get: specific(from, path, about, to) }
  }

  return {
    paths,
    schemas,
    parameters: shared.components,
    tags: tables.map(({ name, source }) => ({ name: tagOf(name), description: `Of the source \`${source}\`.` })),
  }
}

interface About {
  readonly table: DescribedTable
  readonly component: string
  readonly filters: readonly Parameter[]
  readonly shared: SharedParameters
}

interface Specific {
  readonly id: string
  readonly summary: string
  /** What its answers hold, by media type. */
  readonly schemas: Readonly<Record<string, JsonSchema>>
  /** What follows the path in a request that can be sent. */
  readonly example?: string
}

/** An operation that takes any table, as that of a certain one. */
function specific(from: Operation, path: string, about: About, to: Specific): Operation {
  const { table, component, filters, shared } = about
  const isGeneric = (parameter: Parameter) => parameter.name === 'table' || parameter.name === 'filters'
  const parameters = (from.parameters as readonly Parameter[])
    .filter((parameter) => !isGeneric(parameter))
    .map((parameter) => shared.refTo(from.operationId, parameter))
  const suffix = to.example ?? (table.id === undefined ? undefined : '')
  const target = path.replace('{id}', () => encodeURIComponent(table.id ?? ''))
  return {
    tags: [tagOf(table.name)],
    operationId: to.id,
    summary: to.summary,
    description: from.description,
    parameters: [...parameters, ...filters],
    responses: Object.fromEntries(
      Object.entries(from.responses).map(([status, response]) => [status, withRows(response, to.schemas)]),
    ),
    security: from.security,
    ...(suffix !== undefined && {
      'x-examples': [
        { summary: to.summary, method: 'GET', path: target + suffix, status: 200, type: 'application/json' },
      ],
    }),
    'x-table': { name: table.name, source: table.source, table: table.table.name, component },
  }
}

function withRows(response: Response | Reference, schemas: Specific['schemas']): Response | Reference {
  if ('$ref' in response || !response.content) return response
  const content = Object.entries(response.content).map(([type, { examples: _examples, ...media }]) => {
    const schema = schemas[type]
    return [type, schema ? { ...media, schema } : media] as const
  })
  return { ...response, content: Object.fromEntries(content) }
}

/** Parameters that all tables have: each is there once. */
class SharedParameters {
  readonly components: Record<string, Parameter> = {}

  refTo(operation: string, parameter: Parameter): Reference {
    const name = `${operation}.${parameter.in}.${parameter.name}`
    this.components[name] ??= parameter
    return { $ref: `#/components/parameters/${name}` }
  }
}

function schemasOf({ name, source, table, columns }: DescribedTable, component: string): Record<string, JsonSchema> {
  const cells = columns.map((column) => [column.name, cellSchema(column, table.key)] as const)
  const names = recordNames(table)
  const facts = [
    [names.id, { type: 'string', description: 'Which record it is' }],
    [names.created, { type: 'string', format: 'date-time' }],
    [names.modified, { type: 'string', format: 'date-time' }],
  ] as const
  const head = {
    backend: { const: 'sqlite' },
    source: { const: source },
    table: { const: table.name },
    snapshot: { type: 'string' },
  }
  const records = { type: 'array', items: refToId(`${component}.Record`) }
  return {
    [`${component}.Row`]: objectOf(cells, `A row of ${name}; with \`select\` or \`fields\`, what of it was asked for`),
    [`${component}.Record`]: objectOf(
      [...cells, ...facts],
      `A record of ${name}; with \`fields\`, what of it was asked for`,
    ),
    [`${component}.RecordList`]: objectOf(Object.entries({ ...head, records, pagination: refToId('Pagination') })),
    [`${component}.RecordAnswer`]: objectOf(
      Object.entries({ backend: { const: 'sqlite' }, record: refToId(`${component}.Record`) }),
    ),
  }
}

function objectOf(members: readonly (readonly [string, JsonSchema])[], description?: string): JsonSchema {
  return {
    type: 'object',
    ...(description !== undefined && { description }),
    properties: Object.fromEntries(members),
    required: members.map(([name]) => name),
  }
}

const CELLS: Readonly<Record<Column['type'], { readonly type?: readonly string[] } & JsonSchema>> = {
  integer: {
    type: ['integer', 'string'],
    pattern: '^-?\\d+$',
    description: 'Digits beyond 2^53, so that it stays exact',
  },
  real: { type: ['number'] },
  decimal: { type: ['string'], description: 'A number, digit for digit' },
  boolean: { type: ['boolean'] },
  text: { type: ['string'] },
  json: { description: 'Any JSON value' },
}

/** Anything but a part of the key, and JSON, may be null. */
function cellSchema({ name, type }: Column, key: readonly string[]): JsonSchema {
  const { type: types, ...rest } = CELLS[type]
  if (types === undefined) return rest
  const all = key.includes(name) ? types : [...types, 'null']
  return { type: all.length === 1 ? all[0] : all, ...rest }
}

/** A column's name as filters, `sort` and `select` take it: in quotes where its signs would mean something. */
export function filterName(name: string, reserved: ReadonlySet<string>): string {
  const isPlain = /^(?:[^\s\-,.:()"*<>=!{}[\]\\]|-(?!>)|(?<=\S) (?=\S))+$/.test(name) && !reserved.has(name)
  return isPlain ? name : `"${name.replaceAll(/["\\]/g, '\\$&')}"`
}

function tagOf(name: string): string {
  return `Table ${name}`
}

function bounded(tables: readonly DescribedTable[]): DescribedTable[] {
  let left = MAX_COLUMNS
  return tables.slice(0, MAX_TABLES).filter(({ columns }) => {
    if (columns.length > left) return false
    left -= columns.length
    return true
  })
}

/** Names of components are ASCII. */
function asciiOf(name: string): string {
  return name
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^ -~]/g, ' ')
}
