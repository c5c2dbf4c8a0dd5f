import { textTable } from '../base/text-table.ts'
import { keyToWire } from '../http/wire-key.ts'
import type { KeyInfo } from '../keys.ts'

const HEAD = ['id', 'name', 'status', 'scopes', 'sees', 'rate', 'expires', 'last used']

/** Keys as a table for people. */
export function keyTable(keys: readonly KeyInfo[], now: number): string {
  if (keys.length === 0) return 'No key was made here; those of the environment are not listed.\n'
  return textTable([HEAD, ...keys.map((info) => rowOf(info, now))])
}

/** The same for programs, one line each. */
export function keyLines(keys: readonly KeyInfo[], now: number): string {
  return keys.map((info) => `${JSON.stringify(keyToWire(info, now))}\n`).join('')
}

function rowOf(info: KeyInfo, now: number): string[] {
  const { id, name, status, scopes, rate, expires_at, last_used_at } = keyToWire(info, now)
  return [
    id,
    name,
    status,
    scopes.join(','),
    seenBy(info),
    rate ? `${rate.limit}/${rate.window_seconds}s` : '-',
    toMinute(expires_at),
    toMinute(last_used_at),
  ]
}

function seenBy({ limits, rules }: KeyInfo): string {
  const narrowed = Object.entries(rules).map(([name, { filter, hidden }]) => {
    const rows = filter === null ? '' : ` where ${filter}`
    return `${name}${rows}${hidden.length > 0 ? ` without ${hidden.join(',')}` : ''}`
  })
  return [limits?.join(',') ?? 'everything', ...narrowed].join('; ')
}

function toMinute(time: string | null): string {
  return time === null ? '-' : `${time.slice(0, 16)}Z`
}
