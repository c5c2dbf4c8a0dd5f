import type { ParameterRule } from '../query.ts'
import type { Route } from '../route.ts'
import type { JsonSchema } from './components.ts'
import type { Parameter } from './document-types.ts'
import type { RouteDoc } from './route-doc.ts'

/** What a rule takes, as JSON Schema. */
function schemaOfRule(rule: ParameterRule): JsonSchema {
  switch (rule.kind) {
    case 'text':
      return rule.many ? { type: 'array', items: { type: 'string', minLength: 1 } } : { type: 'string', minLength: 1 }
    case 'flag':
      return { type: 'boolean' }
    case 'integer':
      return { type: 'integer', minimum: rule.from, ...(rule.to !== undefined && { maximum: rule.to }) }
    case 'choice':
      return { type: 'string', enum: rule.of }
  }
}

export function pathParameters({ path }: Pick<Route, 'path'>, { parameters = {} }: RouteDoc): Parameter[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name: name!,
    in: 'path',
    required: true,
    description: parameters[name!] ?? '',
    schema: { type: 'string' },
  }))
}

export function queryParameters(route: Route, { parameters = {} }: RouteDoc): Parameter[] {
  return Object.entries(route.parameters).map(([name, rule]) => ({
    name,
    in: 'query',
    description: parameters[name] ?? '',
    schema: schemaOfRule(rule),
  }))
}

/** Stands for all filters by column, where the columns are not known. */
export const ANY_FILTER: Parameter = {
  name: 'filters',
  in: 'query',
  description: 'Filters by column: `country=eq.DE`. The members are parameters of their own.',
  style: 'form',
  explode: true,
  schema: { type: 'object', additionalProperties: { type: 'string' } },
}

export function headerParameters({ requestHeaders = {}, answers }: RouteDoc): Parameter[] {
  const validates = answers.some(({ status }) => status === 304)
  const headers = {
    ...requestHeaders,
    ...(validates && { 'If-None-Match': 'Entity tags that the client has: then 304' }),
  }
  return Object.entries(headers).map(([name, description]) => ({
    name,
    in: 'header',
    description,
    schema: { type: 'string' },
  }))
}
