import type { Clock } from '../base/clock.ts'
import { isRestricted, type KeyCheck, type Principal, type Scope } from '../access.ts'
import { Failure } from '../errors.ts'
import type { TicketStore } from '../keys.ts'
import type { Exchange } from './exchange.ts'
import { presentsKey } from './keys.ts'
import type { PresentedKeys } from './presented-keys.ts'
import { FailedAttempts, type Allowance, type RateLimits } from './rate-limit.ts'
import { KEY_NAMES } from './query.ts'
import type { Route } from './route.ts'
import { targetText } from './ticket-target.ts'

export interface GateParts {
  readonly keys: KeyCheck
  readonly presented: PresentedKeys
  readonly tickets: TicketStore
  readonly rates: RateLimits
  readonly clock: Clock
}

/** Who comes in, how often, and where to. */
export class Gate {
  readonly #keys: KeyCheck
  readonly #presented: PresentedKeys
  readonly #tickets: TicketStore
  readonly #rates: RateLimits
  readonly #failed: FailedAttempts

  constructor({ keys, presented, tickets, rates, clock }: GateParts) {
    this.#keys = keys
    this.#presented = presented
    this.#tickets = tickets
    this.#rates = rates
    this.#failed = new FailedAttempts(clock)
  }

  /** Finds out who asks, for the exchange to know. @throws Failure `unauthorized`, `rate_limited`, `forbidden` */
  admit(exchange: Exchange, route: Route, scope: Scope): void {
    if (route.takesTicket) exchange.takeTicket()
    const principal = (exchange.principal = this.#identify(exchange))
    const allowance = this.#rates.take(principal)
    if (allowance) {
      exchange.addHeaders(allowance.headers)
      if (allowance.retryAfter > 0) throw rateLimited(principal, allowance)
    }
    requireScope(principal, scope)
    requireReach(principal, route)
  }

  #identify(exchange: Exchange): Principal {
    const { headers } = exchange.request
    const isByTicket = exchange.ticket !== undefined && !presentsKey(headers)
    const principal = isByTicket
      ? this.#ownerOfTicket(exchange)
      : this.#presented.principalOf(exchange.request, { isOnce: true })
    if (principal) return principal
    if (!presentsKey(headers) && !isByTicket) {
      throw new Failure(
        'unauthorized',
        `${keyInUrl(exchange.query)}Send a key, as X-API-Key or as Authorization: Bearer.`,
      )
    }
    this.#failed.count(exchange.request.socket.remoteAddress ?? '')
    throw new Failure(
      'unauthorized',
      isByTicket
        ? 'The ticket is not valid here: it is unknown, was idle for too long, or its key has ended. Ask for another.'
        : 'The key that was sent is not valid here, or two different ones were sent.',
    )
  }

  #ownerOfTicket({ ticket = '', path, query }: Exchange): Principal | undefined {
    const known = this.#tickets.find(ticket)
    if (!known || this.#keys.seal(known.principal, ticket) !== known.seal) return undefined
    if (known.target !== targetText(path, query)) {
      throw new Failure('unauthorized', 'The ticket is for another route or another query. Ask for one for this.')
    }
    this.#tickets.touch([ticket])
    return this.#keys.find(known.principal)
  }
}

function keyInUrl(query: string): string {
  const isThere = Array.from(new URLSearchParams(query).keys()).some((name) => KEY_NAMES.test(name))
  return isThere ? 'A key does not belong into a URL, where logs would keep it. ' : ''
}

export function requireScope(principal: Principal, scope: Scope): void {
  if (principal.scopes.has(scope)) return
  throw new Failure('forbidden', `This needs a key with the scope ${scope}.`, { facts: { scope } })
}

/** Keys that do not see everything are kept away from routes that would show it. */
export function requireReach(principal: Principal, { reach, path }: Pick<Route, 'reach' | 'path'>): void {
  const isBeyond = reach === 'whole' ? isRestricted(principal) : reach === 'tables' && principal.rules.size > 0
  if (!isBeyond) return
  const seesAllRows = Array.from(principal.rules.values()).every(({ filter }) => filter === null)
  const more = seesAllRows ? ', /fetch-data and /api/changes' : ''
  throw new Failure(
    'forbidden',
    `${path} shows more than this key may see. It can be used with /api/tables, /api/attachments, /rest/v1, /v0, /openapi.json, /api/types${more}.`,
    { facts: { reason: 'restricted_key' } },
  )
}

function rateLimited({ rate }: Principal, { limit, retryAfter }: Allowance): Failure {
  const of = rate?.limit === limit ? '' : ` of this process, its share of ${rate?.limit}`
  const allowed = `${limit} requests in ${(rate?.windowMs ?? 0) / 1000} s${of}`
  return new Failure('rate_limited', `This key may make ${allowed}, and has. Try again in ${retryAfter} s.`, {
    facts: { retry_after_seconds: retryAfter },
  })
}
