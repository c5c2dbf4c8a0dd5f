import { encodeCursor } from '../change-feed.ts'
import type { Watermark } from '../watermark.ts'
import type { Body } from './body.ts'
import type { ChangeHub } from './change-hub.ts'
import type { ChangeLens } from './change-lens.ts'

/** What became of one table between two snapshots of its source, for a client that has the first of them. */
export interface Between {
  readonly lens: ChangeLens
  /** Undefined: of a snapshot that is not known any more, or there was none. */
  readonly after: Watermark | undefined
  readonly until: Watermark
  /** Where all rows are. */
  readonly rows: string
  readonly maxBytes: number
}

/**
 * The changes as the payload of a frame: `changes`; `href` of them where they are too many for a frame; or `resync`
 * with the `href` of all rows where the log does not tell. With the `position` that the client has then.
 */
export function changesPayload(hub: ChangeHub, { lens, after, until, rows, maxBytes }: Between): Body {
  const { epoch } = hub.log
  const page = after === undefined ? undefined : hub.read(after, lens.sources)
  if (after === undefined || page === undefined || page.missed.length > 0) {
    return text({ resync: true, href: rows, position: encodeCursor(epoch, until) })
  }
  const changes = page.batches.flatMap((batch) => lens.changes(batch).map((change) => `{${change}}`)).join(',')
  if (page.through < until || changes.length > maxBytes) {
    const since = encodeCursor(epoch, after)
    return text({ href: `/api/changes?${lens.query}&since=${since}`, position: since })
  }
  const position = JSON.stringify(encodeCursor(epoch, page.through))
  return body(`{"changes":[${changes}],"position":${position}}`)
}

function text(value: object): Body {
  return body(JSON.stringify(value))
}

function body(json: string): Body {
  return {
    size: undefined,
    bytes: undefined,
    async *pieces() {
      yield json
    },
    [Symbol.dispose]: () => {},
  }
}
