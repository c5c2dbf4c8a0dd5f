import { Failure } from '../errors.ts'

/** What the values of a parameter may be. */
export type ParameterRule =
  | { readonly kind: 'text'; readonly many?: false; readonly mayBeEmpty?: true }
  /** May be repeated: a list. */
  | { readonly kind: 'text'; readonly many: true }
  | { readonly kind: 'flag' }
  | { readonly kind: 'integer'; readonly from: number; readonly to?: number }
  | { readonly kind: 'choice'; readonly of: readonly string[] }

type ValueOf<Rule> = Rule extends { kind: 'text' }
  ? Rule extends { many: true }
    ? readonly string[]
    : string
  : Rule extends { kind: 'flag' }
    ? boolean
    : Rule extends { kind: 'integer' }
      ? number
      : Rule extends { kind: 'choice'; of: readonly (infer Choice)[] }
        ? Choice
        : never

export type Parameters<Rules> = { readonly [Name in keyof Rules]?: ValueOf<Rules[Name]> }

export const KEY_NAMES = /^(x[-_])?(api[-_]?key|key|access[-_]?token|token|bearer([-_]token)?|authorization|ticket)$/i

/**
 * Reads a query string by rules, and refuses whatever they do not cover: an unknown or repeated parameter, a value of
 * another kind, encoding that is not UTF-8. What it says names the parameter and what was expected.
 */
export function readQuery<const Rules extends Readonly<Record<string, ParameterRule>>>(
  query: string,
  rules: Rules,
): Parameters<Rules> {
  const values = new Map<string, unknown>()
  for (const part of query.split('&')) {
    if (part === '') continue
    const mark = part.indexOf('=')
    const name = decode(mark === -1 ? part : part.slice(0, mark))
    const text = decode(mark === -1 ? '' : part.slice(mark + 1))
    if (!Object.hasOwn(rules, name)) throw unknownParameter(name, Object.keys(rules))
    const rule = rules[name]!
    const isMany = rule.kind === 'text' && rule.many === true
    if (values.has(name) && !isMany) throw badParameter(name, 'once at most, but it is there several times')
    const value = readValue(name, text, rule)
    values.set(name, isMany ? [...((values.get(name) as string[] | undefined) ?? []), value] : value)
  }
  return Object.fromEntries(values) as Parameters<Rules>
}

/** The same, where all other parameters are filters: those come as they are, in order, repeats included. */
export function readOpenQuery<const Rules extends Readonly<Record<string, ParameterRule>>>(
  query: string,
  rules: Rules,
): { readonly known: Parameters<Rules>; readonly others: readonly (readonly [name: string, value: string])[] } {
  const others: [string, string][] = []
  const parts: string[] = []
  for (const part of query.split('&')) {
    if (part === '') continue
    const mark = part.indexOf('=')
    const name = decode(mark === -1 ? part : part.slice(0, mark))
    if (Object.hasOwn(rules, name)) {
      parts.push(part)
      continue
    }
    const value = decode(mark === -1 ? '' : part.slice(mark + 1))
    if (KEY_NAMES.test(name) && !/^(?:not\.)?[a-z]+[.(]/.test(value)) throw unknownParameter(name, Object.keys(rules))
    others.push([name, value])
  }
  return { known: readQuery(parts.join('&'), rules), others }
}

/** A parameter has a value that cannot be used. `expected` completes "must be …". */
export function badParameter(parameter: string, expected: string): Failure {
  return new Failure('bad_parameter', `The parameter ${parameter} must be given ${expected}.`, { facts: { parameter } })
}

/** A parameter that there is not; where it looks like a key, what to do with that. */
export function unknownParameter(name: string, known: readonly string[]): Failure {
  const list = known.length === 0 ? 'This route takes no parameters.' : `Known here: ${known.join(', ')}.`
  const advice = KEY_NAMES.test(name)
    ? 'A key does not belong into a URL, where logs would keep it: send it as X-API-Key or Authorization: Bearer. '
    : ''
  const parameter = name.slice(0, 100)
  return new Failure('unknown_parameter', `There is no parameter ${JSON.stringify(parameter)}. ${advice}${list}`, {
    facts: { parameter, known },
  })
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch (cause) {
    throw new Failure('bad_request', 'The query string has percent-encoding that is not UTF-8. Encode it again.', {
      cause,
    })
  }
}

function readValue(name: string, text: string, rule: ParameterRule): unknown {
  switch (rule.kind) {
    case 'text':
      if ((text === '' && !('mayBeEmpty' in rule)) || text.includes('\0')) {
        throw badParameter(name, 'as text that is not empty')
      }
      return text
    case 'flag':
      if (text !== 'true' && text !== 'false') throw badParameter(name, 'as true or false')
      return text === 'true'
    case 'integer': {
      const to = rule.to ?? Number.MAX_SAFE_INTEGER
      const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN
      if (!(value >= rule.from && value <= to)) throw badParameter(name, `as a whole number from ${rule.from} to ${to}`)
      return value
    }
    case 'choice':
      if (!rule.of.includes(text)) throw badParameter(name, `as one of ${rule.of.join(', ')}`)
      return text
  }
}
