import type { TableOrigin } from '../origin.ts'
import type { Pointer, TableInfo } from '../snapshot.ts'
import type { TablePlan } from '../source.ts'
import type { ColumnState } from '../typing.ts'
import { literal, quote, type Database } from './database.ts'
import { sqlNames } from './names.ts'
import { POSITION, SqlTable } from './snapshot-schema.ts'

const SCHEMA = 'base'

/** A table of the active snapshot. */
export interface BasisTable {
  readonly info: TableInfo
  readonly table: SqlTable
  readonly origin: TableOrigin | undefined
  /** How its columns had grown when it was pulled, by name. */
  readonly states: ReadonlyMap<string, ColumnState>
}

/**
 * The active snapshot, attached to a staged file that begins with its rows. Belongs outside of transactions: SQLite
 * attaches and detaches nothing inside of one.
 */
export class Basis {
  readonly pointer: Pointer
  readonly #db: Database
  readonly #tables: ReadonlyMap<string, BasisTable>

  private constructor(db: Database, pointer: Pointer) {
    this.#db = db
    this.pointer = pointer
    const origins = new Map(
      db
        .prepare<[], { name: string; origin: string | null }>(`SELECT name, origin FROM ${SCHEMA}._hf_tables`)
        .all()
        .map(({ name, origin }) => [name, origin === null ? undefined : (JSON.parse(origin) as TableOrigin)]),
    )
    const states = readStates(db)
    const tables = attachedTables(db, SCHEMA, pointer)
    this.#tables = new Map(
      pointer.tables.map((info, index) => {
        return [
          info.name,
          { info, table: tables[index] as SqlTable, origin: origins.get(info.name), states: states(info.name) },
        ]
      }),
    )
  }

  static attach(db: Database, active: { pointer: Pointer; path: string }): Basis {
    db.exec(`ATTACH ${literal(active.path)} AS ${SCHEMA}`)
    try {
      return new Basis(db, active.pointer)
    } catch (error) {
      db.exec(`DETACH ${SCHEMA}`)
      throw error
    }
  }

  get names(): string[] {
    return [...this.#tables.keys()]
  }

  table(name: string): BasisTable | undefined {
    return this.#tables.get(name)
  }

  /** Copies all rows of a table, at their positions, into one that has the same columns under its own names. */
  copy(from: BasisTable, to: SqlTable): void {
    const cells = (table: SqlTable) => to.columns.map((column) => table.sql(column.name)).join(', ')
    this.#db.exec(
      `INSERT INTO main.${quote(to.sqlName)} (${POSITION}, ${cells(to)})
         SELECT ${POSITION}, ${cells(from.table)} FROM ${SCHEMA}.${quote(from.table.sqlName)} ORDER BY ${POSITION}`,
    )
  }

  detach(): void {
    this.#db.exec(`DETACH ${SCHEMA}`)
  }
}

/** What the rows of a kept table were planned as. */
export type KeptAs = Pick<TablePlan, 'key' | 'times' | 'fileColumns' | 'origin'>

export function keptAs({ info, origin }: BasisTable): KeptAs {
  const { key, isKeyGenerated, times, fileColumns } = info
  const { created, modified } = times
  return {
    ...(!isKeyGenerated && { key }),
    times: { ...(created !== null && { created }), ...(modified !== null && { modified }) },
    ...(fileColumns && { fileColumns }),
    ...(origin && { origin }),
  }
}

function readStates(db: Database): (table: string) => ReadonlyMap<string, ColumnState> {
  const text = db.prepare<[], string>(`SELECT tables FROM ${SCHEMA}._hf_checkpoint`).pluck().get() ?? '[]'
  const tables = JSON.parse(text) as { readonly name: string; readonly columns: readonly ColumnState[] }[]
  return (table) => {
    const { columns = [] } = tables.find(({ name }) => name === table) ?? {}
    return new Map(columns.map((column) => [column.name, column]))
  }
}

/** Whether rows of one table can be copied into the other as they are. */
export function isSameShape(a: SqlTable, b: SqlTable): boolean {
  const facts = ({ key, columns }: SqlTable) =>
    JSON.stringify([key, columns.map(({ name, type }) => JSON.stringify([name, type])).toSorted()])
  return facts(a) === facts(b)
}

/** The tables of a snapshot that is attached as `schema`, in the order of its pointer. */
export function attachedTables(db: Database, schema: string, pointer: Pointer): SqlTable[] {
  const names = db.prepare<[], string>(`SELECT name FROM ${schema}._hf_tables ORDER BY position`).pluck().all()
  const sql = new Map(sqlNames(names).map((sqlName, index) => [names[index], sqlName]))
  return pointer.tables.map(
    ({ name, key, columns }, index) =>
      new SqlTable({ name, sqlName: sql.get(name) as string, position: index + 1, key, columns }),
  )
}
