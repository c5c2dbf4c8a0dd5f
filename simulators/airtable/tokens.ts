import { forbidden, unauthorized, wrongToken } from './api-error.ts'
import type { Random } from './random.ts'

export type Scope = 'data.records:read' | 'data.records:write' | 'schema.bases:read' | 'webhook:manage'
const ALL_SCOPES: readonly Scope[] = ['data.records:read', 'data.records:write', 'schema.bases:read', 'webhook:manage']

export interface Token {
  readonly text: string
  /** Id of the user; those of one user share a limit. */
  readonly user: string
  readonly scopes: readonly Scope[]
  /** Ids of the bases it is good for. */
  readonly bases: readonly string[] | 'all'
}

/** The tokens that are good. */
export class Tokens {
  readonly #random: Random
  readonly #tokens = new Map<string, Token>()

  constructor(random: Random) {
    this.#random = random
  }

  add(given: Partial<Token>): Token {
    const { scopes = ALL_SCOPES, bases = 'all' } = given
    // Personal access tokens: an id, a dot, and the secret.
    const text = given.text ?? `${this.#random.id('pat')}.${this.#secret()}`
    const token: Token = { text, user: given.user ?? this.#random.id('usr'), scopes, bases }
    this.#tokens.set(text, token)
    return token
  }

  revoke(text: string): void {
    this.#tokens.delete(text)
  }

  find(authorization: string | undefined): Token | undefined {
    return this.#tokens.get(/^Bearer\s+(\S+)$/i.exec(authorization ?? '')?.[1] ?? '')
  }

  /** Throws 401. */
  check(authorization: string | undefined): Token {
    const token = this.find(authorization)
    if (token !== undefined) return token
    throw authorization === undefined ? unauthorized() : wrongToken()
  }

  #secret(): string {
    return Array.from({ length: 64 }, () => this.#random.whole(0, 15).toString(16)).join('')
  }
}

/** Throws 403: a scope is missing. */
export function checkScope(token: Token, scope: Scope): void {
  if (!token.scopes.includes(scope)) throw forbidden()
}
