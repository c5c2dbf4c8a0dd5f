import { isRestricted, seesSource, type Principal } from '../../access.ts'
import type { FileSizes, MountedSnapshot } from '../../snapshot.ts'
import type { Context } from '../context.ts'
import { defineRoute, type Route } from '../route.ts'
import { visibleTables } from '../target.ts'

/** What was found in a cache, what was not, and what it takes. */
interface Cache {
  readonly hits: number
  readonly misses: number
  readonly heldBytes: number
}

/** What only the server knows of itself. */
export interface StatsParts {
  readonly connections: () => number
  /** The cache of answers to queries. */
  readonly answers?: Cache
}

/** `GET /api/stats`: how much there is, and, for who runs it, how this process is doing. */
export function statsRoutes(context: Context, parts: StatsParts): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/stats',
      scope: 'read',
      reach: 'tables',
      summary: 'Rows and bytes of every source and table; for admin also connections, memory, caches, slow queries',
      async handle({ exchange, principal }) {
        const tables = visibleTables(context, principal)
        const visible = context.sources.filter((source) => seesSource(principal, source))
        const sources = []
        for (const source of visible) {
          const mounted = context.snapshots.active(source)
          const own = tables.filter((target) => target.source === source)
          sources.push({
            source,
            snapshot: mounted?.pointer.snapshot ?? null,
            rows: own.reduce((sum, { table }) => sum + table.rows, 0),
            bytes: mounted ? await bytesOf(mounted, principal) : null,
            tables: own.map(({ name, table }) => ({
              name,
              rows: table.rows,
              columns: table.columns.length,
              body_bytes: table.bodyBytes,
            })),
          })
        }
        exchange.json(200, {
          backend: 'sqlite',
          stats: {
            totalRecords: sources.reduce((sum, { rows }) => sum + rows, 0),
            totalTables: tables.length,
            dbSize: megabytes(sources.reduce((sum, { bytes }) => sum + (bytes?.snapshot ?? 0), 0)),
          },
          sources,
          ...(principal.scopes.has('admin') && !isRestricted(principal) && { process: processOf(context, parts) }),
        })
      },
    }),
  ]
}

/** The files of a source hold all its tables: who sees some of them is not told how large the others are. */
async function bytesOf(mounted: MountedSnapshot, { limits }: Principal): Promise<FileSizes | null> {
  return limits === null || limits.has(mounted.pointer.source) ? await mounted.fileSizes() : null
}

function processOf({ bodies, clock, slowQueries, startedAt, streams }: Context, { connections, answers }: StatsParts) {
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage()
  return {
    pid: process.pid,
    uptime_seconds: Math.floor((clock.now() - startedAt) / 1000),
    connections: connections(),
    streams: streams.size,
    memory: { rss, heap_used: heapUsed, heap_total: heapTotal, external },
    caches: {
      bodies: cacheToWire(bodies),
      ...(answers && { answers: cacheToWire(answers) }),
    },
    slow_queries: slowQueries.list().map(({ ms, table, query, at }) => ({
      ms: Math.round(ms * 10) / 10,
      table,
      query,
      at: new Date(at).toISOString(),
    })),
  }
}

/** A rate of nothing is not known. */
function cacheToWire({ hits, misses, heldBytes }: Cache) {
  const total = hits + misses
  const rate = total === 0 ? null : Math.round((hits / total) * 1000) / 1000
  return { hits, misses, hit_rate: rate, held_bytes: heldBytes }
}

/** As the original wrote it. */
function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(2)} MB`
}
