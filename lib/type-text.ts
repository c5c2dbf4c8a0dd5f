import type { Column, ColumnType } from './column.ts'
import type { TableInfo } from './snapshot.ts'

/** A table to write types for, under the name that means it alone. */
export interface NamedTable {
  readonly name: string
  readonly source: string
  readonly table: Pick<TableInfo, 'name' | 'key' | 'columns'>
}

/** What a cell of a column is in JSON. An integer is its digits where a number would not be exact. */
const TYPES: Readonly<Record<ColumnType, { readonly ts: string; readonly zod: string }>> = {
  integer: { ts: 'number | string', zod: 'z.union([z.int(), z.string().regex(/^-?\\d+$/)])' },
  real: { ts: 'number', zod: 'z.number()' },
  decimal: { ts: 'string', zod: 'z.string()' },
  boolean: { ts: 'boolean', zod: 'z.boolean()' },
  text: { ts: 'string', zod: 'z.string()' },
  json: { ts: 'unknown', zod: 'z.unknown()' },
}

/** Names that the text itself needs. */
const OURS = ['z', 'Tables', 'TableName', 'schemas']

/** What a cell is in TypeScript: anything but a part of the key, and JSON, may be null. */
export function tsType({ name, type }: Column, key: readonly string[]): string {
  return isNullable(name, type, key) ? `${TYPES[type].ts} | null` : TYPES[type].ts
}

/** A TypeScript module: an interface and a zod schema for the rows of each table, whatever it and its columns are called. */
export function typeText(tables: readonly NamedTable[]): string {
  const identifiers = typeNames(tables.map(({ name }) => name))
  // Names are texts, so nothing in them can end a comment or begin code.
  const parts = tables.map((named, index) => tableText(named, identifiers[index]!))
  const names = tables.map(({ name }) => literal(name))
  const entries = (write: (identifier: string) => string, member: (name: string) => string) =>
    tables.map(({ name }, index) => `  ${member(name)}: ${write(identifiers[index]!)},\n`).join('')
  return [
    `${HEAD}\nimport { z } from 'zod'\n`,
    ...parts,
    `export interface Tables {\n${entries((identifier) => identifier, literal)}}\n`,
    `export type TableName = ${names.join(' | ') || 'never'}\n`,
    `export const schemas = {\n${entries((identifier) => `${identifier}Schema`, memberName)}}\n`,
  ].join('\n')
}

const HEAD = `// The tables of this Holdfast, as its answers have them. Made from the schema: do not edit.
// Integers beyond 2^53 and decimals are text, digit for digit.
`

function tableText({ name, table: { columns, key } }: NamedTable, identifier: string): string {
  const fields = columns.map((column) => `  ${literal(column.name)}: ${tsType(column, key)}\n`).join('')
  const rules = columns.map((column) => `  ${memberName(column.name)}: ${zodType(column, key)},\n`).join('')
  return `/** ${literal(name).replaceAll('*/', '*\\/')} */
export interface ${identifier} {\n${fields}}

export const ${identifier}Schema = z.object({\n${rules}}) satisfies z.ZodType<${identifier}>
`
}

function zodType({ name, type }: Column, key: readonly string[]): string {
  return isNullable(name, type, key) ? `${TYPES[type].zod}.nullable()` : TYPES[type].zod
}

function isNullable(name: string, type: ColumnType, key: readonly string[]): boolean {
  return type !== 'json' && !key.includes(name)
}

/** As text in the code, with nothing in it that an editor takes for the end of a line. */
function literal(text: string): string {
  return JSON.stringify(text).replaceAll(/[\u007f-\u009f\u2028\u2029\ufeff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/** `"__proto__": …` in an object would set its prototype. */
function memberName(name: string): string {
  return name === '__proto__' ? `[${literal(name)}]` : literal(name)
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
