import { BY_COLUMN, nullable, UNKNOWN, type CellType } from './cell-type.ts'
import { comment, literal, memberName } from './code-text.ts'
import type { Column } from './column.ts'
import { cellTypeOfField } from './field-type.ts'
import type { FieldOrigin, TableOrigin } from './origin.ts'
import { shared, SHARED_NAMES, sharedText } from './shared-types.ts'
import type { TableInfo } from './snapshot.ts'

/** A table to write types for, under the name that means it alone. */
export interface NamedTable {
  readonly name: string
  readonly source: string
  readonly table: Pick<TableInfo, 'name' | 'key' | 'columns'>
  /** What the upstream calls it, where it has names of its own. */
  readonly origin?: TableOrigin | undefined
}

/** Names that the text itself needs, schemas of shared types included. */
const OURS = ['z', 'Tables', 'TableName', 'schemas', ...SHARED_NAMES, ...SHARED_NAMES.map((name) => shared(name).zod)]

/** A column with all there is to say about it. */
export interface TypedColumn {
  readonly column: Column
  readonly field: FieldOrigin | undefined
  readonly type: CellType
}

/** What the cells of a table are: anything but a part of the key may be null. */
export function typedColumns({ table: { columns, key }, origin }: NamedTable): TypedColumn[] {
  const fields = new Map(origin?.fields.map((field) => [field.column, field]))
  return columns.map((column) => {
    const field = fields.get(column.name)
    const own = field && cellTypeOfField(field, column.type)
    const type = own ?? (column.name === origin?.errorsColumn ? ERRORS : BY_COLUMN[column.type])
    // `unknown` has null in it.
    return { column, field, type: key.includes(column.name) || type === UNKNOWN ? type : nullable(type) }
  })
}

/** Cells that are not of the type of their column, by its name. */
const ERRORS: CellType = { ts: '{ [column: string]: unknown }', zod: 'z.record(z.string(), z.unknown())' }

/** A TypeScript module: an interface and a zod schema for the rows of each table, whatever it and its columns are called. */
export function typeText(tables: readonly NamedTable[]): string {
  const identifiers = typeNames(tables.map(({ name }) => name))
  const typed = tables.map(typedColumns)
  // Names are texts, so nothing in them can end a comment or begin code.
  const parts = tables.map((named, index) => tableText(named, typed[index]!, identifiers[index]!))
  const names = tables.map(({ name }) => literal(name))
  const entries = (write: (identifier: string) => string, member: (name: string) => string) =>
    tables.map(({ name }, index) => `  ${member(name)}: ${write(identifiers[index]!)},\n`).join('')
  const used = new Set(typed.flat().flatMap(({ type }) => type.uses ?? []))
  return [
    `${HEAD}\nimport { z } from 'zod'\n`,
    ...SHARED_NAMES.filter((name) => used.has(name)).map(sharedText),
    ...parts,
    `export interface Tables {\n${entries((identifier) => identifier, literal)}}\n`,
    `export type TableName = ${names.join(' | ') || 'never'}\n`,
    `export const schemas = {\n${entries((identifier) => `${identifier}Schema`, memberName)}}\n`,
  ].join('\n')
}

const HEAD = `// The tables of this Holdfast, as its answers have them. Made from the schema: do not edit.
// Integers beyond 2^53 and decimals are text, digit for digit.
`

function tableText({ name, origin }: NamedTable, typed: readonly TypedColumn[], identifier: string): string {
  const fields = typed.map(
    ({ column, field, type }) => `${field ? `  ${fieldComment(field)}\n` : ''}  ${literal(column.name)}: ${type.ts}\n`,
  )
  const rules = typed.map(({ column, type }) => `  ${memberName(column.name)}: ${type.zod},\n`)
  return `${comment(`${literal(name)}${origin ? `: ${tableComment(origin)}` : ''}`)}
export interface ${identifier} {\n${fields.join('')}}

export const ${identifier}Schema = z.object({\n${rules.join('')}}) satisfies z.ZodType<${identifier}>
`
}

function tableComment({ id, baseId, name, description }: TableOrigin): string {
  return `${literal(name)}, ${literal(id)} of ${literal(baseId)}${described(description)}`
}

function fieldComment({ id, name, type, description }: FieldOrigin): string {
  return comment(
    `${literal(name)}, ${literal(id)}${type === null ? '' : `, ${literal(type)}`}${described(description)}`,
  )
}

function described(description = ''): string {
  return description === '' ? '' : `: ${literal(description)}`
}

/**
 * An identifier in PascalCase for each name, no two alike, also where case does not count. What no identifier can be
 * made of is `Table`, with a number where there are several.
 */
export function typeNames(names: readonly string[]): string[] {
  const taken = new Set(OURS.map((name) => name.toLowerCase()))
  return names.map((name) => {
    const base = pascalCase(name)
    let candidate = base
    for (let n = 2; isTaken(candidate); n++) candidate = `${base}_${n}`
    for (const claimed of claims(candidate)) taken.add(claimed)
    return candidate
  })

  function isTaken(candidate: string): boolean {
    return claims(candidate).some((claimed) => taken.has(claimed))
  }
}

/** The schema's name too. */
function claims(identifier: string): string[] {
  return [identifier.toLowerCase(), `${identifier}Schema`.toLowerCase()]
}

function pascalCase(name: string): string {
  const words = name.normalize('NFKC').match(/[\p{L}\p{Nd}\p{M}]+/gu) ?? []
  // Letters beyond the basic plane are identifiers for some tools only.
  const plain = words.map((word) => word.replaceAll(/[^\p{ID_Continue}]|[^\0-\uffff]/gu, '')).filter(Boolean)
  const text = plain.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('')
  return /^\p{Lu}/u.test(text) ? text : `Table${text}`
}
