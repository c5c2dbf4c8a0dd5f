/** What of JSON Schema a document uses. */
export interface Schema {
  readonly $ref?: string
  readonly description?: string
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Schema | boolean
}

/** Writes schemas as TypeScript types. `nameOf` says what a component is called. */
export function typeOf(schema: Schema, nameOf: (component: string) => string, indent = ''): string {
  const of = (one: Schema, deeper = '') => typeOf(one, nameOf, indent + deeper)
  const { $ref, type, enum: choices, anyOf, oneOf } = schema
  if ($ref !== undefined) return nameOf($ref.slice($ref.lastIndexOf('/') + 1))
  if (schema.const !== undefined) return literal(schema.const)
  if (choices) return union(choices.map(literal))
  const alternatives = anyOf ?? oneOf
  if (alternatives) return union(alternatives.map((one) => of(one)))
  const types = type === undefined ? [] : typeof type === 'string' ? [type] : type
  return types.length === 0 ? 'unknown' : union(types.map((one) => simpleType(one, schema, { of, indent })))
}

/** How what is inside a schema is written. */
interface Inside {
  readonly of: (schema: Schema, deeper?: string) => string
  readonly indent: string
}

function simpleType(type: string, schema: Schema, inside: Inside): string {
  switch (type) {
    case 'integer':
    case 'number':
      return 'number'
    case 'array': {
      const items = inside.of(schema.items ?? {})
      return /^\w+$/.test(items) ? `readonly ${items}[]` : `readonly (${items})[]`
    }
    case 'object':
      return objectType(schema, inside)
    default:
      return type
  }
}

function objectType({ properties, required, additionalProperties: others }: Schema, { of, indent }: Inside): string {
  if (!properties) return `{ readonly [name: string]: ${typeof others === 'object' ? of(others) : 'unknown'} }`
  const members = Object.entries(properties).map(
    ([name, schema]) => `readonly ${memberName(name)}${required?.includes(name) ? '' : '?'}: ${of(schema, '  ')}`,
  )
  if (typeof others === 'object') members.push('readonly [name: string]: unknown')
  if (members.length === 0) return 'Readonly<Record<string, never>>'
  return `{\n${members.map((member) => `${indent}  ${member}\n`).join('')}${indent}}`
}

/** A name as a member of a type. */
export function memberName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : literal(name)
}

function union(types: readonly string[]): string {
  return [...new Set(types)].join(' | ')
}

/** As text in the code, with nothing in it that an editor takes for the end of a line. */
export function literal(value: unknown): string {
  const text = typeof value === 'string' && !/['\\\p{C}]/u.test(value) ? `'${value}'` : JSON.stringify(value)
  return text.replaceAll(/[\u007f-\u009f\u2028\u2029\ufeff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
