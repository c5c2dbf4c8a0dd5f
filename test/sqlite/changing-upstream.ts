import type { ColumnType, Value } from '../../lib/column.ts'
import { keyText } from '../../lib/row-key.ts'
import type { Page, Plan, PlanOptions, Source, TablePlan } from '../../lib/source.ts'

export type Row = Readonly<Record<string, Value>>

/** A table, as plain JavaScript has it. */
export interface Held {
  readonly name: string
  readonly key: readonly string[] | undefined
  readonly columns: readonly string[]
  readonly rows: readonly Row[]
  readonly isKept: boolean
}

export type Tables = ReadonlyMap<string, Held>

const TEXTS = ['', 'NULL', '10.50', "it's", 'a,b', 'ü“', '%2C', '\0', '00123']
/** What a column holds, by its name; without a type it is not declared. */
export const KINDS: Readonly<Record<string, { readonly type?: ColumnType; readonly values: readonly Value[] }>> = {
  sku: { type: 'text', values: ['a', 'b', 'c', 'd', 'e', 'f', 'g', '', 'a,b', '%2C'] },
  SKU: { values: ['x', 'y', 'X', 'z"', 'rowid', 'ß'] },
  i: { type: 'integer', values: [0, 1, -1, 2, 3, 2n ** 60n, -(2n ** 63n)] },
  d: { type: 'decimal', values: ['1.50', '1.5', '-0.10', '123456789012345678901234567890.1'] },
  v: { values: TEXTS.map((text) => `${text}.`) },
  V: { type: 'text', values: [null, ...TEXTS] },
  '7': { type: 'json', values: [null, 1, 'x', [], { b: 1, a: [null] }, 'long '.repeat(20)] },
  rowid: { type: 'boolean', values: [null, true, false] },
  _hf_row: { type: 'real', values: [null, 1, 1.5, -2e30] },
  'a"b': { type: 'decimal', values: [null, '1.0', '1.00', '-7'] },
  wide: { type: 'integer', values: [null, 5, 2n ** 62n, -9007199254740993n] },
}
const MORE = ['V', '7', 'rowid', '_hf_row', 'a"b', 'wide']

interface Shape {
  readonly name: string
  readonly key: readonly string[] | undefined
  readonly needs: readonly string[]
  readonly maxRows: number
}

const SHAPES: readonly Shape[] = [
  { name: 'wares', key: ['sku'], needs: ['sku'], maxRows: 9 },
  { name: 'WARES', key: ['SKU', 'sku'], needs: ['SKU', 'sku', 'v'], maxRows: 12 },
  { name: 'Wares_2', key: ['d', 'i'], needs: ['i', 'd'], maxRows: 12 },
  { name: 'sqlite_log', key: undefined, needs: ['v'], maxRows: 6 },
]

/** The JSON that a row leaves as. */
export function jsonRow(row: Row, columns: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(columns.map((name) => [name, jsonCell(row[name] ?? null)]))
}

function jsonCell(value: Value): unknown {
  if (typeof value !== 'bigint') return value
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
}

interface Prepared {
  readonly plan: Plan
  readonly pages: readonly Page[]
  readonly target: Tables
}

/** An upstream that changes at random, and is pulled in full or by what changed, with detours. */
export class ChangingUpstream implements Source {
  readonly id = 'wares'
  /** The next run finds what the last one did. */
  isSamePlan = false
  readonly #random: () => number
  #tables: Tables = new Map()
  #active: Tables = new Map()
  #plans = 0
  #prepared: Prepared | undefined

  constructor(random: () => number) {
    this.#random = random
    this.change()
  }

  /** What is there after the run. */
  get target(): Tables {
    return this.#prepared!.target
  }

  /** That of the last page; undefined where there was none. */
  get cursor(): string | undefined {
    return this.#prepared!.pages.at(-1)?.next
  }

  /** A run begins; `active` is what it may begin with. */
  begin(active: Tables): void {
    this.#active = active
    if (!this.isSamePlan) this.#prepared = undefined
  }

  plan({ published, wantsAll }: PlanOptions): Promise<Plan> {
    if (wantsAll) this.#prepared = this.#prepare(false)
    this.#prepared ??= this.#prepare(published !== undefined && !this.#chance(0.35))
    return Promise.resolve(this.#prepared.plan)
  }

  async *pull({ resumeFrom }: Parameters<Source['pull']>[0]): AsyncGenerator<Page, void> {
    const { pages } = this.#prepared!
    const done = resumeFrom === undefined ? 0 : pages.findIndex(({ next }) => next === resumeFrom) + 1
    yield* pages.slice(done)
  }

  #chance(share: number): boolean {
    return this.#random() < share
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T
  }

  #shuffled<T>(list: readonly T[]): T[] {
    return list
      .map((item) => ({ item, at: this.#random() }))
      .toSorted((a, b) => a.at - b.at)
      .map(({ item }) => item)
  }

  /** Rows come, go and change; sometimes tables and columns do. */
  change(): void {
    const tables = SHAPES.flatMap((shape) => {
      const old = this.#tables.get(shape.name)
      if (this.#chance(old === undefined ? 0.5 : 0.05)) return []
      const isReshaped = old === undefined || this.#chance(0.12)
      const columns = isReshaped
        ? this.#shuffled([...shape.needs, ...MORE.filter(() => this.#chance(0.5))])
        : old.columns
      const survivors = (old?.rows ?? []).filter(() => !this.#chance(this.#pick([0, 0.2, 0.2, 1])))
      const added = Array.from({ length: Math.floor(this.#random() * 5) }, () => this.#row(columns))
      const edited = survivors.map((row) =>
        this.#chance(0.2) ? Object.assign({}, this.#row(columns), keyOf(row, shape)) : row,
      )
      const rows = unique([...edited, ...added], shape.key).slice(0, shape.maxRows)
      return [
        { name: shape.name, key: shape.key, columns, isKept: false, rows: rows.map((row) => this.#fit(row, columns)) },
      ]
    })
    this.#tables = new Map(this.#shuffled(tables).map((table) => [table.name, table]))
  }

  #row(columns: readonly string[]): Row {
    return Object.fromEntries(columns.map((name) => [name, this.#pick(KINDS[name]!.values)]))
  }

  #fit(row: Row, columns: readonly string[]): Row {
    return Object.fromEntries(columns.map((name) => [name, name in row ? row[name]! : this.#pick(KINDS[name]!.values)]))
  }

  #prepare(mayChange: boolean): Prepared {
    const identity = `plan ${++this.#plans}`
    const target = new Map<string, Held>()
    const plans: TablePlan[] = []
    const pages: Omit<Page, 'next'>[][] = []
    for (const held of this.#tables.values()) {
      const active = this.#active.get(held.name)
      const isLike = active !== undefined && !active.isKept && isSameSet(active.columns, held.columns)
      const from = mayChange && isLike ? 'active' : 'nothing'
      const isTold = from === 'active' || this.#chance(0.6)
      const declared = held.columns.flatMap((name) => (KINDS[name]!.type ? [[name, KINDS[name]!.type] as const] : []))
      plans.push({
        name: held.name,
        ...(held.key && { key: held.key }),
        types: Object.fromEntries(declared),
        from,
        ...(isTold && { columns: held.columns }),
      })
      const isKept = this.#chance(0.08)
      const own = from === 'active' ? this.#changes(held, active!) : this.#all(held)
      if (!isKept) target.set(held.name, held)
      else {
        own.splice(Math.floor(this.#random() * (own.length + 1)))
        own.push({ ...pageOf(held, []), keeps: { code: 'upstream_refused', message: 'Not now.' } })
        if (active !== undefined) target.set(held.name, { ...active, isKept: true })
      }
      pages.push(own)
    }
    const all = this.#interleaved(pages)
    // A pull that can have changed something says where it ended.
    if (all.length === 0 && plans.some(({ from }) => from !== 'active'))
      all.push(pageOf(this.#tables.get(plans[0]!.name)!, []))
    return {
      plan: { identity, tables: plans },
      pages: all.map((page, index) => Object.assign(page, { next: `${identity} page ${index}` })),
      target,
    }
  }

  /** All rows, on the way to which some may have been other ones, or have come twice. */
  #all(held: Held): Omit<Page, 'next'>[] {
    const rows = this.#shuffled(held.rows)
    const pages: Omit<Page, 'next'>[] = []
    if (this.#chance(0.15)) {
      pages.push(pageOf(held, [this.#row(held.columns)]), { ...pageOf(held, []), restarts: true })
    }
    const [early, late] = [rows.slice(0, rows.length / 2), rows.slice(rows.length / 2)]
    if (held.key !== undefined && this.#chance(0.3)) {
      const wrong = early.map((row) => ({ ...this.#row(held.columns), ...keyOf(row, held) }))
      pages.push(pageOf(held, wrong), ...this.#noise(held, rows), { ...pageOf(held, early), put: true })
      if (this.#chance(0.5)) pages.push(pageOf(held, early))
    } else pages.push(pageOf(held, early))
    if (held.key !== undefined && this.#chance(0.2)) pages.push(pageOf(held, early))
    pages.push(...this.#chunks(late).map((chunk) => pageOf(held, chunk)))
    return pages
  }

  /** What makes the active rows those that are wanted. */
  #changes(held: Held, active: Held): Omit<Page, 'next'>[] {
    const { key } = held
    if (key === undefined) {
      const isSame = JSON.stringify(texts(active)) === JSON.stringify(texts(held))
      if (isSame) return this.#chance(0.5) ? [pageOf(held, [])] : []
      return [{ ...pageOf(held, []), restarts: true }, ...this.#chunks(held.rows).map((rows) => pageOf(held, rows))]
    }
    const wanted = new Map(held.rows.map((row) => [idOf(row, key), row]))
    const there = new Map(active.rows.map((row) => [idOf(row, key), row]))
    const text = (row: Row | undefined) => row && JSON.stringify(jsonRow(row, held.columns))
    const puts = held.rows.filter((row) => text(row) !== text(there.get(idOf(row, key))) || this.#chance(0.1))
    const deletes = active.rows.filter((row) => !wanted.has(idOf(row, key)))
    const pages = [
      ...this.#noise(held, held.rows),
      ...(this.#chance(0.04) ? [{ ...pageOf(held, held.rows), restarts: true as const }] : []),
      ...this.#chunks(this.#shuffled(puts)).map((rows) => pageOf(held, rows, { put: true })),
    ]
    for (const rows of this.#chunks(this.#shuffled(deletes))) {
      const page = { ...pageOf(held, []), deleted: rows.map((row) => cellsOf(row, key)) }
      pages.splice(Math.floor(this.#random() * (pages.length + 1)), 0, page)
    }
    // Rows that are noise come before what they would undo.
    return pages.toSorted((a, b) => Number(isNoise(b)) - Number(isNoise(a)))
  }

  /** Rows that come and go again. */
  #noise(held: Held, rows: readonly Row[]): Omit<Page, 'next'>[] {
    if (!this.#chance(0.3)) return []
    const ids = new Set(rows.map((row) => idOf(row, held.key!)))
    const strange = this.#row(held.columns)
    if (ids.has(idOf(strange, held.key!))) return []
    const deleted = [cellsOf(strange, held.key!)]
    return [
      { ...noise(pageOf(held, [strange])), put: true },
      { ...noise(pageOf(held, [])), deleted },
    ]
  }

  #chunks<T>(list: readonly T[]): T[][] {
    const chunks: T[][] = []
    for (let from = 0; from < list.length;) {
      const size = 1 + Math.floor(this.#random() * 4)
      chunks.push(list.slice(from, from + size))
      from += size
    }
    return chunks
  }

  /** The pages of the tables among each other, each table's in their order. */
  #interleaved<T>(lists: readonly (readonly T[])[]): T[] {
    const left = lists.map((list) => [...list])
    const all: T[] = []
    for (;;) {
      const open = left.filter((list) => list.length > 0)
      if (open.length === 0) return all
      all.push(this.#pick(open).shift() as T)
    }
  }
}

const noisy = new WeakSet<readonly string[]>()

/** Marks a page by its columns, which are its own. */
function noise(page: Omit<Page, 'next'>): Omit<Page, 'next'> {
  const columns = [...page.columns]
  noisy.add(columns)
  return { ...page, columns }
}

function isNoise(page: Omit<Page, 'next'>): boolean {
  return noisy.has(page.columns)
}

function pageOf({ name, columns }: Held, rows: readonly Row[], says: Partial<Page> = {}): Omit<Page, 'next'> {
  return { table: name, columns, rows: rows.map((row) => cellsOf(row, columns)), ...says }
}

function cellsOf(row: Row, columns: readonly string[]): Value[] {
  return columns.map((name) => row[name] ?? null)
}

function keyOf(row: Row, { key = [] }: { readonly key: readonly string[] | undefined }): Row {
  return Object.fromEntries(key.map((name) => [name, row[name] ?? null]))
}

function idOf(row: Row, key: readonly string[]): string {
  return keyText(cellsOf(row, key))
}

function texts({ rows, columns }: Held): string[] {
  return rows.map((row) => JSON.stringify(jsonRow(row, columns.toSorted()))).toSorted()
}

function unique(rows: readonly Row[], key: readonly string[] | undefined): Row[] {
  return key === undefined ? [...rows] : [...new Map(rows.map((row) => [idOf(row, key), row])).values()]
}

function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  return JSON.stringify(a.toSorted()) === JSON.stringify(b.toSorted())
}
