import type { Column } from './column.ts'
import type { TableOptions } from './settings.ts'
import type { TableInfo } from './snapshot.ts'

/** What a table has beside its rows and its key. */
export type Layout = Pick<TableInfo, 'indexes' | 'search' | 'times'>

interface TableFacts {
  readonly name: string
  readonly key: readonly string[]
  readonly columns: readonly Column[]
}

/**
 * What the tables get of what is configured for them, by name. What they cannot get is left out, and `warnings` says
 * so: a column that the upstream dropped must not keep its data away.
 */
export function layoutsOf(
  tables: readonly TableFacts[],
  options: Readonly<Record<string, TableOptions>> = {},
): { layouts: ReadonlyMap<string, Layout>; warnings: readonly string[] } {
  const warnings = Object.keys(options)
    .filter((name) => !tables.some((table) => table.name === name))
    .map((name) => `Indexes, search or times are configured for table ${JSON.stringify(name)}, which is not there.`)
  const layouts = tables.map((table) => {
    const own = Object.hasOwn(options, table.name) ? (options[table.name] as TableOptions) : {}
    return [table.name, layoutOf(table, own, warnings)] as const
  })
  return { layouts: new Map(layouts), warnings }
}

export function isSameLayout(a: Layout, b: Layout): boolean {
  const facts = ({ indexes, search, times }: Layout) => JSON.stringify([indexes, search, times.created, times.modified])
  return facts(a) === facts(b)
}

function layoutOf(table: TableFacts, options: TableOptions, warnings: string[]): Layout {
  const types = new Map(table.columns.map((column) => [column.name, column.type]))
  /** Whether the column can be used for `what`; says why where it cannot. */
  const isUsable = (what: string, column: string, refused: readonly Column['type'][], instead: string): boolean => {
    const type = types.get(column)
    if (type !== undefined && !refused.includes(type)) return true
    const name = JSON.stringify(column)
    const reason = type === undefined ? `there is no column ${name}` : `column ${name} is of type ${type}, ${instead}`
    warnings.push(`Table ${table.name}: ${what} is left out, because ${reason}.`)
    return false
  }

  // The key's own index has decimals as they are stored, not as they compare.
  const taken = new Set(table.key.some((name) => types.get(name) === 'decimal') ? [] : [JSON.stringify(table.key)])
  const indexes: (readonly string[])[] = []
  for (const given of options.indexes ?? []) {
    const columns = typeof given === 'string' ? [given] : given
    const text = JSON.stringify(columns)
    if (taken.has(text)) continue
    taken.add(text)
    if (columns.every((column) => isUsable(`the index on ${text}`, column, ['json'], 'which has no order')))
      indexes.push(columns)
  }
  const search = (options.search ?? []).filter((column) =>
    isUsable(
      `the search in ${JSON.stringify(column)}`,
      column,
      ['integer', 'real', 'decimal', 'boolean', 'json'],
      'not text',
    ),
  )
  const time = (what: string, column: string | undefined): string | null =>
    column !== undefined && isUsable(what, column, ['boolean', 'json'], 'which is no time') ? column : null
  return {
    indexes,
    search,
    times: {
      created: time('the time of creation', options.times?.created),
      modified: time('the time of modification', options.times?.modified),
    },
  }
}
