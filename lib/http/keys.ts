import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { SCOPES, type KeyCheck, type Principal } from '../access.ts'

/** Who asks where no key is needed. */
export const NOBODY: Principal = {
  id: 'nobody',
  scopes: new Set(),
  limits: new Set(),
  rules: new Map(),
  view: 'nobody',
  rate: null,
}

/** Keys as the environment gives them: each may do everything. Only their digests are kept. */
export function environmentKeys(keys: readonly string[]): KeyCheck {
  const scopes = new Set(SCOPES)
  const known = keys.filter(Boolean).map((key, index) => ({
    digest: digestOf(key),
    principal: {
      id: `environment:${index + 1}`,
      scopes,
      limits: null,
      rules: new Map(),
      view: '',
      rate: null,
    } satisfies Principal,
  }))
  const byId = new Map(known.map((one) => [one.principal.id, one]))
  return {
    check(key) {
      const presented = digestOf(key)
      let found: Principal | undefined
      for (const { digest, principal } of known) if (timingSafeEqual(digest, presented)) found = principal
      return found
    },
    isLive: (id) => byId.has(id),
    find: (id) => byId.get(id)?.principal,
    seal(id, text) {
      const digest = byId.get(id)?.digest
      return digest && createHmac('sha256', digest).update(text).digest('base64url')
    },
  }
}

/** The keys of both; the first knows its own better. */
export function bothKeys(first: KeyCheck, second: KeyCheck): KeyCheck {
  return {
    check: (key) => first.check(key) ?? second.check(key),
    isLive: (id) => first.isLive(id) || second.isLive(id),
    find: (id) => first.find(id) ?? second.find(id),
    seal: (id, text) => first.seal(id, text) ?? second.seal(id, text),
  }
}

/** The same keys; those that have no rate of their own get this one. */
export function withRate(keys: KeyCheck, rate: Principal['rate']): KeyCheck {
  if (rate === null) return keys
  const rated = new WeakMap<Principal, Principal>()
  const withIt = (principal: Principal | undefined): Principal | undefined => {
    if (!principal || principal.rate !== null) return principal
    let known = rated.get(principal)
    if (!known) rated.set(principal, (known = { ...principal, rate }))
    return known
  }
  return {
    check: (key) => withIt(keys.check(key)),
    isLive: (id) => keys.isLive(id),
    find: (id) => withIt(keys.find(id)),
    seal: (id, text) => keys.seal(id, text),
  }
}

/** Keys are random and long, so one fast digest is enough; it also makes all lengths equal. */
function digestOf(key: string): Buffer {
  return hash('sha256', key, 'buffer')
}

/**
 * The key a request presents, from `X-API-Key`, `apikey` or `Authorization: Bearer`. Undefined when there is none or
 * when they do not agree.
 */
export function presentedKey(headers: IncomingHttpHeaders): string | undefined {
  const direct = headers['x-api-key']
  const theirs = headers.apikey
  const bearer = headers.authorization && /^bearer +(\S+)$/i.exec(headers.authorization)?.[1]
  // Several of them, say: with another key beside it, they would not agree.
  if (!bearer && headers.authorization !== undefined && /^bearer\b/i.test(headers.authorization)) return undefined
  if (theirs === undefined && !bearer) return typeof direct === 'string' ? direct : undefined
  const key = bearer || theirs || direct
  const isAgreed = (direct === undefined || direct === key) && (theirs === undefined || theirs === key)
  return isAgreed && typeof key === 'string' ? key : undefined
}

/** Whether a request presents anything that could be a key. */
export function presentsKey({ authorization, apikey, 'x-api-key': direct }: IncomingHttpHeaders): boolean {
  return direct !== undefined || authorization !== undefined || apikey !== undefined
}
