import type { ColumnType, Value } from '../../lib/column.ts'
import type { Answer, Condition, Operand, Order, Query } from '../../lib/query.ts'
import { resolveQuery } from '../../lib/resolve-query.ts'
import type { TableOptions } from '../../lib/settings.ts'
import type { MountedSnapshot, TableInfo } from '../../lib/snapshot.ts'
import { openSnapshot } from '../../lib/sqlite/database.ts'
import { Mounts } from '../../lib/sqlite/mounts.ts'
import { QueryEngine } from '../../lib/sqlite/query-engine.ts'
import type { QueryReaders } from '../../lib/sqlite/reader-pool.ts'
import { TestSite, type TestClock } from './site.ts'

export interface QuerySiteOptions {
  readonly columns: Readonly<Record<string, ColumnType>>
  readonly key: readonly string[]
  readonly rows: readonly (readonly Value[])[]
  readonly table?: TableOptions
  readonly clock?: TestClock
  readonly answerMaxBytes?: number
  /** Full answers beyond this are not kept, and their size is not known. */
  readonly bodyFileBytes?: number
}

/** A published table `wares`, and how many of its queries were not answered on the spot. */
export class QuerySite implements Disposable {
  readonly site: TestSite
  readonly mounts: Mounts
  /** Queries that were left to a reader process. */
  readonly left: string[] = []

  private constructor(site: TestSite, options: QuerySiteOptions) {
    this.site = site
    const answerMaxBytes = options.answerMaxBytes ?? 2 ** 26
    // Does what a reader process does, here.
    const readers: QueryReaders = {
      run: async (job) => {
        this.left.push(job.query.table)
        await Promise.resolve()
        const db = openSnapshot(job.path)
        try {
          const engine = new QueryEngine(db, [job.table])
          return engine.answer(job.query, { maxBytes: answerMaxBytes, isBounded: false })!
        } finally {
          db.close()
        }
      },
    }
    this.mounts = new Mounts(site.publisher.folders, undefined, { readers, answerMaxBytes })
  }

  static async publish(options: QuerySiteOptions): Promise<QuerySite> {
    const tables = { wares: options.table ?? {} }
    const { clock, bodyFileBytes } = options
    const site = new TestSite({
      tables,
      ...(clock && { clock }),
      ...(bodyFileBytes !== undefined && { bodyFileBytes }),
    })
    await site.sync(upstream(options))
    return new QuerySite(site, options)
  }

  get snapshot(): MountedSnapshot {
    return this.mounts.active('wares')!
  }

  get table(): TableInfo {
    return this.snapshot.table('wares')!
  }

  async republish(options: QuerySiteOptions): Promise<void> {
    await this.site.sync(upstream(options))
    this.mounts.look()
  }

  ask(query: Partial<Query>): Promise<Answer> {
    const resolved = resolveQuery({ ...EVERYTHING, ...query }, this.table, undefined)
    return this.snapshot.query(resolved, { principal: 'test', signal: new AbortController().signal })
  }

  /** The ids that a condition finds, in order. */
  async ids(where: Condition | null, query: Partial<Query> = {}): Promise<string[]> {
    const answer = await this.ask({ where, ...query })
    return answer.facts.map(({ id }) => id)
  }

  [Symbol.dispose](): void {
    this.mounts[Symbol.dispose]()
    this.site[Symbol.dispose]()
  }
}

function upstream({ columns, key, rows }: QuerySiteOptions) {
  const names = Object.keys(columns)
  return {
    identity: String(Math.random()),
    tables: [{ name: 'wares', key, types: columns, columns: names, rows }],
  }
}

export const EVERYTHING: Query = {
  outputs: ['*'],
  where: null,
  order: [],
  byKey: false,
  offset: 0,
  limit: 1000,
  after: null,
  count: 'none',
}

/** `name`, `data->a->0`, `data->>a`. */
export function operand(text: string): Operand {
  const [column = '', ...rest] = text.split(/(->>?)/)
  const path = rest.filter((_, index) => index % 2 === 1).map((step) => (/^-?\d+$/.test(step) ? Number(step) : step))
  return { column, path, asText: rest.at(-2) === '->>' }
}

/** `is('name', 'eq', 'a')`. */
export function is(name: string, op: string, value: string | readonly string[]): Condition {
  const test = Array.isArray(value) ? { op, values: value } : { op, value }
  return { kind: 'test', operand: operand(name), test: test as never }
}

export const not = (of: Condition): Condition => ({ kind: 'not', of })
export const all = (...of: Condition[]): Condition => ({ kind: 'and', of })
export const any = (...of: Condition[]): Condition => ({ kind: 'or', of })

/** `name`, `name.desc`, `name.nullsfirst`, as PostgREST writes it. */
export function by(...terms: string[]): Order[] {
  return terms.map((term) => {
    const [name = '', ...marks] = term.split('.')
    const descending = marks.includes('desc')
    const nulls = marks.includes('nullsfirst') || (descending && !marks.includes('nullslast')) ? 'first' : 'last'
    return { operand: operand(name), descending, nulls }
  })
}
