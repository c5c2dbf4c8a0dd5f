import type { Changes } from '../changes.ts'
import { CHANGES_PARAMETERS } from '../changes-query.ts'
import { defineRoute, type Route } from '../route.ts'

export function changesRoutes(changes: Changes): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/changes',
      scope: 'read',
      reach: 'rows',
      takesTicket: true,
      parameters: CHANGES_PARAMETERS,
      summary: 'What changed, in order: pages, long poll, or an event stream',
      handle: ({ exchange, principal, query }) => changes.answer(exchange, principal, query),
    }),
  ]
}
