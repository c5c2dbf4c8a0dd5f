import type { Json } from './json.ts'

/** A record as it is stored: computed cells are made when they are read. */
export interface StoredRecord {
  readonly id: string
  readonly createdAt: number
  readonly createdBy: string
  readonly autoNumber: number
  /** When somebody last changed a cell that can be edited; nobody has where it is `undefined`. */
  modifiedAt: number | undefined
  modifiedBy: string | undefined
  /** The same for each field, by its id. */
  modifiedAtByField: Map<string, number> | undefined
  commentCount: number
  /** By field id; empty cells are not in it. */
  readonly cells: Record<string, Json>
}

/** A record as the API shows it, here always with names of fields and without URLs of attachments. */
export interface ShownRecord {
  readonly id: string
  readonly createdTime: string
  readonly fields: Record<string, Json>
}

/** What Airtable leaves out of `fields`. */
export function isEmpty(cell: Json | undefined): boolean {
  return (
    cell === undefined || cell === null || cell === '' || cell === false || (Array.isArray(cell) && cell.length === 0)
  )
}
