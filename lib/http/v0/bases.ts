import { hiddenColumns, hidesKey, ruleOf, seesTable, type Principal } from '../../access.ts'
import type { Column } from '../../column.ts'
import { Failure } from '../../errors.ts'
import type { MountedSnapshot } from '../../snapshot.ts'
import type { Context } from '../context.ts'
import { noSnapshot, visibleSources, type Target } from '../target.ts'
import { shownFields } from '../view.ts'
import { baseTables, withoutColumns, type BaseTable } from './base-schema.ts'
import { madeId } from './ids.ts'

/** A source, as a base. */
export interface Base {
  readonly id: string
  readonly source: string
}

/** A table that somebody sees, with its fields, and where its rows are. */
export interface PlacedTable extends Target {
  readonly schema: BaseTable
  /** Those of its fields, and behind them the one with the cells that are not of their field's type. */
  readonly columns: readonly Column[]
}

const MAX_VIEWS = 100

type BasesContext = Pick<Context, 'sources' | 'snapshots' | 'feed'>

/** Sources as Airtable's bases: each goes by its own name, by an id that is made of it, and by the upstream's. */
export class Bases {
  readonly #context: BasesContext
  /** The tables of a snapshot, by what a key sees of them. */
  readonly #seen = new WeakMap<MountedSnapshot, Map<string, readonly PlacedTable[]>>()

  constructor(context: BasesContext) {
    this.#context = context
  }

  /** All that a principal sees. A base that two sources mirror is the first one's by its own id. */
  list(principal: Principal): Base[] {
    const taken = new Set<string>()
    return visibleSources(this.#context.sources, principal).map((source) => {
      const own = this.#ownIds(source, principal).find((id) => !taken.has(id))
      const id = own ?? madeId('app', source)
      taken.add(id)
      return { id, source }
    })
  }

  /** The sources that an id of a base means. @throws Failure `source_not_found` */
  sources(baseId: string, principal: Principal): readonly string[] {
    const visible = visibleSources(this.#context.sources, principal)
    const called = visible.filter((source) => source === baseId || madeId('app', source) === baseId)
    const found =
      called.length > 0 ? called : visible.filter((source) => this.#ownIds(source, principal).includes(baseId))
    if (found.length > 0) return found
    const known = this.list(principal).map(({ id, source }) => `${source} (${id})`)
    throw new Failure('source_not_found', `There is no base ${quoted(baseId)} for this key. ${listed(known)}`, {
      facts: { known },
    })
  }

  /** The tables of a base, each once. @throws Failure `source_not_found`, `no_snapshot` */
  tables(baseId: string, principal: Principal): PlacedTable[] {
    const sources = this.sources(baseId, principal)
    const tables = new Map<string, PlacedTable>()
    for (const source of sources) {
      const mounted = this.#context.snapshots.active(source)
      for (const table of mounted ? this.#visible(source, mounted, principal) : []) {
        if (!tables.has(table.schema.id)) tables.set(table.schema.id, table)
      }
    }
    if (tables.size === 0) this.#refuseEmpty(sources, principal)
    return [...tables.values()]
  }

  /**
   * The table of a base with this id or name. @throws Failure `source_not_found`, `table_not_found`, `no_snapshot`
   */
  table(baseId: string, name: string, principal: Principal): PlacedTable {
    const tables = this.tables(baseId, principal)
    const found = named(tables, name)
    if (found !== undefined) return found
    this.#refuseEmpty(this.sources(baseId, principal), principal)
    throw noTable(name, tables)
  }

  /** The same in a snapshot that is not the active one. */
  tableIn(source: string, mounted: MountedSnapshot, name: string, principal: Principal): PlacedTable {
    const tables = this.#visible(source, mounted, principal)
    const found = named(tables, name)
    if (found === undefined) throw noTable(name, tables)
    return found
  }

  #visible(source: string, mounted: MountedSnapshot, principal: Principal): readonly PlacedTable[] {
    let views = this.#seen.get(mounted)
    if (views === undefined || views.size > MAX_VIEWS) this.#seen.set(mounted, (views = new Map()))
    let tables = views.get(principal.view)
    if (tables === undefined) views.set(principal.view, (tables = this.#placed(source, mounted, principal)))
    return tables
  }

  #placed(source: string, mounted: MountedSnapshot, principal: Principal): PlacedTable[] {
    return baseTables(source, mounted).flatMap((schema) => {
      const { info } = schema
      const rule = ruleOf(principal, source, info.name)
      if (!seesTable(principal, source, info.name) || hidesKey(rule, info)) return []
      const narrowed = withoutColumns(schema, hiddenColumns(rule, info))
      const seen = { ...narrowed, fields: shownFields(narrowed.fields, source, principal) }
      const columns = [...seen.fields.map(({ column }) => column), ...(seen.errors === null ? [] : [seen.errors])]
      return [{ source, mounted, table: info, schema: seen, columns }]
    })
  }

  #ownIds(source: string, principal: Principal): string[] {
    const mounted = this.#context.snapshots.active(source)
    if (mounted === undefined) return []
    return this.#visible(source, mounted, principal).flatMap(({ schema: { baseId } }) => baseId ?? [])
  }

  /** One that has no data yet may be the one that will have it. */
  #refuseEmpty(sources: readonly string[], principal: Principal): void {
    const { snapshots, feed } = this.#context
    const empty = sources.find((source) => snapshots.active(source) === undefined)
    if (empty !== undefined) throw noSnapshot(empty, feed.fresh(empty), principal)
  }
}

/** By id, by its own name, by the name it is mirrored under, or by the one that other routes know it by. */
function named(tables: readonly PlacedTable[], name: string): PlacedTable | undefined {
  return (
    tables.find(({ schema }) => schema.id === name) ??
    tables.find(({ schema }) => schema.name === name) ??
    tables.find(({ table, source }) => table.name === name || `${source}.${table.name}` === name)
  )
}

function noTable(name: string, tables: readonly PlacedTable[]): Failure {
  const known = tables.map(({ schema }) => `${schema.name} (${schema.id})`)
  return new Failure(
    'table_not_found',
    `There is no table ${quoted(name)} in this base for this key. ${listed(known)}`,
    {
      facts: { known },
    },
  )
}

function listed(names: readonly string[]): string {
  if (names.length === 0) return 'There is none.'
  return `There is: ${names.slice(0, 20).join(', ')}${names.length > 20 ? ', …' : ''}.`
}

function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 100))
}
