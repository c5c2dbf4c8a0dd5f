import type { Route } from './route.ts'

/** Where `/docs` tells of a route; the names in its path may be written either way, `:id` or `{id}`. */
export function routeAnchor({ method, path }: Pick<Route, 'method' | 'path'>): string {
  const words = `${method}${path}`.toLowerCase().match(/[a-z0-9]+/g) ?? []
  return words.join('-')
}
