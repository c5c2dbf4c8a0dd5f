import { Failure } from '../errors.ts'
import type { Exchange } from './exchange.ts'
import type { ParameterRule, Parameters } from './query.ts'
import type { Principal, Scope } from '../access.ts'

/** What a request carries besides its headers. */
export interface Call {
  readonly exchange: Exchange
  /** Who asks; on a route that needs no key, somebody who may see nothing. */
  readonly principal: Principal
  /** Values of the names in the path. */
  readonly params: Readonly<Record<string, string>>
  /** The JSON body; empty where there was none. */
  readonly body: Readonly<Record<string, unknown>>
  /** The body of a route that takes it as it is; else empty. */
  readonly bytes: Buffer
  /** The parameters of the query string, as the route declares them; of a route that reads them itself, none. */
  readonly query: Readonly<Record<string, unknown>>
}

/** One route. GET answers HEAD too; all routes answer OPTIONS. */
export interface Route {
  readonly method: 'GET' | 'POST'
  /** As Express writes it: `/api/runs/:id`. */
  readonly path: string
  /** What the key must allow; null: no key is needed. */
  readonly scope: Scope | null
  readonly summary: string
  /** The parameters of its query string. */
  readonly parameters: Readonly<Record<string, ParameterRule>>
  /**
   * What becomes of parameters that are not declared: refused by the dispatcher, or left to the route, which takes them
   * for filters by column, or reads the whole query by itself. A route that needs no key does not look at its query.
   */
  readonly others: 'refused' | 'filters' | 'read'
  /**
   * What the route does about what a key may not see. `whole`: it shows things as they are, so a restricted key gets
   * 403. `tables`: it leaves out, or does not know, sources and tables that the key does not see; a key with hidden
   * columns or rows gets 403. `rows`: it keeps to all of it. Without a scope there is nothing to see.
   */
  readonly reach: 'whole' | 'tables' | 'rows'
  /** Whether `?ticket=` lets in too: for what browsers open by themselves, as streams and images, without headers. */
  readonly takesTicket?: true
  /** Whether it takes the body as it is, of whatever type: for those who sign bytes. */
  readonly takesBytes?: true
  /** How its failures are written, where it is not as `application/problem+json`. */
  readonly problemOf?: Exchange['problemOf']
  handle(call: Call): void | Promise<void>
}

type RouteSpec<Rules> = Omit<Route, 'parameters' | 'others' | 'reach' | 'handle'> & {
  readonly parameters?: Rules
  readonly others?: Route['others']
  readonly reach?: Route['reach']
  handle(call: Call & { readonly query: Parameters<Rules> }): void | Promise<void>
}

/** A route as it is written: without parameters, and for keys that see everything, unless it says otherwise. */
export function defineRoute<const Rules extends Readonly<Record<string, ParameterRule>> = Record<string, never>>(
  spec: RouteSpec<Rules>,
): Route {
  return {
    reach: 'whole',
    others: 'refused',
    ...spec,
    parameters: spec.parameters ?? {},
    handle: (call) => spec.handle(call as Call & { readonly query: Parameters<Rules> }),
  }
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
