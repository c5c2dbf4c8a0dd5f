import type { KeyInfo } from '../keys.ts'

/** A key as administrators see it. */
export function keyToWire(info: KeyInfo, now: number) {
  const { rules, rate } = info
  return {
    id: info.id,
    prefix: `hf_${info.id}`,
    name: info.name,
    status: info.revokedAt !== null ? 'revoked' : (info.expiresAt ?? Infinity) <= now ? 'expired' : 'live',
    scopes: info.scopes,
    limits: info.limits,
    filters: Object.fromEntries(
      Object.entries(rules).flatMap(([name, { filter }]) => (filter ? [[name, filter]] : [])),
    ),
    hidden: Object.fromEntries(
      Object.entries(rules).flatMap(([name, { hidden }]) => (hidden[0] ? [[name, hidden]] : [])),
    ),
    rate: rate && { limit: rate.limit, window_seconds: rate.windowMs / 1000 },
    created_at: time(info.createdAt),
    expires_at: time(info.expiresAt),
    revoked_at: time(info.revokedAt),
    last_used_at: time(info.lastUsedAt),
  }
}

function time(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString()
}
