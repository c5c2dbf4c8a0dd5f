import { Failure } from '../errors.ts'

/** Reads one member of a body, or says what it should have been: completes "must be …". */
export interface MemberRule<Value> {
  readonly expected: string
  /** Undefined: it is not that. */
  read(value: unknown): Value | undefined
}

type Members<Rules> = { readonly [Name in keyof Rules]?: Rules[Name] extends MemberRule<infer Value> ? Value : never }

/** The members of a body by rules; whatever they do not cover is refused. */
export function readMembers<const Rules extends Readonly<Record<string, MemberRule<unknown>>>>(
  body: Readonly<Record<string, unknown>>,
  rules: Rules,
): Members<Rules> {
  const read = Object.entries(body).map(([name, given]) => {
    const parameter = name.slice(0, 100)
    if (!Object.hasOwn(rules, name)) {
      const known = Object.keys(rules)
      throw new Failure('unknown_parameter', `The body has an unknown member ${JSON.stringify(parameter)}.`, {
        facts: { parameter, known },
      })
    }
    const rule = rules[name]!
    const value = rule.read(given)
    if (value !== undefined) return [name, value] as const
    throw new Failure('bad_parameter', `The member ${parameter} of the body must be ${rule.expected}.`, {
      facts: { parameter },
    })
  })
  return Object.fromEntries(read) as Members<Rules>
}

export const text: MemberRule<string> = {
  expected: 'text that is not empty',
  read: (value) => (isText(value) ? value : undefined),
}

export const texts: MemberRule<readonly string[]> = {
  expected: 'a list of texts, none of them empty',
  read: (value) => (Array.isArray(value) && value.every(isText) ? value : undefined),
}

export const flag: MemberRule<boolean> = {
  expected: 'true or false',
  read: (value) => (typeof value === 'boolean' ? value : undefined),
}

export function seconds(max: number): MemberRule<number> {
  return {
    expected: `a whole number of seconds, 0 to ${max}`,
    read: (value) => (isCount(value) && value <= max ? value : undefined),
  }
}

/** An object whose members are all of one kind. */
export function byName<Value>(rule: MemberRule<Value>): MemberRule<Readonly<Record<string, Value>>> {
  return {
    expected: `an object, each of its members ${rule.expected}`,
    read(value) {
      if (!isObject(value)) return undefined
      const entries = Object.entries(value).map(([name, one]) => [name, rule.read(one)] as const)
      return entries.some(([, one]) => one === undefined)
        ? undefined
        : (Object.fromEntries(entries) as Record<string, Value>)
    },
  }
}

export const rate: MemberRule<{ readonly limit: number; readonly windowMs: number }> = {
  expected: 'an object with limit, 1 to 999999999, and window_seconds, 1 to 86400',
  read(value) {
    if (!isObject(value) || Object.keys(value).length !== 2) return undefined
    const { limit, window_seconds: window } = value
    const isRate = isCount(limit) && limit >= 1 && limit < 1e9 && isCount(window) && window >= 1 && window <= 86_400
    return isRate ? { limit, windowMs: window * 1000 } : undefined
  },
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
