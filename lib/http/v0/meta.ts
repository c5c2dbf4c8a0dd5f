import { isRestricted, type Principal } from '../../access.ts'
import type { JsonValue } from '../../column.ts'
import type { BaseTable } from './base-schema.ts'
import type { Base, PlacedTable } from './bases.ts'
import { madeId } from './ids.ts'

/** What of Airtable's scopes a key has here. */
const SCOPES = ['data.records:read', 'schema.bases:read']
const ID = /\b(?:tbl|fld|viw)[A-Za-z0-9]{14}\b/g

export function whoAmI({ id }: Principal): object {
  return { id: madeId('usr', id), scopes: SCOPES }
}

export function baseList(bases: readonly Base[]): object {
  return { bases: bases.map(({ id, source }) => ({ id, name: source, permissionLevel: 'read' })) }
}

/** The tables of a base. What a key does not see is not in what others say of themselves, either. */
export function tableList(
  tables: readonly PlacedTable[],
  principal: Principal,
  { withVisibleFields }: { readonly withVisibleFields: boolean },
): object {
  const seen = new Set(tables.flatMap(({ schema }) => idsOf(schema)))
  const isSeen = isRestricted(principal) ? (id: string) => seen.has(id) : () => true
  return {
    tables: tables.map(({ schema }) => {
      const { id, name, description, primaryFieldId, fields, views, hasViewsOfItsOwn } = schema
      // Of the upstream's views is not known which fields they show.
      const shown = withVisibleFields && !hasViewsOfItsOwn ? { visibleFieldIds: fields.map((field) => field.id) } : {}
      return {
        id, name,
        ...(description !== undefined && { description }),
        primaryFieldId,
        fields: fields.map((field) => fieldToWire(field, isSeen)),
        views: views.map((view) => Object.assign({}, view, shown)),
      } // prettier-ignore
    }),
  }
}

function fieldToWire(
  { id, name, type, description, options }: BaseTable['fields'][number],
  isSeen: (id: string) => boolean,
): object {
  const shown = options === undefined ? undefined : withoutUnseen(options, isSeen)
  return {
    id, name,
    ...(type !== null && { type }),
    ...(description !== undefined && { description }),
    ...(shown !== undefined && { options: shown }),
  } // prettier-ignore
}

function idsOf({ id, fields, views }: BaseTable): string[] {
  return [id, ...fields.map((field) => field.id), ...views.map((view) => view.id)]
}

/** Without every text that names a table, field or view that is not seen: formulas and lookups name those they read. */
function withoutUnseen(value: JsonValue, isSeen: (id: string) => boolean): JsonValue | undefined {
  if (typeof value === 'string') return value.match(ID)?.every(isSeen) === false ? undefined : value
  if (Array.isArray(value)) {
    return (value as readonly JsonValue[])
      .map((one) => withoutUnseen(one, isSeen))
      .filter((one): one is JsonValue => one !== undefined)
  }
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).flatMap(([name, one]): [string, JsonValue][] => {
    const shown = withoutUnseen(one, isSeen)
    return shown === undefined ? [] : [[name, shown]]
  })
  return Object.fromEntries(members)
}
