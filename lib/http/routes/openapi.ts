import type { Context } from '../context.ts'
import { originOf } from '../origin.ts'
import { defineRoute, type Route } from '../route.ts'

/** The documentation of all routes, for programs and for people. `routes` may still get more. */
export function openApiRoutes(context: Context, routes: readonly Route[]): Route[] {
  // Loaded with the first request: it takes longer than all the rest of a start.
  const load = async () => {
    const { OpenApi } = await import('../openapi/index.ts')
    return new OpenApi(context, routes)
  }
  let loaded: ReturnType<typeof load> | undefined
  return [
    defineRoute({
      method: 'GET',
      path: '/openapi.json',
      scope: 'read',
      reach: 'rows',
      summary: 'All of this as OpenAPI 3.1, with the tables and columns that the key sees',
      async handle({ exchange, principal }) {
        const openApi = await (loaded ??= load())
        const document = await openApi.document(principal)
        await document.send(exchange)
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/docs',
      scope: null,
      summary: 'All of this to read, with examples',
      async handle({ exchange }) {
        const openApi = await (loaded ??= load())
        await openApi.page(originOf(exchange.request)).send(exchange)
      },
    }),
  ]
}
