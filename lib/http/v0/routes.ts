import type { AnswerSender } from '../answer-spec.ts'
import type { Context } from '../context.ts'
import { defineRoute, type Route } from '../route.ts'
import { Bases } from './bases.ts'
import type { Iterations } from './iterations.ts'
import { LIST_PARAMETERS, readListBody, readListQuery } from './list-query.ts'
import { baseList, tableList, whoAmI } from './meta.ts'
import { airtableProblemOf } from './problem.ts'
import { Records } from './records.ts'

const { cellFormat, returnFieldsByFieldId } = LIST_PARAMETERS
const COMMON = { scope: 'read', reach: 'rows', problemOf: airtableProblemOf } as const

export interface AirtableRoutes {
  readonly routes: Route[]
  readonly records: Records
}

/** Airtable's way to read, over any source. */
export function airtableRoutes(context: Context, answers: AnswerSender, iterations: Iterations): AirtableRoutes {
  const bases = new Bases(context)
  const records = new Records({ context, answers, bases, iterations })
  const routes = [
    defineRoute({
      ...COMMON,
      method: 'GET',
      path: '/v0/meta/whoami',
      summary: 'Whose key this is, as Airtable says it',
      handle: ({ exchange, principal }) => exchange.json(200, whoAmI(principal)),
    }),
    defineRoute({
      ...COMMON,
      method: 'GET',
      path: '/v0/meta/bases',
      summary: 'The sources, as Airtable lists bases',
      handle: ({ exchange, principal }) => exchange.json(200, baseList(bases.list(principal))),
    }),
    defineRoute({
      ...COMMON,
      method: 'GET',
      path: '/v0/meta/bases/:baseId/tables',
      parameters: { 'include[]': { kind: 'choice', of: ['visibleFieldIds'] } },
      summary: 'The tables of a source with their fields and views, as Airtable describes them',
      handle({ exchange, principal, params, query }) {
        const tables = bases.tables(params.baseId!, principal)
        exchange.json(200, tableList(tables, principal, { withVisibleFields: query['include[]'] !== undefined }))
      },
    }),
    // Before the records of a table: none is called so.
    defineRoute({
      ...COMMON,
      method: 'POST',
      path: '/v0/:baseId/:table/listRecords',
      others: 'read',
      summary: 'A page of records, asked for in the body',
      handle: async ({ exchange, principal, params, body }) => {
        const path = { baseId: params.baseId!, table: params.table! }
        const query = readListBody(body, exchange.query)
        await records.list(exchange, principal, { path, query, isPosted: true })
      },
    }),
    defineRoute({
      ...COMMON,
      method: 'GET',
      path: '/v0/:baseId/:table',
      others: 'read',
      parameters: LIST_PARAMETERS,
      summary: 'A page of records, as Airtable lists them',
      handle: async ({ exchange, principal, params }) => {
        const path = { baseId: params.baseId!, table: params.table! }
        const query = readListQuery(exchange.query)
        await records.list(exchange, principal, { path, query, isPosted: false })
      },
    }),
    defineRoute({
      ...COMMON,
      method: 'GET',
      path: '/v0/:baseId/:table/:recordId',
      others: 'read',
      parameters: { cellFormat, returnFieldsByFieldId },
      summary: 'One record, as Airtable shows it',
      handle: async ({ exchange, principal, params }) => {
        const path = { baseId: params.baseId!, table: params.table! }
        await records.record(exchange, principal, path, params.recordId!)
      },
    }),
  ]
  return { routes, records }
}
