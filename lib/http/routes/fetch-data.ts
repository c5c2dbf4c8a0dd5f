import { FETCH_DATA_PARAMETERS } from '../fetch-data-query.ts'
import type { FetchData } from '../fetch-data.ts'
import { defineRoute, type Route } from '../route.ts'

export function fetchDataRoutes(fetchData: FetchData): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/fetch-data',
      scope: 'read',
      reach: 'rows',
      takesTicket: true,
      parameters: FETCH_DATA_PARAMETERS,
      summary: 'The rows of a table: all, some, refreshed, or as an event stream',
      handle: ({ exchange, principal }) => fetchData.answer(exchange, principal),
    }),
  ]
}
