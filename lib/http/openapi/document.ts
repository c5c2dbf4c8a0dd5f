import type { Route } from '../route.ts'
import { componentSchemas } from './components.ts'
import type { OpenApiDocument, Operation, PathItem } from './document-types.ts'
import { FailureResponses } from './failure-responses.ts'
import { headerComponents } from './headers.ts'
import { operationOf, type Reader } from './operation.ts'
import { TAGS } from './route-doc.ts'
import { ROUTE_DOCS } from './routes/index.ts'
import { describeTables, MAX_COLUMNS, MAX_TABLES, type DescribedTable } from './table-paths.ts'

export interface DocumentParts extends Reader {
  readonly routes: readonly Route[]
  /** What whoever reads it sees: these get paths of their own. */
  readonly tables: readonly DescribedTable[]
  readonly version: string
}

const DESCRIPTION = `A mirror of slow upstreams that answers at once: every answer comes from one snapshot, whole, and says how old it is.

All but \`/\`, \`/docs\`, \`/health\` and \`/ready\` needs a key: \`X-API-Key: <key>\`, \`Authorization: Bearer <key>\`, or \`apikey: <key>\`. It has scopes: \`read\`, \`sync\`, \`admin\`. What a key does not see does not exist for it. Streams and attachments in browsers take tickets.

GET answers HEAD too. Parameters that are not known are refused, bodies are optional JSON objects, times are ISO 8601 in UTC. Every failure is \`application/problem+json\` (RFC 9457) with a stable \`code\`; below \`/rest/v1\` it is what PostgREST's clients read. Answers may get more members; those that are documented stay.

`
const LIVE = `Tables have paths of their own, with their columns, beside those that take any table: the first ${MAX_TABLES}, as long as they have ${MAX_COLUMNS} columns together. Requests in \`x-examples\` can be sent as they stand.`
const STATIC =
  'The document of a running server, `/openapi.json`, also has the tables that are mirrored there, with their columns.'

/** The interface as OpenAPI 3.1, made of the routes, what is written about them, and the tables there are. */
export function openApiDocument({ routes, tables, version, ...reader }: DocumentParts): OpenApiDocument {
  const failures = new FailureResponses()
  const paths: Record<string, Partial<Record<'get' | 'post', Operation>>> = {}
  for (const route of routes) {
    const doc = ROUTE_DOCS[`${route.method} ${route.path}`]
    // Better a document without a route than none; a test sees to it that this does not happen.
    if (doc === undefined) continue
    const item = (paths[templateOf(route.path)] ??= {})
    item[route.method === 'GET' ? 'get' : 'post'] = operationOf(route, doc, failures, reader)
  }
  const described = describeTables(tables, routes, paths)
  return {
    openapi: '3.1.1',
    info: { title: 'Holdfast', version, description: DESCRIPTION + (reader.principal ? LIVE : STATIC) },
    servers: [{ url: '/' }],
    tags: [...Object.entries(TAGS).map(([name, description]) => ({ name, description })), ...described.tags],
    paths: { ...(paths as Record<string, PathItem>), ...described.paths },
    components: {
      schemas: { ...componentSchemas(), ...described.schemas },
      parameters: described.parameters,
      headers: headerComponents(),
      responses: failures.components,
      securitySchemes: {
        key: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        bearer: { type: 'http', scheme: 'bearer', description: 'The same key' },
        apikey: {
          type: 'apiKey',
          in: 'header',
          name: 'apikey',
          description: 'The same key, as supabase’s clients send it',
        },
        ticket: {
          type: 'apiKey',
          in: 'query',
          name: 'ticket',
          description: 'From `POST /api/tickets`, for streams and attachments in browsers',
        },
      },
    },
  }
}

/** `/api/runs/:id` as OpenAPI writes it. */
export function templateOf(path: string): string {
  return path.replaceAll(/:(\w+)/g, '{$1}')
}
