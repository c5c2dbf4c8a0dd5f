import { Failure } from '../errors.ts'
import type { Pointer } from '../snapshot.ts'
import type { SourceRecord } from '../sync-run.ts'
import { checkedAt, freshUntil } from './freshness.ts'

/** What a request's `Cache-Control` asks for (RFC 9111, 5.2.1), in seconds. */
interface Directives {
  readonly onlyIfCached: boolean
  /** 0 is what a browser's reload sends: it asks for a check, which every answer here has had. */
  readonly maxAge: number | undefined
  /** Infinity: stale by any time. */
  readonly maxStale: number | undefined
  readonly minFresh: number | undefined
}

const MEMO = 64
const memo = new Map<string, Directives | null>()

/** The directives that can matter here; null where there is none. What is not well formed asks for nothing. */
function readDirectives(header: string): Directives | null {
  const known = memo.get(header)
  if (known !== undefined) return known
  const values = new Map<string, string | undefined>()
  for (const part of header.slice(0, 1000).split(',')) {
    const [, name, value] = /^\s*([a-z-]+)\s*(?:=\s*"?(\d{1,10})"?\s*)?$/i.exec(part) ?? []
    if (name !== undefined) values.set(name.toLowerCase(), value)
  }
  const seconds = (name: string) => (values.get(name) === undefined ? undefined : Number(values.get(name)))
  const directives: Directives = {
    onlyIfCached: values.has('only-if-cached'),
    maxAge: seconds('max-age') || undefined,
    maxStale: seconds('max-stale') ?? (values.has('max-stale') ? Infinity : undefined),
    minFresh: seconds('min-fresh'),
  }
  const isEmpty =
    !directives.onlyIfCached &&
    [directives.maxAge, directives.maxStale, directives.minFresh].every((value) => value === undefined)
  if (memo.size >= MEMO) memo.clear()
  memo.set(header, isEmpty ? null : directives)
  return isEmpty ? null : directives
}

/** Whether a request's `Cache-Control` limits how old its answer may be. What browsers send to have it checked does not. */
export function limitsAge(header: string | undefined): boolean {
  return header !== undefined && readDirectives(header) !== null
}

/**
 * Refuses an answer that is older than its request allows. A mirror cannot ask upstream on a reader's behalf, so what
 * RFC 9111 would forward is answered with 504, and says how old the data is. A plain `max-age` without
 * `only-if-cached` is a preference: it is answered, and `Age` says the rest.
 *
 * @throws Failure `not_cached`
 */
export function requireFresh(
  header: string | undefined,
  { pointer, record, now }: { pointer: Pointer; record: SourceRecord | undefined; now: number },
): void {
  const directives = header === undefined ? null : readDirectives(header)
  if (directives === null) return
  const { onlyIfCached, maxAge, maxStale, minFresh } = directives
  const age = Math.max(0, Math.floor((now - checkedAt(pointer, record)) / 1000))
  const fresh = Math.floor((freshUntil(record) - now) / 1000)
  const stale = Math.max(0, -fresh)
  const isTooOld = onlyIfCached && maxAge !== undefined && age > maxAge + (maxStale ?? 0)
  const isTooStale = maxStale !== undefined ? stale > maxStale : onlyIfCached && stale > 0
  const isTooShort = minFresh !== undefined && fresh < minFresh
  if (!isTooOld && !isTooStale && !isTooShort) return
  throw new Failure(
    'not_cached',
    `The data was last checked ${age} s ago${stale > 0 ? ` and is ${stale} s overdue` : ''}, which the request does not allow. Ask again without ${isTooShort ? 'min-fresh' : isTooOld ? 'max-age' : 'these limits'}, or start a run with POST /refresh.`,
    { facts: { source: pointer.source, age_seconds: age, stale_seconds: stale } },
  )
}
