import type { RecordedRequest } from './request-log.ts'
import type { RequestKind } from './route.ts'

export type FaultKind =
  | 'iterator'
  | 'rate limit'
  | 'quota'
  | 'unauthorized'
  | 'forbidden'
  | 'not found'
  | 'server error'
  | 'bad gateway'
  | 'unavailable'
  | 'stall'
  | 'cut'
  | 'reset'
  | 'slow'
  | 'repeat page'
  | 'wrong size'
  | 'call'

export type RequestMatch =
  | ((request: RecordedRequest) => boolean)
  | {
      readonly method?: string
      /** The path has it in it, or it matches. */
      readonly path?: string | RegExp
      /** Name or id, as the request has it. */
      readonly table?: string
      readonly isPaged?: boolean
      readonly kind?: RequestKind
      readonly user?: string
    }

export interface FaultSpec {
  /** Without it, every request. */
  readonly match?: RequestMatch
  readonly kind: FaultKind
  /** How many requests get it; 1. */
  readonly times?: number
  /** How many that match are answered well before; 0. */
  readonly skip?: number
  /** Of `slow`; 10 s. */
  readonly delayMs?: number
  /** Header of `rate limit`, `bad gateway` and `unavailable`. */
  readonly retryAfterSeconds?: number
  /** Of `call`: just before the answer is made. */
  readonly run?: (request: RecordedRequest) => void | Promise<void>
}

export interface Fault extends Disposable {
  readonly spec: FaultSpec
  /** How many requests got it. */
  readonly fired: number
}

export function matches(match: RequestMatch | undefined, request: RecordedRequest): boolean {
  if (match === undefined) return true
  if (typeof match === 'function') return match(request)
  const { method, path, table, isPaged, kind, user } = match
  return (
    (method === undefined || method === request.method) &&
    (path === undefined || (typeof path === 'string' ? request.path.includes(path) : path.test(request.path))) &&
    (table === undefined || table === request.table) &&
    (isPaged === undefined || isPaged === request.isPaged) &&
    (kind === undefined || kind === request.kind) &&
    (user === undefined || user === request.user)
  )
}

interface Entry extends Fault {
  fired: number
  seen: number
}

/** What is to go wrong, in the order it was asked for. */
export class Faults {
  #entries: Entry[] = []

  add(spec: FaultSpec): Fault {
    const entry: Entry = {
      spec,
      fired: 0,
      seen: 0,
      [Symbol.dispose]: () => {
        this.#entries = this.#entries.filter((other) => other !== entry)
      },
    }
    this.#entries.push(entry)
    return entry
  }

  /** Those that a request gets: any `call`s, and at most one of the others. */
  take(request: RecordedRequest): FaultSpec[] {
    const taken: FaultSpec[] = []
    for (const entry of this.#entries) {
      if (!matches(entry.spec.match, request)) continue
      if (entry.spec.kind !== 'call' && taken.some(({ kind }) => kind !== 'call')) continue
      entry.seen += 1
      if (entry.seen <= (entry.spec.skip ?? 0) || entry.fired >= (entry.spec.times ?? 1)) continue
      entry.fired += 1
      taken.push(entry.spec)
    }
    return taken
  }
}
