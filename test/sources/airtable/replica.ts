import assert from 'node:assert/strict'
import type { JsonValue, Value } from '../../../lib/column.ts'
import type { FileOffer } from '../../../lib/files.ts'
import type { Page, Plan, Published, Source, TablePlan } from '../../../lib/source.ts'
import type { Trigger } from '../../../lib/sync-run.ts'
import { kindFor, newColumnState } from '../../../lib/typing.ts'
import type { Base } from '../../../simulators/airtable/base.ts'

type Row = Readonly<Record<string, Value>>
type Rows = Map<string, Row>

interface Record_ {
  readonly id: string
  readonly createdTime: string
  readonly fields: Readonly<Record<string, JsonValue>>
}

interface Staged {
  readonly plan: Plan
  readonly tables: Map<string, Rows>
  readonly kept: Set<string>
  cursor: string | undefined
}

export interface SyncOptions {
  readonly trigger?: Trigger
  readonly wantsAll?: boolean
  readonly refusedAt?: number
  /** The process is killed when this many pages are in. */
  readonly killAfter?: number
}

/** What a sync run came to. */
export interface Synced {
  readonly plan: Plan
  readonly pages: readonly Page[]
  readonly isKilled: boolean
}

/** What an engine keeps of a source, in memory: it holds the source to its word, page by page. */
export class Replica {
  published: Published | undefined
  readonly offers = new Map<string, FileOffer>()
  #tables = new Map<string, Rows>()
  #staged: Staged | undefined

  async sync(source: Source, options: SyncOptions = {}): Promise<Synced> {
    const signal = new AbortController().signal
    const { trigger = 'schedule', wantsAll = false, refusedAt = null, killAfter = Infinity } = options
    const plan = await source.plan({ signal, trigger, published: this.published, wantsAll, refusedAt })
    assert.deepEqual(JSON.parse(JSON.stringify(plan)), plan, 'a plan is JSON')
    if (plan.identity === this.published?.seen) return { plan, pages: [], isKilled: false }
    const staged = this.#stage(plan)
    const pages: Page[] = []
    const resumeFrom = staged.cursor
    for await (const page of source.pull({ plan, signal, ...(resumeFrom !== undefined && { resumeFrom }) })) {
      this.#write(staged, page)
      pages.push(page)
      if (pages.length >= killAfter) return { plan, pages, isKilled: true }
    }
    this.#publish(staged)
    return { plan, pages, isKilled: false }
  }

  /** Names of the tables that are there. */
  get names(): string[] {
    return [...this.#tables.keys()]
  }

  rows(table: string): Row[] {
    return [...(this.#tables.get(table)?.values() ?? [])]
  }

  /** The records of a table as Airtable writes them, but for the URLs of attachments. */
  records(table: string): Record_[] {
    const { key = [], times, origin } = this.#plan(table)
    return this.rows(table).map((row) => {
      const errors = (origin?.errorsColumn == null ? null : row[origin.errorsColumn]) as Row | null
      const cells = (origin?.fields ?? []).map(({ name, column }) => [name, row[column] ?? errors?.[column] ?? null])
      return {
        id: row[key[0] ?? ''] as string,
        createdTime: row[times?.created ?? ''] as string,
        fields: Object.fromEntries(cells.filter(([, cell]) => !isEmpty(cell as Value))) as Record_['fields'],
      }
    })
  }

  /** That each table of the base is here, record for record, and nothing else. */
  assertMirrors(base: Base, tables = base.tables.map(({ name }) => name)): void {
    for (const name of tables) {
      const truth = base.table(name).readAll().map(plain).toSorted(byId)
      assert.deepEqual(this.records(name).map(plain).toSorted(byId), truth, `table ${name}`)
    }
  }

  #plan(name: string): TablePlan {
    const plan = this.published?.plan.tables.find((table) => table.name === name)
    assert.ok(plan, `${name} is not there`)
    return plan
  }

  #stage(plan: Plan): Staged {
    const facts = (of: Plan) => JSON.stringify(of.tables.map(({ estimatedRows: _estimate, ...table }) => table))
    const left = this.#staged
    if (left !== undefined && left.plan.identity === plan.identity && facts(left.plan) === facts(plan)) return left
    const tables = plan.tables.map((table): [string, Rows] => {
      if (table.from !== 'active') return [table.name, new Map()]
      assert.deepEqual(this.#plan(table.name).columns, table.columns, `${table.name} cannot begin with what is active`)
      const active = this.#tables.get(table.name)
      assert.ok(active, `${table.name} is not there to begin with`)
      return [table.name, new Map(active)]
    })
    this.#staged = { plan, tables: new Map(tables), kept: new Set(), cursor: undefined }
    return this.#staged
  }

  #write(staged: Staged, page: Page): void {
    const table = staged.plan.tables.find(({ name }) => name === page.table)
    const rows = staged.tables.get(page.table)
    assert.ok(table !== undefined && rows !== undefined, `${page.table} was not planned`)
    assert.ok(!staged.kept.has(page.table), `${page.table} is kept: no page may come`)
    assert.deepEqual(page.columns, table.columns)
    if (page.restarts) rows.clear()
    for (const key of page.deleted ?? []) rows.delete(key[0] as string)
    for (const cells of page.rows) {
      assert.equal(cells.length, page.columns.length)
      for (const [index, cell] of cells.entries()) checkType(table, page.columns[index] as string, cell)
      const row = Object.fromEntries(page.columns.map((column, index) => [column, cells[index] ?? null]))
      assert.ok(!JSON.stringify(row).includes('/files/v3/'), 'a signed URL is in a row')
      rows.set(row[table.key?.[0] ?? ''] as string, row)
    }
    for (const offer of page.files ?? []) this.offers.set(offer.id, offer)
    if (page.keeps) {
      staged.kept.add(page.table)
      const active = this.#tables.get(page.table)
      if (active === undefined) staged.tables.delete(page.table)
      else staged.tables.set(page.table, new Map(active))
    }
    staged.cursor = page.next
  }

  #publish(staged: Staged): void {
    const { plan, tables, kept, cursor } = staged
    const old = this.published?.plan.tables ?? []
    // A kept table stays as it was described, too.
    const described = plan.tables.map((table) =>
      kept.has(table.name) ? (old.find(({ name }) => name === table.name) ?? table) : table,
    )
    this.published = {
      plan: { ...plan, tables: described },
      seen: plan.identity,
      cursor,
      checkedAt: 0,
      kept: [...kept].filter((name) => tables.has(name)),
    }
    this.#tables = tables
    this.#staged = undefined
  }
}

function checkType(table: TablePlan, column: string, cell: Value): void {
  const declared = table.types?.[column]
  assert.ok(declared, `${column} has no type`)
  kindFor(newColumnState(column, { declared }), cell)
}

function isEmpty(cell: Value): boolean {
  return cell === null || cell === false || cell === '' || (Array.isArray(cell) && cell.length === 0)
}

function plain(record: unknown): Record_ {
  const text = JSON.stringify(record, (_, value: unknown) => (isAttachment(value) ? withoutUrls(value) : value))
  return JSON.parse(text) as Record_
}

function isAttachment(value: unknown): value is { id: string } {
  return typeof value === 'object' && value !== null && 'filename' in value && 'id' in value
}

function withoutUrls(attachment: object): object {
  return { ...attachment, url: undefined, thumbnails: undefined }
}

function byId(a: Record_, b: Record_): number {
  return a.id < b.id ? -1 : 1
}
