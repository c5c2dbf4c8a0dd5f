import { hash } from 'node:crypto'
import type { Principal } from '../../access.ts'
import { typedColumns, typeText } from '../../type-text.ts'
import type { Context } from '../context.ts'
import type { Column } from '../../column.ts'
import type { FieldOrigin, TableOrigin } from '../../origin.ts'
import { matchesTag } from '../negotiate.ts'
import { defineRoute, type Route } from '../route.ts'
import { normalizedName, resolveTable, tableNotFound, visibleTables, type Target } from '../target.ts'
import { shownFields, shownSchema } from '../view.ts'

/** What there is, for programs: types for the rows of every table, and which name belongs to which id. */
export function schemaRoutes(context: Context): Route[] {
  const shownTables = (principal: Principal) =>
    visibleTables(context, principal)
      .flatMap((target) => shownSchema(target, principal) ?? [])
      .map((target) => withOrigin(target, principal))
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
            const fields = typedColumns(target).map(({ column, field, type }) =>
              fieldOf(column, field, { tsType: type.ts }),
            )
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
        exchange.json(200, { backend: 'sqlite', ...mappingOf(withOrigin(target, principal)) })
      },
    }),
  ]
}

type OriginTarget = Target & { readonly origin: TableOrigin | undefined }

function withOrigin<Shown extends Target>(target: Shown, principal: Principal): Shown & OriginTarget {
  const origin = target.mounted.origin(target.table.name)
  return { ...target, origin: origin && { ...origin, fields: shownFields(origin.fields, target.source, principal) } }
}

/** Where the upstream has no ids, names are the ids. */
function mappingHead({ source, table, origin }: OriginTarget) {
  const isShown = (column: string) => table.columns.some(({ name }) => name === column)
  const primary = origin?.fields.find(({ id, column }) => id === origin.primaryFieldId && isShown(column))
  return {
    tableId: origin?.id ?? table.name,
    source,
    table: table.name,
    baseId: origin?.baseId ?? null,
    originalName: origin?.name ?? table.name,
    normalizedName: normalizedName(table.name),
    primaryFieldId: (origin ? primary?.id : table.key[0]) ?? null,
  }
}

function mappingOf(target: OriginTarget) {
  const { table, origin } = target
  const fields = new Map(origin?.fields.map((field) => [field.column, field]))
  const described = table.columns.map((column) => fieldOf(column, fields.get(column.name)))
  // An id of the upstream's counts before a column that is called so.
  const ids = new Set(described.filter(({ column }) => fields.has(column)).map(({ id }) => id))
  const shown = described.filter(({ id, column }) => fields.has(column) || !ids.has(id))
  return { ...mappingHead(target), fields: Object.fromEntries(shown.map((field) => [field.id, field])) }
}

function fieldOf({ name, type }: Column, field: FieldOrigin | undefined, more: { readonly tsType?: string } = {}) {
  return { id: field?.id ?? name, name: field?.name ?? name, column: name, type: field?.type ?? type, ...more }
}
