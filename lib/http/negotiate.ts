import type { Coding } from '../snapshot.ts'

/** Best first, where a client likes several equally. */
const PREFERENCE: readonly Coding[] = ['zstd', 'br', 'gzip', 'identity']
const IDENTITY_ONLY: readonly Coding[] = ['identity']
const MEMO = 64

const memo = new Map<string, readonly Coding[]>()

/** The content codings a client accepts, best first (RFC 9110, 12.5.3); empty when it accepts none we have. */
export function acceptedCodings(header: string | undefined): readonly Coding[] {
  if (header === undefined) return IDENTITY_ONLY
  const known = memo.get(header)
  if (known) return known
  const codings = rank(header)
  if (memo.size >= MEMO) memo.clear()
  memo.set(header, codings)
  return codings
}

function rank(header: string): readonly Coding[] {
  const weights = new Map<string, number>()
  for (const member of header.split(',')) {
    const parsed = /^\s*([!#$%&'*+.^_`|~0-9a-z-]+)\s*(?:;\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?$/i.exec(member)
    if (!parsed) continue // a member that is not well formed asks for nothing
    const name = parsed[1]!.toLowerCase()
    weights.set(name === 'x-gzip' ? 'gzip' : name, parsed[2] === undefined ? 1 : Number(parsed[2]))
  }
  const others = weights.get('*')
  const weigh = (coding: Coding): number => {
    const own = weights.get(coding)
    if (own !== undefined) return own
    // Not mentioned, identity is still fine, but only after all that were asked for.
    if (coding === 'identity') return others === 0 ? 0 : Number.MIN_VALUE
    return others ?? 0
  }
  return PREFERENCE.map((coding) => ({ coding, weight: weigh(coding) }))
    .filter(({ weight }) => weight > 0)
    .toSorted((a, b) => b.weight - a.weight)
    .map(({ coding }) => coding)
}

/** Whether `If-None-Match` names this entity tag: lists, `*` and weak forms (RFC 9110, 13.1.2). */
export function matchesTag(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false
  if (header === tag) return true
  if (header.trim() === '*') return true
  for (const [, opaque] of header.matchAll(/(?:W\/)?("[^"]*")/g)) if (opaque === tag) return true
  return false
}
