import type { JsonSchema } from './components.ts'
import type { OpenApiDocument } from './document-types.ts'
import { anchor, code, escape, inline } from './page-text.ts'

/** All named schemas, each with its members. */
export function schemaSection({ components }: OpenApiDocument): string {
  const parts = Object.entries(components.schemas).map(
    ([name, schema]) =>
      `<article id="schema-${anchor(name)}"><h3>${code(name)}</h3>${aboutOf(schema)}${membersOf(schema)}</article>`,
  )
  return `<section><h2 id="schemas">Schemas</h2>\n<p>What answers and bodies are made of.</p>\n${parts.join('\n')}</section>`
}

/** What a schema takes, in a few words, with links to those that have names. */
export function kindOf(schema: JsonSchema): string {
  const { $ref, type, enum: choices, const: constant, items, additionalProperties, minimum, maximum } = schema
  if (typeof $ref === 'string') {
    const name = $ref.slice($ref.lastIndexOf('/') + 1)
    return `<a href="#schema-${anchor(name)}">${escape(name)}</a>`
  }
  if (constant !== undefined) return code(JSON.stringify(constant))
  if (Array.isArray(choices)) return choices.map((choice) => code(JSON.stringify(choice))).join(' ')
  const choice = (schema.anyOf ?? schema.oneOf) as readonly JsonSchema[] | undefined
  if (choice) return choice.map(kindOf).join(' or ')
  if (type === 'array') return `list of ${kindOf((items ?? {}) as JsonSchema)}`
  if (type === 'object' && isSchema(schema.properties)) return membersOf(schema)
  if (type === 'object' && isSchema(additionalProperties)) return `object, each member ${kindOf(additionalProperties)}`
  const name = Array.isArray(type) ? type.join(' or ') : typeof type === 'string' ? type : 'anything'
  const bounds = minimum === undefined && maximum === undefined ? '' : `, ${boundsOf(minimum, maximum)}`
  return escape(`${name}${bounds}`)
}

function boundsOf(minimum: unknown, maximum: unknown): string {
  if (maximum === undefined) return `from ${Number(minimum)}`
  return minimum === undefined ? `to ${Number(maximum)}` : `${Number(minimum)} to ${Number(maximum)}`
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null
}

function aboutOf({ description }: JsonSchema): string {
  return typeof description === 'string' ? `<p>${inline(description)}</p>` : ''
}

function membersOf(schema: JsonSchema): string {
  const { properties, required } = schema as { properties?: Record<string, JsonSchema>; required?: readonly string[] }
  if (!properties) return `<p class="kind">${kindOf(schema)}</p>`
  const rows = Object.entries(properties).map(([name, member]) => {
    const isOptional = !required?.includes(name)
    return `<tr><th>${code(name)}${isOptional ? ' <span class="kind">optional</span>' : ''}</th><td>${aboutOf(member)}<div class="kind">${kindOf(member)}</div></td></tr>`
  })
  return rows.length === 0 ? '' : `<table>${rows.join('')}</table>`
}
