import { CODED_HEADERS, DATA_HEADERS, STATE_HEADERS, type HeaderName } from '../headers.ts'
import type { AnswerDoc, RouteDocs } from '../route-doc.ts'
import { city, cityRecord, SNAPSHOT, sampleTime } from '../samples.ts'
import { FetchDataFrame, FetchedData, RecordAnswer, RecordList, TableList } from '../schemas/tables.ts'

const JSON_TYPE = 'application/json'
const NDJSON = 'application/x-ndjson'
const table = '`source.table`, or the plain name where only one table has it'
const LIST_HEADERS: readonly HeaderName[] = [...CODED_HEADERS, 'Link']
const notModified: AnswerDoc = { status: 304, description: 'It is what the client has.', headers: DATA_HEADERS }
const QUERY_FAILURES = [
  'cursor_expired',
  'not_acceptable',
  'answer_too_large',
  'readers_busy',
  'query_deadline',
] as const
const csv = 'id,name,country,_id,_created_at,_modified_at\r\n'

export const FILTERS =
  'Any other parameter is a filter on the column of that name, written `<operator>.<value>`: `country=eq.DE`, `price=gte.10`, `name=not.is.null`, `id=in.(1,2,3)`. All of them must hold. Names with signs that mean something go into double quotes.'

const LIST_PARAMETERS = {
  page: 'Pages, counted from 1',
  pageSize: 'Records on a page: up to `MAX_ROWS`, 100 by default',
  limit: 'How many records; the same as `pageSize`',
  offset: 'How many records to pass over; not together with `page`',
  cursor: '`pagination.cursor` of the answer before: goes on behind its last record',
  sort: 'Columns, `-` for descending: `country,-name`. Without it: by key',
  fields: 'Columns, in this order: `id,name`. Also renamed (`size:data->a`) and cast (`price::text`)',
  modifiedAfter: 'Records that were changed after it: a date, or a time with its zone',
  q: 'Words to look for, in the columns that the table is configured to be searched by',
  total: 'How to count: filtered lists are counted when asked for',
  format: '`json` by default; or say so in `Accept`',
  and: 'Conditions that all hold: `(price.gt.1,price.lt.5)`',
  or: 'Conditions of which one holds: `(price.lt.5,name.eq.Bern)`',
  'not.and': 'Conditions that do not all hold',
  'not.or': 'Conditions of which none holds',
} as const

export const TABLE_DOCS: RouteDocs = {
  'GET /api/tables': {
    tag: 'Tables',
    id: 'listTables',
    description: 'The tables that the key sees, with their columns, keys and indexes.',
    answers: [{ status: 200, description: 'The tables.', content: { [JSON_TYPE]: TableList }, headers: STATE_HEADERS }],
    examples: [
      {
        summary: 'All of them',
        path: '/api/tables',
        answer: {
          backend: 'sqlite',
          tables: ['cities'],
          details: [
            {
              name: 'cities',
              source: 'cities',
              table: 'cities',
              snapshot: SNAPSHOT,
              rows: 171_075,
              key: ['id'],
              columns: Object.keys(city).map((name) => ({
                name,
                type: name === 'lat' || name === 'lng' ? 'decimal' : 'text',
              })),
              indexes: [['country'], ['name'], ['country', 'name']],
              search: ['name'],
              record: { id: '_id', created: '_created_at', modified: '_modified_at' },
            },
          ],
        },
      },
    ],
  },
  'GET /api/tables/:table': {
    tag: 'Tables',
    id: 'listRecords',
    description: `Records of a table, in pages or from cursor to cursor. In key order, which is what there is without \`sort\`, a crawl by cursor sees each record once, whatever is published meanwhile.\n\n${FILTERS}`,
    parameters: { table, ...LIST_PARAMETERS },
    answers: [
      {
        status: 200,
        description: 'Records.',
        content: { [JSON_TYPE]: RecordList, [NDJSON]: 'text', 'text/csv': 'text' },
        headers: [...LIST_HEADERS, 'Total-Count'],
      },
      notModified,
    ],
    failures: [
      'table_not_found',
      'column_not_found',
      'bad_filter',
      'bad_value',
      'not_supported',
      'no_snapshot',
      'not_cached',
      ...QUERY_FAILURES,
    ],
    examples: [
      {
        summary: 'A page',
        path: '/api/tables/{table}?page=1&pageSize=1',
        answer: {
          backend: 'sqlite',
          source: 'cities',
          table: 'cities',
          snapshot: SNAPSHOT,
          records: [cityRecord],
          pagination: {
            page: 1,
            pageSize: 1,
            total: 171_075,
            totalPages: 171_075,
            hasMore: true,
            cursor: 'WzEsInV…',
          },
        },
      },
      {
        summary: 'Filtered, sorted, narrowed',
        path: '/api/tables/{table}?{column}=not.is.null&sort=-{column}&fields={column}&limit=1',
        answer: {
          backend: 'sqlite',
          source: 'cities',
          table: 'cities',
          snapshot: SNAPSHOT,
          records: [{ country: 'ZW', _id: 'a3…', _created_at: sampleTime, _modified_at: sampleTime }],
          pagination: {
            limit: 1,
            offset: 0,
            pageSize: 1,
            total: null,
            totalPages: null,
            hasMore: true,
            cursor: 'WzEsImZ…',
          },
        },
      },
      {
        summary: 'As CSV',
        path: '/api/tables/{table}?format=csv&limit=1',
        type: 'text/csv',
        answer: csv,
      },
      {
        summary: 'As one object a line',
        path: '/api/tables/{table}?format=ndjson&limit=1',
        type: NDJSON,
        answer: `${JSON.stringify(cityRecord)}\n`,
      },
      { summary: 'A table that is not there', path: '/api/tables/no-such-table', failure: 'table_not_found' },
      {
        summary: 'A column that is not there',
        path: '/api/tables/{table}?no-such-column=eq.1',
        failure: 'column_not_found',
      },
      { summary: 'A filter that is none', path: '/api/tables/{table}?{column}=5', failure: 'bad_filter' },
      { summary: 'A page before the first', path: '/api/tables/{table}?page=0', failure: 'bad_parameter' },
    ],
  },
  'GET /api/tables/:table/:id': {
    tag: 'Tables',
    id: 'getRecord',
    description:
      'One record. Its id is its key as text; of a key of several columns, the percent-encoded values, joined by commas, and the whole percent-encoded once more.',
    parameters: { table, id: '`_id` of the record' },
    answers: [
      { status: 200, description: 'The record.', content: { [JSON_TYPE]: RecordAnswer }, headers: DATA_HEADERS },
      notModified,
    ],
    failures: ['table_not_found', 'record_not_found', 'no_snapshot', 'not_cached'],
    examples: [
      {
        summary: 'One record',
        path: '/api/tables/{table}/{id}',
        answer: { backend: 'sqlite', record: cityRecord },
      },
      {
        summary: 'One that is not there',
        path: '/api/tables/{table}/no-such-record',
        failure: 'record_not_found',
      },
    ],
  },
  'GET /fetch-data': {
    tag: 'Tables',
    id: 'fetchData',
    description:
      'All rows of a table, rendered once per snapshot and kept ready in four codings; or some of its rows and columns.\n\nWith `refresh=true` (scope `sync`) a run is started or joined beside it: the data comes at once. With `stream=true` it is an event stream: `cached`, then the run that is going as `progress`, then `updated`, `unchanged` or `error`, and `done` at last. Reconnects send `Last-Event-ID`; 204 ends an `EventSource` for good.',
    parameters: {
      source: 'The first one by default',
      table: 'A table, or `source.table`; the first of the source by default',
      start_row: 'Position of the first row, counted from 1',
      end_row: 'Position of the last row',
      limit: 'How many rows; in the place of `start_row` and `end_row`, as is `offset`',
      offset: 'How many rows to pass over',
      fields: 'Columns, in this order; a name with a comma or a quote goes into quotes, as in CSV',
      format: '`json` by default',
      refresh: 'Also starts a run, or joins the one that is going',
      stream: 'An event stream',
      payload: 'Of a stream: whether frames bring the data',
    },
    requestHeaders: { 'Last-Event-ID': 'Of a stream that broke off: the id of the last frame' },
    answers: [
      {
        status: 200,
        description: 'Rows. With `refresh=true` there is no entity tag.',
        content: { [JSON_TYPE]: FetchedData, [NDJSON]: 'text', 'text/csv': 'text', 'text/event-stream': 'text' },
        headers: [
          'Cache-Control',
          'Vary',
          ...CODED_HEADERS.filter((name) => name !== 'Cache-Control' && name !== 'Vary'),
          'Link',
        ],
        frames: FetchDataFrame,
      },
      { status: 204, description: 'The stream is over: do not come back.' },
      notModified,
    ],
    failures: [
      'source_not_found',
      'table_not_found',
      'column_not_found',
      'no_snapshot',
      'not_acceptable',
      'too_many_streams',
      'draining',
      'not_cached',
    ],
    examples: [
      {
        summary: 'Some rows',
        path: '/fetch-data?table={whole}&start_row=1&end_row=1',
        answer: {
          status: 'success',
          source: 'cities',
          snapshot: SNAPSHOT,
          count: 1,
          last_updated: sampleTime,
          total: 171_075,
          start_row: 1,
          end_row: 1,
          data: [city],
        },
      },
      {
        summary: 'The same, and a refresh beside it',
        path: '/fetch-data?table={whole}&limit=1&refresh=true',
        needs: 'sync',
        answer: {
          status: 'success',
          _info: 'A refresh was started in the background.',
          refresh: { triggered: true, run: 'r0mwq3meck4ad3a3ee', joined: false },
          source: 'cities',
          snapshot: SNAPSHOT,
          count: 1,
          last_updated: sampleTime,
          total: 171_075,
          start_row: 1,
          end_row: 1,
          data: [city],
        },
      },
      {
        summary: 'An event stream',
        path: '/fetch-data?table={whole}&stream=true&payload=none',
        type: 'text/event-stream',
        answer: `: holdfast\nretry: 2425\n\nid: cached:${SNAPSHOT}:\ndata: {"type":"cached","snapshot":"${SNAPSHOT}","count":171075,"last_updated":"${sampleTime}"}\n\nid: done:${SNAPSHOT}:\ndata: {"type":"done","snapshot":"${SNAPSHOT}"}\n`,
      },
      {
        summary: 'A source that is not there',
        path: '/fetch-data?source=nowhere',
        failure: 'source_not_found',
      },
      {
        summary: 'A table that is not there',
        path: '/fetch-data?source={source}&table=no-such-table',
        failure: 'table_not_found',
      },
      {
        summary: 'A parameter that is not there',
        path: '/fetch-data?table={whole}&rows=5',
        failure: 'unknown_parameter',
      },
    ],
  },
}
