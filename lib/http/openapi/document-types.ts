import type { JsonSchema } from './components.ts'

/** What of OpenAPI is used here. */
export interface Reference {
  readonly $ref: string
}

export interface Parameter {
  readonly name: string
  readonly in: 'query' | 'path' | 'header'
  readonly required?: true
  readonly description?: string
  readonly style?: 'form'
  readonly explode?: true
  readonly schema: JsonSchema
  /** The column that it filters by; its own name may be in quotes. */
  readonly 'x-column'?: string
}

export interface NamedExample {
  readonly summary: string
  readonly value: unknown
}

export interface MediaType {
  readonly schema?: JsonSchema
  readonly examples?: Readonly<Record<string, NamedExample>>
  /** What the frames of an event stream hold. */
  readonly 'x-frames'?: JsonSchema
}

export interface Response {
  readonly description: string
  readonly headers?: Readonly<Record<string, object>>
  readonly content?: Readonly<Record<string, MediaType>>
}

/** A request that can be sent as it stands, and what it leads to. */
export interface RequestExample {
  readonly summary: string
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly status: number
  /** The media type of the answer, where it has a body. */
  readonly type?: string
  readonly failure?: string
}

/** Which table an operation is about, for programs that write clients. */
export interface TableNote {
  readonly name: string
  readonly source: string
  readonly table: string
  /** How the names of its component schemas begin. */
  readonly component: string
}

export interface Operation {
  readonly tags: readonly string[]
  readonly operationId: string
  readonly summary: string
  readonly description: string
  readonly parameters?: readonly (Parameter | Reference)[]
  readonly requestBody?: { readonly required: boolean; readonly content: Readonly<Record<string, MediaType>> }
  readonly responses: Readonly<Record<string, Response | Reference>>
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
  readonly 'x-examples'?: readonly RequestExample[]
  readonly 'x-table'?: TableNote
}

export type PathItem = { readonly [Method in 'get' | 'post']?: Operation }

export interface OpenApiDocument {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly servers: readonly { readonly url: string }[]
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, PathItem>>
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>
    readonly parameters: Readonly<Record<string, Parameter>>
    readonly headers: Readonly<Record<string, object>>
    readonly responses: Readonly<Record<string, Response>>
    readonly securitySchemes: Readonly<Record<string, object>>
  }
}
