import { z } from 'zod'

export type JsonSchema = Readonly<Record<string, unknown>>

const COMPONENTS = z.registry<{ readonly id: string }>()
const PREFIX = '#/components/schemas/'

/** Gives a schema a name of its own in the document: wherever it is used, it is then referred to. */
export function named<Schema extends z.ZodType>(id: string, schema: Schema): Schema {
  COMPONENTS.add(schema, { id })
  return schema
}

/** All named schemas as JSON Schema. Members that are not named are allowed: answers may get more of them. */
export function componentSchemas(): Record<string, JsonSchema> {
  const { schemas } = z.toJSONSchema(COMPONENTS, {
    target: 'draft-2020-12',
    io: 'input',
    uri: (id) => PREFIX + id,
    override: ({ jsonSchema }) => tidy(jsonSchema),
  })
  return Object.fromEntries(
    Object.entries(schemas)
      .map(([id, { $schema: _schema, $id: _id, ...schema }]) => [id, schema as JsonSchema] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )
}

/** How the document refers to a named schema. */
export function refTo(schema: z.ZodType): JsonSchema {
  const id = COMPONENTS.get(schema)?.id
  if (id === undefined) throw new Error('a schema that answers refer to has no name')
  return refToId(id)
}

export function refToId(id: string): JsonSchema {
  return { $ref: PREFIX + id }
}

/** Leaves out what only says how zod checks: readers, and programs that write types, get nothing from it. */
function tidy(schema: Record<string, unknown>): void {
  if (schema.format === 'date-time' || schema.format === 'date') delete schema.pattern
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum
  if (typeof schema.propertyNames === 'object') delete schema.propertyNames
  const { anyOf } = schema
  if (!Array.isArray(anyOf) || anyOf.length !== 2) return
  const [one, other] = anyOf as [Record<string, unknown>, Record<string, unknown>]
  if (other.type !== 'null' || typeof one.type !== 'string') return
  // `string or null` is one type in JSON Schema, and easier to read as one.
  delete schema.anyOf
  const { type, ...rest } = one
  Object.assign(schema, rest, { type: [type, 'null'] })
  if (Array.isArray(rest.enum)) schema.enum = [...(rest.enum as unknown[]), null]
}
