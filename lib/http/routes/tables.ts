import { hiddenColumns, isRestricted, ruleOf } from '../../access.ts'
import type { Context } from '../context.ts'
import { defineRoute, type Route } from '../route.ts'
import { recordNames } from '../tables/record-names.ts'
import { TABLES_PARAMETERS } from '../tables/tables-query.ts'
import type { Tables } from '../tables/tables.ts'
import { visibleTables } from '../target.ts'

/** `/api/tables`: the records of every mirrored table. */
export function tableRoutes(context: Context, tables: Tables): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/tables',
      scope: 'read',
      reach: 'rows',
      summary: 'The tables there are, with columns, keys and indexes',
      handle({ exchange, principal }) {
        const visible = visibleTables(context, principal)
        const details = visible.map(({ name, source, table, mounted }) => {
          const rule = ruleOf(principal, source, table.name)
          const hidden = new Set(hiddenColumns(rule, table))
          return {
            name,
            source,
            table: table.name,
            snapshot: mounted.pointer.snapshot,
            // A count of rows that a key does not see would tell of them.
            rows: rule?.filter ? null : table.rows,
            key: table.key.filter((column) => !hidden.has(column)),
            columns: table.columns.filter((column) => !hidden.has(column.name)),
            indexes: table.indexes.filter((columns) => !columns.some((column) => hidden.has(column))),
            search: table.search.filter((column) => !hidden.has(column)),
            record: recordNames(table),
          }
        })
        exchange.json(200, {
          backend: 'sqlite',
          tables: visible.map(({ name }) => name),
          details,
          ...(isRestricted(principal) && { restricted: true }),
        })
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/tables/:table',
      scope: 'read',
      reach: 'rows',
      parameters: TABLES_PARAMETERS,
      others: 'filters',
      summary: 'Records: pages, cursors, filters, sort, fields, full text; JSON, NDJSON or CSV',
      handle: ({ exchange, principal, params }) => tables.list(exchange, principal, params.table!),
    }),
    defineRoute({
      method: 'GET',
      path: '/api/tables/:table/:id',
      scope: 'read',
      reach: 'rows',
      summary: 'One record by its id',
      handle: ({ exchange, principal, params }) => tables.record(exchange, principal, params.table!, params.id!),
    }),
  ]
}
