import assert from 'node:assert/strict'
import type { ErrorObject } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import type {
  OpenApiDocument,
  Operation,
  Parameter,
  Reference,
  Response as Documented,
} from '../../lib/http/openapi/document-types.ts'

export interface Described {
  readonly method: 'get' | 'post'
  readonly path: string
  readonly operation: Operation
}

export function operationsOf({ paths }: OpenApiDocument): Described[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    (['get', 'post'] as const).flatMap((method) => {
      const operation = item[method]
      return operation ? [{ method, path, operation }] : []
    }),
  )
}

/** What is documented, to hold answers against: no member may be there that the document does not have. */
export class Claims {
  readonly document: OpenApiDocument
  readonly #ajv: Ajv2020

  constructor(document: OpenApiDocument) {
    this.document = document
    this.#ajv = new Ajv2020({ strict: false, allErrors: true })
    ;(formats as unknown as (ajv: Ajv2020) => void)(this.#ajv)
    this.#ajv.addSchema(closed(document) as object, 'openapi.json')
  }

  /** Says what is wrong with a value that is documented at a place: names from the root of the document. */
  check(value: unknown, place: readonly string[], message: string): void {
    const pointer = place.map((name) => encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')
    const validate = this.#ajv.compile({ $ref: `openapi.json#/${pointer}` })
    const isValid = validate(value)
    assert.ok(isValid, `${message}: ${this.#ajv.errorsText(validate.errors as ErrorObject[] | null)}`)
  }

  parameter(one: Parameter | Reference): Parameter {
    return '$ref' in one ? this.document.components.parameters[one.$ref.split('/').at(-1)!]! : one
  }

  /** Where the answer with a status is documented, and what it says. */
  response({ path, method, operation }: Described, status: number): { place: readonly string[]; response: Documented } {
    const one = operation.responses[String(status)]
    assert.ok(one, `${method} ${path} may not answer ${status}`)
    if (!('$ref' in one)) return { place: ['paths', path, method, 'responses', String(status)], response: one }
    const place = one.$ref.slice(2).split('/')
    return { place, response: this.document.components.responses[place.at(-1)!]! }
  }
}

/** Objects whose members are documented have those alone. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.fromEntries(Object.entries(value).map(([name, one]) => [name, closed(one)]))
  const isClosed = members.type === 'object' && 'properties' in members && !('additionalProperties' in members)
  return isClosed ? { ...members, additionalProperties: false } : members
}
