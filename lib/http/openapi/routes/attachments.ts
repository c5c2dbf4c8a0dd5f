import { STATE_HEADERS, type HeaderName } from '../headers.ts'
import type { RouteDocs } from '../route-doc.ts'
import { AttachmentList } from '../schemas/attachments.ts'

const JSON_TYPE = 'application/json'
const VALIDATORS: readonly HeaderName[] = ['ETag', 'Cache-Control', 'Vary']
const FILE_HEADERS: readonly HeaderName[] = [...VALIDATORS, 'Repr-Digest', 'Accept-Ranges', 'Content-Disposition']
const FILE = { '*/*': 'bytes' } as const

export const ATTACHMENT_DOCS: RouteDocs = {
  'GET /api/attachments': {
    tag: 'Attachments',
    id: 'listAttachments',
    description:
      'The attachments of the records of a table, in the order of the records, and whether their bytes are here. A page has so many records that have attachments, each with all of them.',
    parameters: {
      table: '`source.table`, or the plain name where only one table has it',
      record: '`_id` of the only record that is meant',
      field: 'The only column that is meant',
      limit: 'How many records: up to `MAX_ROWS`, 100 by default',
      cursor: '`pagination.cursor` of the answer before: goes on behind its last record',
    },
    answers: [
      {
        status: 200,
        description: 'Attachments.',
        content: { [JSON_TYPE]: AttachmentList },
        headers: STATE_HEADERS,
      },
    ],
    failures: [
      'table_not_found',
      'column_not_found',
      'no_snapshot',
      'answer_too_large',
      'readers_busy',
      'query_deadline',
    ],
    examples: [
      {
        summary: 'Of a table',
        path: '/api/attachments?table={table}&limit=2',
        answer: {
          backend: 'sqlite',
          source: 'crm',
          table: 'Deals',
          attachments: [
            {
              id: 'attW8eG2x0ew1Af9Q',
              record: 'rec5f1pHq9W2bYt0c',
              field: 'Contract',
              name: 'contract.pdf',
              type: 'application/pdf',
              bytes: 48_213,
              state: 'mirrored',
              url: 'https://data.example.com/api/attachments/attW8eG2x0ew1Af9Q',
            },
          ],
          pagination: { limit: 2, hasMore: false, cursor: null },
        },
      },
      { summary: 'Of no table', path: '/api/attachments', failure: 'bad_parameter' },
      {
        summary: 'A table that is not there',
        path: '/api/attachments?table=no-such-table',
        failure: 'table_not_found',
      },
    ],
  },
  'GET /api/attachments/:id': {
    tag: 'Attachments',
    id: 'getAttachment',
    description:
      'The bytes of an attachment, which never change under its id, for a key that sees a record with it. Images, audio, video and plain text are shown where they are opened; all else is saved, and types that can hold scripts are sent as `application/octet-stream`. While it is still being fetched, the answer is 503 `attachment_pending`.',
    parameters: {
      id: 'Its id, as its cell and the list have it',
      download: 'Has it saved, whatever it is',
    },
    requestHeaders: {
      Range: 'One range of bytes: `bytes=0-99`, `bytes=-500`',
      'If-Range': 'The entity tag that the range is of',
    },
    answers: [
      { status: 200, description: 'All of it.', content: FILE, headers: FILE_HEADERS },
      { status: 206, description: 'The range of it.', content: FILE, headers: [...FILE_HEADERS, 'Content-Range'] },
      { status: 304, description: 'It is what the client has.', headers: VALIDATORS },
    ],
    failures: [
      'attachment_not_found',
      'attachment_pending',
      'attachment_failed',
      'range_not_satisfiable',
      'readers_busy',
      'query_deadline',
    ],
    examples: [{ summary: 'One that is not there', path: '/api/attachments/attNone', failure: 'attachment_not_found' }],
  },
}
