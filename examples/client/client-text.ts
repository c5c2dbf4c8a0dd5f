import { readFileSync } from 'node:fs'
import { literal, memberName, typeOf, type Schema } from './json-type.ts'

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly description?: string
  readonly schema: Schema
  readonly 'x-column'?: string
}

interface Content {
  readonly [type: string]: { readonly schema?: Schema }
}

interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly parameters?: readonly (Parameter | { readonly $ref: string })[]
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>
  readonly 'x-table'?: { readonly name: string; readonly component: string }
}

/** What of `/openapi.json` the client is made from. */
export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

interface Table {
  readonly name: string
  readonly component: string
  /** How columns are called in a query, where they are not called so themselves. */
  readonly queryNames: Readonly<Record<string, string>>
}

const HEAD = '// Made from the /openapi.json of a Holdfast by examples/client/generate.ts: do not edit.\n'
/** Parameters that ask for something else than JSON. */
const FORMS = ['format', 'stream', 'payload']
const RUNTIME = new URL('runtime.ts', import.meta.url)

/** A client for one Holdfast, as a TypeScript module that imports nothing. */
export function clientText(document: OpenApi): string {
  const runtime = readFileSync(RUNTIME, 'utf8')
  const names = typeNames(Object.keys(document.components.schemas), runtime)
  const nameOf = (component: string) => names.get(component) ?? 'unknown'
  const types = Object.entries(document.components.schemas).map(
    ([component, schema]) =>
      `${comment(schema.description)}export type ${nameOf(component)} = ${typeOf(schema, nameOf)}\n`,
  )
  const tables = tablesOf(document)
  const members = (write: (table: Table) => string) =>
    tables.map((table) => `      ${propertyName(table.name)}: ${write(table)},\n`).join('')
  const queryNames = ({ queryNames: all }: Table) => literal(all)
  return `${HEAD}
${runtime}
${types.join('\n')}
/** All that one Holdfast has, for whoever has this key. */
export function createClient(options: ClientOptions) {
  const connection = new Connection(options)
  return {
    tables: {
${members((table) => {
  const item = nameOf(`${table.component}.Record`)
  return `new TableClient<${nameOf(`${table.component}.Row`)}, ${item}>(connection, ${literal(table.name)}, ${queryNames(table)})`
})}    },
    rest: {
${members((table) => `new RestClient<${nameOf(`${table.component}.Row`)}>(connection, ${literal(table.name)}, ${queryNames(table)})`)}    },
    /** What changes from now on, or since a position, page after page. */
    changes: (query: { readonly since?: string; readonly source?: string; readonly table?: string; readonly wait?: number } = {}) =>
      followChanges<ChangePage>(connection, query),
${callsOf(document, nameOf)}  }
}
`
}

/** A method for each operation that answers with JSON and is about no table of its own. */
function callsOf({ paths }: OpenApi, nameOf: (component: string) => string): string {
  const calls = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, operation]) => {
      const answer = answerOf(operation)
      return answer === undefined || operation['x-table'] ? [] : [callOf({ path, method, operation, answer, nameOf })]
    }),
  )
  return calls.join('')
}

interface Call {
  readonly path: string
  readonly method: string
  readonly operation: Operation
  readonly answer: Schema
  readonly nameOf: (component: string) => string
}

function callOf({ path, method, operation, answer, nameOf }: Call): string {
  const parameters = (operation.parameters ?? []).filter(
    (one): one is Parameter => 'name' in one && one.in !== 'header',
  )
  const own = parameters.filter(({ name }) => name !== 'filters' && !FORMS.includes(name))
  const isNeeded = own.some(({ required }) => required)
  const members = own.map(
    ({ name, required, schema }) => `readonly ${memberName(name)}${required ? '' : '?'}: ${typeOf(schema, nameOf)}`,
  )
  if (parameters.some(({ name }) => name === 'filters')) members.push('readonly [filter: string]: Parameter')
  const body = operation.requestBody?.content['application/json']?.schema
  const inPath = own.filter((one) => one.in === 'path').map(({ name }) => name)
  const target = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => `\${encodeURIComponent(${name})}`)
  const takes = [
    ...(members.length > 0
      ? [`query: {\n${members.map((member) => `      ${member}\n`).join('')}    }${isNeeded ? '' : ' = {}'}`]
      : []),
    ...(body ? [`body: ${typeOf(body, nameOf)} = {}`] : []),
  ]
  const type = typeOf(answer, nameOf)
  const [before, rest] =
    inPath.length === 0
      ? ['', members.length > 0 ? 'query' : '{}']
      : inPath.length === members.length
        ? [`      const { ${inPath.join(', ')} } = query\n`, '{}']
        : [`      const { ${[...inPath, '...rest'].join(', ')} } = query\n`, 'rest']
  return `    /** ${operation.summary.replaceAll('*/', '* /')} */
    async ${operation.operationId}(${takes.join(', ')}): Promise<${type}> {
${before}      return await connection.send<${type}>('${method.toUpperCase()}', \`${target}\`, ${rest}${body ? ', body' : ''})
    },
`
}

/** What it answers when all is well, where that is JSON before anything else. */
function answerOf({ responses }: Operation): Schema | undefined {
  const [, good] = Object.entries(responses).find(([status]) => /^20[0-2]$/.test(status)) ?? []
  const [type, media] = Object.entries(good?.content ?? {})[0] ?? []
  return type === 'application/json' ? media?.schema : undefined
}

function tablesOf({ paths }: OpenApi): Table[] {
  return Object.entries(paths).flatMap(([path, { get }]) => {
    const about = get?.['x-table']
    if (!about || !path.startsWith('/api/tables/') || path.endsWith('/{id}')) return []
    const parameters = (get.parameters ?? []).filter((one): one is Parameter => 'name' in one)
    const differing = parameters.flatMap(({ name, 'x-column': column }) =>
      column === undefined || column === name ? [] : [[column, name] as const],
    )
    return [{ name: about.name, component: about.component, queryNames: Object.fromEntries(differing) }]
  })
}

/** `__proto__: …` in an object would set its prototype. */
function propertyName(name: string): string {
  return name === '__proto__' ? `[${literal(name)}]` : memberName(name)
}

/** What components are called as types: no two alike, and none like what the runtime has. */
function typeNames(components: readonly string[], runtime: string): Map<string, string> {
  const taken = new Set(
    [...runtime.matchAll(/^(?:export )?(?:class|interface|type|function\*?|async function\*?) (\w+)/gm)].map(
      ([, name]) => name!,
    ),
  )
  // Those that are global, and meant as such.
  for (const name of ['createClient', 'Record', 'Pick', 'Readonly', 'Exclude', 'Object', 'Error', 'Array', 'Promise'])
    taken.add(name)
  return new Map(
    components.map((component) => {
      const base = component.replaceAll(/[^A-Za-z0-9_]/g, '')
      let name = base
      for (let n = 2; taken.has(name); n++) name = `${base}_${n}`
      taken.add(name)
      return [component, name]
    }),
  )
}

function comment(text: string | undefined): string {
  return text === undefined ? '' : `/** ${text.replaceAll('*/', '* /').replaceAll(/\s+/g, ' ')} */\n`
}
