import type { JsonValue } from '../../column.ts'
import { Failure } from '../../errors.ts'
import type { ViewOrigin } from '../../origin.ts'
import type { AirtableClient, CallOptions } from './client.ts'

/** A table as Airtable describes it. */
export interface AirtableTable {
  readonly id: string
  readonly name: string
  readonly description?: string
  readonly primaryFieldId: string
  readonly fields: readonly AirtableField[]
  readonly views: readonly ViewOrigin[]
}

export interface AirtableField {
  readonly id: string
  readonly name: string
  /** Null where Airtable does not say. */
  readonly type: string | null
  readonly description?: string
  readonly options?: JsonValue
}

type Members = Readonly<Record<string, JsonValue | undefined>>

/** Asks for all tables of a base. One call. @throws as `AirtableClient.call`, Failure `upstream_malformed` */
export async function fetchTables(
  client: AirtableClient,
  baseId: string,
  options: Omit<CallOptions, 'doing'>,
): Promise<AirtableTable[]> {
  const path = `meta/bases/${encodeURIComponent(baseId)}/tables`
  const doing = `describe the tables of base ${baseId}, which needs the scope schema.bases:read`
  return tablesIn(await client.call({ method: 'GET', path }, { ...options, doing }))
}

/** @throws Failure `upstream_malformed` */
export function tablesIn(answer: Readonly<Record<string, unknown>>): AirtableTable[] {
  return listIn(answer as Members, 'tables').map(tableIn)
}

function tableIn(table: Members): AirtableTable {
  return {
    id: textIn(table, 'id'),
    name: textIn(table, 'name'),
    ...descriptionIn(table),
    primaryFieldId: textIn(table, 'primaryFieldId'),
    fields: listIn(table, 'fields').map(fieldIn),
    views: (table['views'] === undefined ? [] : listIn(table, 'views')).map(viewIn),
  }
}

function fieldIn(field: Members): AirtableField {
  const { type, options } = field
  return {
    id: textIn(field, 'id'),
    name: textIn(field, 'name'),
    type: typeof type === 'string' ? type : null,
    ...descriptionIn(field),
    ...(options !== undefined && { options }),
  }
}

function viewIn(view: Members): ViewOrigin {
  return { id: textIn(view, 'id'), name: textIn(view, 'name'), type: textIn(view, 'type') }
}

function descriptionIn({ description }: Members): { description?: string } {
  return typeof description === 'string' ? { description } : {}
}

function listIn(members: Members, name: string): Members[] {
  const list = members[name]
  if (!Array.isArray(list)) throw malformed(name)
  return (list as readonly JsonValue[]).map((item) => {
    if (typeof item !== 'object' || item === null) throw malformed(name)
    return item as Members
  })
}

function textIn(members: Members, name: string): string {
  const text = members[name]
  if (typeof text !== 'string') throw malformed(name)
  return text
}

function malformed(name: string): Failure {
  return new Failure(
    'upstream_malformed',
    `Airtable described its tables in a way that is not known here: see "${name}".`,
  )
}
