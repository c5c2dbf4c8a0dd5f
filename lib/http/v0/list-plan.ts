import type { Principal } from '../../access.ts'
import { Failure } from '../../errors.ts'
import { readFormula, type FormulaCondition } from '../../formula-condition.ts'
import type { FormulaContext } from '../../formula.ts'
import type { Answer, Order, Output, Query, ResolvedQuery } from '../../query.ts'
import { closest } from '../../base/closest.ts'
import { badParameter } from '../query.ts'
import { resolveVisible, seesSomeRows } from '../visible-query.ts'
import type { BaseField, BaseTable } from './base-schema.ts'
import type { PlacedTable } from './bases.ts'
import type { ListQuery } from './list-query.ts'
import { writeOffset, type Offset } from './offset.ts'
import { recordWriter } from './record-text.ts'

const FORMULA = 'filterByFormula'

/** What a request for a page of records asks of a table, and how its answer is written. */
export interface ListPlan {
  readonly query: ResolvedQuery
  readonly isMomentary: boolean
  /** A view was named that filters and sorts upstream. */
  readonly hasForeignView: boolean
  write(answer: Answer): { readonly body: string; readonly offset: string | null }
}

/** A request that has found its table. */
export interface ListRequest {
  readonly query: ListQuery
  /** What the table was called. */
  readonly name: string
  readonly table: PlacedTable
  readonly principal: Principal
  /** Undefined: the first page. */
  readonly place: Offset | undefined
  readonly now: number
  /** Most rows of an answer. */
  readonly maxRows: number
}

/**
 * Fits a request to the table it is about.
 *
 * @throws Failure `bad_parameter`, `column_not_found`, `bad_filter`, `not_supported`, and what `resolveVisible` throws
 */
export function planList(request: ListRequest): ListPlan {
  const { query, table, principal, place, now, maxRows } = request
  const { schema } = table
  const startedAt = place?.startedAt ?? now
  requireView(schema, query.view)
  if (query.countsComments && schema.hasViewsOfItsOwn) {
    throw badParameter('recordMetadata', 'without commentCount: comments are not mirrored')
  }
  const fields =
    query.fields === null ? schema.fields : [...new Set(query.fields.map((name) => fieldNamed(schema, name)))]
  const formula = query.formula === null ? undefined : readFilter(query.formula, schema, startedAt)
  const seen = place?.seen ?? 0
  const left = query.maxRecords === null ? Infinity : query.maxRecords - seen
  if (left <= 0) throw badParameter('offset', 'as the page before gave it: there are no more records than maxRecords')
  const asked: Query = {
    outputs: [...fields, ...(schema.errors === null ? [] : [{ column: schema.errors }])].map(outputOf),
    where: formula?.where ?? null,
    order: query.sort.map(({ field, isDescending }) => orderBy(fieldNamed(schema, field), isDescending)),
    // Else an offset would tell how many records are hidden before the last one.
    byKey: seesSomeRows(table, principal),
    offset: place !== undefined && place.after === null ? place.seen : 0,
    limit: Math.min(query.pageSize, left, maxRows),
    after: place?.after ?? null,
    count: 'none',
  }
  const write = recordWriter({
    table: schema,
    fields,
    isByFieldId: query.isByFieldId,
    countsComments: query.countsComments,
  })
  return {
    query: resolveVisible(asked, table, principal),
    isMomentary: formula?.isMomentary ?? false,
    hasForeignView: query.view !== null && schema.hasViewsOfItsOwn,
    write(answer) {
      const records = answer.rows.map((row, index) => write(row, answer.facts[index]!))
      const behind = seen + records.length
      const isEnd = !answer.hasMore || answer.last === null || records.length >= left
      const { source } = table
      const { snapshot } = table.mounted.pointer
      const next = { source, snapshot, startedAt, seen: behind, after: answer.last }
      const offset = isEnd ? null : writeOffset(next, identityOf(query, request.name))
      const end = offset === null ? ']}' : `],"offset":${JSON.stringify(offset)}}`
      return { body: `{"records":[${records.join(',')}${end}`, offset }
    },
  }
}

/** What has to be the same on every page. */
export function identityOf({ sort, formula, view, maxRecords }: ListQuery, table: string): string {
  return JSON.stringify([table, sort, formula, view, maxRecords])
}

function readFilter(formula: string, schema: BaseTable, now: number): FormulaCondition {
  return readFormula(FORMULA, formula, contextOf(schema, now))
}

function contextOf({ fields, errors, info, ids }: BaseTable, now: number): FormulaContext {
  const keys = info.key.map((name) => info.columns.find((column) => column.name === name)!)
  return {
    field: (name) => {
      const field = fields.find((one) => one.name === name) ?? fields.find(({ id }) => id === name)
      if (field === undefined) return undefined
      const { column, formulaType: type } = field
      return { type, column, errors: errors && { column: errors, name: column.name } }
    },
    names: fields.map(({ name }) => name),
    tellsChanges: fields.some(({ column }) => column.name === info.times.modified),
    now,
    key: keys,
    ids,
  }
}

function requireView({ views }: BaseTable, view: string | null): void {
  if (view === null || views.some(({ id, name }) => id === view || name === view)) return
  const known = views.slice(0, 20).map(({ name }) => name).join(', ') // prettier-ignore
  const isId = /^viw[A-Za-z0-9]{14}$/.test(view)
  const shown = JSON.stringify(view.slice(0, 100))
  throw new Failure('bad_parameter', `There is no view ${shown} of this table. There is: ${known}.`, {
    facts: { parameter: isId ? 'viewId' : 'view' },
  })
}

function fieldNamed({ fields }: BaseTable, name: string): BaseField {
  const found = fields.find((field) => field.name === name) ?? fields.find(({ id }) => id === name)
  if (found !== undefined) return found
  const near = closest(name, fields.map((field) => field.name)) // prettier-ignore
  const shown = JSON.stringify(name.slice(0, 100))
  throw new Failure('column_not_found', `Unknown field name: ${shown}.${near === undefined ? '' : ` Perhaps ${JSON.stringify(near)} is meant.`}`) // prettier-ignore
}

function outputOf({ column: { name } }: Pick<BaseField, 'column'>): Output {
  return { operand: { column: name, path: [], asText: false }, name, cast: null }
}

/** As Airtable sorts: what is empty comes first, and last the other way round. */
function orderBy({ column: { name } }: BaseField, isDescending: boolean): Order {
  const operand = { column: name, path: [], asText: false }
  return { operand, descending: isDescending, nulls: isDescending ? 'last' : 'first' }
}
