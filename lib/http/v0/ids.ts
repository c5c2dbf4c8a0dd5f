import { hash } from 'node:crypto'

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const LENGTH = 14

/** What an id begins with: of a base, a table, a field, a view, a user. */
export type IdPrefix = 'app' | 'tbl' | 'fld' | 'viw' | 'usr'

/** An id in Airtable's form for what has none of its own: the same names always have the same. */
export function madeId(prefix: IdPrefix, ...names: readonly string[]): string {
  const bytes = hash('sha256', JSON.stringify([prefix, ...names]), 'buffer')
  return prefix + Array.from(bytes.subarray(0, LENGTH), (byte) => DIGITS[byte % DIGITS.length]).join('')
}
