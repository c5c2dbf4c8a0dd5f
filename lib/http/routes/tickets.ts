import type { Principal } from '../../access.ts'
import { Failure } from '../../errors.ts'
import { readMembers, type MemberRule } from '../body-members.ts'
import type { Context } from '../context.ts'
import { ticketIsForStreams } from '../fetch-data.ts'
import { readFetchDataQuery } from '../fetch-data-query.ts'
import { requireReach, requireScope } from '../gate.ts'
import { badParameter, readQuery } from '../query.ts'
import { defineRoute, type Route } from '../route.ts'
import { splitTicket, targetText } from '../ticket-target.ts'

const string: MemberRule<string> = {
  expected: 'text',
  read: (value) => (typeof value === 'string' ? value : undefined),
}
const MEMBERS = { path: string, query: string, url: string } as const

/** `POST /api/tickets`: for what browsers open by themselves, and cannot send headers for. */
export function ticketRoutes({ keys, tickets }: Context, routes: readonly Route[]): Route[] {
  const takers = routes.filter((route) => route.takesTicket)
  return [
    defineRoute({
      method: 'POST',
      path: '/api/tickets',
      scope: 'read',
      reach: 'rows',
      summary: 'A ticket that stands for the key in one URL: for EventSource and <img>, which cannot send headers',
      async handle({ exchange, principal, body }) {
        const { path, query } = readTarget(body)
        requireTaker(takers, path, query, principal)
        const ticket = await tickets.issue({
          principal: principal.id,
          target: targetText(path, query),
          seal: (text) => sealed(keys.seal(principal.id, text)),
        })
        const url = `${path}?${query === '' ? '' : `${query}&`}ticket=${ticket}`
        exchange.json(201, { ticket, url, expires_in_seconds: Math.floor(tickets.idleMs / 1000) })
      },
    }),
  ]
}

function readTarget(body: Readonly<Record<string, unknown>>): { readonly path: string; readonly query: string } {
  const { path, query = '', url } = readMembers(body, MEMBERS)
  if (url !== undefined && (path !== undefined || body.query !== undefined)) {
    throw badParameter('url', 'alone, or path and query in its place')
  }
  const target = url ?? (path === undefined ? undefined : `${path}?${query.replace(/^\?/, '')}`)
  if (target === undefined || (url === undefined && path?.includes('?'))) {
    throw badParameter('path', 'as the path that the ticket is for; its query is another member, or give both as url')
  }
  if (!/^\/[\x21-\x7e]*$/.test(target) || target.includes('#')) {
    throw badParameter(url === undefined ? 'path' : 'url', 'as it will be requested: from / on, percent-encoded')
  }
  const mark = target.indexOf('?')
  if (mark === -1) return { path: target, query: '' }
  return { path: target.slice(0, mark), query: splitTicket(target.slice(mark + 1)).rest }
}

/** The principal must be able to go there with the key itself. */
function requireTaker(takers: readonly Route[], path: string, query: string, principal: Principal): void {
  const route = takers.find((candidate) => matches(candidate.path, path))
  if (!route?.scope) {
    const known = takers.map((taker) => taker.path)
    throw new Failure(
      'bad_parameter',
      `Tickets are for streams and attachments. Routes that take one: ${known.join(', ')}.`,
      {
        facts: { parameter: 'path', known },
      },
    )
  }
  requireScope(principal, route.scope)
  requireReach(principal, route)
  if (route.path === '/fetch-data') {
    const asked = readFetchDataQuery(query)
    if (!asked.stream) throw ticketIsForStreams()
    if (asked.refresh) requireScope(principal, 'sync')
  } else if (route.others === 'refused') readQuery(query, route.parameters)
}

function matches(pattern: string, path: string): boolean {
  const [names, parts] = [pattern.split('/'), path.split('/')]
  return (
    names.length === parts.length &&
    names.every((name, index) => (name.startsWith(':') ? parts[index] !== '' : name === parts[index]))
  )
}

function sealed(seal: string | undefined): string {
  if (seal !== undefined) return seal
  throw new Failure('unauthorized', 'The key has just ended.')
}
