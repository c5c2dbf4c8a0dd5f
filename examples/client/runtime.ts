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
