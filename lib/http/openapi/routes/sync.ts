import { STATE_HEADERS } from '../headers.ts'
import type { AnswerDoc, RouteDoc, RouteDocs } from '../route-doc.ts'
import { run, source, started, RUN, SNAPSHOT } from '../samples.ts'
import { AirtablePing } from '../schemas/webhook.ts'
import {
  NoMembers, Published, PublishRequest, RefreshAnswer, RefreshRequest, Run, RunList, Source, SourceFrame, SourceList,
} from '../schemas/sync.ts' // prettier-ignore

const JSON_TYPE = 'application/json'
const id = 'The id of a source'

const startedAnswer: AnswerDoc = {
  status: 202,
  description: 'A run is queued or going: follow `Location` to see what becomes of it.',
  content: { [JSON_TYPE]: RefreshAnswer },
  headers: [...STATE_HEADERS, 'Location', 'Retry-After'],
}
const sourceAnswer: AnswerDoc = {
  status: 200,
  description: 'The source, as it now is.',
  content: { [JSON_TYPE]: Source },
  headers: STATE_HEADERS,
}

const refresh = (name: string, path: string): RouteDoc => ({
  tag: 'Sync',
  id: name,
  description:
    'Asks for a run of a source, or joins the one that is queued or going: however many ask at once, it is one run. The source is `?source=`, or that of the body, else the first. Data is served as before until the run has published.',
  parameters: { source: 'The id of a source; the first one by default' },
  body: RefreshRequest,
  answers: [startedAnswer],
  failures: ['source_not_found', 'source_paused', 'control_busy'],
  examples: [
    { summary: 'Refresh one source', path: `${path}?source={source}`, status: 202, answer: started },
    { summary: 'The same, in the body', path, body: { source: '{source}' }, status: 202, answer: started },
    { summary: 'A source that is not there', path: `${path}?source=nowhere`, failure: 'source_not_found' },
  ],
})

export const SYNC_DOCS: RouteDocs = {
  'POST /refresh': refresh('refresh', '/refresh'),
  'POST /api/refresh': refresh('refreshApi', '/api/refresh'),
  'GET /api/sources': {
    tag: 'Sync',
    id: 'listSources',
    description: 'All sources: what each of them serves, and how syncing it goes.',
    answers: [
      { status: 200, description: 'The sources.', content: { [JSON_TYPE]: SourceList }, headers: STATE_HEADERS },
    ],
    examples: [{ summary: 'All of them', path: '/api/sources', answer: { sources: [source] } }],
  },
  'GET /api/sources/:id': {
    tag: 'Sync',
    id: 'getSource',
    description:
      'One source: its state, its snapshot and how old that is, the run that is going, what went wrong last.',
    parameters: { id },
    answers: [{ ...sourceAnswer, description: 'The source.' }],
    failures: ['source_not_found'],
    examples: [
      { summary: 'One source', path: '/api/sources/{source}', answer: source },
      { summary: 'One that is not there', path: '/api/sources/nowhere', failure: 'source_not_found' },
    ],
  },
  'GET /api/sources/:id/events': {
    tag: 'Sync',
    id: 'watchSource',
    description:
      'An event stream of the source: as it is, and again after each change, four times a second at most, until the client leaves. Browsers, whose `EventSource` cannot send a key, take a ticket.',
    parameters: { id },
    answers: [
      {
        status: 200,
        description: 'Frames of one line of JSON each, with ids; comments are heartbeats.',
        content: { 'text/event-stream': 'text' },
        headers: [...STATE_HEADERS, 'Vary'],
        frames: SourceFrame,
      },
    ],
    failures: ['source_not_found', 'too_many_streams', 'draining'],
    examples: [
      {
        summary: 'Follow a source',
        path: '/api/sources/{source}/events',
        type: 'text/event-stream',
        answer: `: holdfast\nretry: 2625\n\nid: source:0\ndata: {"type":"source","source":"cities","state":"COMPLETED",…}\n`,
      },
    ],
  },
  'POST /api/sources/:id/start': {
    tag: 'Sync',
    id: 'startSource',
    description: 'Starts a run, also of a source that is paused, or joins the one that is going.',
    parameters: { id },
    body: NoMembers,
    answers: [startedAnswer],
    failures: ['source_not_found', 'control_busy'],
    examples: [{ summary: 'Start', path: '/api/sources/{source}/start', status: 202, answer: started }],
  },
  'POST /api/sources/:id/stop': {
    tag: 'Sync',
    id: 'stopSource',
    description: 'Pauses the run that is going; what it has pulled is kept, and is where the next start goes on.',
    parameters: { id },
    body: NoMembers,
    answers: [sourceAnswer],
    failures: ['source_not_found', 'control_busy'],
    examples: [{ summary: 'Stop', path: '/api/sources/{source}/stop', answer: source }],
  },
  'POST /api/sources/:id/reset': {
    tag: 'Sync',
    id: 'resetSource',
    description: 'Back to IDLE: what was pulled is dropped; the snapshot that is published stays.',
    parameters: { id },
    body: NoMembers,
    answers: [sourceAnswer],
    failures: ['source_not_found', 'run_active', 'control_busy'],
    examples: [{ summary: 'Reset', path: '/api/sources/{source}/reset', answer: source }],
  },
  'POST /api/sources/:id/rollback': {
    tag: 'Sync',
    id: 'rollbackSource',
    description:
      'Publishes the snapshot before the active one again, and pauses the source, so that no schedule brings the other back.',
    parameters: { id },
    body: NoMembers,
    answers: [
      { status: 200, description: 'What is served now.', content: { [JSON_TYPE]: Published }, headers: STATE_HEADERS },
    ],
    failures: ['source_not_found', 'no_previous_snapshot', 'run_active', 'control_busy'],
    examples: [
      {
        summary: 'Go back',
        path: '/api/sources/{source}/rollback',
        answer: { status: 'published', source: 'cities', snapshot: SNAPSHOT },
      },
    ],
  },
  'POST /api/sources/:id/publish': {
    tag: 'Sync',
    id: 'publishSource',
    description: 'Starts a run that publishes what the guard refused: the newest, or the one that the body names.',
    parameters: { id },
    body: PublishRequest,
    answers: [startedAnswer],
    failures: ['source_not_found', 'nothing_to_publish', 'run_active', 'control_busy'],
    examples: [
      {
        summary: 'There is nothing that was refused',
        path: '/api/sources/{source}/publish',
        body: { run: 'r0' },
        failure: 'nothing_to_publish',
      },
    ],
  },
  'GET /api/runs': {
    tag: 'Sync',
    id: 'listRuns',
    description: 'Runs, newest first. Old ones are forgotten.',
    parameters: {
      source: 'Of this source alone',
      limit: 'How many; 20 by default',
      before: 'Older than this run: `next` of the page before',
    },
    answers: [
      { status: 200, description: 'Runs.', content: { [JSON_TYPE]: RunList }, headers: [...STATE_HEADERS, 'Link'] },
    ],
    failures: ['source_not_found'],
    examples: [
      {
        summary: 'The newest',
        path: '/api/runs?source={source}&limit=1',
        answer: { runs: [run], next: RUN },
      },
      { summary: 'More than there can be', path: '/api/runs?limit=1000', failure: 'bad_parameter' },
    ],
  },
  'GET /api/runs/:id': {
    tag: 'Sync',
    id: 'getRun',
    description: 'One run: how far it is, how it ended, and why.',
    parameters: { id: 'The id of a run' },
    answers: [{ status: 200, description: 'The run.', content: { [JSON_TYPE]: Run }, headers: STATE_HEADERS }],
    failures: ['run_not_found'],
    examples: [
      { summary: 'One run', path: '/api/runs/{run}', answer: run },
      { summary: 'One that is not there', path: '/api/runs/r0', failure: 'run_not_found' },
    ],
  },
  'POST /webhooks/airtable/:source': {
    tag: 'Sync',
    id: 'receiveAirtablePing',
    description:
      'Where Airtable says that a base has changed. It needs no key: the header `X-Airtable-Content-MAC` is the HMAC-SHA256 of the body, byte for byte, with the secret that Airtable gave out when the webhook was made. Whatever is not signed so, or for a source that has no webhook, gets the same 401.\n\nHowever many pings come, they are one run, and one more where they came during it. A source that is paused, or no longer follows its webhook, takes them and does nothing.',
    parameters: { source: 'The id of a source' },
    requestHeaders: { 'X-Airtable-Content-MAC': '`hmac-sha256=` and 64 hexadecimal digits' },
    body: AirtablePing,
    answers: [{ status: 204, description: 'A run is queued or going that will look at what has changed.' }],
    failures: ['bad_request', 'bad_signature', 'rate_limited', 'ping_not_recorded'],
    examples: [
      {
        summary: 'A ping that is not signed',
        path: '/webhooks/airtable/{source}',
        body: {
          base: { id: 'appAbCdEfGhIjKlMn' },
          webhook: { id: 'achAbCdEfGhIjKlMn' },
          timestamp: '2026-11-21T08:00:00.000Z',
        },
        failure: 'bad_signature',
      },
    ],
  },
}
