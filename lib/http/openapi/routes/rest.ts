import { CODED_HEADERS, DATA_HEADERS } from '../headers.ts'
import type { RouteDoc, RouteDocs } from '../route-doc.ts'
import { city } from '../samples.ts'
import { TableRow, TableRows } from '../schemas/tables.ts'
import { FILTERS } from './tables.ts'

const JSON_TYPE = 'application/json'
export const OBJECT_TYPE = 'application/vnd.pgrst.object+json'

const REST_PARAMETERS = {
  select: 'Columns, in this order: `name,size:data->>size,price::text`; `*` is all of them',
  order: '`country,price.desc.nullslast`',
  limit: 'How many rows; `MAX_ROWS` at most, whatever is asked',
  offset: 'How many rows to pass over',
  and: 'Conditions that all hold',
  or: 'Conditions of which one holds: `(price.lt.10,and(kind.eq.fruit,price.is.null))`',
  'not.and': 'Conditions that do not all hold',
  'not.or': 'Conditions of which none holds',
} as const
const REST_REQUEST_HEADERS = {
  Range: 'Rows, counted from 0: `0-24`',
  Prefer: '`count=exact`, `count=planned`, `count=estimated`; `handling=strict`',
} as const

const rpc = (method: string): RouteDoc => ({
  tag: 'Tables',
  id: `${method}Function`,
  description: 'There are no functions: that is what PostgREST’s clients are told here.',
  parameters: { function: 'The name of a function' },
  answers: [],
  failures: ['route_not_found'],
  examples: [{ summary: 'Any function', path: '/rest/v1/rpc/hello', failure: 'route_not_found' }],
})

export const REST_DOCS: RouteDocs = {
  'GET /rest/v1/:table': {
    tag: 'Tables',
    id: 'selectRows',
    description: `Rows in PostgREST's grammar: its clients, such as \`@supabase/postgrest-js\`, work as they are. \`Accept\` chooses between a list, one object (\`${OBJECT_TYPE}\`) and CSV.\n\n${FILTERS}`,
    parameters: { table: '`source.table`, or the plain name where only one table has it', ...REST_PARAMETERS },
    requestHeaders: REST_REQUEST_HEADERS,
    answers: [
      {
        status: 200,
        description: 'Rows.',
        content: { [JSON_TYPE]: TableRows, [OBJECT_TYPE]: TableRow, 'text/csv': 'text' },
        headers: [...CODED_HEADERS, 'Content-Range', 'Preference-Applied'],
      },
      {
        status: 206,
        description: 'Some of the rows that there are, which have been counted.',
        content: { [JSON_TYPE]: TableRows, 'text/csv': 'text' },
        headers: [...CODED_HEADERS, 'Content-Range', 'Preference-Applied'],
      },
      { status: 304, description: 'It is what the client has.', headers: DATA_HEADERS },
    ],
    failures: [
      'table_not_found', 'column_not_found', 'bad_filter', 'bad_value', 'not_supported', 'not_singular',
      'range_not_satisfiable', 'no_snapshot', 'not_cached', 'not_acceptable', 'answer_too_large', 'readers_busy', 'query_deadline',
    ], // prettier-ignore
    examples: [
      { summary: 'Rows', path: '/rest/v1/{table}?limit=1', answer: [city] },
      {
        summary: 'Filtered, ordered, narrowed',
        path: '/rest/v1/{table}?select={column}&{column}=not.is.null&order={column}.desc&limit=1',
        answer: [{ country: 'ZW' }],
      },
      {
        summary: 'Some of them, and how many there are',
        path: '/rest/v1/{table}?limit=0',
        headers: { Prefer: 'count=exact' },
        status: 206,
        answer: [],
      },
      {
        summary: 'As CSV',
        path: '/rest/v1/{table}?limit=1',
        headers: { Accept: 'text/csv' },
        type: 'text/csv',
        answer: 'id,name,lat,lng,country,admin1,admin2\r\necd130390905cf8bcf44,El Tarter,42.57952,1.65362,AD,02,""\r\n',
      },
      {
        summary: 'One row, as an object',
        path: '/rest/v1/{table}?order={column}&limit=1',
        headers: { Accept: OBJECT_TYPE },
        type: OBJECT_TYPE,
        answer: city,
      },
      { summary: 'A table that is not there', path: '/rest/v1/no-such-table', failure: 'table_not_found' },
      {
        summary: 'A column that is not there',
        path: '/rest/v1/{table}?no-such-column=eq.1',
        failure: 'column_not_found',
      },
      { summary: 'A filter that is none', path: '/rest/v1/{table}?{column}=5', failure: 'bad_filter' },
      {
        summary: 'One object, of none',
        path: '/rest/v1/{table}?limit=0',
        headers: { Accept: OBJECT_TYPE },
        failure: 'not_singular',
      },
    ],
  },
  'GET /rest/v1/rpc/:function': rpc('get'),
  'POST /rest/v1/rpc/:function': rpc('call'),
}
