import { hash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

export const SCOPES = ['read', 'sync', 'admin'] as const
/** What a key may do: read data and state; start and stop runs; drop, roll back and force a publish. */
export type Scope = (typeof SCOPES)[number]

/** Who is asking. */
export interface Principal {
  /** Safe to log: never a part of the key. */
  readonly id: string
  readonly scopes: ReadonlySet<Scope>
}

export interface KeyCheck {
  /** Whose key this is, or undefined. Takes the same time whichever key it is, and never waits. */
  check(key: string): Principal | undefined
}

/** Keys as the environment gives them: each may do everything. Only their digests are kept. */
export function environmentKeys(keys: readonly string[]): KeyCheck {
  const scopes = new Set(SCOPES)
  const known = keys.filter(Boolean).map((key, index) => ({
    digest: digestOf(key),
    principal: { id: `environment:${index + 1}`, scopes } satisfies Principal,
  }))
  return {
    check(key) {
      const presented = digestOf(key)
      let found: Principal | undefined
      for (const { digest, principal } of known) if (timingSafeEqual(digest, presented)) found = principal
      return found
    },
  }
}

/** Keys are random and long, so one fast digest is enough; it also makes all lengths equal. */
function digestOf(key: string): Buffer {
  return hash('sha256', key, 'buffer')
}

/**
 * The key a request presents, from `X-API-Key` or `Authorization: Bearer`. Undefined when there is none or when the
 * two disagree.
 */
export function presentedKey(headers: IncomingHttpHeaders): string | undefined {
  const direct = headers['x-api-key']
  const bearer = headers.authorization && /^bearer +(\S+)$/i.exec(headers.authorization)?.[1]
  if (!bearer) return typeof direct === 'string' ? direct : undefined
  return direct === undefined || direct === bearer ? bearer : undefined
}
