import type { ColumnType } from './column.ts'

/** What a cell is in the JSON of a row, as code: a type of TypeScript and a schema of zod 4. */
export interface CellType {
  readonly ts: string
  readonly zod: string
  /** Types that this one is made of and that a module has to declare: see `shared-types.ts`. */
  readonly uses?: readonly string[]
  /** Of a list: what its items are. */
  readonly item?: CellType
}

export const STRING: CellType = { ts: 'string', zod: 'z.string()' }
export const UNKNOWN: CellType = { ts: 'unknown', zod: 'z.unknown()' }

/** By column type. An integer is its digits where a number would not be exact. */
export const BY_COLUMN: Readonly<Record<ColumnType, CellType>> = {
  integer: { ts: 'number | string', zod: 'z.union([z.int(), z.string().regex(/^-?\\d+$/)])' },
  real: { ts: 'number', zod: 'z.number()' },
  decimal: STRING,
  boolean: { ts: 'boolean', zod: 'z.boolean()' },
  text: STRING,
  json: UNKNOWN,
}

export function nullable(type: CellType): CellType {
  const { ts, zod, uses = [] } = type
  return ts.endsWith(' | null') ? type : { ts: `${ts} | null`, zod: `${zod}.nullable()`, uses }
}

export function listOf(item: CellType): CellType {
  const { ts, zod, uses = [] } = item
  return { ts: ts.includes(' | ') ? `(${ts})[]` : `${ts}[]`, zod: `z.array(${zod})`, uses, item }
}

export function either(types: readonly CellType[]): CellType {
  return {
    ts: types.map(({ ts }) => ts).join(' | '),
    zod: `z.union([${types.map(({ zod }) => zod).join(', ')}])`,
    uses: types.flatMap(({ uses = [] }) => uses),
  }
}
