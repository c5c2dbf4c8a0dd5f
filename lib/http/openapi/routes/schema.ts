import { STATE_HEADERS } from '../headers.ts'
import type { RouteDocs } from '../route-doc.ts'
import { mapping, sampleTime, SNAPSHOT } from '../samples.ts'
import { MappingAnswer, MappingList, Stats, TypeList } from '../schemas/schema.ts'

const JSON_TYPE = 'application/json'

export const SCHEMA_DOCS: RouteDocs = {
  'GET /api/types': {
    tag: 'Schema',
    id: 'getTypes',
    description:
      'A TypeScript module: an interface and a zod schema for the rows of each table, valid whatever tables and columns are called. With `format=json`, the same as data.',
    parameters: { format: '`text` by default' },
    answers: [
      {
        status: 200,
        description: 'The types. As text they have an entity tag.',
        content: { 'text/plain': 'text', [JSON_TYPE]: TypeList },
        headers: STATE_HEADERS,
      },
    ],
    examples: [
      {
        summary: 'TypeScript',
        path: '/api/types',
        type: 'text/plain',
        answer: 'export interface Cities {\n  "id": string\n  "name": string | null\n  …\n}\n',
      },
      {
        summary: 'As data',
        path: '/api/types?format=json',
        answer: {
          generatedAt: sampleTime,
          tableCount: 1,
          tables: [{ ...mapping, fields: [{ ...mapping.fields.id, tsType: 'string' }] }],
        },
      },
      { summary: 'A format that is not there', path: '/api/types?format=xml', failure: 'bad_parameter' },
    ],
  },
  'GET /api/mappings': {
    tag: 'Schema',
    id: 'listMappings',
    description:
      'Which id belongs to which name, of all tables and their columns. Where the upstream has no ids, names are the ids.',
    answers: [
      { status: 200, description: 'The mappings.', content: { [JSON_TYPE]: MappingList }, headers: STATE_HEADERS },
    ],
    examples: [
      { summary: 'All of them', path: '/api/mappings', answer: { backend: 'sqlite', count: 1, mappings: [mapping] } },
    ],
  },
  'GET /api/mappings/:id': {
    tag: 'Schema',
    id: 'getMapping',
    description: 'Ids and names of one table.',
    parameters: { id: 'An id of the upstream’s, a name, a normalized name, or one of them behind `source.`' },
    answers: [
      { status: 200, description: 'The mapping.', content: { [JSON_TYPE]: MappingAnswer }, headers: STATE_HEADERS },
    ],
    failures: ['table_not_found', 'no_snapshot'],
    examples: [
      { summary: 'Of one table', path: '/api/mappings/{table}', answer: { backend: 'sqlite', ...mapping } },
      { summary: 'Of one that is not there', path: '/api/mappings/no-such-table', failure: 'table_not_found' },
    ],
  },
  'GET /api/stats': {
    tag: 'Schema',
    id: 'getStats',
    description:
      'Rows and bytes of every source and table. A key with scope `admin` that sees everything also learns how the process is doing that answers: connections, memory, caches, slow queries.',
    answers: [{ status: 200, description: 'Figures.', content: { [JSON_TYPE]: Stats }, headers: STATE_HEADERS }],
    examples: [
      {
        summary: 'All figures',
        path: '/api/stats',
        answer: {
          backend: 'sqlite',
          stats: { totalRecords: 171_075, totalTables: 1, dbSize: '30.77 MB' },
          sources: [
            {
              source: 'cities',
              snapshot: SNAPSHOT,
              rows: 171_075,
              bytes: { snapshot: 32_260_096, previous: 0, bodies: 39_389_928, exports: 0 },
              tables: [{ name: 'cities', rows: 171_075, columns: 7, body_bytes: 21_933_121 }],
            },
          ],
        },
      },
    ],
  },
}
