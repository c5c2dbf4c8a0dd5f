import { invalid } from './api-error.ts'
import { isObject, isTextList, type Json, type JsonObject } from './json.ts'

const DATA_TYPES = ['tableData', 'tableFields', 'tableMetadata']
const CHANGE_TYPES = ['add', 'remove', 'update']

/** What a webhook wants to hear of, checked; `json` is what was asked for. */
export interface WebhookSpec {
  readonly json: JsonObject
  readonly dataTypes: readonly string[]
  readonly changeTypes: readonly string[]
  /** Id of a table or a view. */
  readonly scope: string | undefined
  readonly fromSources: readonly string[] | undefined
  readonly watchedDataFields: readonly string[] | undefined
  readonly watchedSchemaFields: readonly string[] | undefined
  readonly includedFields: readonly string[] | 'all'
  readonly hasPreviousCells: boolean
  readonly hasPreviousFields: boolean
}

/** Throws 422. */
export function readWebhookSpec(json: Json | undefined): WebhookSpec {
  const options = isObject(json) ? json['options'] : undefined
  const filters = isObject(options) ? options['filters'] : undefined
  if (!isObject(json) || !isObject(options) || !isObject(filters)) {
    throw invalid('specification.options.filters is missing')
  }
  const includes = options['includes'] ?? {}
  if (!isObject(includes)) throw invalid('specification.options.includes must be an object')
  const scope = filters['recordChangeScope']
  if (scope !== undefined && !(typeof scope === 'string' && /^(?:tbl|viw)[A-Za-z0-9]{14}$/.test(scope))) {
    throw invalid('recordChangeScope must be the id of a table or view')
  }
  const included = includes['includeCellValuesInFieldIds']
  return {
    json,
    dataTypes: list(filters, 'dataTypes', DATA_TYPES) ?? missing('dataTypes'),
    changeTypes: list(filters, 'changeTypes', CHANGE_TYPES) ?? CHANGE_TYPES,
    scope,
    fromSources: list(filters, 'fromSources'),
    watchedDataFields: list(filters, 'watchDataInFieldIds'),
    watchedSchemaFields: list(filters, 'watchSchemasOfFieldIds'),
    includedFields: included === 'all' ? 'all' : (list(includes, 'includeCellValuesInFieldIds') ?? []),
    hasPreviousCells: includes['includePreviousCellValues'] === true,
    hasPreviousFields: includes['includePreviousFieldDefinitions'] === true,
  }
}

/** Everything that must be there for the webhook to live: ids of fields, a table or a view. */
export function watchedIds(spec: WebhookSpec): ReadonlySet<string> {
  const included = spec.includedFields === 'all' ? [] : spec.includedFields
  const scope = spec.scope === undefined ? [] : [spec.scope]
  return new Set([...scope, ...(spec.watchedDataFields ?? []), ...(spec.watchedSchemaFields ?? []), ...included])
}

function list(from: JsonObject, name: string, among?: readonly string[]): readonly string[] | undefined {
  const value = from[name]
  if (value === undefined) return undefined
  if (!isTextList(value) || value.length === 0) throw invalid(`${name} must be a list of texts`)
  const wrong = value.find((item) => among !== undefined && !among.includes(item))
  if (wrong !== undefined) throw invalid(`${name}: "${wrong}" is not known`)
  return value
}

function missing(name: string): never {
  throw invalid(`${name} is missing`)
}
