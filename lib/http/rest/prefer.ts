import { Failure } from '../../errors.ts'
import type { Count } from '../../query.ts'

export interface Preferences {
  readonly count: Count
  /** Those that were kept to, as `Preference-Applied` says them. */
  readonly applied: readonly string[]
}

/** The values of each preference; those about writing mean nothing to a read, but are no mistake either. */
const KNOWN: Readonly<Record<string, RegExp>> = {
  count: /^(?:exact|planned|estimated)$/,
  handling: /^(?:strict|lenient)$/,
  return: /^(?:representation|minimal|headers-only)$/,
  resolution: /^(?:merge-duplicates|ignore-duplicates)$/,
  missing: /^(?:default|null)$/,
  tx: /^(?:commit|rollback)$/,
  'max-affected': /^\d+$/,
}

/** `Prefer: count=exact, handling=strict` (RFC 7240). The first of several values counts. */
export function readPrefer(header: string | undefined): Preferences {
  const given = new Map<string, string>()
  const unknown: string[] = []
  for (const part of (header ?? '').split(',')) {
    const preference = part.trim()
    if (preference === '') continue
    const mark = preference.indexOf('=')
    const name = preference.slice(0, mark === -1 ? undefined : mark).toLowerCase()
    const value = mark === -1 ? '' : preference.slice(mark + 1).replaceAll('"', '')
    if (!Object.hasOwn(KNOWN, name) || !KNOWN[name]!.test(value)) unknown.push(preference.slice(0, 100))
    else if (!given.has(name)) given.set(name, value)
  }
  if (given.get('handling') === 'strict' && unknown.length > 0) {
    throw new Failure(
      'bad_parameter',
      `Prefer asks for strict handling, and for what is not known here: ${unknown.slice(0, 10).join(', ')}.`,
      { facts: { parameter: 'Prefer', known: Object.keys(KNOWN) } },
    )
  }
  const applied = ['handling', 'count'].filter((name) => given.has(name)).map((name) => `${name}=${given.get(name)!}`)
  return { count: (given.get('count') as Count | undefined) ?? 'none', applied }
}
