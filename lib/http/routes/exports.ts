import { seesSource, seesTable, seesWhole, type Principal } from '../../access.ts'
import { Failure } from '../../errors.ts'
import { EXPORT_FORMATS, type ExportFormat, type MountedSnapshot } from '../../snapshot.ts'
import type { Context } from '../context.ts'
import { sendExport } from '../export-file.ts'
import { defineRoute, type Route } from '../route.ts'
import { resolveTable } from '../target.ts'

/** A first export of a large table takes longer: it is then made while the client waits to ask again. */
const WAIT_MS = 10_000

/** What a path to an export means. */
interface Wanted {
  /** Null: the whole snapshot, as SQLite. */
  readonly table: string | null
  readonly format: ExportFormat
}

/** Whole tables and snapshots as files that never change. */
export function exportRoutes(context: Context): Route[] {
  const { sources, snapshots, settings } = context

  function find(principal: Principal, snapshot: string): MountedSnapshot {
    const visible = sources.filter((source) => seesSource(principal, source))
    for (const source of visible) {
      const mounted = snapshots.find(source, snapshot)
      if (mounted?.pointer.snapshot === snapshot) return mounted
    }
    throw new Failure(
      'snapshot_not_found',
      `There is no snapshot ${JSON.stringify(snapshot.slice(0, 100))} here: the active one and the one before are kept. Follow GET /api/tables/:table/export to the active one.`,
    )
  }

  return [
    defineRoute({
      method: 'GET',
      path: '/api/tables/:table/export',
      scope: 'read',
      reach: 'tables',
      parameters: { format: { kind: 'choice', of: EXPORT_FORMATS } },
      summary: 'Leads to the active export of a table, or of its source as SQLite',
      handle({ exchange, principal, params, query: { format = 'json' } }) {
        const { source, mounted, table } = resolveTable(context, principal, params.table!)
        if (format === 'sqlite') requireWholeSource(principal, source)
        const { snapshot } = mounted.pointer
        const file = `${format === 'sqlite' ? source : table.name}.${format}`.toWellFormed()
        exchange.send(307, [
          'Location', `/api/exports/${encodeURIComponent(snapshot)}/${encodeURIComponent(file)}`,
          'Cache-Control', 'private, no-cache',
          'Vary', 'Authorization, X-API-Key, apikey',
          'Snapshot-Id', snapshot,
        ], '') // prettier-ignore
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/exports/:snapshot/:file',
      scope: 'read',
      reach: 'tables',
      summary: 'An export of one snapshot: ranges, digest, row count; the same bytes for ever',
      async handle({ exchange, principal, params }) {
        const mounted = find(principal, params.snapshot!)
        const name = params.file!
        const { table, format } = readFileName(name, mounted, principal)
        using _pinned = mounted.pin()
        const wanted = { table, format, maxBytes: settings.exportFileBytes, waitMs: WAIT_MS }
        const file = await mounted.exportFile(wanted)
        const isPart = !seesWhole(principal, mounted.pointer.source)
        await sendExport(exchange, { mounted, file, format, name, isPart })
      },
    }),
  ]
}

/** `<table>.json`, `.ndjson`, `.csv` or `<source>.sqlite`. */
function readFileName(name: string, { pointer }: MountedSnapshot, principal: Principal): Wanted {
  const { source, tables } = pointer
  const dot = name.lastIndexOf('.')
  const stem = name.slice(0, dot)
  const format = EXPORT_FORMATS.find((candidate) => candidate === name.slice(dot + 1))
  if (format === 'sqlite' && stem === source) {
    requireWholeSource(principal, source)
    return { table: null, format }
  }
  const visible = tables.filter((table) => seesTable(principal, source, table.name))
  const found = visible.find((table) => table.name.toWellFormed() === stem)
  if (found && format && format !== 'sqlite') return { table: found.name, format }
  throw new Failure(
    'table_not_found',
    `The snapshot ${pointer.snapshot} has no export ${JSON.stringify(name.slice(0, 100))}. Its exports are called <table>.json, <table>.ndjson, <table>.csv and ${source}.sqlite.`,
    { facts: { source, known: visible.map((table) => table.name) } },
  )
}

/** A snapshot file holds all tables of its source. */
function requireWholeSource({ limits }: Principal, source: string): void {
  if (limits === null || limits.has(source)) return
  throw new Failure(
    'forbidden',
    `The SQLite file of ${source} holds more than this key may see. Export single tables as json, ndjson or csv.`,
    { facts: { reason: 'restricted_key' } },
  )
}
