import type { FileHandle } from 'node:fs/promises'
import { Failure } from '../../errors.ts'
import type { FileState } from '../../files.ts'
import { savedName } from '../attachments/saved-name.ts'
import { shownType } from '../attachments/shown-type.ts'
import { LIST_PARAMETERS, listFiles } from '../attachments/list.ts'
import { visibleFile, type VisibleFile } from '../attachments/visible-file.ts'
import type { Context } from '../context.ts'
import { disposition } from '../disposition.ts'
import { JSON_TYPE, type Exchange } from '../exchange.ts'
import { sendFile } from '../file-answer.ts'
import { openWhole } from '../open-whole.ts'
import { defineRoute, type Route } from '../route.ts'

const RETRY_S = 5
/** Whatever a file holds, it runs nothing and loads nothing where it is shown. */
const CONTENT_POLICY = "sandbox; default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"

/** `/api/attachments`: the files that rows speak of. */
export function attachmentRoutes(context: Context): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/attachments',
      scope: 'read',
      reach: 'rows',
      parameters: LIST_PARAMETERS,
      summary: 'The attachments of a table, of one record, or of one field, and which of them are here',
      async handle({ exchange, principal, query }) {
        const { target, files, limit, hasMore, cursor } = await listFiles(context, principal, query, leaving(exchange))
        const { source, table } = target
        const head = JSON.stringify({ backend: 'sqlite', source, table: table.name })
        const pagination = JSON.stringify({ limit, hasMore, cursor })
        const body = `${head.slice(0, -1)},"attachments":[${files.join(',')}],"pagination":${pagination}}`
        exchange.send(200, ['Content-Type', JSON_TYPE, 'Cache-Control', 'no-store'], body)
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/attachments/:id',
      scope: 'read',
      reach: 'rows',
      takesTicket: true,
      parameters: { download: { kind: 'choice', of: ['1', 'true'] } },
      summary: 'The bytes of an attachment: ranges, digest; always the same under its id',
      async handle({ exchange, principal, params, query }) {
        const id = params.id!
        const file = await visibleFile(context, principal, id, leaving(exchange))
        if (file === undefined) {
          throw new Failure('attachment_not_found', `There is no attachment ${JSON.stringify(id.slice(0, 100))}.`)
        }
        const state = requireMirrored(file)
        const { type, disposition: kind } = shownType(file.reference.type)
        const name = savedName(file.reference.name, id)
        exchange.replaceHeader('Content-Security-Policy', CONTENT_POLICY)
        await sendFile(exchange, {
          what: 'The attachment',
          ...state,
          modifiedAt: null,
          validators: [
            'Cache-Control', 'private, max-age=31536000, immutable, no-transform',
            'Vary', 'Authorization, X-API-Key, apikey',
          ],
          content: [
            'Content-Type', type,
            'Content-Disposition', disposition(query.download === undefined ? kind : 'attachment', name),
          ],
          open: () => openFile(file, state),
        }) // prettier-ignore
      },
    }),
  ]
}

type Mirrored = Extract<FileState, { readonly kind: 'mirrored' }>

function requireMirrored(file: VisibleFile): Mirrored {
  const { state } = file
  switch (state.kind) {
    case 'mirrored':
      return state
    case 'waiting':
      throw pending(file)
    case 'failed':
      throw new Failure(
        'attachment_failed',
        `The attachment ${file.reference.id} could not be fetched, and is tried again from time to time. ${state.message}`,
        { facts: { source: file.source, reason: state.code } },
      )
  }
}

function pending({ source, reference }: VisibleFile): Failure {
  return new Failure('attachment_pending', `The attachment ${reference.id} is still being fetched. Ask again.`, {
    facts: { source, retry_after_seconds: RETRY_S },
  })
}

async function openFile(file: VisibleFile, mirrored: Mirrored): Promise<FileHandle> {
  const handle = await openWhole(mirrored)
  // Somebody took it away: it is fetched again.
  if (handle === undefined) throw pending(file)
  return handle
}

/** Aborts when the client has gone: what it asked for is not worth finding any more. */
function leaving({ response }: Exchange): AbortSignal {
  const controller = new AbortController()
  response.once('close', () => controller.abort(new Failure('run_stopped', 'The client has gone.')))
  return controller.signal
}
