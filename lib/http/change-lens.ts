import { hiddenColumns, hidesKey, ruleOf, seesTable, type Principal } from '../access.ts'
import type { Batch, Change, Missed } from '../change-feed.ts'
import { Failure } from '../errors.ts'
import { splitName } from '../keys.ts'
import type { Snapshots } from '../snapshot.ts'

/** What of the log a request asks for. */
export interface ChangeFilter {
  /** Those that it is about, in order. */
  readonly sources: readonly string[]
  /** Of the one source: this table alone. */
  readonly table: string | null
  /** Rows with these keys alone; null: all. */
  readonly keys: readonly string[] | null
}

type RowText = (row: string) => string

/** What one kind of reader sees of the log. Readers with equal ids see the same. */
export class ChangeLens {
  readonly id: string
  readonly sources: readonly string[]
  readonly #table: string | null
  readonly #keys: ReadonlySet<string> | null
  readonly #principal: Principal
  readonly #snapshots: Snapshots

  /** @throws Failure `forbidden` where rows are hidden: the log does not say which row a change was before */
  constructor(filter: ChangeFilter, principal: Principal, snapshots: Snapshots) {
    const keys = filter.keys && [...new Set(filter.keys)].toSorted()
    this.id = JSON.stringify([principal.view, filter.sources, filter.table, keys])
    this.sources = filter.sources
    this.#table = filter.table
    this.#keys = keys && new Set(keys)
    this.#principal = principal
    this.#snapshots = snapshots
    for (const [name, rule] of principal.rules) {
      const [source, table] = splitName(name)
      if (!this.sees(source, table)) continue
      if (rule.filter === null && !this.#hidesKey(source, table)) continue
      const what = rule.filter === null ? `a column of the key of ${name}` : `some rows of ${name}`
      throw new Failure(
        'forbidden',
        `This key does not see ${what}, so it cannot follow its changes. Leave the table out with table=, or read it with /api/tables.`,
        { facts: { reason: 'restricted_key', table: name } },
      )
    }
  }

  /** What of a query string means this filter, but for keys; of one source. */
  get query(): string {
    const table = this.#table === null ? {} : { table: this.#table }
    return new URLSearchParams({ source: this.sources[0] ?? '', ...table }).toString()
  }

  sees(source: string, table: string): boolean {
    if (!this.sources.includes(source) || (this.#table !== null && this.#table !== table)) return false
    return seesTable(this.#principal, source, table)
  }

  /** The members of a batch's changes as JSON texts, without braces; empty where there is nothing to see. */
  changes(batch: Batch): string[] {
    const { source } = batch
    if (!this.sources.includes(source)) return []
    const texts: string[] = []
    let table: string | undefined
    let rowText: RowText | undefined
    for (const change of this.#wanted(batch)) {
      if (change.table !== table) {
        table = change.table
        rowText = this.#rowText(source, table)
        // Its key was another one when the stream began.
        if (rowText && this.#hidesKey(source, table)) {
          texts.push(changeText({ table, key: '', op: 'resync', row: null }, rowText))
          rowText = undefined
        }
      }
      if (rowText !== undefined) texts.push(changeText(change, rowText))
    }
    return texts
  }

  /** Names of the tables that are to be fetched again, as `source.table`. */
  tables(missed: readonly Missed[]): string[] {
    return missed.flatMap(({ source, tables }) =>
      tables.filter((table) => this.sees(source, table)).map((table) => `${source}.${table}`),
    )
  }

  /** All tables that there are. */
  all(): string[] {
    return this.tables(
      this.sources.map((source) => {
        const tables = this.#snapshots.active(source)?.pointer.tables ?? []
        return { source, tables: tables.map(({ name }) => name) }
      }),
    )
  }

  /** What of a batch is about the rows that are asked for, in its order. */
  #wanted(batch: Batch): readonly Change[] {
    const keys = this.#keys
    if (keys === null) return batch.changes
    const places = placesOf(batch)
    const nameless = places.tables.filter((table) => this.#hidesKey(batch.source, table))
    // Of these, all there is to tell is that something has changed, whichever row it was.
    if (nameless.length > 0)
      return batch.changes.filter(({ table, op, key }) => op === 'resync' || keys.has(key) || nameless.includes(table))
    const found = [...places.resyncs]
    for (const key of keys) found.push(...(places.byKey.get(key) ?? []))
    return found.toSorted((a, b) => a - b).map((place) => batch.changes[place]!)
  }

  /** How rows of a table are shown; undefined: not at all. */
  #rowText(source: string, table: string): RowText | undefined {
    if (!this.sees(source, table)) return undefined
    const rule = ruleOf(this.#principal, source, table)
    const info = this.#snapshots.active(source)?.table(table)
    const hidden = info === undefined ? (rule?.hidden ?? []) : hiddenColumns(rule, info)
    return hidden.length === 0 ? (row) => row : (row) => without(row, hidden)
  }

  #hidesKey(source: string, table: string): boolean {
    const info = this.#snapshots.active(source)?.table(table)
    return info !== undefined && hidesKey(ruleOf(this.#principal, source, table), info)
  }
}

/** Where in a batch the changes of each key are, and those that are about a whole table. */
interface Places {
  readonly byKey: ReadonlyMap<string, readonly number[]>
  readonly resyncs: readonly number[]
  readonly tables: readonly string[]
}

const known = new WeakMap<Batch, Places>()

/** Thousands may each follow a row of their own: a batch is gone through once for all of them. */
function placesOf(batch: Batch): Places {
  let places = known.get(batch)
  if (places === undefined) known.set(batch, (places = findPlaces(batch)))
  return places
}

function findPlaces({ changes }: Batch): Places {
  const byKey = new Map<string, number[]>()
  const resyncs: number[] = []
  const tables = new Set<string>()
  for (const [place, { table, op, key }] of changes.entries()) {
    tables.add(table)
    const own = byKey.get(key)
    if (op === 'resync') resyncs.push(place)
    else if (own === undefined) byKey.set(key, [place])
    else own.push(place)
  }
  return { byKey, resyncs, tables: [...tables] }
}

function changeText({ table, key, op, row }: Change, rowText: RowText): string {
  const name = op === 'resync' ? 'null' : JSON.stringify(key)
  return `"table":${JSON.stringify(table)},"key":${name},"op":"${op}","row":${row === null ? 'null' : rowText(row)}`
}

const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown }
const parseExactly = JSON.parse as (
  text: string,
  reviver: (name: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown

/** A row without some columns; its numbers stay as they were written. */
function without(row: string, hidden: readonly string[]): string {
  const cells = parseExactly(row, (_name, value, { source }) =>
    typeof value === 'number' && source !== undefined ? rawJSON(source) : value,
  ) as Record<string, unknown>
  for (const name of hidden) delete cells[name]
  return JSON.stringify(cells)
}
