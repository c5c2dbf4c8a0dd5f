/** In place of `reader-process.ts`: does what the name of the query's table says. */
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ReaderMessage, ReaderReply, ReaderRequest } from '../../lib/sqlite/reader-job.ts'

process.on('disconnect', () => process.exit())
process.on('message', (request: ReaderRequest) => {
  const what = request.job.table.name
  if (what === 'crash') process.exit(7)
  // Hears of nothing any more, as in the midst of a statement.
  if (what === 'hang') for (;;);
  if (what === 'wait') return
  const reply: ReaderReply = {
    id: request.id,
    answer: {
      columns: [],
      length: 1,
      text: null,
      rows: [[process.pid]],
      facts: [],
      last: null,
      hasMore: false,
      total: null,
      isEstimate: false,
    },
  }
  void sleep(what === 'slow' ? 50 : 0).then(() => process.send?.(reply))
})

// Has not started before this file is there.
const gate = process.env.READER_GATE
while (gate !== undefined && !existsSync(gate)) await sleep(5)
process.send?.({ isReady: true } satisfies ReaderMessage)
