import { readdirSync } from 'node:fs'
import { disk } from '../../lib/base/files.ts'
import type { Value } from '../../lib/column.ts'
import type { Page, Plan, TablePlan } from '../../lib/source.ts'
import { SourceFolder } from '../../lib/sqlite/pointer.ts'
import type { SqlTable } from '../../lib/sqlite/snapshot-schema.ts'
import { Staged } from '../../lib/sqlite/staged.ts'
import { tempFolder } from '../support/temp.ts'
import { jsonOf } from './site.ts'

/** A staged file that can be left and taken up again, as after a kill. */
export class Staging implements Disposable {
  readonly #temp = tempFolder()
  readonly folder = new SourceFolder(this.#temp.path, 's')
  readonly #plan: Plan
  #generation = 0
  #staged: Staged

  constructor(...tables: TablePlan[]) {
    this.#plan = { identity: 'the same', tables }
    this.#staged = this.#open()
  }

  get staged(): Staged {
    return this.#staged
  }

  /** Leaves the file where it is and goes on in a copy, under the next generation. */
  reopen(): void {
    this.#staged[Symbol.dispose]()
    this.#staged = this.#open()
  }

  write(...pages: Omit<Page, 'table' | 'next'>[]): void {
    for (const page of pages) {
      const table = this.#plan.tables[0]?.name as string
      this.#staged.write({ table, next: String(Number(this.#staged.cursor ?? 0) + 1), ...page })
    }
  }

  table(name?: string): SqlTable {
    return this.#staged.tables.find((table) => name === undefined || table.name === name) as SqlTable
  }

  /** The type of each column of the first table. */
  types(): Record<string, string> {
    return Object.fromEntries(this.table().columns.map((column) => [column.name, column.type]))
  }

  texts(name?: string): string[] {
    return jsonOf(this.#staged.db, this.table(name))
  }

  rows(name?: string): Record<string, unknown>[] {
    return this.texts(name).map((text) => JSON.parse(text) as Record<string, unknown>)
  }

  /** What one column of the first table holds. */
  column(name: string): unknown[] {
    return this.rows().map((row) => row[name])
  }

  #open(): Staged {
    this.#generation++
    const leftovers = readdirSync(this.folder.path).filter((name) => /^staged-\d+\.sqlite$/.test(name))
    const options = {
      generation: this.#generation,
      plan: this.#plan,
      shape: 'shape',
      leftovers: leftovers.toReversed(),
    }
    return Staged.open(this.folder, disk, options)
  }

  [Symbol.dispose](): void {
    this.#staged[Symbol.dispose]()
    this.#temp[Symbol.dispose]()
  }
}

/** A page of one column. */
export function cells(column: string, ...values: Value[]): Omit<Page, 'table' | 'next'> {
  return { columns: [column], rows: values.map((value) => [value]) }
}
