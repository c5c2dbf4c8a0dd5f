import type { HeaderName } from '../headers.ts'
import type { RouteDocs } from '../route-doc.ts'

const FILES = {
  'application/json': 'bytes',
  'application/x-ndjson': 'bytes',
  'text/csv': 'bytes',
  'application/vnd.sqlite3': 'bytes',
} as const
const VALIDATORS: readonly HeaderName[] = ['ETag', 'Cache-Control', 'Vary', 'Last-Modified', 'Snapshot-Id']
const FILE_HEADERS: readonly HeaderName[] = [
  ...VALIDATORS,
  'Repr-Digest',
  'Row-Count',
  'Accept-Ranges',
  'Content-Disposition',
]

export const EXPORT_DOCS: RouteDocs = {
  'GET /api/tables/:table/export': {
    tag: 'Exports',
    id: 'exportTable',
    description:
      'Leads to the export of a table of the active snapshot; with `format=sqlite`, to the whole snapshot of its source.',
    parameters: {
      table: '`source.table`, or the plain name where only one table has it',
      format: '`json` by default',
    },
    answers: [
      { status: 307, description: 'Where the file is.', headers: ['Location', 'Cache-Control', 'Snapshot-Id'] },
    ],
    failures: ['table_not_found', 'no_snapshot'],
    examples: [
      { summary: 'A table as CSV', path: '/api/tables/{table}/export?format=csv', status: 307 },
      { summary: 'A table that is not there', path: '/api/tables/no-such-table/export', failure: 'table_not_found' },
    ],
  },
  'GET /api/exports/:snapshot/:file': {
    tag: 'Exports',
    id: 'getExport',
    description:
      'A file of one snapshot, whose bytes never change: a download that broke off goes on with a range. It is made when it is first asked for; where that takes long, the answer is 503 `export_building`, and the next request finds it.',
    parameters: {
      snapshot: 'The active snapshot, or the one before it',
      file: '`<table>.json`, `<table>.ndjson`, `<table>.csv` or `<source>.sqlite`',
    },
    requestHeaders: {
      Range: 'One range of bytes: `bytes=0-99`, `bytes=-500`',
      'If-Range': 'The entity tag or date that the range is of',
    },
    answers: [
      { status: 200, description: 'The whole file.', content: FILES, headers: FILE_HEADERS },
      { status: 206, description: 'The range of it.', content: FILES, headers: [...FILE_HEADERS, 'Content-Range'] },
      { status: 304, description: 'It is what the client has.', headers: VALIDATORS },
    ],
    failures: ['snapshot_not_found', 'table_not_found', 'range_not_satisfiable', 'answer_too_large', 'export_building'],
    examples: [
      {
        summary: 'The whole file',
        path: '/api/exports/{snapshot}/{file}',
        type: 'text/csv',
        answer:
          'id,name,lat,lng,country,admin1,admin2\r\necd130390905cf8bcf44,El Tarter,42.57952,1.65362,AD,02,""\r\n…',
      },
      {
        summary: 'Its first bytes',
        path: '/api/exports/{snapshot}/{file}',
        headers: { Range: 'bytes=0-3' },
        status: 206,
        type: 'text/csv',
        answer: 'id,n',
      },
      {
        summary: 'Behind its end',
        path: '/api/exports/{snapshot}/{file}',
        headers: { Range: 'bytes=9007199254740000-' },
        failure: 'range_not_satisfiable',
      },
      { summary: 'A snapshot that is gone', path: '/api/exports/s0/{file}', failure: 'snapshot_not_found' },
    ],
  },
}
