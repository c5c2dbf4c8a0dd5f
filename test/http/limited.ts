import type { KeyCheck, Principal, Scope } from '../../lib/access.ts'
import { NOBODY } from '../../lib/http/keys.ts'

/** Keys beside others, each its own name, that see only the sources and tables in their list. */
export function limitedKeys(
  others: KeyCheck,
  limits: Readonly<Record<string, readonly string[]>>,
  scopes: readonly Scope[] = ['read'],
): KeyCheck {
  const known = new Map<string, Principal>(
    Object.entries(limits).map(([id, names]) => [
      id,
      { ...NOBODY, id, scopes: new Set(scopes), limits: new Set(names), view: id },
    ]),
  )
  return {
    ...others,
    check: (key) => known.get(key) ?? others.check(key),
    isLive: () => true,
    find: (id) => known.get(id) ?? others.find(id),
  }
}
