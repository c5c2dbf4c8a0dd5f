import { Failure } from '../errors.ts'
import type { Exchange } from './exchange.ts'
import type { Scope } from './keys.ts'

/** What a request carries besides its headers. */
export interface Call {
  readonly exchange: Exchange
  /** Values of the names in the path. */
  readonly params: Readonly<Record<string, string>>
  /** The JSON body; empty where there was none. */
  readonly body: Readonly<Record<string, unknown>>
}

/** One route. GET answers HEAD too; all routes answer OPTIONS. */
export interface Route {
  readonly method: 'GET' | 'POST'
  /** As Express writes it: `/api/runs/:id`. */
  readonly path: string
  /** What the key must allow; null: no key is needed. */
  readonly scope: Scope | null
  readonly summary: string
  handle(call: Call): void | Promise<void>
}

/** A text member of a body, if it is there; anything else in the body is refused. */
export function readBody<const Names extends readonly string[]>(
  body: Readonly<Record<string, unknown>>,
  names: Names,
): { readonly [Name in Names[number]]?: string } {
  for (const [name, value] of Object.entries(body)) {
    const parameter = name.slice(0, 100)
    if (!names.includes(name)) {
      throw new Failure('unknown_parameter', `The body has an unknown member ${JSON.stringify(parameter)}.`, {
        facts: { parameter, known: names },
      })
    }
    if (typeof value !== 'string' || value === '') {
      throw new Failure('bad_parameter', `The member ${parameter} of the body must be text that is not empty.`, {
        facts: { parameter },
      })
    }
  }
  return body as { readonly [Name in Names[number]]?: string }
}
