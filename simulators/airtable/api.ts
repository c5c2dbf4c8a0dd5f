import { ApiError, forbidden, invalid, notFound } from './api-error.ts'
import type { Base } from './base.ts'
import type { FileUrls } from './file-urls.ts'
import type { Iterators } from './iterators.ts'
import { isObject, type Json, type JsonObject } from './json.ts'
import { orderRecords } from './list-order.ts'
import { readListQuery, readShape } from './list-query.ts'
import { presentRecord } from './presenter.ts'
import { parseQuery } from './query-string.ts'
import type { Route } from './route.ts'
import { describeBase } from './schema.ts'
import type { Table } from './table.ts'
import { checkScope, type Token } from './tokens.ts'
import type { Webhooks } from './webhooks.ts'
import type { Uploads } from './uploads.ts'
import { writeRecords } from './writes.ts'

const BASES_OF_A_PAGE = 1000

export interface ApiRequest {
  readonly method: string
  readonly path: string
  /** Without its question mark. */
  readonly query: string
  readonly body: Buffer
  readonly route: Route
  readonly token: Token
}

export interface ApiParts {
  readonly bases: readonly Base[]
  readonly iterators: Iterators
  readonly urls: FileUrls
  readonly webhooks: Webhooks
  readonly uploads: Uploads
}

/** What Airtable answers to those it lets in, by their scopes. */
export class Api {
  readonly #bases: readonly Base[]
  readonly #iterators: Iterators
  readonly #urls: FileUrls
  readonly #webhooks: Webhooks
  readonly #uploads: Uploads

  constructor(parts: ApiParts) {
    this.#bases = parts.bases
    this.#iterators = parts.iterators
    this.#urls = parts.urls
    this.#webhooks = parts.webhooks
    this.#uploads = parts.uploads
  }

  /** Throws `ApiError`. */
  answer(request: ApiRequest): JsonObject {
    const { route, token } = request
    switch (route.kind) {
      case 'whoami':
        return { id: token.user, scopes: token.scopes }
      case 'bases':
        checkScope(token, 'schema.bases:read')
        return this.#listBases(request)
      case 'schema':
        checkScope(token, 'schema.bases:read')
        return this.#schema(request)
      case 'list':
        checkScope(token, 'data.records:read')
        return this.#list(request)
      case 'record':
        checkScope(token, 'data.records:read')
        return this.#record(request)
      case 'write':
        checkScope(token, 'data.records:write')
        return this.#write(request)
      case 'webhook':
      case 'payloads':
        checkScope(token, 'webhook:manage')
        return this.#webhook(request)
      case 'file':
      case 'other':
        throw notFound()
    }
  }

  #base({ route, token }: ApiRequest): Base {
    const base = this.#bases.find(({ id }) => id === route.baseId)
    const isSeen = base !== undefined && (token.bases === 'all' || token.bases.includes(base.id))
    if (!isSeen || base.permissionLevel === 'none') throw forbidden()
    return base
  }

  #table(request: ApiRequest): Table {
    const table = this.#base(request).findTable(request.route.table ?? '')
    if (table === undefined) throw forbidden()
    return table
  }

  #listBases({ token, query }: ApiRequest): JsonObject {
    const seen = this.#bases.filter(({ id }) => token.bases === 'all' || token.bases.includes(id))
    const offset = parseQuery(query)['offset'] ?? 'itr0'
    const from = typeof offset === 'string' ? Number(/^itr(\d+)$/.exec(offset)?.[1]) : Number.NaN
    if (Number.isNaN(from)) throw new ApiError(422, 'INVALID_OFFSET_VALUE', 'The offset is not one that a list gave')
    const page = seen.slice(from, from + BASES_OF_A_PAGE)
    return {
      bases: page.map(({ id, name, permissionLevel }) => ({ id, name, permissionLevel })),
      ...(from + page.length < seen.length && { offset: `itr${from + page.length}` }),
    }
  }

  #schema(request: ApiRequest): JsonObject {
    const include = parseQuery(request.query)['include']
    const names = include === undefined ? [] : Array.isArray(include) ? (include as readonly Json[]) : [include]
    if (names.some((name) => name !== 'visibleFieldIds')) throw invalid('include: only "visibleFieldIds" is known')
    return describeBase(this.#base(request), names.length > 0)
  }

  #list(request: ApiRequest): JsonObject {
    const table = this.#table(request)
    const given =
      request.method === 'POST' ? { ...parseQuery(request.query), ...bodyOf(request) } : parseQuery(request.query)
    const query = readListQuery(table, given)
    const { records, offset } =
      query.offset === undefined
        ? this.#iterators.first(table, orderRecords(table, query), query.pageSize)
        : this.#iterators.next(table, query.offset, query.pageSize)
    return {
      records: records.map((record) => presentRecord(table, record, this.#urls, query.shape)),
      ...(offset !== undefined && { offset }),
    }
  }

  /** A record that is in another table of the base is found all the same. */
  #record(request: ApiRequest): JsonObject {
    const asked = this.#table(request)
    const id = request.route.recordId ?? ''
    const table = asked.find(id) === undefined ? asked.base.tables.find((other) => other.find(id)) : asked
    const record = table?.find(id)
    if (table === undefined || record === undefined) throw notFound()
    return presentRecord(table, record, this.#urls, readShape(table, parseQuery(request.query)))
  }

  #write(request: ApiRequest): JsonObject {
    const table = this.#table(request)
    if (!['edit', 'create'].includes(table.base.permissionLevel)) throw forbidden()
    const { method, route, token, query } = request
    const body = method === 'DELETE' ? undefined : bodyOf(request)
    const answer = writeRecords(
      table,
      { method, recordId: route.recordId, query: parseQuery(query), body },
      this.#urls,
      token.user,
    )
    this.#uploads.start(table.base)
    return answer
  }

  #webhook(request: ApiRequest): JsonObject {
    const base = this.#base(request)
    const { webhookId: id, action } = request.route
    if (id === undefined) {
      return request.method === 'POST' ? this.#webhooks.create(base, bodyOf(request)) : this.#webhooks.list(base)
    }
    if (action === 'payloads') return this.#webhooks.listPayloads(base, id, parseQuery(request.query))
    if (action === 'refresh') return this.#webhooks.refresh(base, id)
    if (action === 'enableNotifications') return this.#webhooks.enableNotifications(base, id, bodyOf(request))
    return this.#webhooks.delete(base, id)
  }
}

/** Throws 400. */
function bodyOf({ body }: ApiRequest): JsonObject {
  let parsed: unknown
  try {
    parsed = body.length === 0 ? {} : JSON.parse(body.toString())
  } catch {
    throw new ApiError(400, 'INVALID_REQUEST_BODY', 'Could not parse request body')
  }
  if (!isObject(parsed)) throw invalid('The body must be an object')
  return parsed
}
