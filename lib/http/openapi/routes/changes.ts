import { STATE_HEADERS } from '../headers.ts'
import type { RouteDocs } from '../route-doc.ts'
import { city, sampleTime } from '../samples.ts'
import { ChangeFrame, ChangePage } from '../schemas/changes.ts'

export const CHANGE_DOCS: RouteDocs = {
  'GET /api/changes': {
    tag: 'Changes',
    id: 'listChanges',
    description:
      'The change log: what happened to which row, in order. Begin without `since`, which gives the position now; fetch the tables; then go on with `next` of each answer. Where the log does not reach back any more, the answer is 410 `watermark_too_old` with the tables to fetch again (`resync`) and the position to go on from (`since`).\n\nWith `Accept: text/event-stream`, or `stream=true`, it is an event stream of batches; the id of each frame is the position behind it, and `Last-Event-ID` goes on there.',
    parameters: {
      since: 'A position: `next` of an answer, or `beginning`',
      source: 'Of this source alone',
      table: 'Of this table alone: its name, or `source.table`',
      key: 'Of the row with this key alone; may be repeated',
      wait: 'Seconds to wait for changes, if there are none yet',
      stream: 'An event stream, whatever `Accept` says',
    },
    requestHeaders: { 'Last-Event-ID': 'Of a stream that broke off: the id of the last frame' },
    answers: [
      {
        status: 200,
        description: 'Changes, or none yet.',
        content: { 'application/json': ChangePage, 'text/event-stream': 'text' },
        headers: STATE_HEADERS,
        frames: ChangeFrame,
      },
    ],
    failures: [
      'source_not_found',
      'table_not_found',
      'watermark_too_old',
      'watermark_foreign',
      'too_many_streams',
      'draining',
      'no_snapshot',
    ],
    examples: [
      {
        summary: 'The position now',
        path: '/api/changes?table={whole}',
        answer: { changes: [], next: '8b3062b9f499-a1', has_more: false },
      },
      {
        summary: 'As far back as the log goes',
        path: '/api/changes?table={whole}&since=beginning',
        answer: {
          changes: [
            {
              watermark: 'a2',
              source: 'cities',
              table: 'cities',
              key: city.id,
              op: 'put',
              row: city,
              at: sampleTime,
            },
          ],
          next: '8b3062b9f499-a2',
          has_more: false,
        },
      },
      {
        summary: 'An event stream',
        path: '/api/changes?table={whole}&stream=true',
        type: 'text/event-stream',
        answer: ': holdfast\nretry: 2625\n\nid: 8b3062b9f499-a1\ndata: {"type":"position","watermark":"a1"}\n',
      },
      {
        summary: 'A position that is none',
        path: '/api/changes?table={whole}&since=yesterday',
        failure: 'bad_parameter',
      },
      {
        summary: 'A position of another data directory',
        path: '/api/changes?table={whole}&since=elsewhere-a1',
        failure: 'watermark_foreign',
      },
    ],
  },
}
