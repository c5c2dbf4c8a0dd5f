import type { Context } from '../context.ts'
import { defineRoute, type Route } from '../route.ts'
import { visibleSources } from '../target.ts'
import { sourceToWire } from '../wire.ts'

/** `GET /status`: everything about every source, and the original's keys about the first. */
export function statusRoutes(context: Context): Route[] {
  const { sources, snapshots, files, feed, clock, version, startedAt } = context
  return [
    defineRoute({
      method: 'GET',
      path: '/status',
      scope: 'read',
      reach: 'tables',
      summary: 'State, age, rows, progress and last error of every source',
      handle({ exchange, principal }) {
        const now = clock.now()
        const all = visibleSources(sources, principal).map((source) =>
          sourceToWire(source, feed.fresh(source), snapshots.active(source)?.pointer, {
            now,
            principal,
            files: files.counts(source),
          }),
        )
        const [first] = all
        exchange.json(200, {
          api_status: context.isDraining() ? 'draining' : 'online',
          cache_exists: first?.snapshot != null,
          cache_age_minutes: first?.age_seconds == null ? null : Math.floor(first.age_seconds / 60),
          update_in_progress: first?.update_in_progress ?? false,
          timestamp: new Date(now).toISOString(),
          version,
          uptime_seconds: Math.floor((now - startedAt) / 1000),
          streams: context.streams.size,
          sources: all,
          warnings: all.flatMap(({ source, warnings }) => warnings.map((warning) => `${source}: ${warning}`)),
        })
      },
    }),
  ]
}
