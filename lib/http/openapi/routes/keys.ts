import { STATE_HEADERS } from '../headers.ts'
import type { RouteDocs } from '../route-doc.ts'
import { key } from '../samples.ts'
import { Key, KeyList, KeyRequest, NewKey, Ticket, TicketRequest } from '../schemas/keys.ts'
import { NoMembers } from '../schemas/sync.ts'

const JSON_TYPE = 'application/json'

export const KEY_DOCS: RouteDocs = {
  'GET /api/keys': {
    tag: 'Keys',
    id: 'listKeys',
    description:
      'The keys that were made, oldest first, without what is secret of them. Those that have ended stay for 90 days.',
    answers: [{ status: 200, description: 'The keys.', content: { [JSON_TYPE]: KeyList }, headers: STATE_HEADERS }],
    examples: [{ summary: 'All of them', path: '/api/keys', answer: { keys: [key] } }],
  },
  'POST /api/keys': {
    tag: 'Keys',
    id: 'createKey',
    description:
      'Makes a key that may do and see less than everything: scopes, sources and tables, rows, columns, a rate, an end. It is good at once, in all processes within a second, and is shown this once.',
    body: KeyRequest,
    answers: [{ status: 201, description: 'The key.', content: { [JSON_TYPE]: NewKey }, headers: STATE_HEADERS }],
    failures: ['bad_filter', 'key_not_found', 'control_busy'],
    examples: [
      {
        summary: 'A key for one table',
        path: '/api/keys',
        body: { name: 'partner', limits: ['{source}'], rate: { limit: 600, window_seconds: 60 } },
        status: 201,
        answer: { key: 'hf_h2k9x3mp_…', ...key, warnings: [] },
      },
      { summary: 'One without a name', path: '/api/keys', body: {}, failure: 'bad_parameter' },
      {
        summary: 'In the place of one that is not there',
        path: '/api/keys',
        body: { replaces: 'nobody' },
        failure: 'key_not_found',
      },
    ],
  },
  'POST /api/keys/:id/revoke': {
    tag: 'Keys',
    id: 'revokeKey',
    description: 'Ends a key, and its streams, in all processes within a second.',
    parameters: { id: 'The id of a key: what follows `hf_` at its front' },
    body: NoMembers,
    answers: [{ status: 200, description: 'The key.', content: { [JSON_TYPE]: Key }, headers: STATE_HEADERS }],
    failures: ['key_not_found', 'control_busy'],
    examples: [
      {
        summary: 'End a key',
        path: '/api/keys/{key}/revoke',
        answer: { ...key, status: 'revoked', revoked_at: '2026-11-21T08:00:00.000Z' },
      },
      { summary: 'One that is not there', path: '/api/keys/nobody/revoke', failure: 'key_not_found' },
    ],
  },
  'POST /api/tickets': {
    tag: 'Keys',
    id: 'createTicket',
    description:
      'A ticket stands for the key in one URL: for `EventSource` and `<img>`, which cannot send headers. It is good for that path and query alone, also for reconnects, until it has been idle for a while or its key ends.',
    body: TicketRequest,
    answers: [
      {
        status: 201,
        description: 'The ticket, and the URL with it.',
        content: { [JSON_TYPE]: Ticket },
        headers: STATE_HEADERS,
      },
    ],
    failures: ['control_busy'],
    examples: [
      {
        summary: 'For a stream of changes',
        path: '/api/tickets',
        body: { url: '/api/changes?table={whole}&stream=true' },
        status: 201,
        answer: { ticket: 'ht_…', url: '/api/changes?table=cities&stream=true&ticket=ht_…', expires_in_seconds: 600 },
      },
      { summary: 'For what is no stream', path: '/api/tickets', body: { url: '/api/runs' }, failure: 'bad_parameter' },
    ],
  },
}
