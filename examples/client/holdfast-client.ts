// Made from the /openapi.json of a Holdfast by examples/client/generate.ts: do not edit.

/** What a client needs beside the types of one Holdfast: `generate.ts` puts it into the file that it writes. */
export interface ClientOptions {
  /** Where it answers: `http://localhost:3000`. */
  readonly url: string
  readonly key: string
  readonly fetch?: typeof fetch
}

/** What went wrong, as the server says it. Switch on `code`. */
export class HoldfastError extends Error {
  readonly status: number
  readonly code: string
  readonly facts: Readonly<Record<string, unknown>>

  constructor(status: number, body: Readonly<Record<string, unknown>>) {
    super(
      typeof body.detail === 'string'
        ? body.detail
        : typeof body.message === 'string'
          ? body.message
          : `HTTP ${status}`,
    )
    this.name = 'HoldfastError'
    this.status = status
    this.code = typeof body.code === 'string' ? body.code : 'unknown'
    this.facts = body
  }
}

type Parameter = string | number | boolean | readonly string[] | undefined
export type Parameters = Readonly<Record<string, Parameter>>

/** Filters by column: `{ country: 'eq.DE', name: ['like.B*', 'not.is.null'] }`; all of them hold. */
export type Filters<Row> = { readonly [Name in keyof Row]?: string | readonly string[] }

interface ListOptions<Row> {
  readonly where?: Filters<Row>
  /** `country,-name` */
  readonly sort?: string
  readonly page?: number
  readonly pageSize?: number
  readonly limit?: number
  readonly offset?: number
  readonly cursor?: string
  readonly q?: string
  readonly modifiedAfter?: string
  readonly total?: 'exact' | 'estimated' | 'none'
  readonly and?: string
  readonly or?: string
}

interface SelectOptions<Row> {
  readonly where?: Filters<Row>
  /** `country,name.desc.nullslast` */
  readonly order?: string
  readonly limit?: number
  readonly offset?: number
  readonly and?: string
  readonly or?: string
}

interface RecordPage<Item> {
  readonly snapshot: string
  readonly records: readonly Item[]
  readonly pagination: {
    readonly total: number | null
    readonly hasMore: boolean
    readonly cursor: string | null
  }
}

/** The members of a record that say which row it is. */
type Facts<Row, Item> = Exclude<keyof Item, keyof Row>

/** How requests are sent. */
export class Connection {
  readonly #options: ClientOptions

  constructor(options: ClientOptions) {
    this.#options = options
  }

  async send<Answer>(method: string, path: string, query: Parameters = {}, body?: unknown): Promise<Answer> {
    const { url, key, fetch: send = fetch } = this.#options
    const search = new URLSearchParams(
      Object.entries(query).flatMap(([name, value]) => {
        const values = Array.isArray(value) ? (value as readonly string[]) : value === undefined ? [] : [String(value)]
        return values.map((one) => [name, one] as [string, string])
      }),
    ).toString()
    const response = await send(`${url.replace(/\/$/, '')}${path}${search === '' ? '' : `?${search}`}`, {
      method,
      headers: { 'X-API-Key': key, ...(body !== undefined && { 'Content-Type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const answer: unknown = await response.json()
    if (!response.ok) throw new HoldfastError(response.status, answer as Readonly<Record<string, unknown>>)
    return answer as Answer
  }
}

/** How columns are called in a query: those that are not here, as they are. */
type QueryNames = Readonly<Record<string, string>>

function queryName(names: QueryNames, column: string): string {
  return Object.hasOwn(names, column) ? names[column]! : column
}

function filtersOf(where: object | undefined, names: QueryNames): Parameters {
  const filters = Object.entries((where ?? {}) as Parameters)
  return Object.fromEntries(filters.map(([column, filter]) => [queryName(names, column), filter]))
}

/** One table, as records. */
export class TableClient<Row, Item> {
  readonly #connection: Connection
  readonly #path: string
  readonly #names: QueryNames

  constructor(connection: Connection, table: string, names: QueryNames) {
    this.#connection = connection
    this.#path = `/api/tables/${encodeURIComponent(table)}`
    this.#names = names
  }

  /** A page of records: whole, or of certain columns. */
  async list(options?: ListOptions<Row>): Promise<RecordPage<Item>>
  async list<Name extends keyof Row & keyof Item & string>(
    options: ListOptions<Row> & { readonly fields: readonly Name[] },
  ): Promise<RecordPage<Pick<Item, Name | Facts<Row, Item>>>>
  async list(options: ListOptions<Row> & { readonly fields?: readonly string[] } = {}): Promise<RecordPage<unknown>> {
    const { where, fields, ...query } = options
    return await this.#connection.send('GET', this.#path, {
      ...query,
      ...(fields && { fields: fields.map((column) => queryName(this.#names, column)).join(',') }),
      ...filtersOf(where, this.#names),
    })
  }

  /** All records that there are, page after page; whatever is published meanwhile, each of them once. */
  async *all(options: { readonly where?: Filters<Row>; readonly pageSize?: number } = {}): AsyncGenerator<Item, void> {
    let cursor: string | null | undefined
    do {
      const page: RecordPage<Item> = await this.list({ ...options, ...(cursor && { cursor }) })
      yield* page.records
      cursor = page.pagination.cursor
    } while (cursor)
  }

  /** One record by its id; undefined where there is none. */
  async get(id: string): Promise<Item | undefined> {
    try {
      const answer = await this.#connection.send<{ record: Item }>('GET', `${this.#path}/${encodeURIComponent(id)}`)
      return answer.record
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'record_not_found') return undefined
      throw error
    }
  }
}

/** One table, in PostgREST's grammar. */
export class RestClient<Row> {
  readonly #connection: Connection
  readonly #path: string
  readonly #names: QueryNames

  constructor(connection: Connection, table: string, names: QueryNames) {
    this.#connection = connection
    this.#path = `/rest/v1/${encodeURIComponent(table)}`
    this.#names = names
  }

  /** Rows: whole, or certain columns of them. */
  async select(options?: SelectOptions<Row>): Promise<readonly Row[]>
  async select<Name extends keyof Row & string>(
    options: SelectOptions<Row> & { readonly columns: readonly Name[] },
  ): Promise<readonly Pick<Row, Name>[]>
  async select(
    options: SelectOptions<Row> & { readonly columns?: readonly string[] } = {},
  ): Promise<readonly unknown[]> {
    const { where, columns, ...query } = options
    return await this.#connection.send('GET', this.#path, {
      ...query,
      ...(columns && { select: columns.map((column) => queryName(this.#names, column)).join(',') }),
      ...filtersOf(where, this.#names),
    })
  }
}

interface PageOfChanges {
  readonly changes: readonly unknown[]
  readonly next: string
}

/** What changes, page after page, as it happens: keep `next` of each page, and go on there another day. */
export async function* followChanges<Page extends PageOfChanges>(
  connection: Connection,
  { wait = 30, since, ...query }: { readonly wait?: number; readonly since?: string } & Parameters,
): AsyncGenerator<Page, void> {
  let position: string | undefined = since
  for (;;) {
    // Without a position there is nothing to wait for: the answer is where to begin.
    const from = position === undefined ? {} : { since: position, wait }
    const page: Page = await connection.send('GET', '/api/changes', { ...query, ...from })
    if (page.changes.length > 0 || position === undefined) yield page
    position = page.next
  }
}

export type AirtableBaseList = {
  readonly bases: readonly ({
    readonly id: string
    readonly name: string
    readonly permissionLevel: 'read'
  })[]
}

export type AirtableListRequest = {
  readonly fields?: readonly string[]
  readonly sort?: readonly ({
    readonly field: string
    readonly direction?: 'asc' | 'desc'
  })[]
  readonly filterByFormula?: string
  readonly view?: string
  readonly pageSize?: number
  readonly maxRecords?: number
  readonly offset?: string
  readonly cellFormat?: 'json'
  readonly returnFieldsByFieldId?: boolean
  readonly recordMetadata?: readonly ('commentCount')[]
}

/** Something has changed; not what */
export type AirtablePing = {
  readonly base: {
    readonly id: string
  }
  readonly webhook: {
    readonly id: string
  }
  readonly timestamp: string
}

/** What went wrong, as Airtable's clients read it */
export type AirtableProblem = {
  readonly error: {
    readonly type: string
    readonly message: string
  }
}

export type AirtableRecord = {
  readonly id: string
  readonly createdTime: string
  readonly commentCount?: number
  readonly fields: { readonly [name: string]: unknown }
}

export type AirtableRecordList = {
  readonly records: readonly AirtableRecord[]
  readonly offset?: string
}

export type AirtableTableList = {
  readonly tables: readonly ({
    readonly id: string
    readonly name: string
    readonly description?: string
    readonly primaryFieldId: string
    readonly fields: readonly ({
      readonly id: string
      readonly name: string
      readonly description?: string
      readonly type?: string
      readonly options?: unknown
    })[]
    readonly views: readonly ({
      readonly id: string
      readonly name: string
      readonly type: string
      readonly visibleFieldIds?: readonly string[]
    })[]
  })[]
}

export type AirtableUser = {
  readonly id: string
  readonly scopes: readonly string[]
}

export type Attachment = {
  readonly id: string
  readonly record: string
  readonly field: string
  readonly name: string | null
  readonly type: string | null
  readonly bytes: number | null
  readonly state: 'mirrored' | 'waiting' | 'failed'
  readonly url: string
}

/** How many files the rows of a source speak of, and which of them are here */
export type AttachmentCounts = {
  readonly mirrored: number
  readonly waiting: number
  readonly failed: number
  readonly counted_at: string
  readonly next_at: string | null
  readonly trouble: {
    readonly code: FailureCode
    readonly message: string
  } | null
}

export type AttachmentList = {
  readonly backend: 'sqlite'
  readonly source: string
  readonly table: string
  readonly attachments: readonly Attachment[]
  readonly pagination: {
    readonly limit: number
    readonly hasMore: boolean
    readonly cursor: string | null
  }
}

/** What happened to one row */
export type Change = {
  readonly watermark: string
  readonly source: string
  readonly table: string
  readonly key: string | null
  readonly op: 'put' | 'delete' | 'resync'
  readonly row: TableRow | null
  readonly at: string
}

/** A frame of `/api/changes` as an event stream */
export type ChangeFrame = {
  readonly type: 'batch'
  readonly watermark: string
  readonly source: string
  readonly at: string
  readonly changes: readonly ({
    readonly table: string
    readonly key: string | null
    readonly op: 'put' | 'delete' | 'resync'
    readonly row: TableRow | null
  })[]
} | {
  readonly type: 'resync'
  readonly watermark: string
  readonly reason: 'beginning' | 'too_old' | 'foreign'
  readonly tables: readonly string[]
} | {
  readonly type: 'position'
  readonly watermark: string
} | {
  readonly type: 'error'
  readonly code: string
  readonly message: string
  readonly [name: string]: unknown
} | {
  readonly type: 'done'
}

export type ChangePage = {
  readonly changes: readonly Change[]
  readonly next: string
  readonly has_more: boolean
}

export type Column = {
  readonly name: string
  readonly type: 'integer' | 'real' | 'decimal' | 'boolean' | 'text' | 'json'
}

/** Stable: what programs switch on. docs/errors.md says what each of them means. */
export type FailureCode = 'bad_request' | 'bad_parameter' | 'unknown_parameter' | 'bad_filter' | 'bad_value' | 'column_not_found' | 'not_supported' | 'answer_too_large' | 'unauthorized' | 'bad_signature' | 'forbidden' | 'route_not_found' | 'source_not_found' | 'table_not_found' | 'record_not_found' | 'snapshot_not_found' | 'attachment_not_found' | 'run_not_found' | 'key_not_found' | 'method_not_allowed' | 'not_acceptable' | 'not_singular' | 'request_timeout' | 'run_active' | 'no_previous_snapshot' | 'nothing_to_publish' | 'source_paused' | 'cursor_expired' | 'watermark_too_old' | 'watermark_foreign' | 'payload_too_large' | 'uri_too_long' | 'unsupported_media_type' | 'range_not_satisfiable' | 'headers_too_large' | 'rate_limited' | 'too_many_streams' | 'internal' | 'no_snapshot' | 'snapshot_stale' | 'draining' | 'control_busy' | 'ping_not_recorded' | 'readers_busy' | 'export_building' | 'attachment_pending' | 'query_deadline' | 'not_cached' | 'attachment_failed' | 'upstream_refused' | 'upstream_budget_spent' | 'upstream_unavailable' | 'upstream_malformed' | 'upstream_changed' | 'snapshot_rejected' | 'lease_lost' | 'run_stopped' | 'run_crashed' | 'illegal_transition' | 'disk_failed' | 'format_unknown' | 'config_invalid' | 'node_too_old'

/** A frame of `/fetch-data?stream=true` */
export type FetchDataFrame = {
  readonly type: 'cached'
  readonly snapshot: string
  readonly count: number
  readonly last_updated: string
  readonly run?: string
  readonly payload?: FetchedData | {
    readonly href: string
    readonly bytes: number
  }
} | {
  readonly type: 'progress'
  readonly run: string
  readonly status: string
  readonly phase?: 'planning' | 'pulling' | 'verifying' | 'comparing' | 'rendering' | 'publishing'
  readonly done?: number | null
  readonly rate?: number | null
  readonly eta_ms?: number | null
  readonly success_rate?: number | null
  readonly tables?: readonly TableProgress[]
  readonly at?: string
} | {
  readonly type: 'updated'
  readonly snapshot: string
  readonly count: number
  readonly last_updated: string
  readonly run?: string
  readonly payload?: FetchedData | {
    readonly href: string
    readonly bytes: number
  }
} | {
  readonly type: 'unchanged'
  readonly snapshot: string
  readonly run: string
} | {
  readonly type: 'error'
  readonly code: FailureCode
  readonly message: string
  readonly [name: string]: unknown
} | {
  readonly type: 'done'
  readonly snapshot?: string | null
}

export type FetchedData = {
  readonly status: 'success'
  readonly _info?: string
  readonly refresh?: {
    readonly triggered: true
    readonly run: string
    readonly joined: boolean
  } | {
    readonly triggered: false
    readonly reason: FailureCode
    readonly detail: string
  }
  readonly source: string
  readonly snapshot: string
  readonly count: number
  readonly last_updated: string
  readonly total?: number
  readonly start_row?: number
  readonly end_row?: number
  readonly data: readonly TableRow[]
}

export type Health = {
  readonly status: 'healthy'
  readonly version: string
  readonly uptime_seconds: number
  readonly draining: boolean
  readonly cache_exists: boolean
  readonly update_in_progress: boolean
}

/** A key, without what is secret of it */
export type Key = {
  readonly id: string
  readonly prefix: string
  readonly name: string
  readonly status: 'live' | 'expired' | 'revoked'
  readonly scopes: readonly ('read' | 'sync' | 'admin')[]
  readonly limits: readonly string[] | null
  readonly filters: { readonly [name: string]: string }
  readonly hidden: { readonly [name: string]: readonly string[] }
  readonly rate: {
    readonly limit: number
    readonly window_seconds: number
  } | null
  readonly created_at: string
  readonly expires_at: string | null
  readonly revoked_at: string | null
  readonly last_used_at: string | null
}

export type KeyList = {
  readonly keys: readonly Key[]
}

/** What a key is for */
export type KeyRequest = {
  readonly name?: string
  readonly scopes?: readonly ('read' | 'sync' | 'admin')[]
  readonly limits?: readonly string[]
  readonly filters?: { readonly [name: string]: string }
  readonly hidden?: { readonly [name: string]: readonly string[] }
  readonly rate?: {
    readonly limit: number
    readonly window_seconds: number
  }
  readonly expires_in_seconds?: number
  readonly replaces?: string
  readonly overlap_seconds?: number
  readonly force?: boolean
}

export type Mapping = {
  readonly tableId: string
  readonly source: string
  readonly table: string
  readonly baseId: string | null
  readonly originalName: string
  readonly normalizedName: string
  readonly primaryFieldId: string | null
  readonly fields: { readonly [name: string]: {
    readonly id: string
    readonly name: string
    readonly column: string
    readonly type: string
  } }
}

export type MappingAnswer = {
  readonly backend: 'sqlite'
  readonly tableId: string
  readonly source: string
  readonly table: string
  readonly baseId: string | null
  readonly originalName: string
  readonly normalizedName: string
  readonly primaryFieldId: string | null
  readonly fields: { readonly [name: string]: {
    readonly id: string
    readonly name: string
    readonly column: string
    readonly type: string
  } }
}

export type MappingList = {
  readonly backend: 'sqlite'
  readonly count: number
  readonly mappings: readonly Mapping[]
}

export type NewKey = {
  readonly key: string
  readonly id: string
  readonly prefix: string
  readonly name: string
  readonly status: 'live' | 'expired' | 'revoked'
  readonly scopes: readonly ('read' | 'sync' | 'admin')[]
  readonly limits: readonly string[] | null
  readonly filters: { readonly [name: string]: string }
  readonly hidden: { readonly [name: string]: readonly string[] }
  readonly rate: {
    readonly limit: number
    readonly window_seconds: number
  } | null
  readonly created_at: string
  readonly expires_at: string | null
  readonly revoked_at: string | null
  readonly last_used_at: string | null
  readonly warnings: readonly string[]
}

/** An object without members */
export type NoMembers = Readonly<Record<string, never>>

/** An OpenAPI document: spec.openapis.org/oas/v3.1.1 */
export type OpenApi = {
  readonly openapi: string
  readonly info: {
    readonly title: string
    readonly version: string
    readonly [name: string]: unknown
  }
  readonly paths: { readonly [name: string]: unknown }
  readonly components: { readonly [name: string]: unknown }
  readonly [name: string]: unknown
}

export type Pagination = {
  readonly page?: number
  readonly limit?: number
  readonly offset?: number
  readonly pageSize: number
  readonly total: number | null
  readonly isEstimate?: true
  readonly totalPages: number | null
  readonly hasMore: boolean
  readonly cursor: string | null
}

/** What went wrong: RFC 9457. Facts, such as `parameter` and `known`, are members of their own. */
export type Problem = {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: FailureCode
  readonly request_id: string
  readonly [name: string]: unknown
}

export type ProcessStats = {
  readonly pid: number
  readonly uptime_seconds: number
  readonly connections: number
  readonly streams: number
  readonly memory: {
    readonly rss: number
    readonly heap_used: number
    readonly heap_total: number
    readonly external: number
  }
  readonly caches: {
    readonly bodies: {
      readonly hits: number
      readonly misses: number
      readonly hit_rate: number | null
      readonly held_bytes: number
    }
    readonly answers?: {
      readonly hits: number
      readonly misses: number
      readonly hit_rate: number | null
      readonly held_bytes: number
    }
  }
  readonly slow_queries: readonly ({
    readonly ms: number
    readonly table: string
    readonly query: string
    readonly at: string
  })[]
}

export type Progress = {
  readonly phase: 'planning' | 'pulling' | 'verifying' | 'comparing' | 'rendering' | 'publishing'
  readonly done: number | null
  readonly rate: number | null
  readonly eta_ms: number | null
  readonly success_rate: number | null
  readonly tables: readonly TableProgress[]
  readonly at: string
}

export type PublishRequest = {
  readonly run?: string
}

export type Published = {
  readonly status: 'published'
  readonly source: string
  readonly snapshot: string
}

export type Ready = {
  readonly status: 'ready'
  readonly sources: readonly string[]
}

export type RecordAnswer = {
  readonly backend: 'sqlite'
  readonly record: TableRecord
}

export type RecordList = {
  readonly backend: 'sqlite'
  readonly source: string
  readonly table: string
  readonly snapshot: string
  readonly records: readonly TableRecord[]
  readonly pagination: Pagination
}

export type RefreshAnswer = {
  readonly status: 'triggered' | 'in_progress'
  readonly run: string
  readonly source: string
  readonly message: string
}

export type RefreshRequest = {
  readonly source?: string
}

/** What went wrong, as PostgREST's clients read it */
export type RestProblem = {
  readonly code: string
  readonly details: string | null
  readonly hint: string | null
  readonly message: string
}

/** One attempt to bring a source up to date */
export type Run = {
  readonly id: string
  readonly source: string
  readonly trigger: 'start' | 'refresh' | 'schedule' | 'first' | 'change' | 'webhook' | 'once'
  readonly status: 'queued' | 'running' | 'paused' | 'completed' | 'failed' | 'rejected' | 'cancelled'
  readonly result: 'published' | 'unchanged' | null
  readonly snapshot: string | null
  readonly requested_at: string
  readonly started_at: string | null
  readonly finished_at: string | null
  readonly resumes: number
  readonly republish: string | null
  readonly timings_ms: { readonly [name: string]: number } | null
  readonly error: {
    readonly code: FailureCode
    readonly message: string
    readonly facts?: { readonly [name: string]: unknown }
  } | null
  readonly progress: Progress | null
}

export type RunList = {
  readonly runs: readonly Run[]
  readonly next: string | null
}

/** What a source serves, and how syncing it goes */
export type Source = {
  readonly source: string
  readonly state: 'IDLE' | 'INITIALIZING' | 'PROCESSING' | 'PAUSED' | 'COMPLETED' | 'ERROR'
  readonly reason: 'stopped' | 'interrupted' | 'rolled_back' | null
  readonly snapshot: string | null
  readonly watermark: string | null
  readonly digest: string | null
  readonly published_at: string | null
  readonly age_seconds: number | null
  readonly checked_at: string | null
  readonly checked_age_seconds: number | null
  readonly rows: { readonly [name: string]: number }
  readonly attachments: AttachmentCounts | null
  readonly update_in_progress: boolean
  readonly progress: Progress | null
  readonly eta_ms: number | null
  readonly last_error: {
    readonly code: FailureCode
    readonly message: string
  } | null
  readonly last_run: Run | null
  readonly next_run_at: string | null
  readonly kept: readonly ({
    readonly table: string
    readonly code: string
    readonly message: string
    readonly since: string
  })[]
  readonly upstream: {
    readonly month: string
    readonly calls: number
    readonly budget: number | null
    readonly paused_until: string | null
  } | null
  readonly warnings: readonly string[]
}

/** A frame of `/api/sources/{id}/events` */
export type SourceFrame = {
  readonly type: 'source'
  readonly source: string
  readonly state: 'IDLE' | 'INITIALIZING' | 'PROCESSING' | 'PAUSED' | 'COMPLETED' | 'ERROR'
  readonly reason: 'stopped' | 'interrupted' | 'rolled_back' | null
  readonly snapshot: string | null
  readonly watermark: string | null
  readonly digest: string | null
  readonly published_at: string | null
  readonly age_seconds: number | null
  readonly checked_at: string | null
  readonly checked_age_seconds: number | null
  readonly rows: { readonly [name: string]: number }
  readonly attachments: AttachmentCounts | null
  readonly update_in_progress: boolean
  readonly progress: Progress | null
  readonly eta_ms: number | null
  readonly last_error: {
    readonly code: FailureCode
    readonly message: string
  } | null
  readonly last_run: Run | null
  readonly next_run_at: string | null
  readonly kept: readonly ({
    readonly table: string
    readonly code: string
    readonly message: string
    readonly since: string
  })[]
  readonly upstream: {
    readonly month: string
    readonly calls: number
    readonly budget: number | null
    readonly paused_until: string | null
  } | null
  readonly warnings: readonly string[]
}

export type SourceList = {
  readonly sources: readonly Source[]
}

export type Stats = {
  readonly backend: 'sqlite'
  readonly stats: {
    readonly totalRecords: number
    readonly totalTables: number
    readonly dbSize: string
  }
  readonly sources: readonly ({
    readonly source: string
    readonly snapshot: string | null
    readonly rows: number
    readonly bytes: {
      readonly snapshot: number
      readonly previous: number
      readonly bodies: number
      readonly exports: number
    } | null
    readonly tables: readonly ({
      readonly name: string
      readonly rows: number
      readonly columns: number
      readonly body_bytes: number
    })[]
  })[]
  readonly process?: ProcessStats
}

export type Status = {
  readonly api_status: 'online' | 'draining'
  readonly cache_exists: boolean
  readonly cache_age_minutes: number | null
  readonly update_in_progress: boolean
  readonly timestamp: string
  readonly version: string
  readonly uptime_seconds: number
  readonly streams: number
  readonly sources: readonly Source[]
  readonly warnings: readonly string[]
}

export type TableDetails = {
  readonly name: string
  readonly source: string
  readonly table: string
  readonly snapshot: string
  readonly rows: number | null
  readonly key: readonly string[]
  readonly columns: readonly Column[]
  readonly indexes: readonly (readonly string[])[]
  readonly search: readonly string[]
  readonly record: {
    readonly id: string
    readonly created: string
    readonly modified: string
  }
}

export type TableList = {
  readonly backend: 'sqlite'
  readonly tables: readonly string[]
  readonly details: readonly TableDetails[]
  readonly restricted?: true
}

export type TableProgress = {
  readonly table: string
  readonly total: number | null
  readonly completed: number
  readonly failed: number
}

/** The columns of a row, and behind them `_id`, `_created_at` and `_modified_at`; with one more `_` where a column is called so */
export type TableRecord = TableRow

/** The columns of a row, by their names */
export type TableRow = { readonly [name: string]: unknown }

export type TableRows = readonly TableRow[]

export type Ticket = {
  readonly ticket: string
  readonly url: string
  readonly expires_in_seconds: number
}

/** What the ticket is for: `url`, or `path` and `query` */
export type TicketRequest = {
  readonly url?: string
  readonly path?: string
  readonly query?: string
}

export type TypeList = {
  readonly generatedAt: string
  readonly tableCount: number
  readonly tables: readonly ({
    readonly tableId: string
    readonly source: string
    readonly table: string
    readonly baseId: string | null
    readonly originalName: string
    readonly normalizedName: string
    readonly primaryFieldId: string | null
    readonly fields: readonly ({
      readonly id: string
      readonly name: string
      readonly column: string
      readonly type: string
      readonly tsType: string
    })[]
  })[]
}

/** A row of cities; with `select` or `fields`, what of it was asked for */
export type CitiesRow = {
  readonly id: string
  readonly name: string | null
  readonly lat: string | null
  readonly lng: string | null
  readonly country: string | null
  readonly admin1: string | null
  readonly admin2: string | null
}

/** A record of cities; with `fields`, what of it was asked for */
export type CitiesRecord = {
  readonly id: string
  readonly name: string | null
  readonly lat: string | null
  readonly lng: string | null
  readonly country: string | null
  readonly admin1: string | null
  readonly admin2: string | null
  readonly _id: string
  readonly _created_at: string
  readonly _modified_at: string
}

export type CitiesRecordList = {
  readonly backend: 'sqlite'
  readonly source: 'cities'
  readonly table: 'cities'
  readonly snapshot: string
  readonly records: readonly CitiesRecord[]
  readonly pagination: Pagination
}

export type CitiesRecordAnswer = {
  readonly backend: 'sqlite'
  readonly record: CitiesRecord
}

/** All that one Holdfast has, for whoever has this key. */
export function createClient(options: ClientOptions) {
  const connection = new Connection(options)
  return {
    tables: {
      cities: new TableClient<CitiesRow, CitiesRecord>(connection, 'cities', {}),
    },
    rest: {
      cities: new RestClient<CitiesRow>(connection, 'cities', {}),
    },
    /** What changes from now on, or since a position, page after page. */
    changes: (query: { readonly since?: string; readonly source?: string; readonly table?: string; readonly wait?: number } = {}) =>
      followChanges<ChangePage>(connection, query),
    /** Always 200 while the process is up */
    async getHealth(): Promise<Health> {
      return await connection.send<Health>('GET', `/health`, {})
    },
    /** 200 when every source has a snapshot mounted here and this process is not shutting down */
    async getReady(): Promise<Ready> {
      return await connection.send<Ready>('GET', `/ready`, {})
    },
    /** State, age, rows, progress and last error of every source */
    async getStatus(): Promise<Status> {
      return await connection.send<Status>('GET', `/status`, {})
    },
    /** The rows of a table: all, some, refreshed, or as an event stream */
    async fetchData(query: {
      readonly source?: string
      readonly table?: string
      readonly start_row?: number
      readonly end_row?: number
      readonly limit?: number
      readonly offset?: number
      readonly fields?: string
      readonly refresh?: boolean
    } = {}): Promise<FetchedData> {
      return await connection.send<FetchedData>('GET', `/fetch-data`, query)
    },
    /** The attachments of a table, of one record, or of one field, and which of them are here */
    async listAttachments(query: {
      readonly table?: string
      readonly record?: string
      readonly field?: string
      readonly limit?: number
      readonly cursor?: string
    } = {}): Promise<AttachmentList> {
      return await connection.send<AttachmentList>('GET', `/api/attachments`, query)
    },
    /** The tables there are, with columns, keys and indexes */
    async listTables(): Promise<TableList> {
      return await connection.send<TableList>('GET', `/api/tables`, {})
    },
    /** Records: pages, cursors, filters, sort, fields, full text; JSON, NDJSON or CSV */
    async listRecords(query: {
      readonly table: string
      readonly page?: number
      readonly pageSize?: number
      readonly limit?: number
      readonly offset?: number
      readonly cursor?: string
      readonly sort?: string
      readonly fields?: string
      readonly modifiedAfter?: string
      readonly q?: string
      readonly total?: 'exact' | 'estimated' | 'none'
      readonly and?: string
      readonly or?: string
      readonly 'not.and'?: string
      readonly 'not.or'?: string
      readonly [filter: string]: Parameter
    }): Promise<RecordList> {
      const { table, ...rest } = query
      return await connection.send<RecordList>('GET', `/api/tables/${encodeURIComponent(table)}`, rest)
    },
    /** One record by its id */
    async getRecord(query: {
      readonly table: string
      readonly id: string
    }): Promise<RecordAnswer> {
      const { table, id } = query
      return await connection.send<RecordAnswer>('GET', `/api/tables/${encodeURIComponent(table)}/${encodeURIComponent(id)}`, {})
    },
    /** The rows of a table, in PostgREST's read grammar */
    async selectRows(query: {
      readonly table: string
      readonly select?: string
      readonly order?: string
      readonly limit?: number
      readonly offset?: number
      readonly and?: string
      readonly or?: string
      readonly 'not.and'?: string
      readonly 'not.or'?: string
      readonly [filter: string]: Parameter
    }): Promise<TableRows> {
      const { table, ...rest } = query
      return await connection.send<TableRows>('GET', `/rest/v1/${encodeURIComponent(table)}`, rest)
    },
    /** Whose key this is, as Airtable says it */
    async airtableWhoAmI(): Promise<AirtableUser> {
      return await connection.send<AirtableUser>('GET', `/v0/meta/whoami`, {})
    },
    /** The sources, as Airtable lists bases */
    async airtableBases(): Promise<AirtableBaseList> {
      return await connection.send<AirtableBaseList>('GET', `/v0/meta/bases`, {})
    },
    /** The tables of a source with their fields and views, as Airtable describes them */
    async airtableTables(query: {
      readonly baseId: string
      readonly 'include[]'?: 'visibleFieldIds'
    }): Promise<AirtableTableList> {
      const { baseId, ...rest } = query
      return await connection.send<AirtableTableList>('GET', `/v0/meta/bases/${encodeURIComponent(baseId)}/tables`, rest)
    },
    /** A page of records, asked for in the body */
    async airtableListRecords(query: {
      readonly baseId: string
      readonly table: string
    }, body: AirtableListRequest = {}): Promise<AirtableRecordList> {
      const { baseId, table } = query
      return await connection.send<AirtableRecordList>('POST', `/v0/${encodeURIComponent(baseId)}/${encodeURIComponent(table)}/listRecords`, {}, body)
    },
    /** A page of records, as Airtable lists them */
    async airtableRecords(query: {
      readonly baseId: string
      readonly table: string
      readonly 'fields[]'?: readonly string[]
      readonly 'sort[0][field]'?: string
      readonly 'sort[0][direction]'?: 'asc' | 'desc'
      readonly filterByFormula?: string
      readonly view?: string
      readonly pageSize?: number
      readonly maxRecords?: number
      readonly offset?: string
      readonly cellFormat?: 'json'
      readonly returnFieldsByFieldId?: boolean
      readonly 'recordMetadata[]'?: 'commentCount'
    }): Promise<AirtableRecordList> {
      const { baseId, table, ...rest } = query
      return await connection.send<AirtableRecordList>('GET', `/v0/${encodeURIComponent(baseId)}/${encodeURIComponent(table)}`, rest)
    },
    /** One record, as Airtable shows it */
    async airtableRecord(query: {
      readonly baseId: string
      readonly table: string
      readonly recordId: string
      readonly cellFormat?: 'json'
      readonly returnFieldsByFieldId?: boolean
    }): Promise<AirtableRecord> {
      const { baseId, table, recordId, ...rest } = query
      return await connection.send<AirtableRecord>('GET', `/v0/${encodeURIComponent(baseId)}/${encodeURIComponent(table)}/${encodeURIComponent(recordId)}`, rest)
    },
    /** Ids and names of all tables and their columns */
    async listMappings(): Promise<MappingList> {
      return await connection.send<MappingList>('GET', `/api/mappings`, {})
    },
    /** Ids and names of one table, by its id, its name or its normalized name */
    async getMapping(query: {
      readonly id: string
    }): Promise<MappingAnswer> {
      const { id } = query
      return await connection.send<MappingAnswer>('GET', `/api/mappings/${encodeURIComponent(id)}`, {})
    },
    /** Rows and bytes of every source and table; for admin also connections, memory, caches, slow queries */
    async getStats(): Promise<Stats> {
      return await connection.send<Stats>('GET', `/api/stats`, {})
    },
    /** What changed, in order: pages, long poll, or an event stream */
    async listChanges(query: {
      readonly since?: string
      readonly source?: string
      readonly table?: string
      readonly key?: readonly string[]
      readonly wait?: number
    } = {}): Promise<ChangePage> {
      return await connection.send<ChangePage>('GET', `/api/changes`, query)
    },
    /** Starts a run of a source, or joins the one that is going */
    async refresh(query: {
      readonly source?: string
    } = {}, body: RefreshRequest = {}): Promise<RefreshAnswer> {
      return await connection.send<RefreshAnswer>('POST', `/refresh`, query, body)
    },
    /** Starts a run of a source, or joins the one that is going */
    async refreshApi(query: {
      readonly source?: string
    } = {}, body: RefreshRequest = {}): Promise<RefreshAnswer> {
      return await connection.send<RefreshAnswer>('POST', `/api/refresh`, query, body)
    },
    /** All sources, as in /status */
    async listSources(): Promise<SourceList> {
      return await connection.send<SourceList>('GET', `/api/sources`, {})
    },
    /** One source */
    async getSource(query: {
      readonly id: string
    }): Promise<Source> {
      const { id } = query
      return await connection.send<Source>('GET', `/api/sources/${encodeURIComponent(id)}`, {})
    },
    /** Starts a run, also of a paused source */
    async startSource(query: {
      readonly id: string
    }, body: NoMembers = {}): Promise<RefreshAnswer> {
      const { id } = query
      return await connection.send<RefreshAnswer>('POST', `/api/sources/${encodeURIComponent(id)}/start`, {}, body)
    },
    /** Pauses the active run; what was pulled is kept */
    async stopSource(query: {
      readonly id: string
    }, body: NoMembers = {}): Promise<Source> {
      const { id } = query
      return await connection.send<Source>('POST', `/api/sources/${encodeURIComponent(id)}/stop`, {}, body)
    },
    /** Back to IDLE, what was pulled is dropped; the snapshot stays */
    async resetSource(query: {
      readonly id: string
    }, body: NoMembers = {}): Promise<Source> {
      const { id } = query
      return await connection.send<Source>('POST', `/api/sources/${encodeURIComponent(id)}/reset`, {}, body)
    },
    /** Publishes the previous snapshot again and pauses the source */
    async rollbackSource(query: {
      readonly id: string
    }, body: NoMembers = {}): Promise<Published> {
      const { id } = query
      return await connection.send<Published>('POST', `/api/sources/${encodeURIComponent(id)}/rollback`, {}, body)
    },
    /** Starts a run that publishes what the guard refused; body: {"run"} to name it */
    async publishSource(query: {
      readonly id: string
    }, body: PublishRequest = {}): Promise<RefreshAnswer> {
      const { id } = query
      return await connection.send<RefreshAnswer>('POST', `/api/sources/${encodeURIComponent(id)}/publish`, {}, body)
    },
    /** Runs, newest first; `next` is the value of `before` for the page after */
    async listRuns(query: {
      readonly source?: string
      readonly limit?: number
      readonly before?: string
    } = {}): Promise<RunList> {
      return await connection.send<RunList>('GET', `/api/runs`, query)
    },
    /** One run */
    async getRun(query: {
      readonly id: string
    }): Promise<Run> {
      const { id } = query
      return await connection.send<Run>('GET', `/api/runs/${encodeURIComponent(id)}`, {})
    },
    /** The keys that were made, without what is secret of them */
    async listKeys(): Promise<KeyList> {
      return await connection.send<KeyList>('GET', `/api/keys`, {})
    },
    /** Makes a key, and shows it this once */
    async createKey(body: KeyRequest = {}): Promise<NewKey> {
      return await connection.send<NewKey>('POST', `/api/keys`, {}, body)
    },
    /** Ends a key, and its streams, within a second */
    async revokeKey(query: {
      readonly id: string
    }, body: NoMembers = {}): Promise<Key> {
      const { id } = query
      return await connection.send<Key>('POST', `/api/keys/${encodeURIComponent(id)}/revoke`, {}, body)
    },
    /** A ticket that stands for the key in one URL: for EventSource and <img>, which cannot send headers */
    async createTicket(body: TicketRequest = {}): Promise<Ticket> {
      return await connection.send<Ticket>('POST', `/api/tickets`, {}, body)
    },
    /** All of this as OpenAPI 3.1, with the tables and columns that the key sees */
    async getOpenApi(): Promise<OpenApi> {
      return await connection.send<OpenApi>('GET', `/openapi.json`, {})
    },
  }
}
