import { ApiError, invalid, unknownField } from './api-error.ts'
import type { Field } from './field.ts'
import { isObject, isTextList, type Json } from './json.ts'
import type { Shape } from './presenter.ts'
import type { Table } from './table.ts'
import type { Sort, View } from './view.ts'

const LARGEST_PAGE = 100

/** What a list is asked for, checked. */
export interface ListQuery {
  readonly pageSize: number
  readonly maxRecords: number
  readonly offset: string | undefined
  readonly view: View | undefined
  /** By field id; undefined where the view's counts. */
  readonly sort: readonly Sort[] | undefined
  readonly formula: string | undefined
  readonly shape: Shape
}

/** From a parsed query string or a JSON body. Throws the 422 that says what is wrong. */
export function readListQuery(table: Table, given: Readonly<Record<string, Json>>): ListQuery {
  return {
    pageSize: wholeNumber(given, 'pageSize', 1, LARGEST_PAGE) ?? LARGEST_PAGE,
    maxRecords: wholeNumber(given, 'maxRecords', 1, Number.MAX_SAFE_INTEGER) ?? Number.POSITIVE_INFINITY,
    offset: text(given, 'offset'),
    view: readView(table, text(given, 'view')),
    sort: readSort(table, given['sort']),
    formula: text(given, 'filterByFormula'),
    shape: readShape(table, given),
  }
}

/** What single records can be asked for, too. */
export function readShape(table: Table, given: Readonly<Record<string, Json>>): Shape {
  checkCellFormat(given)
  const metadata = given['recordMetadata'] ?? []
  if (!isTextList(metadata) || metadata.some((name) => name !== 'commentCount')) {
    throw invalid('recordMetadata: only "commentCount" is known')
  }
  return {
    fields: readFields(table, given['fields']),
    byFieldId: flag(given, 'returnFieldsByFieldId'),
    hasCommentCount: metadata.includes('commentCount'),
    hasLinkObjects: flag(given, 'includeDateDependencyMetadata'),
  }
}

function text(given: Readonly<Record<string, Json>>, name: string): string | undefined {
  const value = given[name]
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value !== 'string') throw invalid(`${name} must be a text`)
  return value
}

function flag(given: Readonly<Record<string, Json>>, name: string): boolean {
  const value = given[name]
  if (value === undefined || value === false || value === 'false') return false
  if (value === true || value === 'true' || value === '1') return true
  throw invalid(`${name} must be true or false`)
}

function wholeNumber(
  given: Readonly<Record<string, Json>>,
  name: string,
  least: number,
  most: number,
): number | undefined {
  const value = given[name]
  if (value === undefined || value === '') return undefined
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isInteger(number) && number >= least && number <= most) return number
  throw invalid(`${name} must be a whole number from ${least} to ${most}`)
}

function readFields(table: Table, given: Json | undefined): readonly Field[] | undefined {
  if (given === undefined) return undefined
  if (!isTextList(given)) throw invalid('fields must be a list of names or ids')
  return [...new Set(given.map((name) => fieldOf(table, name)))]
}

function fieldOf(table: Table, nameOrId: string): Field {
  const field = table.findField(nameOrId)
  if (field === undefined) throw unknownField(nameOrId)
  return field
}

function readView(table: Table, nameOrId: string | undefined): View | undefined {
  if (nameOrId === undefined) return undefined
  const view = table.findView(nameOrId)
  if (view !== undefined) return view
  throw /^viw[A-Za-z0-9]{14}$/.test(nameOrId)
    ? new ApiError(422, 'VIEW_ID_NOT_FOUND', `View ${nameOrId} not found`)
    : new ApiError(422, 'VIEW_NAME_NOT_FOUND', `View '${nameOrId}' not found`)
}

function readSort(table: Table, given: Json | undefined): readonly Sort[] | undefined {
  if (given === undefined) return undefined
  if (!Array.isArray(given)) throw invalid('sort must be a list of {field, direction}')
  const sorts = (given as readonly Json[]).map((item): Sort => {
    const { field, direction = 'asc' } = isObject(item) ? item : {}
    if (typeof field !== 'string') throw invalid('sort: each needs a field')
    if (direction !== 'asc' && direction !== 'desc') throw invalid('sort: direction must be "asc" or "desc"')
    return { field: fieldOf(table, field).id, direction }
  })
  return sorts.length === 0 ? undefined : sorts
}

function checkCellFormat(given: Readonly<Record<string, Json>>): void {
  const format = text(given, 'cellFormat') ?? 'json'
  if (format === 'json') return
  if (format !== 'string') throw invalid('cellFormat must be "json" or "string"')
  if (text(given, 'timeZone') === undefined || text(given, 'userLocale') === undefined) {
    throw invalid('cellFormat "string" needs timeZone and userLocale')
  }
  throw invalid('cellFormat "string" is not simulated')
}
