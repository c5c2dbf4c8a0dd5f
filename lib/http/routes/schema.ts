import { hash } from 'node:crypto'
import type { Principal } from '../../access.ts'
import { tsType, typeText } from '../../type-text.ts'
import type { Context } from '../context.ts'
import { matchesTag } from '../negotiate.ts'
import { defineRoute, type Route } from '../route.ts'
import { normalizedName, resolveTable, tableNotFound, visibleTables, type Target } from '../target.ts'
import { shownSchema } from '../view.ts'

/** What there is, for programs: types for the rows of every table, and which name belongs to which id. */
export function schemaRoutes(context: Context): Route[] {
  const shownTables = (principal: Principal) =>
    visibleTables(context, principal).flatMap((target) => shownSchema(target, principal) ?? [])
  return [
    defineRoute({
      method: 'GET',
      path: '/api/types',
      scope: 'read',
      reach: 'rows',
      parameters: { format: { kind: 'choice', of: ['text', 'json'] } },
      summary: 'TypeScript interfaces and zod schemas for every table; JSON with format=json',
      handle({ exchange, principal, query: { format } }) {
        const tables = shownTables(principal)
        if (format === 'json') {
          const described = tables.map((target) => {
            const { columns, key } = target.table
            const fields = columns.map((column) => ({
              id: column.name,
              name: column.name,
              type: column.type,
              tsType: tsType(column, key),
            }))
            return { ...mappingHead(target), fields }
          })
          const generatedAt = new Date(context.clock.now()).toISOString()
          return exchange.json(200, { generatedAt, tableCount: tables.length, tables: described })
        }
        const text = typeText(tables)
        const tag = `"${hash('sha256', text, 'base64url').slice(0, 22)}"`
        const validators = [
          'ETag',
          tag,
          'Cache-Control',
          'private, no-cache',
          'Vary',
          'Authorization, X-API-Key, apikey',
        ]
        if (matchesTag(exchange.header('if-none-match'), tag)) return exchange.empty(304, validators)
        exchange.send(200, ['Content-Type', 'text/plain; charset=utf-8', ...validators], text)
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/mappings',
      scope: 'read',
      reach: 'rows',
      summary: 'Ids and names of all tables and their columns',
      handle({ exchange, principal }) {
        const mappings = shownTables(principal).map(mappingOf)
        exchange.json(200, { backend: 'sqlite', count: mappings.length, mappings })
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/mappings/:id',
      scope: 'read',
      reach: 'rows',
      summary: 'Ids and names of one table, by its id, its name or its normalized name',
      handle({ exchange, principal, params }) {
        const id = params.id!
        const target = shownSchema(resolveTable(context, principal, id), principal)
        if (!target) throw tableNotFound(id, shownTables(principal))
        exchange.json(200, { backend: 'sqlite', ...mappingOf(target) })
      },
    }),
  ]
}

/** Where the upstream has no ids, names are the ids. */
function mappingHead({ source, table }: Target) {
  return {
    tableId: table.name,
    source,
    originalName: table.name,
    normalizedName: normalizedName(table.name),
    primaryFieldId: table.key[0] ?? null,
  }
}

function mappingOf(target: Target) {
  const fields = target.table.columns.map(({ name, type }) => [name, { id: name, name, type }] as const)
  return { ...mappingHead(target), fields: Object.fromEntries(fields) }
}
