/** A route that a path belongs to, with what the names in it stand for, as they were sent. */
export interface NamedRoute {
  readonly route: string
  readonly params: Readonly<Record<string, string>>
}

/**
 * Finds the route of a path as the router would, for those who do not come by the router: answers from memory go out
 * before it is asked. Knows routes of plain and `:named` segments.
 */
export class RouteNames {
  /** By the number of segments, in the order in which they were declared. */
  readonly #routes: ReadonlyMap<number, readonly { route: string; segments: readonly string[] }[]>

  constructor(paths: Iterable<string>) {
    const routes = [...new Set(paths)].map((route) => ({ route, segments: route.split('/') }))
    this.#routes = Map.groupBy(routes, ({ segments }) => segments.length)
  }

  find(path: string): NamedRoute | undefined {
    const given = path.split('/')
    for (const { route, segments } of this.#routes.get(given.length) ?? []) {
      const params: Record<string, string> = {}
      const isThis = segments.every((segment, index) => {
        if (segment[0] !== ':') return segment === given[index]
        params[segment.slice(1)] = given[index]!
        return given[index] !== ''
      })
      if (isThis) return { route, params }
    }
    return undefined
  }
}
