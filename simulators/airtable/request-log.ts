import type { FaultKind } from './faults.ts'
import type { Decision } from './limiter.ts'
import type { RequestKind } from './route.ts'

/** A request that came, and what became of it. */
export interface RecordedRequest {
  /** From 1. */
  readonly n: number
  /** When it counted as arrived, by the clock's `monotonic()`; the recording's order is that of arrival. */
  readonly arrivedAt: number
  /** The same by its `now()`. */
  readonly at: number
  readonly method: string
  /** Without the query; still encoded. */
  readonly path: string
  readonly query: string
  readonly kind: RequestKind
  readonly baseId: string | undefined
  /** Name or id of the table, as the request had it. */
  readonly table: string | undefined
  /** Whether it asks for a later page. */
  readonly isPaged: boolean
  /** Id of the user that the token belongs to; undefined for no token or a wrong one. */
  readonly user: string | undefined
  readonly agent: string
  readonly limiter: Decision
  readonly fault: FaultKind | undefined
  /** Undefined until it is answered, and for good when it was not. */
  readonly status: number | undefined
  /** By `monotonic()`. */
  readonly answeredAt: number | undefined
}

export interface LimitProof {
  readonly perBase: number
  readonly perUser: number
  readonly windowMs: number
  /** How many requests it looked at. */
  readonly requests: number
  /** The most that any window had, of one base and of one user. */
  readonly busiestBase: number
  readonly busiestUser: number
}

/**
 * Throws when a window of that length, wherever it begins, has more requests of one base or one user than allowed:
 * all that arrived count, refused or not. The message names them.
 */
export function proveLimit(
  requests: readonly RecordedRequest[],
  limit: { readonly perBase: number; readonly perUser: number; readonly windowMs: number },
): LimitProof {
  const { perBase, perUser, windowMs } = limit
  const byBase = Map.groupBy(requests, ({ baseId }) => baseId)
  byBase.delete(undefined)
  const byUser = Map.groupBy(
    requests.filter(({ kind }) => kind !== 'file'),
    ({ user }) => user,
  )
  byUser.delete(undefined)
  const busiestBase = Math.max(
    0,
    ...[...byBase].map(([base, some]) => busiest(`base ${base}`, some, perBase, windowMs)),
  )
  const busiestUser = Math.max(
    0,
    ...[...byUser].map(([user, some]) => busiest(`user ${user}`, some, perUser, windowMs)),
  )
  return { perBase, perUser, windowMs, requests: requests.length, busiestBase, busiestUser }
}

function busiest(who: string, requests: readonly RecordedRequest[], limit: number, windowMs: number): number {
  let most = 0
  let first = 0
  for (const [last, request] of requests.entries()) {
    while (request.arrivedAt - (requests[first]?.arrivedAt ?? 0) >= windowMs) first += 1
    const count = last - first + 1
    if (count > limit) throw new Error(describeExcess(who, requests.slice(first, last + 1), limit, windowMs))
    most = Math.max(most, count)
  }
  return most
}

function describeExcess(who: string, requests: readonly RecordedRequest[], limit: number, windowMs: number): string {
  const lines = requests.map(
    ({ n, arrivedAt, method, path, agent, limiter }) =>
      `  #${n} at ${arrivedAt.toFixed(1)} ms: ${method} ${path} (${agent || 'no agent'}), ${limiter}`,
  )
  return `${requests.length} requests of ${who} within ${windowMs} ms, ${limit} are allowed:\n${lines.join('\n')}`
}
