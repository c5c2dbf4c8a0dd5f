import type { FetchData } from '../fetch-data.ts'
import type { Route } from '../route.ts'

export function fetchDataRoutes(fetchData: FetchData): Route[] {
  return [
    {
      method: 'GET',
      path: '/fetch-data',
      scope: 'read',
      summary: 'The rows of a table: all, some, refreshed, or as an event stream',
      handle: ({ exchange }) => fetchData.answer(exchange),
    },
  ]
}
